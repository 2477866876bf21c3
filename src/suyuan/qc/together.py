"""What several instruments say at once is said by the water, not by one of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suyuan.qc.edges import Steps
from suyuan.qc.series import Alarm, Array, Series, usual_step

ONE_PROBE = ({"chl-a", "algal_density"}, {"TDS", "EC"})
"""Determinands that one probe reads: they are no witnesses for each other."""

WITNESS, WITNESS_SHARP = 1.5, 6.0
"""Spreads, and times the jitter, of a jump that bears witness for another instrument: less than accuses."""

WITNESS_ALONE = 2.0
"""Spreads of a jump that bears witness where a single edge is asked about."""

Judged = tuple[Series, Steps, Sequence[Alarm]]
"""A series, how it moves, and what the checks of its shape say."""


def unshared(judged: Sequence[Judged]) -> list[Alarm]:
    """Return the alarms without those whose edges another instrument of the station shows at the same time.

    Both edges of a spike or offset, the jump back of a drift and the jump of a rate must be met within half a usual step. A
    fault is of one instrument; a short plume, a pump and a gate move several. Faults of the intake pass with them.
    """
    pairs = [(series, _hours(series, steps, wide=WITNESS)) for series, steps, _ in judged]
    alone = [(series, _hours(series, steps, wide=WITNESS_ALONE)) for series, steps, _ in judged]
    kept = []
    for series, _, alarms in judged:
        for alarm in alarms:
            edges = _edges(series, alarm)
            seen = pairs if len(edges) > 1 else alone
            if not any(_bears(series, other, edges=edges, hours=hours) for other, hours in seen):
                kept.append(alarm)
    return kept


def _hours(series: Series, steps: Steps, *, wide: float) -> Array:
    """Return when the series jumps by so many spreads [h]."""
    return series.hours[steps.edges(wide, WITNESS_SHARP)]


def _edges(series: Series, alarm: Alarm) -> Array:
    """Return the hours of the edges that an alarm stands on."""
    last = int(np.flatnonzero(series.rows == alarm.rows[-1])[0])
    first = int(np.flatnonzero(series.rows == alarm.rows[0])[0])
    if alarm.check == "rate":
        return series.hours[first : first + 1]
    back = series.hours[last + 1 : last + 2]
    return back if alarm.check == "drift" else np.append(series.hours[first], back)


def _bears(series: Series, other: Series, *, edges: Array, hours: Array) -> bool:
    """Return whether another instrument of the station jumps, at these `hours`, at every edge."""
    if series.station != other.station or series.determinand == other.determinand:
        return False
    if any({series.determinand, other.determinand} == probe for probe in ONE_PROBE) or not len(hours):
        return False
    return bool((np.abs(hours[:, None] - edges).min(axis=0) <= 0.5 * usual_step(series)).all())
