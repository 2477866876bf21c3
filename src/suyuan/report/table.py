"""The ranking as a table for the terminal."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np

from suyuan.flow import WaterBalance
from suyuan.network import Network
from suyuan.plot import percent
from suyuan.report.page import shown
from suyuan.report.words import (
    GIVEN_ONE,
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


def balance_words(balance: WaterBalance) -> str:
    """Return how far the given flow was from closing, in a sentence."""
    worst = int(np.argmax(balance.node_residual))
    return (
        f"water balance: node errors sum to {balance.residual_share:.1%} of the through-flow before closure, "
        f"most at {balance.nodes[worst]} ({balance.node_residual[worst]:.2g} of "
        f"{balance.node_through[worst]:.2g} m3/s); errors inside the reaches to {balance.reach_share:.1%}"
    )


def ranking_table(trace: Trace, network: Network, *, zone: tzinfo) -> Table:
    """Return the ranking, unlisted sources marked, with a last row for nobody; a dot marks the 90 % set."""
    from rich.table import Table
    from rich.text import Text

    about = prior_words(trace)
    caption = (
        f"● {GIVEN_ONE.en}; so far: until the end of the window. {about.en}\n"
        f"● {GIVEN_ONE.zh}；so far：截至时段末。{about.zh}"
    )
    table = Table(box=None, pad_edge=False, caption=caption, caption_justify="left")
    for heading, side in (
        ("", "right"),
        ("candidate", "left"),
        ("place", "left"),
        ("P", "right"),
        ("90 %", "left"),
    ):
        table.add_column(heading, justify="right" if side == "right" else "left")
    table.add_column(f"mass, {mass_unit(trace)} {trace.determinand}")
    table.add_column(f"start ({zone})")
    for rank, finding in enumerate(shown(trace), start=1):
        cells = (
            str(rank),
            candidate_words(finding.candidate, network).en,
            place_words(finding.candidate, network).en,
            percent(finding.probability),
            "●" if finding.candidate.id in trace.credible_set else "",
            mass_words(finding.mass_kg).replace("\n", " ") + (" so far" if finding.is_going_on else ""),
            start_words(finding.start, zone).replace("\n", " "),
        )
        table.add_row(*map(Text, cells), style="bold" if finding.probability >= 0.5 else "")
    table.add_row("", "nobody", "", percent(trace.no_source_probability))
    return table
