"""How the answer moved, for people: the table of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np

from suyuan.clock import dated
from suyuan.plot import percent
from suyuan.report.figures import Lang
from suyuan.report.words import Words
from suyuan.tracing.history import Answer

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = (
    Words("计算时间", "made"),
    Words("读数截至", "readings until"),
    Words("读数", "readings"),
    Words("首位候选", "leader"),
    Words("概率", "P"),
    Words("未见异常排放", "P(nobody)"),
    Words("90 % 集", "90 % set"),
    Words("种子", "seed"),
)


def history_table(history: Sequence[Answer], *, zone: tzinfo, lang: Lang) -> Table:
    """Return one row a run, oldest first: when, who led, with what probability, and how many are in the 90 % set."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for k, heading in enumerate(HEADINGS):
        table.add_column(heading._asdict()[lang], justify="left" if k in {0, 1, 3} else "right")
    for answer in history:
        made, until = dated(np.array([answer.run.made, answer.run.until]), zone)
        name, p = answer.leading[0] if answer.leading else ("-", 0.0)
        cells = (
            made,
            until,
            str(answer.run.readings),
            name,
            percent(p),
            percent(answer.nobody),
            str(len(answer.credible_set)),
            str(answer.run.seed),
        )
        table.add_row(*map(Text, cells))
    return table


def no_history(folder: str) -> Words:
    """Return what is said where no run is on record."""
    return Words(
        f"{folder} 中还没有历史记录；请先运行 suyuan trace。",
        f"{folder} holds no history yet; run suyuan trace first.",
    )
