"""What worlds are drawn from: families, sizes, clocks, and the spreads of everything that varies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

FAMILIES = (
    "plain",
    "reversing",
    "sparse",
    "two",
    "unlisted",
    "upstream",
    "quiet",
    "sewer",
    "single",
    "poorflow",
)

BEGIN = datetime(2024, 7, 15)
"""Local time (UTC+8) at which SWMM starts, one day of spin-up before the flow that is handed out."""

FLOW_HOUR, WINDOW_HOUR, LAST_HOUR = 24, 120, 312
"""Hours after BEGIN: the given flow starts, the observations start, both end."""

DETERMINANDS = ("NH3-N", "TP", "CODMn", "EC")
UNITS = {"NH3-N": "mg/L", "TP": "mg/L", "CODMn": "mg/L", "EC": "uS/cm"}
NOISE = {"NH3-N": (0.06, 0.015), "TP": (0.06, 0.004), "CODMn": (0.05, 0.1), "EC": (0.01, 4.0)}
"""Relative and absolute standard deviation of a reading."""

DETECTION = {"NH3-N": 0.025, "TP": 0.01, "CODMn": 0.5, "EC": 0.0}
DECAY_GUESS = {"NH3-N": 0.08, "TP": 0.03, "CODMn": 0.03, "EC": 0.0}
DECAY_RANGE = {"NH3-N": (0.02, 0.15), "TP": (0.01, 0.06), "CODMn": (0.01, 0.045), "EC": (0.0, 0.0)}

KINDS = ("domestic", "industrial", "storm", "agricultural", "aquaculture")
LIBRARY = {
    "domestic": (25.0, 3.5, 60.0, 500.0),
    "industrial": (12.0, 1.0, 120.0, 2800.0),
    "storm": (2.0, 0.4, 25.0, 60.0),
    "agricultural": (6.0, 1.8, 20.0, 90.0),
    "aquaculture": (3.0, 1.2, 18.0, 150.0),
}
LIBRARY_LOG_SD = (0.4, 0.4, 0.35, 0.4)


@dataclass(frozen=True)
class Style:
    """How large and how looped a network is; ranges are (least, most), both included.

    `branch_odds` are the chances of 0, 1 and 2 branches at each node of the stem. `limiter`
    (`swmm.simulate`) is for the flow that is given; the truth is calm.
    """

    stem: tuple[int, int] = (7, 11)
    branch_odds: tuple[float, float, float] = (0.25, 0.4, 0.35)
    branch_reaches: tuple[int, int] = (1, 3)
    loops: tuple[int, int] = (0, 2)
    sewers: tuple[int, int] = (2, 3)
    outfalls_per_reach: tuple[float, float] = (0.65, 1.2)
    limiter: str = "FROUDE"


STYLES = {
    "given": Style(limiter="BOTH"),
    "calm": Style(),
    "loopy": Style(loops=(3, 7), branch_odds=(0.1, 0.4, 0.5)),
    "large": Style(stem=(12, 18), branch_reaches=(1, 4), loops=(1, 4), sewers=(3, 6)),
    "small": Style(stem=(4, 6), branch_odds=(0.3, 0.4, 0.3), branch_reaches=(1, 2), sewers=(1, 2)),
}
