"""The observations noun: what was read, where, when, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

GOOD, SUSPECT, FAIL, MISSING = 1, 3, 4, 9
"""Quality flags, numbered as in QARTOD (IOOS, 2020)."""


@dataclass(frozen=True)
class Observations:
    """A long table of readings, one row a reading, in the determinand's own unit.

    Every field is an array of shape (reading,). `time` is datetime64[s] in UTC, the instant of the reading or, where
    `duration_s` > 0, the end of the composite sample. `qualifier` is '', '<' (below the limit given as value) or '>'.
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
        for name in ("station", "determinand", "value", "qualifier", "flag", "duration_s", "sample_id"):
            if len(getattr(self, name)) != n:
                what = f"{name} has {len(getattr(self, name))} rows where time has {n}"
                raise InputError(self.source, what, "give every reading a value in every column")

    def __len__(self) -> int:
        return len(self.time)

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

    def where(self, keep: NDArray[np.bool_]) -> Observations:
        """Return the readings where `keep`, shape (reading,), is true."""
        names = ("time", "station", "determinand", "value", "qualifier", "flag", "duration_s", "sample_id")
        return replace(self, **{name: getattr(self, name)[keep] for name in names})

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
