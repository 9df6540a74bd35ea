"""The table of spellings: what LaTeX can write in many ways, and the one way that the grader keeps.

The order counts. Above each row stands what it matches, and what it must leave alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Spelling = str | Callable[[re.Match[str]], str]

_FUNCTIONS = r"(?:arc)?(?:sin|cos|tan|cot|sec|csc)h?|ln|lg|log|exp|gcd|lcm"
_WORD = r"\\text\s*\{([^{}\d]*)\}"
_LOGARITHM = r"\\(?:log|ln)(?:\s*_\s*(?:\{\d{1,9}\}|\d))?(?:\s*\d{1,30}|\s*\{\d{1,30}\}|\s+[a-zA-Z])"
"""Matches "\\log 3", "\\log_{10}{3}", "\\ln x"; not "\\log(3)", "\\login"."""
_INDEX = r"(?:\{\s*([\w+\- ]+?)\s*\}|(\w))"
_C = r"\s*(?:C|\\text\s*\{\s*C\s*\})\s*"
_CURRENCIES = {"$": "dollar", "€": "euro", "£": "gbp", "¥": "yen"}


def _binomial(n: str, k: str) -> str:
    return rf"\binom{{{n}}}{{{k}}}"


def _money(match: re.Match[str]) -> str:
    """Return an amount with its currency behind it; a bare dollar sign beside another one is LaTeX's."""
    amount = match["number"] + (match["part"] or match["scale"] or "")
    sign = match["sign"]
    is_latex = sign == "$" and match.string.count("$") - match.string.count("\\$") > 1
    return amount if is_latex else rf"{amount}\text{{ {_CURRENCIES[sign[-1]]}}}"


