"""Tables as pieces of HTML."""

from __future__ import annotations

from k2eval.pages import table_fragment


def test_texts_are_escaped() -> None:
    page = table_fragment(["<i>"], [["<script>"]], title="a & b", notes=["<b>"])
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "a &amp; b" in page


def test_line_breaks_and_the_best_are_shown() -> None:
    assert ">one<br><b>two</b></td>" in table_fragment(["x"], [["one\n**two**"]])


def test_the_first_column_is_to_the_left_and_the_others_to_the_right() -> None:
    page = table_fragment(["run", "score"], [["a", "1"]])
    assert '<td style="text-align: left">a</td><td style="text-align: right">1</td>' in page
