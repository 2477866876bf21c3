"""What several instruments say at once is said by the water, not by one of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suyuan.qc.series import Alarm, Series, usual_step

ONE_PROBE = ({"chl-a", "algal_density"}, {"TDS", "EC"})
"""Determinands that one probe reads: they are no witnesses for each other."""

EXCUSED = ("spike", "offset")


Span = tuple[str, str, tuple[float, float], float]
"""Station, determinand, first and last hour of an alarm, and the usual step of the series [h]."""


def excused(alarms: Sequence[tuple[Series, Alarm]]) -> list[Alarm]:
    """Return the alarms without spikes and offsets that another instrument of the station shows over the same readings.

    Both edges must lie within one usual step of the other's. A fault is of one instrument; a short plume, a pump and a gate move
    several. Faults of the intake pass with them.
    """
    spans = [_span(each, alarm) for each, alarm in alarms]
    edged = [k for k, (_, alarm) in enumerate(alarms) if alarm.check in EXCUSED]
    kept = []
    for k, (_, alarm) in enumerate(alarms):
        is_shared = alarm.check in EXCUSED and any(
            _is_one(spans[k], spans[other]) for other in edged if other != k
        )
        if not is_shared:
            kept.append(alarm)
    return kept


def _span(series: Series, alarm: Alarm) -> Span:
    hours = series.hours[np.isin(series.rows, alarm.rows)]
    return series.station, series.determinand, (float(hours[0]), float(hours[-1])), usual_step(series)


def _is_one(one: Span, other: Span) -> bool:
    """Return whether two alarms are the same water seen by two instruments."""
    (station, name, (first, last), step), (there, named, (begin, end), pace) = one, other
    if station != there or name == named or any({name, named} == probe for probe in ONE_PROBE):
        return False
    slack = 1.05 * max(step, pace)
    return abs(first - begin) <= slack and abs(last - end) <= slack
