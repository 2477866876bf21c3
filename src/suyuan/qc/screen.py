"""All checks on all readings: flags per reading and check, and each alarm with the number that decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suyuan.observations import FAIL, GOOD, MISSING, SUSPECT, Observations
from suyuan.qc.basic import gross_range
from suyuan.qc.copies import copied
from suyuan.qc.drift import drift
from suyuan.qc.edges import excursions, rate, steps_of
from suyuan.qc.flat import attenuated, flat_line, is_long
from suyuan.qc.neighbours import neighbours
from suyuan.qc.noisy import is_evaluated, noisy
from suyuan.qc.physics import climate, dry_probe, has_climate, is_wet, oversaturated, related
from suyuan.qc.repetition import repetition
from suyuan.qc.series import FEWEST, Alarm, Series, series_of
from suyuan.qc.together import unshared
from suyuan.substances import determinands

if TYPE_CHECKING:
    import pandas as pd

NOT_EVALUATED = 2
"""QARTOD's flag of a check that could not be made: too few readings, or nothing to compare with."""

SHAPES = ("spike", "offset", "drift", "rate", "flat line")
CHECKS = (
    *("gross range", "repetition", "future", "climate", "dry probe"),
    *SHAPES,
    *("attenuated", "noisy", "relation", "saturation", "neighbours", "copied"),
)
"""The checks in the order of their columns."""


@dataclass(frozen=True)
class Screening:
    """What quality control says of readings.

    `given` are the readings as they came. `flags` has shape (reading, check), a column for each of `CHECKS`: GOOD,
    NOT_EVALUATED, SUSPECT,
    FAIL or MISSING. `alarms` are runs of readings with the number that decided, those of one station and determinand together.
    """

    given: Observations
    flags: NDArray[np.int8]
    alarms: tuple[Alarm, ...]

    @property
    def observations(self) -> Observations:
        """The readings, each with the worst of its own flag and of every check; none is left out."""
        said = np.where(self.flags == NOT_EVALUATED, GOOD, self.flags).max(axis=1, initial=GOOD)
        return replace(self.given, flag=np.maximum(said, self.given.flag).astype(np.int8))

    def by_check(self, name: str) -> NDArray[np.int8]:
        """Return the flags (reading,) of one check."""
        return self.flags[:, CHECKS.index(name)]

    def to_frame(self) -> pd.DataFrame:
        """Return the readings as a table, times in UTC, with the worst flag and a column for each check."""
        frame = self.observations.to_frame()
        for k, name in enumerate(CHECKS):
            frame[name.replace(" ", "_")] = self.flags[:, k]
        return frame


def screen(observations: Observations, *, now: np.datetime64 | None = None) -> Screening:
    """Return what every check says of the readings; nothing is deleted, and the order of rows does not matter.

    With `now` (UTC), readings from later than that FAIL: a clock or a time zone is wrong.

    Readings that are FAIL already, physically impossible, sent twice or beyond the instrument's end take no part in
    what is learnt of
    a series. The spread and jitter of a station come from the readings given: give months, not days.

    >>> time = np.datetime64("2024-07-20T00") + np.arange(60) * np.timedelta64(14400, "s")
    >>> value = np.where(np.arange(60) == 30, 1.9, 0.4 + 0.001 * (np.arange(60) ** 2 % 61))
    >>> text, station, name = np.full(60, ""), np.full(60, "S1"), np.full(60, "TP")
    >>> seen = screen(Observations(time, station, name, value, text, np.ones(60, np.int8), np.zeros(60), text))
    >>> [(alarm.check, alarm.rows.tolist()) for alarm in seen.alarms]
    [('spike', [30])]
    """
    range_flags, repeat_flags = gross_range(observations), repetition(observations)
    is_later = np.zeros(len(observations), bool) if now is None else observations.time > now
    barred = np.maximum(observations.flag, np.where((repeat_flags == FAIL) | is_later, FAIL, range_flags))
    usable = replace(observations, flag=barred.astype(np.int8))
    series = series_of(usable)
    alarms = [*(alarm for each in series for alarm in _alone(each)), *_shapes(series)]
    alarms += copied(series)
    flags = _not_evaluated(usable, series)
    compared = {
        "relation": related(usable),
        "saturation": oversaturated(usable),
        "neighbours": neighbours(series),
    }
    for name, asked in compared.items():
        alarms += asked.alarms
        flags[asked.rows, CHECKS.index(name)] = GOOD
    flags[:, CHECKS.index("gross range")] = range_flags
    flags[:, CHECKS.index("repetition")] = repeat_flags
    flags[:, CHECKS.index("future")] = NOT_EVALUATED if now is None else GOOD
    alarms += [Alarm("future", np.array([k]), np.nan, np.nan, FAIL) for k in np.flatnonzero(is_later)]
    for alarm in alarms:
        column = column_of(alarm.check)
        flags[alarm.rows, column] = np.maximum(flags[alarm.rows, column], alarm.flag)
    flags[np.isnan(observations.value)] = MISSING
    basic = _basic(observations, range_flags, repeats=repeat_flags)
    return Screening(observations, flags, tuple(_ordered([*basic, *alarms], observations)))


