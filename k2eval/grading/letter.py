"""Read the option that a text settles on: one letter; several letters are no answer.

A letter counts in its own right only: "Alpha" is not option A, "A nucleus" states nothing, and "A or B" is no answer.
"""

from __future__ import annotations

import re
import unicodedata

SEVERAL = ""
"""The reading of a text that names two options, or doubts the one that it names."""

LIMIT = 300
"""Characters behind a letter in which a second option is looked for."""

_WRAPPER = re.compile(
    # Matches \text, \mathbf, \boxed … with the blank behind; not \texttimes.
    r"\\(?:(?:text|math)(?:bf|rm|it|sf|tt|sc|normal|cal)?|[mhf]box|boxed|bold(?:symbol)?|bm|underline|emph|bf|rm|sf|tt"
    r"|displaystyle|textnormal|operatorname|(?:L|l)arge|LARGE|(?:H|h)uge)(?![a-zA-Z])\s{0,9}"
)
# Matches "\," and "\quad" and "~"; not "\\,".
_SPACE = re.compile(r"(?<!\\)\\(?:[,;: ]|q?quad(?![a-zA-Z]))|(?<!\\)~")
# Matches marks of Markdown, HTML and LaTeX: "**", "</b>", "\(", "$"; not "<B>" or "(".
_MARKS = re.compile(r"</?[a-z]{1,6}>|\\[()\[\]]|[{}$*_`\"“”#【】「」《》✓✔✅☑👉➡\ufe0f]")
# Matches "<B>"; not "<b>", which is markup.
_POINTED = re.compile(r"<([A-Z])>")
_LEADING = re.compile(
    # Matches "option ", "(", "therefore option: (" and "选项"; not "options " or "an ".
    r"(?:[\s:：>=—–→(\['‘]|(?i:therefore|thus|clearly|then|hence|simply|indeed|definitely|most\s+likely|likely|probably|the)\b"
    r"|(?i:option|choice|letter|answer)\b|选项|選項|选择|選擇|选|選|是|为|為|应为)*"
)
_LETTER = re.compile(
    # Matches "B", "B)", "B]", "b." before more text; not "Beta", "AB", "A's", "B-type", "C = 5", "A^c", "A \to B".
    r"([A-Za-z])(?![A-Za-z0-9′]|['’][A-Za-z]|-\w|\s{0,3}[=^_+\\→⇒<>≤≥∪∩]|\s{0,3}->)[)\]]{0,2}"
)
_PROSE_BEHIND = re.compile(
    # Matches " nucleus" behind the article A or the pronoun I; not " because" or " and".
    r"\s+(?!(?:because|since|as|and|or|is|for|by|due|which|with|but|while|whereas|rather|not|where)\b)[a-z]"
)
# Matches what makes "b" an option: the end of the line, or "b. Beta"; not "b quark".
_LOWER_ENDS = re.compile(r"[\s.)]*(?:$|\n)|[.):]\s*\S")
_JOINT = (
    r"(?:(?i:or|and|either|both|maybe|perhaps|possibly|also|alternatively|otherwise|probably|likely|even|else|then|vs\.?|versus"
    r"|equally|plus|together|with|well|as|option|choice|answer|it|is|could|might|may|can|be|another|too)\b|还是|還是|或者?"
    r"|以及|或许|也许|可能|和|与|與|及|且|并|选项?)"
)
_GAP = r"[^A-Za-z0-9\u4e00-\u9fff.!?:：。！\n]*"
_ONLY_JOINTS = re.compile(
    # Matches ", ", " / ", ", or maybe (", " or" at the end of a line, "或"; not ": Z+1, ", ". " or " because ".
    rf"{_GAP}(?:{_JOINT}{_GAP}(?:\n{_GAP})?)*"
)
# Matches a word between options that leaves both open: "or", "maybe"; not "and".
_ALTERNATIVE = re.compile(
    r"(?i:\b(?:or|maybe|perhaps|possibly|alternatively|otherwise|also|both|either)\b)|或|还是|還是|可能|也许"
)
_OWN_STATEMENT = re.compile(
    # Matches " is wrong", " and C are excluded" behind a second option; not " too", " are correct" or " and C.".
    r"(?:\s{0,2}(?:,|、|/|and\b|or\b|&)\s{0,2}(?:and\s|or\s)?[(\[]?[A-Z][)\]]?(?![A-Za-z]))*[)\]]?\s+(?!(?:or|and|too|both|as|also|together|combined|because|since|for|due)\b)[a-z]"
    r"|[)\]]?\s{0,2}(?:项|選項|选项)?(?:错|錯|不|是错|没|被)"
)
_GOOD = r"(?:an?\s+|the\s+)?(?:correct|right|true|possible|acceptable|valid|plausible|fine|good|answer)\b"
# Matches " or not" behind an option; not " or".
_OR_NOT = re.compile(r"(?i:\s+or\s+not\b)")
_ALSO_RIGHT = re.compile(
    # Matches " is also right", " works too", " could be" and "也对"; not " is right" or " is also a mistake".
    rf"(?i:[)\]]?\s+(?:(?:could|might|may|can)\s+(?:also\s+)?be\s+{_GOOD}|(?:is|are|seems?|looks?)\s+(?:also|both|equally|just\s+as)\s+{_GOOD}"
    r"|(?:could|might|may|can)\s+(?:also\s+)?(?:work\b|be(?:\s+it\b|\s*[.!?)]))|also\s+(?:works?|fits?|holds?|applies)\b"
    rf"|(?:works?|fits?|holds?|applies|is\s+{_GOOD})(?:\s+equally)?\s+(?:too|well|as\s+well)\b))"
    r"|[)\]]?\s{0,2}(?:项|选项)?(?:也|都)"
)
_DENIED = re.compile(
    # Matches " is wrong", " is not right", " cannot be" behind an option; not " is right" or " because".
    r"(?i:[)\]]?\s+(?:(?:is|was|are)\s+(?:not|wrong|incorrect|false|excluded|eliminated|ruled|out|impossible|never)\b"
    r"|isn't|cannot|can't|fails?\b))|\s*(?:项|选项)?(?:是错|错|不)"
)
_RIGHT = re.compile(
    # Matches " is correct", " are possible"; not " is not correct" or " is the distractor".
    r"(?i:[)\]]?\s+(?:is|are)\s+(?:correct|right|true|possible|acceptable|valid|plausible|fine)\b)"
)
_EXPLAINS = re.compile(
    # Matches "because", "which" and "因为" between two options: the second belongs to the reason.
    r"\b(?i:because|since|as|if|when|where|while|whereas|which|for|given|that|not|than|of|unlike|only|rules?)\b|因为|由于|而"
)
_DOUBT = re.compile(
    # Matches "or maybe ", "but it could also be ", "或者" just before a second option; not "because " or "than ".
    r"(?:(?<![A-Za-z])(?i:or|maybe|perhaps|possibly|alternatively|otherwise|unless|(?:less|more)\s+likely|(?:could|might|may|can)(?:\s+also|\s+well|\s+just)*\s+be)"
    r"(?:\s+(?i:else|also|it|is|it's|could|might|be|even|option|choice|just|well|as|possibly|maybe|perhaps)\b)*[\s,(\[:]*|(?:或者?|还是|可能是)\s{0,2})$"
)
# Matches a capital letter in its own right; not that of "Alpha", "A2" or "A = 5".
_CAPITAL = re.compile(r"(?<![A-Za-z0-9'’])([A-Z])(?![A-Za-z0-9'’=]|\s?=)")
# Matches ". ", "。" with a blank and the end of a line; not "1.5".
_SENTENCE_END = re.compile(r"[.!。！]\s+|\n")
_GOES_ON = re.compile(
    # Matches a sentence that begins with "Or", "But", "Although"; not "Note" or "Option".
    r"[\s*(]*(?:(?i:or|but|maybe|perhaps|possibly|alternatively|although|though|however|otherwise|unless)\b|或|但|也可能)"
)
_LEADS_ON = re.compile(
    # Matches the end of "The answer is A or", "either A or option" and "is not **"; not of "Therefore," or "for".
    r"(?:(?<![A-Za-z])(?i:or|and|nor|not|neither|either)(?:\s(?i:an?|the|option|choice|answer))*|[或和与與及])[\s*]*$"
)
_TAIL = 60
"""Characters at the end of a line that are read for words that lead on to the next line."""


