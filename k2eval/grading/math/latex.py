"""Bring an answer, as a model or a data set writes it, into one plain form of LaTeX.

Nothing here evaluates anything: it only removes what carries no meaning (wrappers, spacing, sizes), gives one
spelling to what has many, and takes care never to change a value ("2¹⁰" becomes 2^{10}, not 210).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from k2eval.grading.math.brackets import matching
from k2eval.grading.math.chinese import translated
from k2eval.grading.math.notation import repeating, rewritten
from k2eval.grading.math.words import plain_words

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_GREEK_NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
                None, "pi", "rho", None, "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega")  # fmt: skip
_CAPITALS = {"Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi",
             "Ψ": "Psi", "Ω": "Omega", "ϕ": "phi", "µ": "mu"}  # fmt: skip
GREEK = {chr(ord("α") + index): rf"\{name} " for index, name in enumerate(_GREEK_NAMES) if name} | {
    letter: rf"\{name} " for letter, name in _CAPITALS.items()
}
"""Greek letters and their commands."""
_SYMBOLS = {
    "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∗": "*", "÷": "/", "π": r"\pi ",
    "∞": r"\infty ",
    "≤": r"\le ", "⩽": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ",
    "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "±": r"\pm ", "∓": r"\mp ",
    "°": r"^{\circ}", "º": r"^{\circ}", "∖": r"\setminus ", "∣": "|", "→": r"\to ", "↦": r"\mapsto ",
    "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "⌊": r"\lfloor ",
    "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", **GREEK, "⁄": "/", "’": "'", "…": r"\ldots ",
}  # fmt: skip
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_DAMAGE = (
    (re.compile("\x0c(?=rac|box)"), r"\\f"),
    (re.compile("\x08(?=inom|oxed|egin|ar)"), r"\\b"),
    (re.compile("\t(?=imes|ext|frac|heta|an\\b)"), r"\\t"),
)
_FUNCTIONS = r"(?:arc)?(?:sin|cos|tan)h?|cot|sec|csc|ln|lg|log|exp|gcd|lcm"
_WORD = r"\\text\s*\{([^{}\d]*)\}"
_INDEX = r"(?:\{\s*(\w+)\s*\}|(\w))"
_C = r"\s*(?:C|\\text\s*\{\s*C\s*\})\s*"
_COMBINATIONS = re.compile(
    rf"(?:^|(?<=[\s(\[{{+\-=/]))[_^]\s*{_INDEX}{_C}_\s*{_INDEX}"
    rf"|(?<![\w\\]){_C}_\s*{_INDEX}\s*\^\s*{_INDEX}|(?<![\w.])(\d+)C(\d+)(?!\w)"
)
_MONEY = re.compile(
    r"(?P<sign>\\\$|[$€£¥])\s*(?P<number>[-+]?(?:\d|\{,\}|[,.](?=\d))+)"
    r"(?P<scale>\s*(?:\\text\s*\{\s*)?(?:hundred|thousand|million|billion|trillion)(?![a-zA-Z])\s*\}?)?"
)
r"""Matches \$12.50, \$1{,}250, £5, \$3 million / not \$x, 5\$."""
_COMBINATIONS_TURNED = re.compile(rf"(?<![\w\\]){_C}\^\s*{_INDEX}\s*_\s*{_INDEX}")
_SPELLINGS: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (
        re.compile(
            r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|rm|bf|it|sf|tt|em|tiny|small|normalsize"
            r"|large|Large|LARGE|huge|Huge)(?![a-zA-Z])|\\(?:text)?color\s*\{[^{}]*\}"
        ),
        "",
    ),
    (re.compile(r"\\(?:left|right)\s*\."), ""),
    (re.compile(r"\\(?:left|right|middle|(?:big|Big|bigg|Bigg)[lr]?)(?![a-zA-Z])"), ""),
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\[dt]binom(?![a-zA-Z])"), r"\\binom"),
    (
        re.compile(
            r"\\(?:math(?:rm|bf|sf|it|tt|normal)|[mh]box|text(?:bf|it|rm|normal|sf|tt|up|sc)|bm|bold(?:symbol)?"
            r"|operatorname\*?|underline|emph)(?=\s*\{)"
        ),
        r"\\text",
    ),
    (re.compile(r"\\text\s*\{\s*([ei]|[,;:])\s*\}"), r"\1 "),
    (re.compile(rf"\\text\s*\{{\s*({_FUNCTIONS})\s*\}}"), r"\\\1 "),
    (re.compile(r"\\text\s*\{\s*infinit[ye]\s*\}"), r"\\infty "),
    (re.compile(r"(?<!\\)\\!"), ""),
    (re.compile(r"(?<!\\)\\(?:[,;: ]|(?:q?quad|thinspace|enspace)(?![a-zA-Z])|hspace\{[^{}]*\})"), " "),
    (re.compile(r"(?<!\\)~"), " "),
    (re.compile(r"(?<=\d)\{\s+\}(?=\d)"), " "),
    (re.compile(r"(?<!\\)\{\s*([+-])\s*\}"), r"\1"),
    (re.compile(r"(^|[\s(\[{+\-=]|\\(?:pi|infty|theta|alpha|beta|lambda|phantom)\s*)\{\s*\}"), r"\1 "),
    (re.compile(r"\\(?:leq|leqslant)(?![a-zA-Z])|<="), r"\\le "),
    (re.compile(r"\\(?:geq|geqslant)(?![a-zA-Z])|>="), r"\\ge "),
    (re.compile(r"\\neq(?![a-zA-Z])"), r"\\ne "),
    (re.compile(r"\\lt(?![a-zA-Z])"), "<"),
    (re.compile(r"\\gt(?![a-zA-Z])"), ">"),
    (re.compile(r"\\(?:lbrace|{)"), r"\\{"),
    (re.compile(r"\\(?:rbrace|})"), r"\\}"),
    (re.compile(r"\\(?:infin|infinity)(?![a-zA-Z])|(?<![a-zA-Z\\])infinity(?![a-zA-Z])"), r"\\infty "),
    (re.compile(r"\\(?:varnothing|emptyset)(?![a-zA-Z])|\\\{\s*\\\}"), r"\\emptyset "),
    (re.compile(r"\\bigcup(?![a-zA-Z_^]|\s*[_^])"), r"\\cup "),
    (re.compile(r"\\langle(?![a-zA-Z])"), "("),
    (re.compile(r"\\rangle(?![a-zA-Z])"), ")"),
    (re.compile(r"\\lvert|\\rvert|\\vert(?![a-zA-Z])"), "|"),
    (
        re.compile(
            r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))|\\degrees?(?![a-zA-Z])"
            r"|(?<=\d)\s*\^\s*\{?\s*(?:\\text\s*\{\s*o\s*\}|o(?![a-zA-Z]))\s*\}?"
        ),
        r"^{\\circ}",
    ),
    (re.compile(r"(?<=\d)\s*\^\s*\{?\s*\\text\s*\{\s*(?:st|nd|rd|th)\s*\}\s*\}?"), ""),
    (re.compile(r"\\%"), "%"),
    (_MONEY, lambda m: _money(m)),
    (re.compile(r"(?<=\d)\s*\\\$"), r"\\text{ dollar}"),
    (re.compile(r"\\\$|[$€£](?=\s*[-\d.])"), ""),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\^\s*(-?(?:\d+(?:\.\d+)?|\.\d+|[a-zA-Z]))"), r"^{\1}"),
    (re.compile(r"(?<=\d)\s+x\s+(?=10\s*\^)"), r"\\times "),
    (re.compile(r"(?<=\d)'(?=\d{3}(?!\d))"), " "),
    (re.compile(r"(?<![\w.])\d{1,3}(?:_\d{3})+(?![\d{])"), lambda m: m[0].replace("_", "")),
    (re.compile(r"\\mathbb\s+([A-Z])"), r"\\mathbb{\1}"),
    (re.compile(r"\{:\}|\\colon(?![a-zA-Z])|(?<=\d)\s*\\text\s*\{\s*to\s*\}\s*(?=\d)"), ":"),
    (re.compile(r"\\log\s*_\s*(?:\{\s*e\s*\}|e(?![a-zA-Z]))"), r"\\ln "),
    (re.compile(r"\\lg(?![a-zA-Z])"), r"\\log_{10} "),
    (re.compile(r"\{([^{}]*)\\choose(?![a-zA-Z])([^{}]*)\}"), r"\\binom{\1}{\2}"),
    (_COMBINATIONS, lambda m: _binomial(*filter(None, m.groups()))),
    (_COMBINATIONS_TURNED, lambda m: _binomial(*filter(None, reversed(m.groups())))),
    (re.compile(r"\*"), r"\\cdot "),
    (re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)\^\s*(?:\{\s*-1\s*\}|-1)"), lambda m: f"\\arc{m[0][1:4]} "),
    (
        re.compile(r"(?<![a-zA-Z\\])(pi|(?:arc)?(?:sin|cos|tan)|sinh|cosh|tanh|cot|sec|csc|log|ln)(?![a-zA-Z])"),
        r"\\\1 ",
    ),
    (re.compile(r"(?<![a-zA-Z\\])atan(?![a-zA-Z])"), r"\\arctan "),
    (re.compile(r"(?<![a-zA-Z\\])(max|min)(?=\()"), r"\\\1"),
    (re.compile(rf"\\frac\s*\{{\s*{_WORD}\s*\}}\s*\{{\s*{_WORD}\s*\}}$"), r"\\text{\1/\2}"),
    (
        re.compile(r"^\\text\s*\{(?![^{}]*\bnot?\b)(?:[^{}]*\s(?:is|are)|[^{}]*[:=]|\s*USD)\s*\}\s*(?=\S)"),
        "",
    ),
    (
        re.compile(
            r"(?<=[^\s,])[\s,]*(?:\\forall(?![a-zA-Z])"
            r"|(?:\\text\s*\{\s*,?\s*|(?<![a-zA-Z]))for\s+(?:all|every|any|each)(?![a-zA-Z])).*$",
            re.DOTALL,
        ),
        "",
    ),
]  # fmt: skip
_CURRENCIES = {"$": "dollar", "€": "euro", "£": "gbp", "¥": "yen"}
_NESTED_TEXTS = 3
_TEXT_IN_TEXT = re.compile(r"\\text\s*\{\s*\\text\s*\{([^{}]*)\}\s*\}")
_THOUSANDS_PLAIN = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_NAMED_THOUSANDS = re.compile(r"[^,=]*=\s*(?=[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?\s*$)")
_BRACE_COMMA = re.compile(r"(?<=\d)\{,\}(?=\d)")
_SHORT_FRACTION = re.compile(r"\\frac(?![a-zA-Z])\s*(\d|(?<=\s)[a-zA-Z])\s*(?:(?=\{)|(\d|[a-zA-Z]))")
_SHORT_ROOT = re.compile(r"\\sqrt\s*(\d|[a-zA-Z])")
_HALF_BRACED = re.compile(
    r"(\\(?:frac|binom)\s*\{[^{}]*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}[^{}]*)*\})\s*(\d|[a-zA-Z])"
)
_WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"))
_BOX = re.compile(
    r"\\(?:boxed|fbox|(?:mathbf|boldsymbol|bm|pmb|mathrm|underline)(?=\s*\{[^{}]*[\d\\])|text(?:bf|it|rm|sf|tt|sc|normal)?(?=\s*\{[^{}]*\d[^{}]*\}$))\s*(?=\{)"
)
_REPEATING = re.compile(
    r"(?<![\d.])(\d*\.\d*)(?:\\(?:overline|bar|dot)\s*(?:\{\s*(\d+)\s*\}|(\d))|\((\d+)\))(?!\d|\\dot)"
)


def _binomial(n: str, k: str) -> str:
    return rf"\binom{{{n}}}{{{k}}}"


def _money(match: re.Match[str]) -> str:
    """Return an amount with its currency behind it; a bare dollar sign beside another one is LaTeX's."""
    amount = match["number"] + (match["scale"] or "")
    sign = match["sign"]
    is_latex = sign == "$" and match.string.count("$") - match.string.count("\\$") > 1
    return amount if is_latex else rf"{amount}\text{{ {_CURRENCIES[sign[-1]]}}}"