def column_of(check: str) -> int:
    """Return the column of the check that an alarm names; one about two determinands names both."""
    return CHECKS.index("relation" if " in " in check else check)


def _alone(series: Series) -> list[Alarm]:
    """Return what the checks say that need no other series and no edges."""
    return [*climate(series), *dry_probe(series), *flat_line(series), *attenuated(series), *noisy(series)]


def _shapes(series: Sequence[Series]) -> list[Alarm]:
    """Return spikes, offsets, drifts and jumps that no other instrument of the station shows too."""
    judged = []
    for each in series:
        steps = steps_of(each)
        if steps is not None:
            told = [*excursions(each, steps), *drift(each, steps)]
            judged.append((each, steps, [*told, *rate(each, steps, told=told)]))
    return unshared(judged)


def _not_evaluated(usable: Observations, series: Sequence[Series]) -> NDArray[np.int8]:
    """Return GOOD (reading, check) where a check of a series by itself can be made, NOT_EVALUATED elsewhere."""
    flags = np.full((len(usable), len(CHECKS)), NOT_EVALUATED, np.int8)
    flags[:, :2] = GOOD
    for each in series:
        names = ["climate"] if has_climate(each) else []
        names += ["dry probe"] if is_wet(each) else []
        names += [*SHAPES, "copied"] if len(each) >= FEWEST else []
        names += ["attenuated"] if is_long(each) else []
        names += ["noisy"] if is_evaluated(each) else []
        flags[np.ix_(each.rows, np.array([CHECKS.index(name) for name in names], dtype=np.int64))] = GOOD
    return flags


def _basic(observations: Observations, ranges: NDArray[np.int8], *, repeats: NDArray[np.int8]) -> list[Alarm]:
    """Return alarms of the two checks that give flags only."""
    found = []
    for k in np.flatnonzero(ranges == FAIL):
        known, value = determinands()[str(observations.determinand[k])], float(observations.value[k])
        limit = known.highest if value > known.highest else known.lowest
        found.append(Alarm("gross range", np.array([k]), value, limit, FAIL))
    for flag in (SUSPECT, FAIL):
        rows = np.flatnonzero((repeats == flag) & np.isfinite(observations.value))
        found += [
            Alarm("repetition", np.array([k]), float(observations.value[k]), np.nan, flag) for k in rows
        ]
    return found


def _ordered(alarms: Sequence[Alarm], observations: Observations) -> list[Alarm]:
    """Return alarms by station, determinand, check and time, each with its rows in order of time."""
    time = observations.time

    def key(alarm: Alarm) -> tuple[str, str, int, int]:
        k = alarm.rows[0]
        return (
            str(observations.station[k]),
            str(observations.determinand[k]),
            column_of(alarm.check),
            int(time[k].astype("datetime64[s]").astype(np.int64)),
        )

    return sorted(alarms, key=key)
