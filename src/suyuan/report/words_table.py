"""Rows of words as a table for the terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from suyuan.report.figures import Lang
from suyuan.report.words import Words

if TYPE_CHECKING:
    from rich.table import Table


def words_table(
    headings: Sequence[Words], rows: Sequence[tuple[Words, ...]], *, lang: Lang, right: Collection[int]
) -> Table:
    """Return rows of words as a table for the terminal, the columns `right` aligned so."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for i, heading in enumerate(headings):
        table.add_column(heading._asdict()[lang], justify="right" if i in right else "left")
    for row in rows:
        table.add_row(*(Text(cell._asdict()[lang]) for cell in row))
    return table