def folded(text: str) -> str:
    """Return ``text`` with one form of each character, and blanks for the spaces of LaTeX."""
    return unicodedata.normalize("NFKC", _SPACE.sub(" ", text)).strip()


def unwrapped(text: str) -> str:
    """Return ``text`` without commands such as \\text and \\mathbf."""
    return _WRAPPER.sub("", text)


def plain(text: str) -> str:
    r"""Return ``text`` without markup, as far as letters are concerned.

    >>> plain(r"\textbf{(Ｂ)}"), plain("**B**")
    ('(B)', 'B')
    """
    return _MARKS.sub("", _POINTED.sub(r"\1", unwrapped(folded(text)))).strip()


def settled(text: str, known: str) -> str | None:
    """Return the option that ``text`` begins with; None if with none, `SEVERAL` if with two or in doubt.

    Args:
        text: A text without markup, as `plain` returns it.
        known: The letters of the options.

    >>> settled("B because A is too large", "ABCD"), settled("B, or maybe A", "ABCD"), settled("A nucleus", "ABCD")
    ('B', '', None)
    """
    lead = _LEADING.match(text)
    begin = lead.end() if lead else 0
    first = _LETTER.match(text, begin)
    if first is None:
        several = re.match(r"(?i:either|both|neither|between)\b", text[begin:])
        return SEVERAL if several else None
    letter, rest = first[1], text[first.end() : first.end() + LIMIT]
    bracketed = text[first.start() - 1 : first.start()] in ("(", "[")
    if letter.islower():
        if not (bracketed or first[0][1:].strip() or _LOWER_ENDS.match(rest)):
            return None
        letter = letter.upper()
    elif letter in "AI" and not bracketed and first[0] == first[1] and _PROSE_BEHIND.match(rest):
        return None
    if letter not in known or _DENIED.match(rest):
        return None
    if _OR_NOT.match(rest):
        return SEVERAL
    return SEVERAL if rest.lstrip().startswith(("?", "？")) or names_another(rest, letter, known) else letter


