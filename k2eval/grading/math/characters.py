"""Bring the characters of an answer into ASCII and LaTeX; never change a value ("2¹⁰" becomes 2^{10}, not 210)."""

from __future__ import annotations

import re
import unicodedata

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi . pi rho . sigma tau"
    " upsilon phi chi psi omega"
)
_CAPITALS = {"Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi",
             "Ψ": "Psi", "Ω": "Omega", "ϕ": "phi", "µ": "mu"}  # fmt: skip
_GREEK = {
    chr(ord("α") + index): rf"\{name} " for index, name in enumerate(_GREEK_NAMES.split()) if name != "."
} | {letter: rf"\{name} " for letter, name in _CAPITALS.items()}
_SYMBOLS = {
    "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∗": "*", "÷": "/", "π": r"\pi ",
    "∞": r"\infty ",
    "≤": r"\le ", "⩽": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ",
    "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "±": r"\pm ", "∓": r"\mp ",
    "°": r"^{\circ}", "º": r"^{\circ}", "∖": r"\setminus ", "∣": "|", "→": r"\to ", "↦": r"\mapsto ",
    "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "⌊": r"\lfloor ",
    "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", **_GREEK, "⁄": "/", "’": "'", "′": "'", "…": r"\ldots ",
}  # fmt: skip
# Matches soft hyphens, zero-width blanks and marks of direction; not a blank.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_DAMAGE = (
    # Matches the form feed, backspace or tab that an escape made of the backslash and letter of a command.
    (re.compile("\x0c(?=rac|box)"), r"\\f"),
    (re.compile("\x08(?=inom|oxed|egin|ar)"), r"\\b"),
    (re.compile("\t(?=imes|ext|frac|heta|an\\b)"), r"\\t"),
)


def repaired(text: str) -> str:
    """Restore commands whose backslash an escape swallowed: a form feed and "rac" was \\frac."""
    for pattern, command in _DAMAGE:
        text = pattern.sub(command, text)
    return text.strip()


def plain_characters(text: str) -> str:
    r"""Return ``text`` with the characters outside ASCII as LaTeX or in their plain forms.

    >>> plain_characters("2¹⁰ ≤ π"), plain_characters("７"), plain_characters("3½")
    ('2^{10} \\le  \\pi ', '7', '3 1/2')
    """
    if text.isascii():
        return text.replace("\0", " ")
    text = _INVISIBLE.sub("", text)
    text = text.replace("″", "''")
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+", lambda m: "^{" + m[0].translate(_SUPERSCRIPTS) + "}", text)
    text = re.sub("[₀-₉]+", lambda m: "_{" + m[0].translate(_SUBSCRIPTS) + "}", text)
    text = re.sub("√\\s*(?=\\{)", r"\\sqrt", text.replace(r"\surd", "√"))
    text = re.sub("√\\s*(\\d+|[a-zA-Z])", r"\\sqrt{\1}", text).replace("√", "sqrt")
    text = re.sub("(?<=\\d)\\s*(?=[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])|(?=[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])", " ", text)
    text = "".join(_SYMBOLS.get(char, char) for char in text)
    text = unicodedata.normalize("NFKC", text)
    return "".join(_SYMBOLS.get(char, char) for char in text).replace("\0", " ")