def repaired(text: str) -> str:
    """``text`` with the commands whose backslash an escape swallowed: a form feed and "rac" was \\frac."""
    for pattern, command in _DAMAGE:
        text = pattern.sub(command, text)
    return text.strip()


def normalise(answer: str) -> str:
    r"""Return ``answer`` in the plain form that the rest of the grader reads.

    >>> normalise(r"$\dfrac12$."), normalise("2¹⁰"), normalise("15厘米"), normalise(r"\text{twelve}")
    ('\\frac{1}{2}', '2^{10}', '15\\text{ cm}', '12')
    """
    text = translated(_unicode(repaired(answer)))
    text = _unwrap(rewritten(_unwrap(text)))
    text = re.sub(r"\\\\(?=[a-zA-Z])", r"\\", text) if r"\begin" not in text else text
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    for _ in range(_NESTED_TEXTS):
        text = _TEXT_IN_TEXT.sub(r"\\text{\1}", text)
    text = _ascii_calls(_unwrap(text))
    text = _SHORT_FRACTION.sub(lambda m: f"\\frac{{{m[1]}}}" + (f"{{{m[2]}}}" if m[2] else ""), text)
    text = _HALF_BRACED.sub(r"\1{\2}", text)
    text = _SHORT_ROOT.sub(r"\\sqrt{\1}", text)
    text = _REPEATING.sub(_repeating, text)
    return plain_words(re.sub(r"\s+", " ", _close_braces(text)).strip())