def leads_on(line: str) -> bool:
    """Return whether a line ends within a statement, so that an option on the next line is not alone.

    >>> leads_on("The answer is A or"), leads_on("Therefore,")
    (True, False)
    """
    return _LEADS_ON.search(line[-_TAIL:]) is not None


def names_another(rest: str, letter: str, known: str) -> bool:
    """Return whether ``rest``, the text behind the option ``letter``, makes a second option its equal.

    >>> [names_another(rest, "A", "ABCD") for rest in (" and B", "; B", ", B is wrong", " because B is small")]
    [True, True, False, False]
    """
    end = _SENTENCE_END.search(rest)
    while end and (_GOES_ON.match(rest, end.end()) or leads_on(rest[: end.start()])):
        end = _SENTENCE_END.search(rest, end.end())
    scope = rest[: end.start()] if end else rest
    if any(
        other[1] != letter and other[1] in known and _ALSO_RIGHT.match(rest, other.end())
        for other in _CAPITAL.finditer(rest)
    ):
        return True
    reason_until = -1
    for other in _CAPITAL.finditer(scope):
        if other[1] == letter or other[1] not in known:
            continue
        between, behind = scope[: other.start()], scope[other.end() :]
        if _RIGHT.match(behind) and not _EXPLAINS.search(between):
            return True
        if reason_until < 0 or not _ONLY_JOINTS.fullmatch(scope, reason_until, other.start()):
            if _DOUBT.search(between):
                return True
            tied = _ONLY_JOINTS.fullmatch(between) is not None
            if tied and (_ALTERNATIVE.search(between) or not _OWN_STATEMENT.match(behind)):
                return True
        reason_until = other.end()
    return False
