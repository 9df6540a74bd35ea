"""Bring an answer, as a model or a data set writes it, into one plain form of LaTeX.

Nothing here evaluates anything: it only removes what carries no meaning (wrappers, spacing, sizes), gives one
spelling to what has many, and takes care never to change a value ("2¹⁰" becomes 2^{10}, not 210).
"""

from __future__ import annotations

import re
from functools import lru_cache

from k2eval.grading.math.brackets import matching
from k2eval.grading.math.characters import plain_characters, repaired
from k2eval.grading.math.chinese import translated
from k2eval.grading.math.notation import repeating, rewritten
from k2eval.grading.math.spellings import SPELLINGS
from k2eval.grading.math.words import plain_words

_NESTED_TEXTS = 3
# Matches "\text{\text{5}}"; not "\text{5}".
_TEXT_IN_TEXT = re.compile(r"\\text\s*\{\s*\\text\s*\{([^{}]*)\}\s*\}")
# Matches "1,234" and "1,234.5"; not "1,23" or "1234".
_THOUSANDS_PLAIN = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
# Matches "N = " in front of "1,234"; not "(1,234)" or "x=1, y=234".
_NAMED_THOUSANDS = re.compile(r"[^,=]*=\s*(?=[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?\s*$)")
# Matches the decimal or thousands comma of "1{,}5"; not "(1,5)".
_BRACE_COMMA = re.compile(r"(?<=\d)\{,\}(?=\d)")
_CONSTANT = r"\\(?:pi|theta|alpha|beta|lambda|phi)(?![a-zA-Z])"
# Matches "\frac12", "\frac1{2}", "\frac\pi4", "\frac a b"; not "\frac{1}{2}".
_SHORT_FRACTION = re.compile(
    rf"\\frac(?![a-zA-Z])\s*(\d|{_CONSTANT}|(?<=\s)[a-zA-Z])\s*(?:(?=\{{)|(\d|{_CONSTANT}|[a-zA-Z]))"
)
# Matches "\sqrt2"; not "\sqrt{2}" or "\sqrt[3]{2}".
_SHORT_ROOT = re.compile(r"\\sqrt\s*(\d|[a-zA-Z])")
# Matches "\frac{1}2" and "\binom{n}k"; not "\frac{1}{2}".
_HALF_BRACED = re.compile(
    r"(\\(?:frac|binom)\s*\{[^{}]*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}[^{}]*)*\})\s*(\d|[a-zA-Z])"
)
_WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"))
# Matches a command around the whole: "\boxed{", "\text{7"; not "\text{even}".
_BOX = re.compile(
    r"\\(?:boxed|fbox|(?:mathbf|boldsymbol|bm|pmb|mathrm|underline)(?=\s*\{[^{}]*[\d\\])|text(?:bf|it|rm|sf|tt|sc|normal)?(?=\s*\{[^{}]*\d[^{}]*\}$))\s*(?=\{)"
)
# Matches "0.\overline{3}", "0.1\dot3", "0.(3)"; not "0.3(2)x" or two dots.
_REPEATING = re.compile(
    r"(?<![\d.])(\d*\.\d*)(?:\\(?:overline|bar|dot)\s*(?:\{\s*(\d+)\s*\}|(\d))|\((\d+)\))(?!\d|\\dot)"
)


@lru_cache(maxsize=2048)
def normalise(answer: str) -> str:
    r"""Return ``answer`` in the plain form that the rest of the grader reads.

    >>> normalise(r"$\dfrac12$."), normalise("2¹⁰"), normalise("15厘米"), normalise(r"\text{twelve}")
    ('\\frac{1}{2}', '2^{10}', '15\\text{ cm}', '12')
    """
    # Long runs of spaces would cost quadratic time in most patterns.
    text = translated(plain_characters(re.sub(r"\s+", " ", repaired(answer))))
    text = _unwrap(rewritten(_unwrap(text)))
    text = re.sub(r"\\\\(?=[a-zA-Z])", r"\\", text) if r"\begin" not in text else text
    for pattern, spelling in SPELLINGS:
        text = pattern.sub(spelling, text)
    for _ in range(_NESTED_TEXTS):
        text = _TEXT_IN_TEXT.sub(r"\\text{\1}", text)
    text = _ascii_calls(_unwrap(text))
    text = _SHORT_FRACTION.sub(lambda m: f"\\frac{{{m[1]}}}" + (f"{{{m[2]}}}" if m[2] else ""), text)
    text = _HALF_BRACED.sub(r"\1{\2}", text)
    text = _SHORT_ROOT.sub(r"\\sqrt{\1}", text)
    text = _REPEATING.sub(_repeating, text)
    return plain_words(re.sub(r"\s+", " ", _close_braces(text)).strip())


def _unwrap(text: str) -> str:
    """Return ``text`` without the delimiters and the full stop around the whole of it."""
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
    """Turn calculator notation into LaTeX: sqrt(x), 2^(10), C(10,5)."""
    for pattern, make in (
        (re.compile(r"\\?(?<![a-zA-Z])sqrt\s*(?=\()"), "\\sqrt{%s}"),
        (re.compile(r"\^\s*(?=\()"), "^{%s}"),
        (re.compile(r"(?<![a-zA-Z\\])floor\s*(?=\()"), "\\lfloor %s\\rfloor "),
        (re.compile(r"(?<![a-zA-Z\\])ceil\s*(?=\()"), "\\lceil %s\\rceil "),
        (re.compile(r"(?<![a-zA-Z\\])cbrt\s*(?=\()"), "\\sqrt[3]{%s}"),
        (re.compile(r"(?<![a-zA-Z\\])abs\s*(?=\()"), "|%s|"),
    ):
        for _ in range(20):
            call = pattern.search(text)
            end = matching(text, call.end()) if call else -1
            if call is None or end < 0:
                break
            text = text[: call.start()] + make % text[call.end() + 1 : end] + text[end + 1 :]
    text = re.sub(r"(?<![a-zA-Z\\])sqrt\s*(\d+|[a-z](?![a-z]))", r"\\sqrt{\1}", text)
    return re.sub(
        r"(?<![a-zA-Z\\])(?:C|binom|comb)\(\s*([\w+\- ]+?)\s*,\s*([\w+\- ]+?)\s*\)", r"\\binom{\1}{\2}", text
    )


def _repeating(match: re.Match[str]) -> str:
    return repeating(match[1], match[2] or match[3] or match[4])


def _close_braces(text: str) -> str:
    """Add closing braces that a data set or a model forgot at the very end."""
    bare = text.replace("\\\\", "").replace(r"\{", "").replace(r"\}", "")
    missing = bare.count("{") - bare.count("}")
    return text + "}" * missing if 0 < missing <= 3 else text


def without_thousands(text: str) -> str:
    """Join digit groups: "10 080", "10,080" and "10{,}080" are one number.

    Groups with a bare comma count only if they are the whole text, since "(1,100)" is a pair.
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
    """Return ``text`` without spaces, for comparing spellings; a command keeps one before a letter."""
    tight = re.sub(r"(\\[a-zA-Z]+|(?<=\d))\s+(?=[a-zA-Z]|(?<=\d\s)\d)", "\\1\x00", text)
    return re.sub(r"\s+", "", tight).replace("\x00", " ")
