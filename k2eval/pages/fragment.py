"""Tables as pieces of HTML, for notebooks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

_BOLD = re.compile(r"\*\*(.+?)\*\*")


def table_fragment(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", notes: Iterable[str] = ()
) -> str:
    """Return a table as HTML that a notebook shows in its own style.

    Texts are escaped. A line break in a text becomes one in the cell, and ``**best**`` becomes bold.

    Args:
        header: Titles of the columns; the first column is aligned to the left, the others to the right.
        rows: The cells.
        title: A line above the table.
        notes: Lines below it.
    """
    parts = [f"<p><b>{_cell(title)}</b></p>"] if title else []
    parts.append('<table class="dataframe"><thead>' + _row("th", header) + "</thead><tbody>")
    parts += [_row("td", row) for row in rows]
    parts.append("</tbody></table>")
    parts += [f"<p><small>{_cell(note)}</small></p>" for note in notes]
    return "\n".join(parts)


def _row(tag: str, cells: Sequence[str]) -> str:
    sides = ("left", *["right"] * (len(cells) - 1))
    filled = (
        f'<{tag} style="text-align: {side}">{_cell(cell)}</{tag}>'
        for side, cell in zip(sides, cells, strict=True)
    )
    return "<tr>" + "".join(filled) + "</tr>"


def _cell(text: str) -> Markup:
    return Markup(_BOLD.sub(r"<b>\1</b>", str(escape(text))).replace("\n", "<br>"))
