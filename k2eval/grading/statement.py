"""Find where a response states its answer without a box: "The answer is …", "**Final Answer**", "故选 …".

A *statement* is a cue ("the answer is") and its body, the text that follows. The graders read the body, each in its
own way: `k2eval.grading.value` for mathematics, `k2eval.grading.letter` for multiple choice. The last
statement counts.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

BODY_LIMIT = 2_000
"""Characters after a cue that are read."""

WINDOW = 100_000
"""Characters at the end of a response in which a statement counts."""

_NEWEST = 20
"""Statements at the end of a response that are looked at."""

_MARKUP = r"[\s*_`\"'”’#~]{0,8}"
_SUBJECT = (
    r"(?:,?\s{1,3}(?:to|for|of)\s{1,3}(?:the|this|that|our|your|my)\s{1,3}(?:[a-z]{1,12}\s{1,3}){0,3}?"
    r"(?:question|problem|exercise|task|puzzle)s?\b(?:\s{1,3}(?:above|below|here|given)\b)?)?"
)
_ADVERB = (
    r"(?:\s{1,3}(?:therefore|thus|then|hence|clearly|indeed|simply|just|now|also|definitely|obviously))?"
)
_MODAL = (
    r"would|should|must|will|has\s{1,3}to|ought\s{1,3}to|can\s{1,3}only|seems?\s{1,3}to|appears?\s{1,3}to"
    r"|turns?\s{1,3}out\s{1,3}to|comes?\s{1,3}out\s{1,3}to"
)
_CUE = re.compile(
    # Matches "The final answer is", "**Answer:**", "Final Answer" above a line of its own, {"answer": and
    # "the correct choice must therefore be"; not "an answer that is", "answers vary" or "unanswered is".
    rf"""(?<![A-Za-z])
    (?P<wrong>(?i:wrong|incorrect|false)\s{{1,3}})?
    (?P<noun>(?i:final\s{{1,3}}(?:result|value|solution|count|total)|(?:required|desired|requested)\s{{1,3}}[a-z]{{3,14}}
      |(?:correct|right|best)\s{{1,3}}(?:response|letter|one)|answer|ans(?=\s?\.?\s?[:=])|choice|option))(?P<plural>s?)(?![A-Za-z])
    {_MARKUP}(?i:{_SUBJECT})(?:\s?\([^()\n]{{0,40}}\))?
    (?: ,?(?i:{_ADVERB}),?\s{{0,3}}
        (?: (?P<open>(?i:(?:could|can|may|might)(?:\s{{1,3}}(?:also|well))?\s{{1,3}}be|(?:cannot|can't)\s{{1,3}}be|isn't
              |is\s{{1,3}}not))
          | (?i:is|was|are|equals?|becomes|(?:{_MODAL}){_ADVERB}\s{{1,3}}be{_ADVERB}))(?![A-Za-z])
      | {_MARKUP}(?P<colon>[:：=＝])
      | (?P<line>[*_\s]{{0,4}}\n) )
    """,
    re.VERBOSE,
)
_CUE_ELSEWHERE = re.compile(
    # Matches "答案是", "答案：", "故选", "正确选项为" and "Antwort:"; not "没有答案".
    r"(?P<wrong>错误(?:的)?)?(?:答案|(?:正确|最终)(?:的)?(?:选项|選項|结果|結果))(?:应该|應該|应|應|就|便|只能)?"
    r"(?:(?P<open>不是|不为|不為|不可能是|可能是|可能为)|[*_`\s】\]]{0,6}(?:是|为|為|选择|選擇|选|選|[:：=])|[】\]]|\s(?=\s?[（(]?[A-Z][)）]?\s?(?:[。.]|$|\n))|[*_\s]{0,4}\n)"
    r"|(?:^|\n)[\s*_#>]{0,6}(?i:(?:final\s)?(?:answer|ans))\s?\.[*_\s]{1,4}(?=\S)"
    r"|(?<!不)(?:故|应|應)(?:应|應)?填(?:写)?[:：]?"
    r"|正确的(?:是|为)|題选|题(?:应)?选|(?:^|\n)\s?[选選答]\s?[:：]"
    r"|(?<!不)(?:故|所以|因此|应|應|应该|應該|本题|本題|我|综上)[,，]?(?:答案|应该|应|應)?(?:选择|選擇|选|選)(?:答案|选项|選項)?"
    r"|(?<!\w)(?i:die\s(?:richtige\s|endgültige\s|korrekte\s)?(?:antwort|lösung)\s(?:ist|lautet)(?:\salso|\sdaher|\ssomit)?"
    r"|la\s(?:bonne\s)?réponse\s(?:finale\s|correcte\s)?est(?:\sdonc)?|la\s(?:respuesta|solución)\s(?:final\s|correcta\s)?es(?:\sla(?=\s[(]?[A-Z]\b))?"
    r"|la\srisposta\s(?:finale\s|corretta\s)?è|a\sresposta\s(?:final\s|correta\s|certa\s)?é)(?=\s|:|$)"
    r"|(?<!\w)(?i:antwort|lösung|réponse|respuesta|risposta|resposta|ответ)[*_\s]{0,4}(?=[:：])"
    r"|(?:答え|解答|正解|정답|답)[*_\s]{0,4}(?:は|은|이|[:：])"
)
_SUPPOSED = re.compile(
    # Matches the end of "Suppose that the correct "; not that of "I think the ".
    r"(?i:\b(?:if|suppose|supposing|assume|assuming|whether|unless|could|would|might)"
    r"(?:\s+that)?\s+(?:the|our|my|an?|your)\s+(?:correct\s+|final\s+|right\s+)?|(?:如果|假设|假設|假如|若|设|設))$"
)
# Matches "if", "had we", "were"; not "iffy".
_IF = re.compile(r"\b(?i:if|unless|were|had|without)\b")
_WITHDRAWN = re.compile(
    # Matches a sentence that begins with "But wait", "No," or "Let me reconsider" and "that is wrong"; not "Note".
    r"(?:^|[.!?:;。！？\n])[*_(\s]{0,6}+(?:(?i:(?:(?:but|hmm+|oh|no),?\s+)?wait|hmm+|oops|on\s+second\s+thought|correction|scratch\s+that)\b"
    r"|Actually\b|(?i:no)[,.!]|(?i:let\s+me|let's|let\s+us|i\s+(?:should|need\s+to|must))\s+"
    r"(?:reconsider|rethink|redo|recompute|recalculate|try\s+again|start\s+over)\b"
    r"|(?i:i\s+(?:made\s+a|was\s+wrong|misread|forgot)|that\s+was\s+wrong"
    r"|(?:this|that|which)(?:\s+answer)?(?:\s+is|'s)\s+(?:wrong|incorrect|not\s+(?:right|correct)))\b|等等|不对[,，])"
)
# Matches the marks in front of a statement: "**", ": "; not "-" or "~", which mean something.
_LEAD = re.compile(r"[\s*_:：`\"'“”=]+")
# Matches the end of a line, and a bullet, "#" or fence that begins the next; not "-5".
_NEXT_LINE = re.compile(
    r"[*_:：`\"'“” \t]*\n\s*(?:(?:[-*•+>]|#{1,6}|\d{1,2}\.(?=[ \t]+\S))\s+|```[a-z]*\s+)*"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A place that states an answer."""

    at: int
    """The start of the cue."""
    noun: str
    """Its noun in lower case ("answer", "option", "final result"); empty in other languages than English."""
    body: str
    """The text after the cue, up to `BODY_LIMIT` characters."""
    is_plural: bool
    is_open: bool
    """Whether the statement only excludes or suggests: "the answer cannot be", "the wrong option is"."""


def statements(text: str) -> Iterator[Statement]:
    """Yield the statements of ``text``, the last one first.

    None is yielded that the text withdraws behind it ("Wait, that is wrong"), nor any before such a place.

    >>> [statement.body for statement in statements("The answer is 5. So, **Answer:** 6")]
    ['6', '5. So, **Answer:** 6']
    """
    begin = max(0, len(text) - WINDOW)
    cues = deque(_CUE.finditer(text, begin), _NEWEST)
    others = deque(_CUE_ELSEWHERE.finditer(text, begin), _NEWEST)
    end = len(text)
    for cue in sorted([*cues, *others], key=lambda match: match.start(), reverse=True)[:_NEWEST]:
        groups = cue.groupdict()
        if groups.get("line") and not _is_heading(text, cue):
            continue
        if _SUPPOSED.search(text[max(0, cue.start() - 60) : cue.start()]) or _is_hypothetical(text, cue):
            continue
        if _WITHDRAWN.search(text, cue.end(), end):
            return
        body = text[cue.end() : cue.end() + BODY_LIMIT]
        if groups.get("line"):
            body = "\n" + body
        yield Statement(
            at=cue.start(),
            noun=(groups.get("noun") or "").casefold(),
            body=_opened(body),
            is_plural=bool(groups.get("plural")),
            is_open=bool(groups.get("wrong") or groups.get("open")),
        )
        end = cue.start()


def is_withdrawn(text: str) -> bool:
    """Return whether ``text`` takes back what was said in front of it.

    >>> is_withdrawn(". Wait, that is wrong."), is_withdrawn(". This is the final answer.")
    (True, False)
    """
    return _WITHDRAWN.search(text) is not None


def _is_hypothetical(text: str, cue: re.Match[str]) -> bool:
    """Return whether a sentence says what the answer would be in another case: "If 0 counted, it would be 18"."""
    before = re.split(r"[.!?\n]\s", text[max(0, cue.start() - 200) : cue.start()])[-1]
    return re.search(r"\b(?i:would|could|might)\b", cue[0]) is not None and _IF.search(before) is not None


def _is_heading(text: str, cue: re.Match[str]) -> bool:
    """Tell whether the line of a cue holds nothing else: "### Final Answer"."""
    start = text.rfind("\n", max(0, cue.start() - 60), cue.start()) + 1
    before = text[start : cue.start()] if start or cue.start() <= 60 else "much text"
    return (
        re.fullmatch(r"[\s#>*_\d.]*(?i:(?:the|my|our|so|thus)\s+)?(?i:final|correct)?[\s*_]*", before)
        is not None
    )


def _opened(body: str) -> str:
    """Return ``body`` without the markup, the line break and the bullet at its start."""
    line = _NEXT_LINE.match(body)
    if line:
        body = body[line.end() :]
    lead = _LEAD.match(body)
    return body[lead.end() :] if lead else body
