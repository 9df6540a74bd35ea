"""The grader of multiple choice, which finds the option that a response settles on.

The rules, in order:

1. The last line of boxes counts if it names one option, by letter, text or value, and no statement behind it names one.
   Two different options in one box or on one line of boxes are no answer.
2. An ``<answer>`` block counts if it comes last.
3. Otherwise the last statement counts ("The correct answer is (D)", "故选 B", ``{"answer": "B"}``), or the last
   line if that is an option and nothing else.

Letters are read in their own right only (`k2eval.grading.letter`), and nothing is ever guessed.
"""

from __future__ import annotations

import re
from collections import deque

from k2eval.grading import letter
from k2eval.grading.answer import WINDOW as READ, Answer, answer_block, find_answer, tidy
from k2eval.grading.option import by_exact_text, by_text, letter_of, letters
from k2eval.grading.statement import WINDOW, Statement, statements
from k2eval.records import Grade, Outcome, Question

VERSION = 7
"""Changes whenever a grade could change."""

_DECLARED = re.compile(
    # Matches "Option B is correct", "So B is the right answer", "B is correct." at the start of a sentence and
    # "B 是正确的。"; not "Option B is incorrect", "Neither A nor B is correct" or "B is correct in that".
    r"(?<![A-Za-z])(?i:answer|choice|option)\s{1,3}[(*]{0,3}([A-Z])[)*]{0,3}\s{1,3}is\s{1,3}(?:the\s|clearly\s|therefore\s)?(?:only\s)?"
    r"(?:correct|right|best|answer)\b"
    r"|(?:^|[\n.:]\s?|(?i:so|thus|hence|therefore),?\s|(?i:clear|follows|conclude|means|shows|see)\sthat\s)[(*\s]{0,4}+(?:[Oo]nly\s)?[(*]{0,3}([A-Z])[)*]{0,3}\s{1,3}is\s{1,3}"
    r"(?:the\s{1,3}(?:only\s)?(?:correct\s|right\s|best\s)?(?:answer|choice|option)|(?:correct|right)(?=[*\s]{0,4}(?:[.!;\n]|(?:because|since|while|whereas)\b|$)))"
    r"|(?:^|\n)[\s*#]{0,4}(?i:(?:final\s|correct\s)?answer)[*\s]{0,4}[-–—→]{1,2}>?\s{0,2}[(\[*]{0,3}([A-Z])[)\]*]{0,3}(?=[*\s]{0,3}(?:[.\n]|$))"
    r"|(?<![A-Za-z])I(?:\s(?:would|will)|'d|'ll)?\s(?:choose|select|pick|go\swith)\s(?:option\s)?[(*]{0,3}([A-Z])[)*]{0,3}(?=[.!\s]{0,3}(?:\n|$))"
    r"|(?:^|[\n。，,：:]|所以|因此|故)[\s*]{0,3}+(?:选项|選項)?[\s*(]{0,3}+([A-Z])[\s*)]{0,3}(?:选项|選項|项|項)?[\s]{0,2}(?:是|为|為)?"
    r"(?:正确|正確|最佳)(?:的)?(?:答案|选项|選項)?(?=[\s*]{0,3}(?:[。！.!]|\n|$))"
)
_LETTER_LINE = re.compile(
    # Matches the lines "B", "(B).", "So, B", "I would go with option B." and "b"; not "I", "A nucleus" or "B and C".
    r"(?:(?i:so|thus|hence|therefore|finally|∴|(?:in\s+)?conclusion|in\s+summary|overall|final|result)[,:]?\s+|(?:故|所以|因此|应|應)?[选選](?:择|擇)?\s?)?"
    r"(?:(?i:(?:(?:the|my)\s+)?(?:(?:correct|final|best|right)\s+)?(?:answer|choice|option)(?:\s+is|\s*:)?|(?:i\s+(?:think|believe)\s+)?(?:it|that)(?:'s|\s+is|\s+must\s+be|\s+has\s+to\s+be|\s+should\s+be)"
    r"|(?:i|let's|i'll|i'd|i'm|we)(?:\s+would|\s+will|\s+am|\s+are)?\s+(?:choose|select|pick|say|conclude|(?:go|going)\s+(?:with|for)))\s+(?:option\s+|choice\s+)?)?"
    r"(?:[(\[]\s?([A-Za-z])\s?[)\]]|([A-Z])[)\]]|([A-HJ-Z])|(?<![\w\s])([b-hj-z])\)?)[.!。\s]*"
)
# Matches "(I", "option I" and "answer I"; not the pronoun of "So I".
_MARKED_I = re.compile(r"[(\[]\s?I|(?i:option|choice|answer)\s+[(\[]?I")
_COMES_TO = re.compile(
    # Matches the end of "This matches option B.", "which corresponds to (C)" and "..., so B."; not "unlike option B".
    r"(?i:\b(?:corresponds?\s+to|matches|agrees\s+with|gives|leads\s+to|points\s+to|selects?)\s+(?:the\s+)?(?:option|choice|answer))\s*[(\[]?([A-Z])[)\]]?[.!\s]*$"
    r"|(?i:corresponds?\s+to|matches)\s*[(\[]([A-Z])[)\]][.!\s]*$"
    r"|(?:^|[,;]\s)\s*(?i:so|thus|hence|therefore),?\s+(?i:option\s+|choice\s+|answer\s+|it\s+is\s+|it's\s+)?[(\[]?([A-Z])[)\]]?[.!\s]*$"
    r"|(?:^(?i:this|that|it)\s(?i:is|leaves|gives|must\sbe)\s(?:(?i:us|only|with|just|the)\s+)*(?i:option\s+|choice\s+|answer\s+)?"
    r"|,\s(?i:which|that|this)\s(?i:is)\s(?:the\s)?(?i:option|choice|answer)\s+)[(\[]?([A-Z])[)\]]?[.!\s]*$"
    r"|^(?i:so|thus|hence|therefore)\b.{3,200}\s\(([A-Z])\)[.!\s]*$"
)
_OPEN = re.compile(
    # Matches words that leave an option open or exclude it: "or", "not", "if"; not "for".
    r"(?i:\b(?:or|not|no|nor|neither|either|if|unless|except|could|might|may|maybe|perhaps|wrong|incorrect|never|cannot|seems?|tempting|but|unlike|opposite|distractor|least|excludes?|eliminates?|rules?)\b)|n't|\?"
)
# Matches "Beta decay (B)."; not "(B) Beta decay".
_LETTER_BEHIND = re.compile(r"(\S.*?)\s*[(\[]([A-Z])[)\]][.!\s]*")
_LABEL_LINE = re.compile(
    # Matches "B) Beta decay", "(B) Beta decay" and "b. Beta decay"; not "Beta decay" or "B Beta decay".
    r"(?:(?i:option|choice)\s+)?[(\[]?([A-Za-z])(?:[)\].:、]+\s*|\s+[-–—]\s+)(\S.*)"
)
_EXPLAINED = re.compile(
    # Matches the letter of "**D**" above "Explanation: ..."; not that of a list of options.
    r"[*_\s]{0,9}[(\[]?([A-Z])[)\]]?[.*_ ]{0,9}\n[*_#\s]{0,9}"
    r"(?i:explanation|reason(?:ing)?|rationale|justification|because|解析|解释|解釋|理由)\b"
)
# Matches "not", "none of", "不" in front of an option; not "note" within a word.
_NEGATIVE = re.compile(r"[\s*]*(?i:not|none|nothing|no\s+option|neither|unknown|undetermined|unclear|不)")
# Matches the lines "B", "(B)", "B."; not "Answer: B".
_BARE_LETTER = re.compile(r"[(\[]?([A-Z])[)\]]?[.!。]?")
_REASON = r",?\s+(?:since|because|as|which|due\s+to)\b|[.!。]$"
"""Matches what begins the reason behind an option's text."""
_LABELLED = 20_000
"""Characters at the end of a response that are read for a line such as "B) Beta decay"."""


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade one response.

    Args:
        question: ``gold`` is a letter, ``options`` the texts in the order shown (A, B, …).
        text: The response after its reasoning.
        truncated: Whether the engine stopped at its token limit.
    """
    text = text[-READ:]
    answer = find_answer(text, truncated, unboxed=lambda _: None)
    choice = _choose(text, answer, truncated, question.options)
    if choice:
        right = choice == str(question.gold).strip().upper()
        return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, choice)
    return Grade.of(Outcome.TRUNCATED if truncated else Outcome.NO_ANSWER, tidy(answer.text))


def _choose(text: str, answer: Answer, truncated: bool, options: tuple[str, ...]) -> str | None:
    """Return the letter that the response settles on; None or "" if on none."""
    if answer.siblings:
        named = {letter_of(box, options) for box in answer.siblings}
        boxed = named.pop() if len(named) == 1 else None
        if truncated:
            return boxed
        behind = text[answer.end :]
        later = _stated(behind, options)
        return (boxed or _last_line(behind, options)) if later is None else later
    if answer.text is not None and (named_letter := letter_of(answer.text, options)):
        return named_letter
    block = answer_block(text)
    if block is not None and (block[1] or not truncated):
        return letter_of(block[0], options) or _unboxed(block[0], options)
    return None if truncated or answer.cut else _unboxed(text, options)


def _unboxed(text: str, options: tuple[str, ...]) -> str | None:
    """Return the option of a last line that is an option and nothing else, or of the last statement."""
    alone = _last_line(text, options)
    if alone is not None:
        return alone
    for reading in (_stated, _labelled_line, _concluded, _named_behind, _text_line, _explained):
        option = reading(text, options)
        if option is not None:
            return option
    return None


def _concluded(text: str, options: tuple[str, ...]) -> str | None:
    """Return the option that the last sentence comes to: "This matches option B.", "..., so B."."""
    sentence = re.split(r"(?<=[.!?:。])\s|\n", letter.plain(text[-letter.LIMIT :]))[-1]
    conclusion = _COMES_TO.search(sentence)
    name = next(filter(None, conclusion.groups())) if conclusion else ""
    if not conclusion or name not in letters(options) or _OPEN.search(sentence):
        return None
    if name == "I" and not _MARKED_I.search(conclusion[0]):
        return None
    others = {
        other for other in re.findall(r"(?<![A-Za-z])[B-HJ-Z](?![A-Za-z])", sentence[: conclusion.start()])
    }
    return name if not others & set(letters(options)) - {name} else None


def _named_behind(text: str, options: tuple[str, ...]) -> str | None:
    """Return the option whose text and letter end the last sentence: "The process is beta decay (B)."."""
    sentence = re.split(r"(?<=[.!?:。])\s|\n", letter.plain(text[-letter.LIMIT :]))[-1]
    behind = _LETTER_BEHIND.fullmatch(sentence)
    if behind is None or _OPEN.search(behind[1]) or behind[2] not in letters(options):
        return None
    words = options[ord(behind[2]) - ord("A")].strip().casefold() if options else ""
    return behind[2] if len(words) > 1 and behind[1].casefold().endswith(f" {words}") else None


def _explained(text: str, options: tuple[str, ...]) -> str | None:
    """Return the option that the first line consists of, above an explanation."""
    first = _EXPLAINED.match(text)
    return first[1] if first and first[1] in letters(options) else None


def _text_line(text: str, options: tuple[str, ...]) -> str | None:
    """Return the option whose text is the last line, unless another line is the text of another option."""
    lines = [line for line in text[-_LABELLED:].splitlines() if line.strip()]
    named = [by_exact_text(line.strip(" *_`"), options) for line in lines if _is_text(line)]
    return (
        named[-1] if named and lines and len(set(filter(None, named))) == 1 and _is_text(lines[-1]) else None
    )


def _is_text(line: str) -> bool:
    """Return whether ``line`` could be the text of an option, and not only its letter."""
    bare = line.strip(" *_`")
    return len(bare) > 1 or bare.isdigit()


def _last_line(text: str, options: tuple[str, ...]) -> str | None:
    """Return the letter that the last line consists of; `letter.SEVERAL` if the line before is another."""
    lines = [
        plain for line in text[-letter.LIMIT :].splitlines() if (plain := letter.plain(line).strip("-=>→⇒• "))
    ]
    if not lines or not (alone := _LETTER_LINE.fullmatch(lines[-1])):
        return None
    name = next(filter(None, alone.groups())).upper()
    before = (
        _BARE_LETTER.fullmatch(lines[-2]) if len(lines) > 1 and _BARE_LETTER.fullmatch(lines[-1]) else None
    )
    if name not in letters(options):
        return None
    is_part = len(lines) > 1 and letter.leads_on(lines[-2])
    return letter.SEVERAL if is_part or (before and before[1] != name) else name


def _labelled_line(text: str, options: tuple[str, ...]) -> str | None:
    """Return the option that the last line repeats with its label, unless an earlier line so repeats another."""
    repeated = None
    for line in text[-_LABELLED:].splitlines():
        labelled = _LABEL_LINE.fullmatch(letter.plain(line))
        if labelled and by_text(labelled[2], options) == labelled[1].upper():
            if repeated not in (None, labelled[1].upper()):
                return None
            repeated = labelled[1].upper()
        elif line.strip():
            repeated = None if repeated is None else repeated
    last = next((line for line in reversed(text[-_LABELLED:].splitlines()) if line.strip()), "")
    return repeated if _LABEL_LINE.fullmatch(letter.plain(last)) else None


def _stated(text: str, options: tuple[str, ...]) -> str | None:
    """Return the option stated last; "" if the last statement names two or is taken back, None without one."""
    known = letters(options)
    declared = deque(_DECLARED.finditer(text, max(0, len(text) - WINDOW)), 20)
    excluded: set[str] = set()
    option: str | None = None
    at = -1
    for index, statement in enumerate(statements(text)):
        name = _read(statement, options, by_value=index == 0)
        if name and (statement.is_open or _NEGATIVE.match(statement.body)):
            excluded.add(name)
        elif name is not None:
            option, at = name, statement.at
            break
    names = [(match.end(), next(filter(None, match.groups()))) for match in declared]
    later = [name for end, name in names if end > at and name in known]
    if later and not (option is not None and later[-1] == option):
        option = later[-1] if len(set(later)) == 1 else letter.SEVERAL
    return letter.SEVERAL if option in excluded else option


def _read(statement: Statement, options: tuple[str, ...], by_value: bool) -> str | None:
    """Return the option that a statement names; None if it names none, "" if it names two."""
    if statement.is_plural and statement.noun != "answer":  # which lists them
        return None
    if "boxed" in statement.body:  # an empty box, or one that was cut
        return None
    first_line = statement.body.partition("\n")[0].strip("*_`\"'{} ")
    if len(first_line) > 1 and (exactly := by_exact_text(first_line, options)):
        return exactly
    behind = _LETTER_BEHIND.fullmatch(letter.plain(first_line))
    if behind and by_exact_text(behind[1], options) == behind[2]:
        return behind[2]
    body = letter.plain(statement.body[: letter.LIMIT])
    negative = _NEGATIVE.match(body)
    name = letter.settled(body[negative.end() :] if negative else body, letters(options))
    if name is not None or negative or not by_value:
        return name
    for end in (r"$", r"[.!。]\s|[.。]$", _REASON):
        clause = re.split(end, first_line, maxsplit=1)[0].strip("*_`\"' ")
        if stated := by_text(clause, options):
            return stated
    return None
