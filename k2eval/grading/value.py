"""Read the mathematical answer that a response states without a box.

A *value* is a run of mathematics, with a unit of a few words behind it: "(3, 4)", "56 apples", "x = 1 or x = 2".
It ends where the sentence goes on to something else ("56 because …"). If the sentence could change the value ("56 or
so", "56 times 3"), nothing is read: numbers in passing never count.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator

from k2eval.grading.phrases import any_of
from k2eval.grading.statement import statements

UNSURE = ""
"""The reading of a text that states a value in a way that could mean another one."""

_LAST = 3_000
"""Characters at the end of a response in which its last line or display is looked for."""

_SPAN = re.compile(
    # Matches $x$, $$x$$, \(x\), \[x\] and the environments of displays; not "$5 and $6".
    r"\$\$(.{1,1500}?)\$\$|\$(?![\s\d.,]*\s)([^$\n]{1,500}?)(?<!\s)\$|\$([^$\n]{1,500}?)\$(?![\d.])"
    r"|\\\((.{1,1000}?)\\\)|\\\[(.{1,1500}?)\\\]"
    r"|\\begin\{((?:equation|align|gather|displaymath|math)\*?)\}(.{1,1500}?)\\end\{\6\}",
    re.DOTALL,
)
_NAME = (
    r"(?:arc)?(?:sin|cos|tan|cot|sec|csc)h?|log|ln|lg|exp|sqrt|pi|max|min|gcd|lcm|mod|cis|floor|ceil|abs|infinity|binom"
    r"|choose|deg"
)
_SIGNS = (
    r"-+*/^=<>≤≥≠≈_(){}\[\]|!%°′″'~:&$√∛π∞±∓×·⋅÷−–²³⁰¹⁴-⁹⁺⁻ⁿ₀-₉½⅓⅔¼¾⅕-⅞∪∩∈∅ℝℤℕℚ€£¢¥"
    r"０-９．，（）＝－＋％、 \t\u3000"
)
_TOKEN = re.compile(
    # Matches one piece of bare mathematics: "\frac", "12.5", "x", "sqrt", "=", "(" and "and" between two values;
    # not the words of a sentence nor the full stop behind it.
    rf"\\[a-zA-Z]+|\\.|(?:{_NAME})(?![a-zA-Z])|\d+(?:[.,]\d+)*|\.\d+|[.,;](?=\s?[\d\\$(\[+-])"
    r"|,(?=\s{0,2}(?:(?:and|or)\s|[a-zA-Z]\s?(?:[=<>≤≥+*/^_,)-]|\\)|[a-zA-Z]\s{0,2}$))"
    r"|(?:and|or)(?=\s{1,2}(?:[\d\\$(\[+−√±-]|[a-zA-Z](?:\d|_\w|_\{\w+\})?\s?(?:[=<>≤≥^*/+,.]|\\|$)))"
    rf"|(?<![a-zA-Z])[a-zA-Z](?![a-zA-Z])(?!\s+[a-z]{{2,}})(?!['’][a-z])|[α-ωΑ-Ω]|\.{{3}}|…|[{_SIGNS}]"
)
_EMPHASIS = re.compile(
    # Matches the marks of Markdown around a value: "**", "`"; not the power in "2**10".
    r"(?<![\w)}*])\*{1,3}(?=\S)|\*{1,3}(?![\w({\\*])|(?<![\w)])_(?=\w)|(?<=\w)_(?!\w|\{)|`{1,3}"
)
_ADVERBS = any_of(
    "therefore, thus, hence, then, clearly, simply, just, exactly, precisely, indeed, now, also, definitely, obviously,"
    "only, equal to, given by, found to be, as follows, the following, option, that, ∴"
)
_ADVERB = re.compile(
    # Matches "therefore ", "equal to ", "the number " before a value; not "the number of".
    rf"(?i:(?:{_ADVERBS}|\\therefore|the\s+(?:number|value|integer|pair)(?!\s+of))(?![a-zA-Z])[\s,:]*)+"
)
_DOUBTS = any_of(
    "about, approximately, approx, around, roughly, nearly, almost, close to, at least, at most, more than, less than,"
    "greater, fewer, over, under, between, either, neither, not, maybe, perhaps, possibly, unknown, undetermined,"
    "unclear, something, somewhere, any, up to, one of, above, below, within, half of, twice, double, a multiple,"
    "multiple, multiples, different, same as, 不, 约, 大约, 大概, 至少, 至多, 可能, 大于, 小于, 超过"
)
_DOUBTFUL = re.compile(
    # Matches a lead that does not state the value behind it: "about", "not", "between", "~"; not "another".
    rf"(?i:{_DOUBTS})(?![a-zA-Z])|[~≈]"
)
_CHANGES = any_of(
    "or, but, if, unless, except, plus, minus, times, more, less, fewer, greater, larger, smaller, over, divided,"
    "multiplied, modulo, mod, out, at, and, of, to, through, till, until, versus, vs, than, when, provided, assuming,"
    "approximately, roughly, apart, away, short, only, per"
)
_UNIT_WORD = re.compile(
    # Matches one word of a unit: " apples", " square", " km/h", "个"; not " or", " times" or " more".
    rf"\s*(?:(?!(?i:{_CHANGES})(?![a-zA-Z]))[a-zA-Z°²³^/·]{{1,20}}\d?|(?<=[a-zA-Z])\s+per\s+[a-zA-Z]{{1,20}}"
    r"|[\u4e00-\u9fff]{1,6})"
)
_REASONS = any_of(
    "because, since, as, which, where, so, thus, hence, therefore, by, due, using, given, after, with, from, in,"
    "and we, and this, and that, and the, and it, and so, and thus, and hence"
)
_ENDS = re.compile(
    # Matches behind a value what ends it: a tick, a full stop, ", as claimed", " because"; not " apples".
    r"[\s*_\"'”✓✔✅☑]*(?:$|[.!。！](?:[\s*_\"'”)]|$)|[;；]|\n|[,，:：(（—–]|\s-\s"
    r"|(?i:(?:is|are)\s(?:indeed\s)?(?:the|our)\s(?:only|unique|final|correct|desired|required))(?![a-zA-Z])"
    rf"|(?i:{_REASONS})(?![a-zA-Z])|因为|所以|です|である|となる|になります|입니다|이다)"
)
_ENDS_UNIT = re.compile(
    # Matches behind a unit what ends it: as above, and " in" or " of" in "56 ways of doing it"; not " and 3 feet".
    rf"{_ENDS.pattern}|\s*(?i:that|to|of(?!\s+[\d$\\])|for|on|when|we)(?![a-zA-Z])"
)
_RETREATS = any_of(
    "but, or, if, unless, except, not sure, maybe, perhaps, approximately, roughly, plus, minus, hard to, difficult to,"
    "depending"
)
_TAKEN_BACK = re.compile(
    # Matches behind a value a doubt about it: "?", ", but", " or so", "左右"; not ", as claimed".
    rf"[\s*_,，;(（—–-]*(?:[?？]|(?i:{_RETREATS})(?![a-zA-Z])|或|还是|以上|以下|左右)"
)
_VERBS = any_of(
    "is, are, was, were, equal, equals, be, become, becomes, total of, comes to, amounts to, total, totals"
)
_COPULA = re.compile(
    # Matches the verb between a name and a value: " is ", " equals ", ": ", "为"; not " has ".
    rf"(?i:\s(?:{_VERBS})(?=\s)(?:\sequal\s+to(?=\s))?)|[:：=](?=\s)|[是为為共有]"
)
_WORDS = re.compile(
    # Matches a few words: "an ellipse", "March 14th, 2025", "Alice and Bob"; not a sentence or a formula.
    r"[^\W\d_][^\W_'’,-]*(?:[\s,'’-]+(?:\d{1,4}(?:st|nd|rd|th)?|[^\W\d_][^\W_'’-]*)){0,5}"
)
_POINTERS = any_of(
    "as, in, on, at, by, from, given, shown, found, stated, clear, obvious, simple, derived, obtained, written,"
    "expressed, below, above, here, this, that, these, those, it, what, how, let, we, i, to, boxed, your, my, our,"
    "their, his, her, its, therefore, so, thus, now, first, next, then, because, since, unique, correct, right, wrong,"
    "reasonable, known, determined, calculated, computed, based, going, still, letter, there, the number, the value,"
    "the sum, the same, the following, the one, the smallest, the largest, the product, the probability, the area,"
    "the answer, the total, the set, the result"
)
_EMPTY_WORDS = re.compile(
    # Matches words that are no answer: "as above", "in the box", "clear"; not "an ellipse".
    rf"(?i:{_POINTERS})\b"
)
_CONCLUSIONS = any_of(
    "so, thus, hence, therefore, consequently, finally, in conclusion, in total, altogether, overall, this gives,"
    "we get, we obtain, we find, we conclude that, we conclude, we have that, it follows that, this yields, this means,"
    "in summary, to conclude, as a result, accordingly"
)
_CONCLUDES = re.compile(
    # Matches "So", "Therefore," and "综上" at the start of a sentence; not "Sometimes".
    rf"(?:^|[.!。]\s+)[\s*_#>$]*+(?:(?i:{_CONCLUSIONS})(?![a-zA-Z])|\\therefore"
    r"|∴|综上|所以|因此|故|于是|从而|总共|一共|共)[\s,，:]*"
)
_CONCLUDES_INSIDE = re.compile(
    # Matches " therefore " in "The value is therefore 5"; not "thus" at the start, which is the rule above.
    r"\s(?i:therefore|thus|hence|consequently)\s"
)
_RESULTS = any_of(
    "probability, value, number, sum, area, product, minimum, maximum, length, ratio, remainder, solution, solutions,"
    "root, roots, point, points, total, limit, integral, volume, perimeter, radius, result, distance, angle, difference"
)
_SUPERLATIVES = "smallest|largest|least|greatest|lowest|highest|minimum|maximum|minimal|maximal"
_RESULT_IS = re.compile(
    # Matches "The probability is" and "The minimum value equals"; not "The probability of B is" or "The term is".
    rf"(?i:the\s(?:[a-z]{{1,12}}\s){{0,2}}?(?:{_RESULTS})\s(?:is|are|equals)\s)"
    rf"|(?i:the\s(?:{_SUPERLATIVES})(?:\spossible)?(?:\s(?:value|number|integer))?(?:\sof\s[^\n]{{1,60}}?)?\s(?:is|equals)\s)"
    r"|(?i:the\ssum\sof\sall\s[^\n]{1,60}?\s(?:is|equals)\s)"
)
_GUESSES = any_of(
    "if, suppose, assume, try, check, consider, case, cases, when, maybe, perhaps, might, may, could, would, need, let,"
    "guess, say, not, cannot, can't, at least, at most, until, unless, whether, about, approximately, roughly, next,"
    "step, first, second, bound, either, example"
)
_POSSIBLE = r"(?<!st )(?<!um )(?<!al )(?<!only )\bpossible\b"
"""Matches the word in "possible value" / not in "smallest possible value", "maximum possible"."""
_SPECULATES = re.compile(
    # Matches words of a sentence that concludes nothing: "suppose", "case", "at most"; not "total".
    rf"(?i:\b(?:{_GUESSES})\b|{_POSSIBLE})|\?|如果|假设|若|可能|不"
)
_NUMBER = re.compile(
    # Matches "56", "-1,234.5", "5/8", "2^{10}"; not "x" or "56 apples".
    r"[-+−]?[0-9][0-9,./^°%(){}\\*+\-− ]*"
)
# Matches a word: "the"; not "and", "or" or "\\frac".
_PROSE = re.compile(r"(?<!\\)(?<![A-Za-z])(?!and\b)[A-Za-z]{3,}")
# Matches a full stop and marks at the end of a text; not one within it.
_SENTENCE_ENDS = re.compile(r"[\s*_]*[.!。]?[\s*_]*$")
# Matches nothing; not even "".
_NOWHERE = re.compile(r"(?!)")
_IS_THE_ANSWER = re.compile(
    # Matches the end of "5/8 is the final answer."; not that of "5/8 is not the answer".
    r"[\s*_]+is\s+(?:the|our|my)\s+(?:(?:final|correct|desired|required)\s+)?(?:answer|result|value|solution)[\s.!*_]*$"
)
_IS_SUCH = re.compile(
    # Matches the end of "Thus n = 21 is the smallest such integer."; not that of "is the smallest prime factor of n".
    rf"[\s*_]+is\s+the\s+(?:{_SUPERLATIVES}|only|unique)(?:\s+(?:such|possible))*\s+(?:value|solution|integer|number|one)[\s.!*_]*$"
)
_OBTAINS = re.compile(
    # Matches "we have " in "So in total we have 8 * 7 = 56"; not "we have to".
    r"(?i:\b(?:we|one)\s(?:have|gets?|obtains?|finds?|arrives?\sat)\s(?:that\s|exactly\s|a\stotal\sof\s)?(?!to\b))"
)
# Matches "..., we get " in the last sentence; not "we get" alone.
_GETS = re.compile(r"(?i:,\swe\s(?:get|obtain|find)\s)(?=[^.!?]*[.!]?$)")
_FINAL = re.compile(
    # Matches "the final answer " in "That gives the final answer 56."; not "the final answer is".
    r"(?i:\b(?:final|desired|required|requested)\s(?:answer|result|value|sum|total)\s(?:of\s)?)(?=[\d$\\(*-])"
)
_WRAPPED_CUE = re.compile(
    # Matches "$$\text{Answer: }" and "\textbf{Answer:}"; not "\text{Answer}".
    r"(\$\$?|\\\[|\\\()?\s?\\text(?:bf|rm|it)?\s?\{\s?((?i:(?:final\s)?answer)\s?:)\s?\}"
)
_JSON = re.compile(
    # Matches the field of an object at the end: {"answer": "17"}; not one that more text follows.
    r"\{(?:[^{}]{0,1500},)?\s*\"(?:final_?)?answer\"\s*:\s*(\"(?:[^\"\\\n]|\\[\"\\/])*\"|-?(?:0|[1-9]\d{0,99})(?:\.\d{1,99})?)\s*(?:,[^{}]{0,1500})?\}$"
)
_RESULT = re.compile(
    # Matches the line "Result: 5/8" up to its value; not "Results: we found".
    r"(?i:(?:final\s+)?(?:result|solution|total|value)\s*[:：]\s*)"
)
_EQUATION = re.compile(
    # Matches the line "x = 56" or "Total = 56 apples"; not "x = 56 is one case".
    r"(?:[A-Za-z]\w{0,3}(?:_\{?\w+\}?)?(?:\([\w,\s]+\))?|[A-Z][a-z]+(?:\s[a-z]+){0,2})\s*=\s*"
)


def stated_value(text: str) -> str | None:
    r"""Return the value that ``text`` states last without a box; None if it states none.

    >>> stated_value("The answer is 56 because 7 * 8 = 56."), stated_value("So the final result is $\\frac58$.")
    ('56', '\\frac58')
    >>> stated_value("There are 6 cases to consider."), stated_value("The answer is 7 or 8, hard to say.")
    (None, None)
    """
    field = _JSON.search(text[-_LAST:].rstrip("` \n"))
    if field and (answer := json.loads(field[1])) not in ("", None):
        return str(answer)
    text = _WRAPPED_CUE.sub(r"\2 \1", text)
    excluded: set[str] = set()
    for statement in statements(text):
        if statement.noun in ("choice", "option"):
            continue
        value = _read(statement.body)
        if value is None:
            continue
        if not statement.is_open:
            return None if value == UNSURE or value in excluded else value
        excluded.add(value)
    return _last_value(text)


def _read(body: str) -> str | None:
    """Return the value, or the words, that ``body`` begins with; `UNSURE` if they could mean another."""
    adverb = _ADVERB.match(body)
    body = body[adverb.end() :] if adverb else body
    if _DOUBTFUL.match(body):
        return UNSURE
    return _value(body) or _in_sentence(body)


def _value(text: str, unit_ends: re.Pattern[str] = _ENDS_UNIT) -> str | None:
    """Return the value that ``text`` begins with, its unit included; None without one."""
    pieces: list[str] = []
    at = 0
    is_span = False
    while at < len(text):
        if (mark := _EMPHASIS.match(text, at)) or (mark := _SPAN.match(text, at)):
            inner = (
                ""
                if mark.re is _EMPHASIS
                else next(g for i, g in enumerate(mark.groups()) if g is not None and i != 5)
            )
            pieces.append(f" {inner.strip()} " if mark.re is _SPAN else "")
        elif (mark := _TOKEN.match(text, at)) and not (mark[0] == "!" and is_span):
            pieces.append(mark[0])
        else:
            break
        is_span = mark.re is _SPAN
        at = mark.end()
    value = "".join(pieces)
    core = value.rstrip(" \t,;:，、~([{–-.")
    if not re.search(r"[^\W_]|\\[a-zA-Z]|[∞∅πℝ]", core):
        return None
    rest = value[len(core) :].lstrip("([{") + text[at:]
    if _TAKEN_BACK.match(rest):
        return UNSURE
    return _with_unit(core.strip(), rest, unit_ends)


def _with_unit(value: str, rest: str, unit_ends: re.Pattern[str]) -> str:
    if _ENDS.match(rest):
        return value
    at = 0
    for _ in range(3):
        word = _UNIT_WORD.match(rest, at)
        if word is None:
            break
        at = word.end()
        if unit_ends.match(rest, at):
            return UNSURE if _TAKEN_BACK.match(rest, at) else f"{value} {rest[:at].strip()}"
    return UNSURE


def _in_sentence(text: str) -> str | None:
    """Return the value or the words of a sentence: "the probability is 5/8", "an ellipse"."""
    sentence = re.split(r"(?<=[^\d])[.!。]\s|[.。!]$|\n|。", text, maxsplit=1)[0].strip(" *_\"'“”`")
    for begin, end in _verbs(sentence):
        lead, tail = sentence[:begin], sentence[end:].strip()
        if _SPECULATES.search(lead):
            return None
        if not _DOUBTFUL.match(tail) and (value := _value(tail)):
            return value
    clause = re.split(r",?\s+(?:because|since|as|which|where|so|due)\s|\s\(|;", sentence, maxsplit=1)[
        0
    ].strip(" ,*_")
    return clause if _WORDS.fullmatch(clause) and not _EMPTY_WORDS.match(clause) else None


def _verbs(sentence: str) -> Iterator[tuple[int, int]]:
    """Yield where the verbs of ``sentence`` begin and end, the last one first, without the signs of a formula."""
    verbs = list(_COPULA.finditer(sentence))
    for index in reversed(range(len(verbs))):
        words = [verb for verb in verbs[:index] if verb[0] not in "=:："]
        behind = sentence[verbs[index].end() :]
        if verbs[index][0] == "=" and (
            behind.count("$") % 2
            or (words and not _PROSE.search(sentence, words[-1].end(), verbs[index].start()))
        ):
            continue  # that of "x = 1" in "The solutions are x = 1 and x = 2"
        yield verbs[index].span()


def _last_value(text: str) -> str | None:
    """Return the value that the last display or line consists of, or that a last sentence concludes with."""
    tail = re.sub(r"\s*`{3}\s*$", "", text[-_LAST:].rstrip())
    if tail.endswith(("$$", r"\]", "}")):
        last = next((span for span in reversed(list(_SPAN.finditer(tail))) if span.end() == len(tail)), None)
        line = tail[tail.rfind("\n", 0, last.start()) + 1 : last.start()] if last else "words"
        if last and not re.search(r"\w", line):
            return next(g for i, g in enumerate(last.groups()) if g is not None and i != 5).strip()
    line = tail.rpartition("\n")[2]
    bare = re.sub(r"^(?:[-*•+>]\s++|[#>]++\s*+)*+", "", line.strip()).strip()
    return _bare_line(bare) or _conclusion(bare)


def _bare_line(line: str) -> str | None:
    """Return the value that ``line`` consists of, a number, a formula in dollars or an equation, if it is one."""
    bare = line.strip("*_` ").rstrip(".。").strip("*_` ")
    formula = _SPAN.fullmatch(bare)
    if formula:
        return next(g for i, g in enumerate(formula.groups()) if g is not None and i != 5).strip()
    if _NUMBER.fullmatch(bare):
        return bare
    named = _IS_THE_ANSWER.search(bare)
    if named and (value := _value(_CONCLUDES.sub("", bare[: named.start()], 1), _SENTENCE_ENDS)):
        return value
    result = _RESULT.match(bare)
    if result:
        return _value(bare[result.end() :], _SENTENCE_ENDS)
    label = _EQUATION.match(bare)
    value = _value(bare[label.end() :], _SENTENCE_ENDS) if label else None
    return f"{label[0]}{value}" if label and value and not _SPECULATES.search(bare) else None


def _conclusion(line: str) -> str | None:
    """Return the value that the sentence ``line`` ends with, if the sentence concludes: "So the total is 56."."""
    final = _FINAL.search(line)
    if final and not _SPECULATES.search(line) and (value := _value(line[final.end() :], _SENTENCE_ENDS)):
        return value
    begins = deque(_CONCLUDES.finditer(line), 1)
    if not begins and (got := _GETS.search(line)) and not _SPECULATES.search(line):
        return _value(line[got.end() :], _SENTENCE_ENDS)
    if not begins and not _CONCLUDES_INSIDE.search(line) and not _RESULT_IS.match(line):
        return None
    clause = line[begins[0].end() :] if begins else line
    if _SPECULATES.search(clause):
        return None
    such = _IS_SUCH.search(clause)
    value = _value(clause[: such.start()], _SENTENCE_ENDS) if such and begins else _value(clause, _NOWHERE)
    if value:
        return value
    obtained = _OBTAINS.search(clause)
    if obtained and (value := _value(clause[obtained.end() :], _SENTENCE_ENDS)):
        return value
    for _, end in _verbs(clause):
        tail = clause[end:].strip()
        tail = re.sub(rf"^{_ADVERB.pattern}", "", tail)
        if value := _value(tail, _SENTENCE_ENDS):
            return value
    return None
