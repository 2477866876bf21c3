"""What water and its instruments must obey: parts below wholes, oxygen near saturation, a probe that is wet."""

from __future__ import annotations

import numpy as np

from suyuan.observations import FAIL, MISSING, SUSPECT, Observations
from suyuan.oxygen import saturation
from suyuan.qc.series import Alarm, Asked, Rows, Series, robust_sd
from suyuan.qc.settings import Relation, relations

MOST_SATURATION = 2.5
"""Share of saturation above which oxygen is suspect; dense blooms pass 2 in the afternoon."""

DRY_SHARE = 0.1
"""Share of the station's median below which conductivity says that the probe hangs in air or foam."""

FAR_BELOW = 4.0
"""Robust sd below the station's median that such conductivity must lie as well: fresh water at a tidal station is no air."""

MOST_DRY = 100.0
"""Conductivity [uS/cm] from which no probe hangs in air: a tidal station of 30,000 also has fresh water of 600."""

LEAST_WET = 50.0
"""Median conductivity [uS/cm] of a station from which its probe can be told to be dry."""


def has_climate(series: Series) -> bool:
    """Return whether the range of surface water is known and asked for.

    It is not at stations that mostly lie beyond half of it, of determinands that waste raises (`Setting.rises_in_waste`).
    """
    low, high = series.setting.climate
    if not np.isfinite(low) or not series.setting.rises_in_waste:
        return bool(np.isfinite(low))
    return low <= float(np.median(series.value)) <= 0.5 * high


def climate(series: Series) -> list[Alarm]:
    """Return readings outside the range of surface water; nothing is asked in sewers (`has_climate`)."""
    low, high = series.setting.climate
    if not has_climate(series):
        return []
    outside = np.flatnonzero((series.value < low) | (series.value > high))
    return [
        Alarm(
            "climate", series.rows[k : k + 1], float(series.value[k]), high if series.value[k] > high else low
        )
        for k in outside
    ]


def is_wet(series: Series) -> bool:
    """Return whether the station's probe is of those, and its water of that conductivity, that a dry probe shows."""
    return bool(np.isfinite(series.setting.dry_below)) and float(np.median(series.value)) >= LEAST_WET


def dry_probe(series: Series) -> list[Alarm]:
    """Return readings of conductivity that no water of this station has.

    FAIL below what rain holds; SUSPECT below a tenth of the station's median that is also four robust sd below it and
    below MOST_DRY.
    """
    if not is_wet(series):
        return []
    below, middle = series.setting.dry_below, float(np.median(series.value))
    limit = max(below, min(DRY_SHARE * middle, middle - FAR_BELOW * robust_sd(series.value), MOST_DRY))
    return [
        Alarm(
            "dry probe",
            series.rows[k : k + 1],
            float(series.value[k]),
            limit,
            FAIL if series.value[k] < below else SUSPECT,
        )
        for k in np.flatnonzero(series.value < limit)
    ]


def related(observations: Observations) -> Asked:
    """Return pairs of readings in which a part exceeds its whole by more than both analysers may err; both are suspect."""
    alarms, rows = list[Alarm](), [np.empty(0, np.int64)]
    for relation in relations():
        whole, part = _beside(observations, relation.whole, other=relation.part)
        alarms += _exceeding(observations, whole, part=part, relation=relation)
        rows += [whole, part]
    return Asked(tuple(alarms), np.concatenate(rows))


def _exceeding(observations: Observations, whole: Rows, *, part: Rows, relation: Relation) -> list[Alarm]:
    limit = (1.0 + relation.share) * observations.value[whole] + relation.slack
    is_wrong = (
        (observations.value[part] > limit)
        & (observations.qualifier[part] != "<")
        & (observations.qualifier[whole] != ">")
    )
    name = f"{relation.part} in {relation.whole}"
    return [
        Alarm(name, np.array([whole[k], part[k]]), float(observations.value[part[k]]), float(limit[k]))
        for k in np.flatnonzero(is_wrong)
    ]


def oversaturated(observations: Observations) -> Asked:
    """Return oxygen above MOST_SATURATION of what water of the temperature read at the same time holds at sea level.

    Salt and height lower saturation, so that salt lakes and high rivers are flagged late, never early.
    """
    oxygen, warmth = _beside(observations, "DO", other="water_temp")
    share = observations.value[oxygen] / saturation(observations.value[warmth])
    alarms = [
        Alarm("saturation", oxygen[k : k + 1], float(share[k]), MOST_SATURATION)
        for k in np.flatnonzero(share > MOST_SATURATION)
    ]
    return Asked(tuple(alarms), oxygen)


def _beside(observations: Observations, name: str, *, other: str) -> tuple[Rows, Rows]:
    """Return rows (pair,) of a determinand and of another read at the same station and time, in the same way."""
    usable = np.isfinite(observations.value) & ~np.isin(observations.flag, (FAIL, MISSING))
    sides = [np.flatnonzero(usable & (observations.determinand == each)) for each in (name, other)]
    keys = ("station", "time", "duration_s", "sample_id")
    both = np.concatenate(sides)
    if not len(sides[0]) or not len(sides[1]):
        return sides[0][:0], sides[1][:0]
    codes = np.stack(
        [np.unique(getattr(observations, key)[both], return_inverse=True)[1].reshape(-1) for key in keys]
    )
    place = np.unique(codes, axis=1, return_inverse=True)[1].reshape(-1)
    here, there = place[: len(sides[0])], place[len(sides[0]) :]
    order = np.lexsort((observations.value[sides[1]], there))
    at = np.searchsorted(there[order], here)
    at_safe = np.minimum(at, len(order) - 1)
    is_met = there[order][at_safe] == here
    return sides[0][is_met], sides[1][order][at_safe[is_met]]
