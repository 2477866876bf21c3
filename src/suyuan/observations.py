"""The observations noun: what was read, where, when, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

GOOD, SUSPECT, FAIL, MISSING = 1, 3, 4, 9
"""Quality flags, numbered as in QARTOD (IOOS, 2020)."""

MOST_COMPOSITE_S = 7.0 * 86400.0
"""No sampler is filled for longer than this: more is a slip of the pen or of the unit."""

COLUMNS = ("time", "station", "determinand", "value", "qualifier", "flag", "duration_s", "sample_id")


@dataclass(frozen=True)
class Observations:
    """A long table of readings, one row a reading, in the determinand's own unit.

    Every field is an array of shape (reading,). `time` is datetime64[s] in UTC, the instant of the reading or, where
    `duration_s` > 0, the end of the composite sample, for which the water of all its hours was drawn evenly. `qualifier` is '',
    '<' (below the limit given as value) or '>'.
    `value` is NaN where missing. `flag` is GOOD, SUSPECT, FAIL or MISSING; nothing is ever deleted for its flag.
    """

    time: NDArray[np.datetime64]
    station: NDArray[np.str_]
    determinand: NDArray[np.str_]
    value: NDArray[np.float64]
    qualifier: NDArray[np.str_]
    flag: NDArray[np.int8]
    duration_s: NDArray[np.float64]
    sample_id: NDArray[np.str_]
    source: str = "observations"

    def __post_init__(self) -> None:
        n = len(self.time)
        for name in COLUMNS[1:]:
            if len(getattr(self, name)) != n:
                what = f"{name} has {len(getattr(self, name))} rows where time has {n}"
                raise InputError(self.source, what, "give every reading a value in every column")
        wrong = np.flatnonzero(~((self.duration_s >= 0.0) & (self.duration_s <= MOST_COMPOSITE_S)))
        if len(wrong):
            what = f"duration_s is {self.duration_s[wrong[0]]:g} in reading {wrong[0]}"
            remedy = f"write 0 for grabs and sensors, up to {MOST_COMPOSITE_S:.0f} for composite samples"
            raise InputError(self.source, what, remedy)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def is_usable(self) -> NDArray[np.bool_]:
        """Whether each row holds a reading that may be weighed, (reading,): a value, and not flagged FAIL or MISSING."""
        return np.asarray(np.isfinite(self.value) & (self.flag != FAIL) & (self.flag != MISSING))

    def select(
        self,
        *,
        stations: tuple[str, ...] | None = None,
        determinands: tuple[str, ...] | None = None,
        since: np.datetime64 | None = None,
        until: np.datetime64 | None = None,
    ) -> Observations:
        """Return the readings of these stations and determinands between `since` and `until`, both included."""
        keep = np.ones(len(self), bool)
        if stations is not None:
            keep &= np.isin(self.station, stations)
        if determinands is not None:
            keep &= np.isin(self.determinand, determinands)
        if since is not None:
            keep &= self.time >= since
        if until is not None:
            keep &= self.time <= until
        return self.where(keep)

    def where(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Observations:
        """Return the readings where `keep`, shape (reading,), is true, or those of these rows."""
        return replace(self, **{name: getattr(self, name)[keep] for name in COLUMNS})

    def to_frame(self) -> pd.DataFrame:
        """Return the readings as a table, times in UTC."""
        import pandas as pd

        return pd.DataFrame(
            {
                "time": pd.DatetimeIndex(self.time).tz_localize("UTC"),
                "station": self.station,
                "determinand": self.determinand,
                "value": self.value,
                "qualifier": self.qualifier,
                "flag": self.flag,
                "duration_s": self.duration_s,
                "sample_id": self.sample_id,
            }
        )


def pooled(observations: Observations, *, every_s: float) -> Observations:
    """Return the readings, those of a station and determinand that lie within the same `every_s` [s] averaged.

    A mean counts as a composite sample: its `time` is that of the station's last reading in the window and `duration_s`
    reaches back to the first, of whichever determinand, so that determinands read together stay together. Readings that are
    flagged FAIL or MISSING or are composite samples already are kept as they are; so are all with another qualifier apart.

    >>> time = np.array(["2024-07-20T00", "2024-07-20T01", "2024-07-20T02"], dtype="datetime64[s]")
    >>> text, station, name = np.full(3, ""), np.full(3, "S1"), np.full(3, "TP")
    >>> good, zero = np.ones(3, np.int8), np.zeros(3)
    >>> given = Observations(time, station, name, np.array([1.0, 3.0, 5.0]), text, good, zero, text)
    >>> means = pooled(given, every_s=7200.0)
    >>> means.value.tolist(), means.duration_s.tolist()
    ([2.0, 5.0], [3600.0, 0.0])
    """
    is_instant = (observations.flag <= SUSPECT) & (observations.duration_s == 0.0)
    if not is_instant.any():
        return observations
    single = observations.where(is_instant)
    seconds = (single.time - single.time.min()) / np.timedelta64(1, "s")
    place, _ = _grouped(_codes(single.station), np.floor(seconds / every_s).astype(np.int64))
    group, head = _grouped(place, _codes(single.determinand), _codes(single.qualifier))
    first, last = np.full(place.max() + 1, np.inf), np.zeros(place.max() + 1)
    np.minimum.at(first, place, seconds)
    np.maximum.at(last, place, seconds)
    flag = np.zeros(len(head), np.int8)
    np.maximum.at(flag, group, single.flag)
    means = replace(
        single.where(head),
        time=single.time.min() + last[place[head]].astype("timedelta64[s]"),
        duration_s=last[place[head]] - first[place[head]],
        value=np.bincount(group, weights=single.value) / np.bincount(group),
        flag=flag,
    )
    others = observations.where(~is_instant)
    both: dict[str, Any] = {
        name: np.concatenate([getattr(means, name), getattr(others, name)]) for name in COLUMNS
    }
    return replace(observations, **both)


def _codes(text: NDArray[np.str_]) -> NDArray[np.int64]:
    return np.unique(text, return_inverse=True)[1].astype(np.int64)


def _grouped(*codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the group (row,) of rows with equal codes, and the first row (group,) of each."""
    _, head, group = np.unique(np.stack(codes), axis=1, return_index=True, return_inverse=True)
    return group.reshape(-1), head
