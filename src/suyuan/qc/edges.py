"""Sharp edges: spikes and offsets, which come back, and jumps too large for water."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from suyuan.qc.series import ABOUT, FEWEST, Alarm, Array, Rows, Series, running_median, spread, usual_step

LONGEST_H = 150.0
"""Hours after which a jump back belongs to no offset any more: six days and a reading."""

WIDE = 4.0
"""Spreads of the series that the two edges of a spike or offset must have on average."""

EACH = 0.75
"""Share of WIDE that each edge must have."""

SHARP = 8.0
"""Times the jitter of the day that the edges of spikes, offsets and drifts must have."""

RATIO, REMAINS, AWAY = 0.55, 0.6, 0.4
"""Shares: the smaller edge of the larger; of it, what may remain after the jump back, and how far readings stay away."""

FLANK = 0.5
"""Share of an edge that the step beside it may have in the same direction."""

RATE = 20.0
"""Spreads, and times the jitter, from which a jump is suspect before it is known whether it comes back."""

BLIND_H = 72.0
"""Hours without a reading after which a change says nothing about how fast it came."""


@dataclass(frozen=True)
class Steps:
    """How a series moves from reading to reading, arrays of shape (reading,): `step` from the reading before (0 at the first and
    after long gaps), `jitter` the usual step about that day for a gap as long, and the `spread` of the whole series."""

    step: Array
    jitter: Array
    spread: float

    def edges(self, wide: float, sharp: float) -> Rows:
        """Return where a step is at least `wide` spreads and `sharp` times its jitter."""
        size = np.abs(self.step)
        return np.flatnonzero((size > wide * self.spread) & (size > sharp * self.jitter))


def steps_of(series: Series) -> Steps | None:
    """Return how a series moves, None where it is too short to say.

    The jitter is the median step of ABOUT readings to either side, at least half the median of all and the
    resolution, and grows with the root of the gap.
    """
    if len(series) < FEWEST:
        return None
    usual = usual_step(series)
    gap = np.append(usual, np.diff(series.hours))
    step = np.append(0.0, np.diff(series.value))
    near = np.where(gap <= 2.05 * usual, np.abs(step), np.nan)
    near[0] = np.nan
    least = max(0.5 * float(np.nanmedian(near)), series.setting.resolution, 1e-12)
    jitter = np.fmax(running_median(near, ABOUT), least) * np.sqrt(np.maximum(gap / usual, 1.0))
    return Steps(np.where(gap > max(BLIND_H, 3.0 * usual), 0.0, step), jitter, spread(series))


def excursions(series: Series, steps: Steps) -> list[Alarm]:
    """Return spikes (a single reading) and offsets (several): a jump, readings that stay away, and a jump back of about its size.

    The shortest are taken first, and an edge belongs to one of them only.

    >>> import numpy as np
    >>> value = np.tile([7.0, 7.2, 7.1, 6.9], 10)
    >>> value[20] += 3.0
    >>> rows = np.arange(40)
    >>> series = Series("S1", "pH", rows, rows * 4.0, value, rows * 4 % 24)
    >>> [(a.check, a.rows.tolist(), round(a.measured, 2)) for a in excursions(series, steps_of(series))]
    [('spike', [20], 2.95)]
    """
    edges = steps.edges(EACH * WIDE, SHARP)
    pairs = [
        (int(first), int(back))
        for first in edges
        for back in edges[(edges > first) & (series.hours[edges] - series.hours[first] <= LONGEST_H)]
        if _is_wide(steps, first=int(first), back=int(back))
        and _comes_back(series.value, steps.step, first=int(first), back=int(back))
    ]
    found, used = [], set[int]()
    for first, back in sorted(pairs, key=lambda pair: (pair[1] - pair[0], pair[0])):
        if not used & {first, back}:
            used |= {first, back}
            size = 0.5 * float(abs(steps.step[first]) + abs(steps.step[back]))
            check = "spike" if back - first == 1 else "offset"
            found.append(Alarm(check, series.rows[first:back], size, _needed(steps, first)))
    return found


def _needed(steps: Steps, at: int) -> float:
    """Return the size that a jump needs there to be an edge."""
    return float(max(WIDE * steps.spread, SHARP * steps.jitter[at]))


def _is_wide(steps: Steps, *, first: int, back: int) -> bool:
    """Return whether both edges together are WIDE spreads on average: what the water did meanwhile makes one larger,
    one smaller."""
    return bool(abs(steps.step[first]) + abs(steps.step[back]) > 2.0 * WIDE * steps.spread)


def _comes_back(value: Array, step: Array, *, first: int, back: int) -> bool:
    """Return whether the jump at `back` undoes that at `first`, and the readings between stayed away.

    The jumps differ by less than half, what remains is less than six tenths of them, and of the readings between
    nearly all stay away by four tenths: background that moves meanwhile is allowed for, a flank of a plume is not.
    """
    up, down = abs(step[first]), abs(step[back])
    size = min(up, down)
    if step[first] * step[back] >= 0.0 or size < RATIO * max(up, down):
        return False
    if _goes_on(step, first - 1, edge=step[first]) or _goes_on(step, back + 1, edge=step[back]):
        return False
    if abs(value[back] - value[first - 1]) > REMAINS * size:
        return False
    away = np.sign(step[first]) * (value[first:back] - value[first - 1])
    return bool(np.mean(away > AWAY * size) >= 0.85)


def _goes_on(step: Array, at: int, *, edge: float) -> bool:
    """Return whether the step beside an edge goes on in its direction by half of it: then it is a flank, and no edge."""
    return 0 <= at < len(step) and bool(step[at] * edge > 0.0 and abs(step[at]) > FLANK * abs(edge))


def rate(series: Series, steps: Steps, *, told: Sequence[Alarm] = ()) -> list[Alarm]:
    """Return readings that moved from the one before by more than RATE spreads and RATE times the jitter of the day.

    Edges of what is `told` already, a spike, an offset or a drift, are left out: the reading after a spike is not at fault.
    """
    at = {int(row): k for k, row in enumerate(series.rows)}
    known = {at[int(row)] + k for alarm in told for row, k in ((alarm.rows[0], 0), (alarm.rows[-1], 1))}
    return [
        Alarm(
            "rate",
            series.rows[k : k + 1],
            float(abs(steps.step[k])),
            RATE * max(steps.spread, float(steps.jitter[k])),
        )
        for k in steps.edges(RATE, RATE)
        if int(k) not in known
    ]
