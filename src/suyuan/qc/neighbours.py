"""What the other stations say: a reading that leaves them where it usually goes with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suyuan.qc.series import (
    ABOUT,
    FEWEST,
    Alarm,
    Array,
    Asked,
    Rows,
    Series,
    robust_sd,
    running_median,
    usual_step,
)

FEWEST_OTHERS = 3
"""Other stations that must have read that hour: of two, one that errs would speak against the right one."""

KNOWS = 0.5
"""Share of the readings' own spread that the difference from the neighbours may have for them to know anything."""

FAR = 10.0
"""Robust standard deviations of the difference from which a reading is suspect."""


def neighbours(series: Sequence[Series]) -> Asked:
    """Return readings that left the median of the other stations' readings of the same hour by more than they ever should.

    What counts is the change of the difference against its running median, in its robust standard deviations; only
    where these are
    less than half of those of the readings themselves, taken alike: neighbours that do not know are not asked. A station that
    reads in several ways, with a sensor and by grabs, is one neighbour, and none of its own.
    """
    alarms, rows = list[Alarm](), [np.empty(0, np.int64)]
    for name in sorted({each.determinand for each in series}):
        alike = [each for each in series if each.determinand == name and len(each) >= FEWEST]
        stations = sorted({each.station for each in alike})
        if len(stations) > FEWEST_OTHERS:
            table = _table(alike, stations)
            for each in alike:
                told, asked = _leaving(each, table, column=stations.index(each.station))
                alarms += told
                rows.append(asked)
    return Asked(tuple(alarms), np.concatenate(rows))


def _table(alike: Sequence[Series], stations: Sequence[str]) -> Array:
    """Return the readings (hour, station) that fall into each hour, NaN where there is none.

    Of several series of a station that which is given first, the sensor's, goes before the others.
    """
    last = max(int(np.round(each.hours[-1])) for each in alike)
    table = np.full((last + 1, len(stations)), np.nan)
    for each in reversed(alike):
        table[np.round(each.hours).astype(np.int64), stations.index(each.station)] = each.value
    return table


def _leaving(series: Series, table: Array, *, column: int) -> tuple[list[Alarm], Rows]:
    """Return the alarms of a series of the station in a `column`, and the rows (reading,) that its neighbours know of."""
    at = np.round(series.hours).astype(np.int64)
    others = np.delete(table[at], column, axis=1)
    enough = np.isfinite(others).sum(axis=1) >= FEWEST_OTHERS
    if enough.sum() < FEWEST:
        return [], series.rows[:0]
    value, middle = series.value[enough], np.nanmedian(others[enough], axis=1)
    difference = value - middle
    moved = difference - running_median(difference, ABOUT)
    own = robust_sd(value - running_median(value, ABOUT))
    usual = max(robust_sd(moved), series.setting.tells, 1e-12)
    if usual > KNOWS * own or usual_step(series) > 24.0:
        return [], series.rows[:0]
    rows = series.rows[enough]
    told = [
        Alarm("neighbours", rows[k : k + 1], float(abs(moved[k])), FAR * usual)
        for k in np.flatnonzero(np.abs(moved) > FAR * usual)
    ]
    return told, rows
