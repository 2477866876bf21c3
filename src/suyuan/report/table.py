"""The ranking as a table for the terminal."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np

from suyuan.balance import WaterBalance
from suyuan.network import Network
from suyuan.plot import percent
from suyuan.report.figures import Lang
from suyuan.report.page import shown
from suyuan.report.words import (
    GIVEN_ONE,
    Words,
    candidate_words,
    mass_unit,
    mass_words,
    place_words,
    prior_words,
    start_words,
)
from suyuan.tracing.result import Trace

if TYPE_CHECKING:
    from rich.table import Table


COLUMNS = (
    Words("", ""),
    Words("候选", "candidate"),
    Words("位置", "place"),
    Words("概率", "P"),
    Words("90 %", "90 %"),
    Words("排放量，%s %s", "mass, %s %s"),
    Words("开始时间（%s）", "start (%s)"),
)
RIGHT = {0, 3}
"""Columns of numbers."""

SO_FAR = Words("（截至时段末）", " so far")
NOBODY = Words("未见异常排放", "nobody")
CAPTION = Words("● %s；“截至时段末”的排放仍在继续。%s", "● %s; so far: until the end of the window. %s")


def balance_words(balance: WaterBalance) -> Words:
    """Return how far the given flow was from closing, in a sentence."""
    worst = int(np.argmax(balance.node_residual))
    numbers = (
        f"{balance.residual_share:.1%}",
        balance.nodes[worst],
        f"{balance.node_residual[worst]:.2g}",
        f"{balance.node_through[worst]:.2g}",
        f"{balance.reach_share:.1%}",
    )
    return Words(
        "水量平衡：闭合前各节点误差合计为过流量的 {}，最大在 {}（{} / {} m3/s）；河段内误差 {}".format(
            *numbers
        ),
        "water balance: node errors sum to {} of the through-flow before closure, most at {} ({} of {} m3/s); "
        "errors inside the reaches to {}".format(*numbers),
    )


def ranking_table(trace: Trace, network: Network, *, zone: tzinfo, lang: Lang) -> Table:
    """Return the ranking, unlisted sources marked, with a last row for nobody; a dot marks the 90 % set."""
    from rich.table import Table
    from rich.text import Text

    def say(words: Words) -> str:
        return str(words._asdict()[lang])

    caption = say(CAPTION) % (say(GIVEN_ONE), say(prior_words(trace)))
    table = Table(box=None, pad_edge=False, caption=caption, caption_justify="left")
    fillings = {5: (mass_unit(trace), trace.determinand), 6: (str(zone),)}
    for i, heading in enumerate(COLUMNS):
        text = say(heading) % fillings[i] if i in fillings else say(heading)
        table.add_column(text, justify="right" if i in RIGHT else "left")
    for rank, finding in enumerate(shown(trace), start=1):
        cells = (
            str(rank),
            say(candidate_words(finding.candidate, network)),
            say(place_words(finding.candidate, network)),
            percent(finding.probability),
            "●" if finding.candidate.id in trace.credible_set else "",
            mass_words(finding.mass_kg).replace("\n", " ") + (say(SO_FAR) if finding.is_going_on else ""),
            start_words(finding.start, zone).replace("\n", " "),
        )
        table.add_row(*map(Text, cells), style="bold" if finding.probability >= 0.5 else "")
    table.add_row("", say(NOBODY), "", percent(trace.no_source_probability))
    return table
