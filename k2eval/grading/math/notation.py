"""Rewrite notations that the parser does not know, or reads as something else, into plain LaTeX.

Each rule keeps the value: 7!! becomes 105 (it is no factorial of a factorial), cis θ becomes cos θ + i sin θ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from k2eval.grading.math.brackets import matching

_MAX_REWRITES = 20
"""Times that one rule may apply to one answer."""

_ANSWER_LABEL = re.compile(
    # Matches "Answer: " and "\text{The final answer is }" in front of a value; not "Answers" or "x = ".
    r"\s*(?:(?P<text>\\text[a-z]*\s*\{)\s*)?(?i:(?:the\s+)?(?:(?:final|correct|exact)\s+)?(?:answer|ans)\b\.?\s*(?:is\b)?)\s*[:=]?\s*"
    r"(?(text)\}\s*[:=]?)\s*(?=[^\s}])"
)
_LEADING_SIGN = re.compile(
    # Matches "\therefore" and "=" in front of the whole; not "==".
    r"^\s*(?:\\therefore(?![a-zA-Z])|=(?!=))\s*(?=\S)"
)
_END_MARK = re.compile(
    # Matches the sign at the end of a proof: "\blacksquare", "✓"; not "\square" inside.
    r"(?:\s|\\[,;: ]|\\q?quad){0,6}(?:\\(?:blacksquare|square|qed|Box|checkmark)(?![a-zA-Z])|[□■∎✓✔✅])\s*$"
)
# Matches "5)"; not "(5)" or "f(5)".
_STRAY_BRACKET = re.compile(r"(-?[\d.,/]+)\)")
# Matches "\text{-}" and "\mathrm{ = }"; not "\text{-1}".
_SIGN_IN_TEXT = re.compile(r"\\(?:text|mathrm|mbox|hbox|textrm)\s*\{\s*([-+−–=])\s*\}")
_POWER_OF_TEN = re.compile(
    # Matches "3.2\text{E-}5", "3.2\text{E}5" and "3.2\mathrm{e}{-5}"; not "3.2\mathrm{e}^5" or "2\mathrm{e}-3".
    r"(?<=\d)\s*\\(?:text|mathrm|mbox|textrm)\s*\{\s*(?:[Ee]\s*(?P<sign>[-+])\s*\}\s*(?P<power>\d{1,3})"
    r"|E\s*\}\s*\{?\s*(?P<upper>[-+]?\d{1,3})\s*\}?|e\s*\}\s*\{\s*(?P<lower>[-+]\d{1,3})\s*\})"
)
_ROOT = re.compile(
    # Matches "\sqrt[5]7" and "\sqrt[3]\pi"; not "\sqrt[5]{7}" or "\sqrt 5".
    r"\\sqrt\s*(\[[^\[\]]{1,40}\])\s*(\d|[a-zA-Z]|\\pi(?![a-zA-Z]))"
)
# Matches "∛8", "∜x" and the sign of "∛(x+1)"; not "√2".
_ROOT_SIGN = re.compile(r"([∛∜])\s*(?:(\d+(?:\.\d+)?|[a-zA-Z])|(?=[{(]))")
_TWO_DOTS = re.compile(
    # Matches "0.\dot6\dot3" and "0.\dot{1}4285\dot{7}"; not "0.6\dot3", which has one dot.
    r"(?<![\d.])(\d*\.\d*)\\dot\s*\{?\s*(\d)\s*\}?(\d*)\\dot\s*\{?\s*(\d)\s*\}?(?!\d)"
)
# Matches digits with a combining line above: "3̅6̅"; not "36".
_BAR_OVER_DIGITS = re.compile("(?:\\d\u0305)+")
_GOES_ON = re.compile(
    # Matches "0.333\ldots" and "0.1212..."; not "3.14\ldots", which shows no period, or "1, 2, \ldots".
    r"(?<![\d.])(\d*)\.(\d{3,40})\s*(?:\\(?:[lc]?dots[bcimo]?)(?![a-zA-Z])|\.{3}|…)(?!\d)"
)
_DOUBLE_FACTORIAL = re.compile(
    # Matches "7!!", "(2n-1)!!" and "n!!"; not "7!", "(7!)!" or "7!!!".
    r"(?:(?<![\w.!)}])(\d{1,3})|\(\s*2\s*([a-zA-Z])\s*([-+]\s*1)?\s*\)|(\([^()]*\)|\w))!!(?!!)"
)
_MULTINOMIAL = re.compile(
    # Matches "\binom{12}{3,4,5}"; not "\binom{12}{3}".
    r"\\[dt]?binom\s*\{\s*(\d{1,3})\s*\}\s*\{\s*(\d{1,3}(?:(?:\s|\\,)*,(?:\s|\\,)*\d{1,3})+)\s*\}"
)
# Matches "\binom83", "\binom nk"; not "\binom{8}{3}".
_BINOMIAL = re.compile(r"\\[dt]?binom(?![a-zA-Z])\s*(\d|(?<=\s)[a-zA-Z])\s*(?:(?=\{)|(\d|[a-zA-Z]))")
# Matches "\operatorname{cis}", "cis"; not "cistern".
_CIS = re.compile(
    r"\\(?:text|operatorname\*?|mathrm|textrm|mathop)\s*\{\s*cis\s*\}|\\cis(?![a-zA-Z])|(?<![a-zA-Z\\])cis(?![a-zA-Z])"
)
# Matches " ", "\,", " \left "; not "x".
_GAP = re.compile(r"(?:\s|\\[,;: ])*(?:\\left\s*)?")
_ARGUMENT = re.compile(
    # Matches "\frac{2\pi}{3}" and "90^\circ" without brackets, up to a sign; not "\pi + 1".
    r"(?:\\[dt]?frac\s*\{[^{}]*\}\s*\{[^{}]*\}|\^\s*\{\s*\\circ\s*\}|[^-+,;=()\[\]{}])*"
)
_BASED = re.compile(
    # Matches "1a3_{16}", "(11 0101)_2" and "\text{ff}_{16}"; not "x_2" or "a_{16}".
    r"(?<![\w\\.{}])(?:\\text[a-z]*\s*\{\s*)?\(?\s*"
    r"([0-9a-fA-F]{1,64}(?:(?:\s|\\[,;: ]){1,4}[0-9a-fA-F]{2,8}){0,12})\s*\)?"
    r"(?:\s*\})?\s*_\s*(?:\{\s*(\d{1,2})\s*\}|(\d))(?!\w)"
)
# Matches "0b101", "0x1F", "0o17"; not "0101".
_PREFIXED = re.compile(r"0(?:([bB])([01]+)|([xX])([0-9a-fA-F]+)|([oO])([0-7]+))")
_GLUED_WORD = re.compile(
    # Matches "12apples"; not "12abc", "12x" or "12pi".
    r"(-?\d[\d.,]*)([a-z]{4,})"
)
_MAPS_TO = re.compile(
    # Matches "f: x \mapsto 1/x", "f:x \to x^2" and "x \mapsto 1/x"; not "x \to 0".
    r"\s*(?:([a-zA-Z])\s*(?::|\\colon(?![a-zA-Z]))\s*([a-zA-Z])\s*(?:\\mapsto|\\to|\\rightarrow|\\longmapsto|->)(?![a-zA-Z])"
    r"|([a-zA-Z])\s*\\(?:long)?mapsto(?![a-zA-Z]))\s*(?=\S)"
)
_IDENTICALLY = re.compile(
    # Matches "f \equiv 0" and "P(x) \equiv 1"; not "x \equiv 3 \pmod 7".
    r"(?<![a-zA-Z\\])([fghFGHPQ])(\s*\(\s*[a-z]\s*\))?\s*\\equiv(?![a-zA-Z])\s*(?![^,]{0,200}mod)(?=-?[\da-z]|\\frac)"
)
_ONLY_ABOUT = re.compile(
    # Matches "x \approx " in front of its one value; not "x = \frac13 \approx 0.333".
    r"\s*(?:[a-zA-Z](?:_\w|_\{\w+\})?\s*)?\\approx(?![a-zA-Z])\s*(?=[^=]*$)(?!.*\\approx)"
)
_ONE_LINE = re.compile(
    # Matches a display of one line around the whole; not one of several.
    r"\s*\\begin\{(aligned|align\*?|gathered|split|equation\*?)\}((?:(?!\\\\|\\begin).)*)\\end\{\1\}\s*",
    re.DOTALL,
)
_IN_TEXT = r"\\(?:text|operatorname\*?|mathrm|textrm)\s*\{\s*"
_COMMANDS: list[tuple[re.Pattern[str], str]] = [
    # Spellings of one command, and the one that is kept.
    (re.compile(r"\\var(phi|epsilon|theta|rho|sigma|pi|kappa)(?![a-zA-Z])"), r"\\\1 "),
    (re.compile(r"\\(?:pmb|textnormal|textmd|textsl|textup|mathbfit|mathnormal|uline)(?=\s*\{)"), r"\\text"),
    (re.compile(r"\\colorbox\s*\{[^{}]*\}"), r"\\text"),
    (re.compile(r"\\textminus(?![a-zA-Z])"), "-"),
    (re.compile(r"\\(?:nice|s|x|flat)frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:R|reals)(?![a-zA-Z])"), r"\\mathbb{R}"),
    (re.compile(r"\\(Z|N|Q)(?![a-zA-Z])"), r"\\mathbb{\1}"),
    (re.compile(r"\\Bbb\s*\{?\s*([A-Z])\s*\}?"), r"\\mathbb{\1}"),
    (re.compile(r"^\s*\\(?:mathbf|textbf)\s*\{\s*([RZNQC])\s*\}\s*$"), r"\\mathbb{\1}"),
    (re.compile(r"\\(?:ast|star|bullet)(?![a-zA-Z])"), r"\\cdot "),
    (re.compile(r"\\[lr]Vert(?![a-zA-Z])|\\Vert(?![a-zA-Z])"), r"\\|"),
    (re.compile(r"\\surd(?![a-zA-Z])\s*(\d|\{)"), r"\\sqrt \1"),
    (re.compile(_IN_TEXT + r"(arc)?tg\s*\}|\\(arc)?tg(?![a-zA-Z])"), r"\\\1\2tan "),
    (re.compile(_IN_TEXT + r"c(?:o)?tg\s*\}|\\co?tg(?![a-zA-Z])"), r"\\cot "),
    (re.compile(_IN_TEXT + r"arcc(?:o)?tg\s*\}|\\arcco?tg(?![a-zA-Z])"), r"\\operatorname{arccot}"),
    (re.compile(r"\\(?:operatorname\*?|mathrm)\s*\{\s*(s|c|t)h\s*\}"), r"\\__\1h "),
    (re.compile(r"\\__sh "), r"\\sinh "),
    (re.compile(r"\\__ch "), r"\\cosh "),
    (re.compile(r"\\__th "), r"\\tanh "),
    (re.compile(r"(?<![a-zA-Z\\])(exp|gcd|lcm)\s*(?=[({])"), r"\\\1"),
    (re.compile(_IN_TEXT + r"(exp|gcd)\s*\}"), r"\\\1 "),
    (re.compile(r"\\text\s*\{\s*(?i:(?:positive\s+)?infinit[ye])\s*\}"), r"\\infty "),
    (re.compile(r"\^\s*\{?\s*(\d+)\s*\}?\s*(?:\\!)?\s*/\s*(?:\\!)?\s*_\s*\{?\s*(\d+)\s*\}?"), r"\\frac{\1}{\2}"),
    (re.compile(r"(?<=\d)x(?=10\s*\^)"), r"\\times "),
    (re.compile(r"(?<=[_^])\s*\{\s*\\text[a-z]*\s*\{\s*(\d+)\s*\}\s*\}"), r"{\1}"),
]  # fmt: skip


def rewritten(text: str) -> str:
    r"""Return ``text`` with its special notations in plain LaTeX.

    >>> rewritten(r"\sqrt[5]7 + 7!!"), rewritten(r"0.\dot6\dot3"), rewritten(r"\text{Answer: } 9")
    ('\\sqrt[5]{7} + 105', '\\frac{63}{99}', '9')
    >>> rewritten("(7!)!"), rewritten(r"3.14\ldots")
    ('(7!)!', '3.14\\ldots')
    """
    one_line = _ONE_LINE.fullmatch(text)
    text = _LEADING_SIGN.sub("", one_line[2].replace("&", "") if one_line else text)
    label = _ANSWER_LABEL.match(text)
    text = _END_MARK.sub("", text[label.end() :] if label else text)
    text = _BAR_OVER_DIGITS.sub(lambda m: rf"\overline{{{m[0].replace(chr(0x305), '')}}}", text)
    text = _ROOT_SIGN.sub(
        lambda m: rf"\sqrt[{'3' if m[1] == '∛' else '4'}]" + (f"{{{m[2]}}}" if m[2] else ""), text
    )
    text = _POWER_OF_TEN.sub(
        lambda m: f"e{''.join(filter(None, m.groups()))}", _SIGN_IN_TEXT.sub(r"\1", text)
    )
    for pattern, spelling in _COMMANDS:
        text = pattern.sub(spelling, text)
    text = _infix(_infix(text, "choose", r"\binom"), "over", r"\frac")
    text = _MULTINOMIAL.sub(_multinomial, text)
    text = _BINOMIAL.sub(lambda m: rf"\binom{{{m[1]}}}" + (f"{{{m[2]}}}" if m[2] else ""), text)
    text = _ROOT.sub(r"\\sqrt\1{\2}", text)
    text = _DOUBLE_FACTORIAL.sub(_double_factorial, text)
    text = _TWO_DOTS.sub(lambda m: repeating(m[1], m[2] + m[3] + m[4]), text)
    text = _GOES_ON.sub(_periodic, text)
    text = _BASED.sub(_based, text)
    return _whole(_calls(text, _CIS, _cis))


def _whole(text: str) -> str:
    """Return ``text`` with the rules applied that concern an answer as a whole."""
    prefixed = _PREFIXED.fullmatch(text.strip())
    if prefixed:
        base = {"b": 2, "x": 16, "o": 8}[text.strip()[1].casefold()]
        return f"{text.strip()[2:].upper()}_{{{base}}}"
    stray = _STRAY_BRACKET.fullmatch(text.strip())
    if stray:
        return stray[1]
    glued = _GLUED_WORD.fullmatch(text.strip())
    if glued and glued[2] not in ("sqrt", "asin", "acos", "atan"):
        return f"{glued[1]} {glued[2]}"
    maps = _MAPS_TO.match(text)
    if maps:
        return text[maps.end() :] if maps[1] is None else f"{maps[1]}({maps[2]})={text[maps.end() :]}"
    text = _IDENTICALLY.sub(lambda m: f"{m[1]}{m[2] or '(x)'}=", text)
    about = _ONLY_ABOUT.match(text)
    return text[about.end() :] if about else text


def repeating(digits: str, period: str) -> str:
    """Return the fraction of the decimal ``digits`` (such as "0.1") that goes on with ``period`` for ever."""
    whole, _, fixed = digits.partition(".")
    top = int((whole or "0") + fixed + period) - int((whole or "0") + fixed)
    return f"\\frac{{{top}}}{{{'9' * len(period)}{'0' * len(fixed)}}}"


def _periodic(match: re.Match[str]) -> str:
    """Return a decimal with dots as a fraction if its digits show a period: three times a digit, twice a group."""
    whole, digits = match[1], match[2]
    for length in range(1, len(digits) // 2 + 1):
        times = 3 if length == 1 else 2
        period = digits[-length:]
        if len(digits) >= times * length and digits.endswith(period * times):
            fixed = digits
            while fixed.endswith(period):
                fixed = fixed[:-length]
            return repeating(f"{whole}.{fixed}", period)
    return match[0]


def _double_factorial(match: re.Match[str]) -> str:
    number, letter, shift, other = match.groups()
    if number:
        return str(math.prod(range(int(number), 0, -2)))
    if other:
        return f"{other}!__!"  # which no parser reads, so that it is compared as it is written
    if not shift:
        return rf"(2^{{{letter}}}\cdot {letter}!)"
    top = f"(2{letter})!" if "-" in shift else f"(2{letter}+1)!"
    return rf"\frac{{{top}}}{{2^{{{letter}}}\cdot {letter}!}}"


def _multinomial(match: re.Match[str]) -> str:
    parts = [int(part) for part in re.findall(r"\d+", match[2])]
    if sum(parts) != int(match[1]):
        return match[0]
    return rf"\frac{{{match[1]}!}}{{{''.join(rf'{part}! ' for part in parts).strip()}}}"


def _based(match: re.Match[str]) -> str:
    digits = re.sub(r"[^0-9a-zA-Z]", "", match[1])
    base = match[2] or match[3]
    if int(base) <= 10:
        return f"{digits}_{{{base}}}" if digits.isdigit() and len(digits) > 1 else match[0]
    return f"{digits.upper()}_{{{base}}}" if len(digits) > 1 else match[0]


def _cis(argument: str) -> str:
    return rf"(\cos({argument})+i\sin({argument}))"


def _calls(text: str, name: re.Pattern[str], make: Callable[[str], str]) -> str:
    """Return ``text`` with each call of ``name`` replaced; the argument is in brackets or reaches to a sign."""
    at = 0
    for _ in range(_MAX_REWRITES):
        call = name.search(text, at)
        if call is None:
            break
        gap = _GAP.match(text, call.end())
        begin = gap.end() if gap else call.end()
        close = matching(text, begin) if text[begin : begin + 1] in ("(", "{") else -1
        if close > 0:
            argument, end = text[begin + 1 : close], close + 1
            argument = re.sub(r"\\right\s*$", "", argument)
        else:
            rest = _ARGUMENT.match(text, begin)
            argument = rest[0] if rest else ""
            end = begin + len(argument)
        if not argument.strip():
            at = call.end()
            continue
        new = make(argument.strip())
        text, at = text[: call.start()] + new + text[end:], call.start() + len(new)
    return text


def _infix(text: str, command: str, instead: str) -> str:
    r"""Return ``text`` with TeX's infix ``command`` in its modern form: {a \over b} as \frac{a}{b}."""
    sign = re.compile(rf"\\{command}(?![a-zA-Z])")
    for _ in range(_MAX_REWRITES):
        infix = sign.search(text)
        if infix is None:
            break
        opening, depth = infix.start() - 1, 0
        while opening >= 0 and not (text[opening] == "{" and depth == 0):
            depth += (text[opening] == "}") - (text[opening] == "{")
            opening -= 1
        closing = matching(text, opening) if opening >= 0 else len(text)
        if closing < 0:
            break
        parts = (text[opening + 1 : infix.start()].strip(), text[infix.end() : closing].strip())
        above, below = (
            part[1:-1] if part.startswith("{") and matching(part, 0) == len(part) - 1 else part
            for part in parts
        )
        text = f"{text[: max(opening, 0)]}{instead}{{{above}}}{{{below}}}{text[closing + 1 :]}"
    return text