def _unicode(text: str) -> str:
    if text.isascii():
        return text.replace("\0", " ")
    text = _INVISIBLE.sub("", text)
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+", lambda m: "^{" + m[0].translate(_SUPERSCRIPTS) + "}", text)
    text = re.sub("[₀-₉]+", lambda m: "_{" + m[0].translate(_SUBSCRIPTS) + "}", text)
    text = re.sub("√\\s*(?=\\{)", r"\\sqrt", text.replace(r"\surd", "√"))
    text = re.sub("√\\s*(\\d+|[a-zA-Z])", r"\\sqrt{\1}", text).replace("√", "sqrt")
    text = re.sub("(?<=\\d)\\s*(?=[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])|(?=[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])", " ", text)
    text = "".join(_SYMBOLS.get(char, char) for char in text)
    text = unicodedata.normalize("NFKC", text)
    return "".join(_SYMBOLS.get(char, char) for char in text).replace("\0", " ")


def _unwrap(text: str) -> str:
    """``text`` without the delimiters and the full stop around the whole of it."""
    for _ in range(8):
        before = text
        text = text.strip()
        if text.endswith("\\\\"):
            text = text[:-2].rstrip()
        if text.endswith((".", ",", ";", ":")) and not text.endswith(
            (r"\,", r"\;", r"\:", r"\right.", "...")
        ):
            text = text[:-1].rstrip()
        for opening, closing in _WRAPPERS:
            inner = text[len(opening) : len(text) - len(closing)]
            wrapped = text.startswith(opening) and text.endswith(closing)
            if wrapped and len(text) > len(opening) + len(closing) and opening not in inner:
                text = inner
        box = _BOX.match(text)
        if box and matching(text, box.end()) == len(text) - 1:
            text = text[box.end() + 1 : -1]
        if text == before:
            break
    return text