_ROWS: list[tuple[str, Spelling]] = [
    # Matches "\displaystyle", "\bf", "\Large", "\color{red}"; not "\bfseries" or "\textbf".
    (
        r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|rm|bf|it|sf|tt|em|tiny|small|normalsize"
        r"|large|Large|LARGE|huge|Huge)(?![a-zA-Z])|\\(?:text)?color\s*\{[^{}]*\}",
        "",
    ),
    # Matches "\left." and "\right.", which draw nothing; not "\left(".
    (r"\\(?:left|right)\s*\.", ""),
    # Matches "\left" in "\left(" and "\Bigl" in "\Bigl["; not "\leftarrow" or "\bigcup".
    (r"\\(?:left|right|middle|(?:big|Big|bigg|Bigg)[lr]?)(?![a-zA-Z])", ""),
    # Matches "\dfrac", "\tfrac", "\cfrac"; not "\frac".
    (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
    # Matches "\dbinom", "\tbinom"; not "\binom".
    (r"\\[dt]binom(?![a-zA-Z])", r"\\binom"),
    # Matches "\mathrm{", "\mbox{", "\textbf{", "\operatorname{"; not "\mathbb{" or "\rm".
    (
        r"\\(?:math(?:rm|bf|sf|it|tt|normal)|[mh]box|text(?:bf|it|rm|normal|sf|tt|up|sc)|bm|bold(?:symbol)?"
        r"|operatorname\*?|underline|emph)(?=\s*\{)",
        r"\\text",
    ),
    # Matches the number in "\text{42} ways"; not "x_\text{2}" or "\text{room 5}".
    (r"(?<![_^\w}])\\text\s*\{\s*(-?\d[\d,]*(?:\.\d+)?)\s*\}(?=\s|$)", r"\1"),
    # Matches "\mathrm s" without braces; not "\mathrm{s}".
    (r"\\mathrm\s+([a-zA-Z])(?![a-zA-Z])", r"\\text{\1}"),
    # Matches "\text{Option C}"; not "\text{Options C, D}".
    (r"^\\text\s*\{\s*(?:[Oo]ption|[Cc]hoice)\s*\(?([A-Z])\)?\s*\}$", r"\\text{\1}"),
    # Matches the triangle in "S_{\triangle ABC}"; not that in "\triangle ABC".
    (r"(?<=_\{)\s*\\triangle(?![a-zA-Z])\s*", ""),
    # Matches "\text{e}", "\text{i}", "\text{, }"; not "\text{m}".
    (r"\\text\s*\{\s*([ei]|[,;:])\s*\}", r"\1 "),
    # Matches "\text{sin}", "\text{gcd}"; not "\text{since}".
    (rf"\\text\s*\{{\s*({_FUNCTIONS})\s*\}}", r"\\\1 "),
    # Matches "\text{infinity}", "\text{infinite}"; not "\text{infinitely many}".
    (r"\\text\s*\{\s*infinit[ye]\s*\}", r"\\infty "),
    # Matches the comma of "11,\! 111"; not that of "(1, 2)".
    (r",\s*(?<!\\)\\!\s*(?=\d{3})", ","),
    # Matches the negative space "\!"; not the line break in "\\!".
    (r"(?<!\\)\\!", ""),
    # Matches the spaces "\,", "\;", "\ ", "\quad"; not "\\,".
    (r"(?<!\\)\\(?:[,;: ]|(?:q?quad|thinspace|enspace)(?![a-zA-Z])|hspace\{[^{}]*\})", " "),
    # Matches the space "~"; not "\~".
    (r"(?<!\\)~", " "),
    # Matches the empty group in "12{ }345"; not "{,}".
    (r"(?<=\d)\{\s+\}(?=\d)", " "),
    # Matches "{-}7" and "{+}"; not "\{-\}".
    (r"(?<!\\)\{\s*([+-])\s*\}", r"\1"),
    # Matches the empty group in "{}^{20}C_{10}" and "\pi{}"; not "\emptyset = \{\}".
    (r"(^|[\s(\[{+\-=]|\\(?:pi|infty|theta|alpha|beta|lambda|phantom)\s*)\{\s*\}", r"\1 "),
    # Matches "\leq", "\leqslant", "<="; not "\left".
    (r"\\(?:leq|leqslant)(?![a-zA-Z])|<=", r"\\le "),
    # Matches "\geq", "\geqslant", ">="; not "\ge".
    (r"\\(?:geq|geqslant)(?![a-zA-Z])|>=", r"\\ge "),
    # Matches "\neq"; not "\ne".
    (r"\\neq(?![a-zA-Z])", r"\\ne "),
    # Matches "\lt"; not "\ltimes".
    (r"\\lt(?![a-zA-Z])", "<"),
    # Matches "\gt"; not "\gtrsim".
    (r"\\gt(?![a-zA-Z])", ">"),
    # Matches "\lbrace" and "\{"; not "{".
    (r"\\(?:lbrace|{)", r"\\{"),
    # Matches "\rbrace" and "\}"; not "}".
    (r"\\(?:rbrace|})", r"\\}"),
    # Matches "\infin", "\infinity", "infinity"; not "\infty" or "infinitely".
    (r"\\(?:infin|infinity)(?![a-zA-Z])|(?<![a-zA-Z\\])infinity(?![a-zA-Z])", r"\\infty "),
    # Matches "\varnothing", "\{ \}"; not "\{0\}".
    (r"\\(?:varnothing|emptyset)(?![a-zA-Z])|\\\{\s*\\\}", r"\\emptyset "),
    # Matches "\bigcup" between two sets; not "\bigcup_{k}", which runs over an index.
    (r"\\bigcup(?![a-zA-Z_^]|\s*[_^])", r"\\cup "),
    # Matches the angle brackets of vectors; not "<".
    (r"\\langle(?![a-zA-Z])", "("),
    (r"\\rangle(?![a-zA-Z])", ")"),
    # Matches "\lvert", "\rvert", "\vert"; not "\vertical".
    (r"\\lvert|\\rvert|\\vert(?![a-zA-Z])", "|"),
    # Matches "^\circ", "^{\circ}", "\degree", "45^o"; not "x^o".
    (
        r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))|\\degrees?(?![a-zA-Z])"
        r"|(?<=\d)\s*\^\s*\{?\s*(?:\\text\s*\{\s*o\s*\}|o(?![a-zA-Z]))\s*\}?",
        r"^{\\circ}",
    ),
    # Matches the ending of "23^{\text{rd}}"; not "2^{\text{n}}".
    (r"(?<=\d)\s*\^\s*\{?\s*(?:\\text\s*\{\s*(?:st|nd|rd|th)\s*\}|(?<=\{)(?:st|nd|rd|th)(?=\}))\s*\}?", ""),
    # Matches "\%"; not "\\%".
    (r"\\%", "%"),
    # Matches "\text{%}"; not "\text{% of all}".
    (r"\\text\s*\{\s*%\s*\}", "%"),
    # Matches the country in "US\$5"; not "US".
    (r"(?:\\text\s*\{\s*US\s*\}|(?<![a-zA-Z])US)\s*(?=\\\$)", ""),
    # Matches "\$12.50", "\$1{,}250", "£5", "\$3 million"; not "\$x" or "5\$".
    (
        r"(?P<sign>\\\$|[$€£¥])\s*(?P<number>[-+]?(?:\d|\{,\}|[,.](?=\d))+)"
        r"(?P<part>\s*\\frac\s*(?:\{\s*\d+\s*\}\s*\{\s*\d+\s*\}|\d\d))?"
        r"(?P<scale>\s*(?:\\text\s*\{\s*)?(?:hundred|thousand|million|billion|trillion)(?![a-zA-Z])\s*\}?)?",
        _money,
    ),
    # Matches the sign of "5\$"; not "\$x".
    (r"(?<=\d)\s*(\\\$|[€£¥])", lambda m: rf"\text{{ {_CURRENCIES[m[1][-1]]}}}"),
    # Matches a currency sign that is left in front of a number or a letter; not the "$" of mathematics.
    (r"\\\$|[$€£](?=\s*[-\d.])", ""),
    # Matches the power of programs: "2**10"; not "2*10".
    (r"\*\*", "^"),
    # Matches the 2 of "\sin^280^{\circ}", whose power is one digit; not that of "\sin^{28}x" or "\sin^2x".
    (r"(\\(?:sin|cos|tan|cot|sec|csc)\s*\^)\s*([2-9])(?=\d)", r"\1{\2} "),
    # Matches the base of "\log_32" and "\log_49", one digit; not that of "\log_{32}x", "\log_25 5" or "\log_10 5".
    (r"(\\log\s*_)\s*([2-9])(?=\d+\s*(?:$|[-+=,;)}\]]))", r"\1{\2} "),
    (r"(\\log\s*_)\s*10(?!\d)", r"\1{10} "),
    # Matches the index of "F_{1+n}"; not that of "F_{n+1}".
    (r"_\s*\{\s*(\d)\s*\+\s*([a-z])\s*\}", r"_{\2+\1}"),
    # Matches "^10", "^-1", "^n" without braces; not "^{10}".
    (r"\^\s*(-?(?:\d+(?:\.\d+)?|\.\d+|[a-zA-Z]))", r"^{\1}"),
    # Matches the sign of "1.5 x 10^8"; not the letter in "2 x + 10^8".
    (r"(?<=\d)\s+x\s+(?=10\s*\^)", r"\\times "),
    # Matches the apostrophe of "1'000"; not that of "7'".
    (r"(?<=\d)'(?=\d{3}(?!\d))", " "),
    # Matches "1_000_000"; not the index of "110_2".
    (r"(?<![\w.])\d{1,3}(?:_\d{3})+(?![\d{])", lambda m: m[0].replace("_", "")),
    # Matches "\mathbb R"; not "\mathbb{R}".
    (r"\\mathbb\s+([A-Z])", r"\\mathbb{\1}"),
    # Matches "{:}", "\colon", and "\text{ to }" between numbers; not "\text{ to }x".
    (r"\{:\}|\\colon(?![a-zA-Z])|(?<=\d)\s*\\text\s*\{\s*to\s*\}\s*(?=\d)", ":"),
    # Matches "\log_e" and "\log_{e}"; not "\log_{ea}".
    (r"\\log\s*_\s*(?:\{\s*e\s*\}|e(?![a-zA-Z]))", r"\\ln "),
    # Matches "\log 3 / \log 2"; not "\ln 3 / 2", which may mean either.
    (rf"(?<![/^])(?<![/^] )({_LOGARITHM})\s*/\s*({_LOGARITHM})(?![\w^!])", r"\\frac{\1}{\2}"),
    # Matches "\lg"; not "\lgroup".
    (r"\\lg(?![a-zA-Z])", r"\\log_{10} "),
    # Matches "_{10}C_5", "C_{10}^5", "10C5"; not "C_1" or "2C".
    (
        rf"(?:^|(?<=[\s(\[{{+\-=/]))[_^]\s*{_INDEX}{_C}_\s*{_INDEX}"
        rf"|(?<![\w\\]){_C}_\s*{_INDEX}\s*\^\s*{_INDEX}|(?<![\w.])(\d+)C(\d+)(?!\w)",
        lambda m: _binomial(*filter(None, m.groups())),
    ),
    # Matches "C^5_{10}"; not "C^5".
    (
        rf"(?<![\w\\]){_C}\^\s*{_INDEX}\s*_\s*{_INDEX}",
        lambda m: _binomial(*filter(None, reversed(m.groups()))),
    ),
    # Matches the product "2*3"; not "\ast".
    (r"\*", r"\\cdot "),
    # Matches the inverse "\tan^{-1}"; not "\tan^{2}".
    (r"\\(?:sin|cos|tan|cot|sec|csc)\^\s*(?:\{\s*-1\s*\}|-1)", lambda m: f"\\arc{m[0][1:4]} "),
    # Matches "pi", "sin", "ln" without their backslash; not "\pi" or "since".
    (r"(?<![a-zA-Z\\])(pi|(?:arc)?(?:sin|cos|tan)|sinh|cosh|tanh|cot|sec|csc|log|ln)(?![a-zA-Z])", r"\\\1 "),
    # Matches "atan"; not "\arctan" or "satan".
    (r"(?<![a-zA-Z\\])atan(?![a-zA-Z])", r"\\arctan "),
    # Matches "max(" and "min("; not "maximum".
    (r"(?<![a-zA-Z\\])(max|min)(?=\()", r"\\\1"),
    # Matches the unit "\frac{\text{m}}{\text{s}}" at the end; not "\frac{a}{b}".
    (
        rf"\\frac\s*\{{\s*{_WORD}\s*\}}\s*\{{\s*{_WORD}\s*(?:\^\s*\{{?\s*([23])\s*\}}?\s*)?\}}$",
        lambda m: rf"\text{{{m[1]}/{m[2]}{'^' + m[3] if m[3] else ''}}}",
    ),
    # Matches "\text{The answer is }", "\text{Area} :" and "\text{USD }" in front of a value; not "\text{It is not }".
    (r"^\\text\s*\{(?![^{}]*\bnot?\b)(?:[^{}]*\s(?:is|are)|[^{}]*[:=]|\s*USD)\s*\}\s*(?=\S)", ""),
    # Matches "\text{all integers }" in front of "n \ge 3"; not of "x > 3", or alone.
    (
        r"^\\text\s*\{\s*(?:[Aa]ll|[Aa]ny|[Ee]very)\s+(?:positive\s+)?integers?\s*\}\s*(?=[i-n]\s*(?:\\[lg]e(?![a-z])|[<>]))",
        "",
    ),
    # Matches "\text{remainder }" and "\text{total of }" in front of a number; not "\text{half of }".
    (
        r"^\\text\s*\{\s*(?:[Tt]he\s+)?(?:[Rr]emainder|[Tt]otal|[Ss]um|[Vv]alue|[Aa]rea)(?:\s+of)?\s*\}\s*(?=-?\d[\d.,]*$)",
        "",
    ),
    # Matches ", \forall x" and "\text{ for all } x" behind a value; not in front of one.
    (
        r"(?<=[^\s,])[\s,]*(?:\\forall(?![a-zA-Z])"
        r"|(?:\\text\s*\{\s*,?\s*|(?<![a-zA-Z]))for\s+(?:all|every|any|each)(?![a-zA-Z])(?![^{}]*\}?\s*[abcCk]\s*(?:\}?$|[<>]|\\(?:ge|le|ne|in)(?![a-zA-Z]))))(?s:.*)$",
        "",
    ),
]
SPELLINGS: list[tuple[re.Pattern[str], Spelling]] = [
    (re.compile(pattern), spelling) for pattern, spelling in _ROWS
]
"""Patterns of the many spellings, each with the one spelling that is kept."""
