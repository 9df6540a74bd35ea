"""Tests of LiveCodeBench: public tests are JSON, hidden tests are packed and are unpacked in the grader."""

from __future__ import annotations

import base64
import binascii
import json
import pickletools
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from k2eval.errors import DataError
from k2eval.records import Json

TestType = Literal["stdin", "functional"]

MAX_TEST_BYTES = 1 << 30
"""Hidden tests that unpack to more bytes than this are an error."""

_TEXT = frozenset({"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"})
_AROUND_A_TEXT = frozenset({"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"})


@dataclass(frozen=True)
class Test:
    """One test: input and expected output, as the data set writes them."""

    input: str
    output: str
    testtype: TestType


@lru_cache(maxsize=8)
def decode_tests(public: str, private: str) -> tuple[Test, ...]:
    """Decode all tests of a question, public tests first, in the order in which LiveCodeBench runs them.

    Args:
        public: The column ``public_test_cases``: JSON.
        private: The column ``private_test_cases``: JSON, or base64 of zlib of a pickled JSON string.

    Raises:
        DataError: If a column has another form, or the columns hold no test.
    """
    tests = [*_tests(_json(public, "public_test_cases")), *_tests(decode_private(private))]
    if not tests:
        raise DataError("the question has no test at all, neither public nor hidden")
    return tuple(tests)


def decode_private(encoded: str) -> Json:
    """Decode the column ``private_test_cases`` in either of its two forms, without unpickling.

    Raises:
        DataError: If the column is in neither form.
    """
    if not encoded or encoded.lstrip()[:1] == "[":
        return _json(encoded or "[]", "private_test_cases")
    try:
        unzip = zlib.decompressobj()
        packed = unzip.decompress(base64.b64decode(encoded, validate=True), MAX_TEST_BYTES)
        if not unzip.eof:
            raise DataError(f"private_test_cases unpacks to more than {MAX_TEST_BYTES} bytes, or is cut off")
        text = _pickled_text(packed)
    except (binascii.Error, zlib.error, ValueError, MemoryError) as error:
        raise DataError(
            "private_test_cases should be JSON, or base64 of zlib of a pickled JSON string as in "
            f"livecodebench/code_generation_lite, got {encoded[:20]!r}…: {error}"
        ) from error
    return _json(text, "private_test_cases")


def _pickled_text(packed: bytes) -> str:
    """Return the single text in a pickle, without unpickling anything.

    Raises:
        ValueError: If the pickle holds anything else.
    """
    texts = []
    for opcode, argument, _ in pickletools.genops(packed):
        if opcode.name in _TEXT:
            texts.append(argument)
        elif opcode.name not in _AROUND_A_TEXT:
            raise ValueError(f"the operation {opcode.name} does not belong into a pickled text")
    if len(texts) != 1:
        raise ValueError(f"expected one pickled text, got {len(texts)}")
    return str(texts[0])


def _json(text: Json, column: str) -> Json:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError, MemoryError) as error:
        raise DataError(f"{column} should hold JSON: {error}") from error


def _tests(rows: Json) -> Iterable[Test]:
    try:
        return [Test(row["input"], row["output"], row["testtype"]) for row in rows]
    except (TypeError, KeyError) as error:
        raise DataError(
            f"a test should have input, output and testtype, got {str(rows)[:80]}: {error!r}"
        ) from error