def _ascii_calls(text: str) -> str:
    """Calculator notation as LaTeX: sqrt(x), 2^(10), C(10,5)."""
    for pattern, make in (
        (re.compile(r"\\?(?<![a-zA-Z])sqrt\s*(?=\()"), "\\sqrt{%s}"),
        (re.compile(r"\^\s*(?=\()"), "^{%s}"),
        (re.compile(r"(?<![a-zA-Z\\])floor\s*(?=\()"), "\\lfloor %s\\rfloor "),
        (re.compile(r"(?<![a-zA-Z\\])ceil\s*(?=\()"), "\\lceil %s\\rceil "),
        (re.compile(r"(?<![a-zA-Z\\])cbrt\s*(?=\()"), "\\sqrt[3]{%s}"),
        (re.compile(r"(?<![a-zA-Z\\])abs\s*(?=\()"), "|%s|"),
    ):
        for _ in range(20):
            found = pattern.search(text)
            end = matching(text, found.end()) if found else -1
            if found is None or end < 0:
                break
            text = text[: found.start()] + make % text[found.end() + 1 : end] + text[end + 1 :]
    return re.sub(r"(?<![a-zA-Z\\])(?:C|binom|comb)\(\s*(\w+)\s*,\s*(\w+)\s*\)", r"\\binom{\1}{\2}", text)


def _repeating(match: re.Match[str]) -> str:
    return repeating(match[1], match[2] or match[3] or match[4])


def _close_braces(text: str) -> str:
    """Closing braces that a data set or a model forgot at the very end."""
    bare = text.replace("\\\\", "").replace(r"\{", "").replace(r"\}", "")
    missing = bare.count("{") - bare.count("}")
    return text + "}" * missing if 0 < missing <= 3 else text


def without_thousands(text: str) -> str:
    """``text`` with digit groups joined: "10 080", "10,080" and "10{,}080" are one number.

    Groups joined by a bare comma only count where they are the whole of the text, since "(1,100)" is a pair.
    """
    joined = re.sub(r"(?<![\d.,_^])\d{1,3}(?:(?:\{,\}| )\d{3})+(?!\d)", _digits, text)
    joined = re.sub(r"\.\d{3}(?: \d{3})*(?: \d{1,3})(?!\d)", lambda m: m[0].replace(" ", ""), joined)
    joined = _BRACE_COMMA.sub(".", joined)
    name = _NAMED_THOUSANDS.match(joined)
    if name:
        return name[0] + joined[name.end() :].replace(",", "")
    whole = joined.strip().lstrip("+-").strip()
    leading = re.match(r"[+-]?\s*\d{1,3}(?:,\d{3})+(?![\d,])", joined.strip())
    if _THOUSANDS_PLAIN.fullmatch(whole):
        return joined.replace(",", "")
    if leading and "," not in joined.strip()[leading.end() :]:
        return leading[0].replace(",", "") + joined.strip()[leading.end() :]
    return joined


def _digits(match: re.Match[str]) -> str:
    return re.sub(r"\D", "", match[0])


@lru_cache(maxsize=4096)
def squeezed(text: str) -> str:
    """``text`` without any space, for comparing spellings; a command keeps one where a letter follows."""
    tight = re.sub(r"(\\[a-zA-Z]+|(?<=\d))\s+(?=[a-zA-Z]|(?<=\d\s)\d)", "\\1\x00", text)
    return re.sub(r"\s+", "", tight).replace("\x00", " ")
