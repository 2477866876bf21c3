"""Flow as a long table, CSV or Parquet: one row a reach and time, or a boundary and time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import stamped
from suyuan.errors import Fault, InputError
from suyuan.flow import FlowField
from suyuan.io.atomic import write_atomically
from suyuan.io.flow_bins import bin_edges
from suyuan.io.flow_units import in_si
from suyuan.io.tables import Column, Table, read_cells
from suyuan.io.times import times_of

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

COLUMNS = (
    Column("time", ("时间",)),
    Column("reach", ("河段",)),
    Column("discharge_start", ("起点流量",)),
    Column("discharge_end", ("终点流量",)),
    Column("volume", ("水量", "蓄水量")),
    Column("boundary", ("边界",), is_required=False),
    Column("inflow", ("入流",), is_required=False),
    Column("lateral", ("侧向入流", "旁侧入流"), is_required=False),
    Column("lake", ("湖库", "湖泊"), is_required=False),
    Column("lake_volume", ("湖库蓄量", "湖泊水量"), is_required=False),
)


PER_REACH = ("discharge_start", "discharge_end", "volume")
"""What every reach must have at every time; `lateral` is 0 where a row leaves it empty."""


def read_flow_table(path: Path, timezone: tzinfo) -> FlowField:
    """Return the flow in a long table; values are means over the bin that begins at `time`, in m3/s and m3 or as headers say."""
    table, factors = in_si(read_cells(path), COLUMNS)
    time, values = _measured(table, timezone, factors=factors)
    reach, boundary = table.text("reach"), table.text("boundary")
    of_reach = _is_filled(reach)
    if not of_reach.any():
        raise InputError(table.source, "there is no row with a reach", "give every reach a row at every time")
    faults = [fault for name in ("reach", "boundary", "lake") for fault in _repeated(table, time, name=name)]
    faults += _out_of_order(table, time, rows=of_reach, owner=reach)
    starts = np.unique(time[of_reach])
    for name, of in (("inflow", "boundary"), ("lake_volume", "lake")):
        faults += _stray(table, ~np.isin(time, starts), name=name, of=of)
    if faults:
        raise InputError.of(faults)
    start, edges = bin_edges(starts, table.source)
    reaches, boundaries, lakes = (
        _Grid.over(starts, time, rows=_is_filled(owner), owner=owner)
        for owner in (reach, boundary, table.text("lake"))
    )
    lateral = reaches.filled(values["lateral"])
    return FlowField(
        start,
        edges,
        reaches.owners,
        reaches.filled(values["discharge_start"]),
        reaches.filled(values["discharge_end"]),
        reaches.filled(values["volume"]),
        boundaries=boundaries.owners,
        inflow=boundaries.filled(values["inflow"]),
        source=table.source,
        lateral=np.nan_to_num(lateral) if np.isfinite(lateral).any() else np.empty((0, 0)),
        lakes=lakes.owners,
        lake_volume=lakes.filled(values["lake_volume"]),
    )


def _measured(
    table: Table, timezone: tzinfo, *, factors: dict[str, float]
) -> tuple[NDArray[np.datetime64], dict[str, Array]]:
    """Return the times of the rows and the numbers of each column, (row,), in SI by their `factors`."""
    time, faults = times_of(table, timezone)
    values = {}
    for name in (*PER_REACH, "inflow", "lateral", "lake_volume"):
        numbers, wrong = table.numbers(name)
        values[name] = numbers * factors.get(name, 1.0)
        faults += wrong
    if faults:
        raise InputError.of(faults)
    return time, values


def _stray(table: Table, is_other: NDArray[np.bool_], *, name: str, of: str) -> list[Fault]:
    """Return a fault for every value of a boundary or lake at a time that no reach has."""
    remedy, owner = f"give {name} at the times of the reaches", table.text(of)
    say = f"{name} at '{{}}' has a time that no reach has"
    return table.faults(_is_filled(owner) & is_other, owner, say=lambda o: (say.format(o), remedy))


@dataclass(frozen=True)
class _Grid:
    """Where rows of a long table belong: `row` of the table to `bin` and `column` of a matrix."""

    owners: tuple[str, ...]
    bins: int
    row: NDArray[np.intp]
    bin: NDArray[np.intp]
    column: NDArray[np.intp]

    @classmethod
    def over(
        cls,
        starts: NDArray[np.datetime64],
        time: NDArray[np.datetime64],
        *,
        rows: NDArray[np.bool_],
        owner: pd.Series[str],
    ) -> _Grid:
        """Return the grid of the rows of every owner, whose times are all in `starts`."""
        import pandas as pd

        row = np.flatnonzero(rows)
        column, owners = pd.factorize(owner.iloc[row])
        names = tuple(str(name) for name in owners)
        return cls(names, len(starts), row, np.searchsorted(starts, time[row]), column)

    def filled(self, values: Array) -> Array:
        """Return a column of the table as matrix (bin, owner), NaN where it has no row."""
        if not self.owners:
            return np.empty((0, 0))
        grid = np.full((self.bins, len(self.owners)), np.nan)
        grid[self.bin, self.column] = values[self.row]
        return grid


def write_flow_table(flow: FlowField, path: Path, *, zone: tzinfo) -> None:
    """Write flow as a long table, times in `zone`; volumes must be means over the bins."""
    if len(flow.edges) in {len(flow.volume), len(flow.lake_volume)}:
        what = "volumes at the edges of bins do not fit into a table of bins"
        raise InputError(path.name, what, "write NetCDF (.nc)")
    times = stamped(flow.start + np.round(flow.edges[:-1]).astype("timedelta64[s]"), zone)
    frame = _long(times, flow.reaches, name="reach")
    for name in (*PER_REACH, "lateral"):
        if getattr(flow, name).size:
            frame[name] = getattr(flow, name).ravel()
    parts = [(flow.boundaries, "boundary", "inflow"), (flow.lakes, "lake", "lake_volume")]
    for owners, of, name in parts:
        if owners:
            import pandas as pd

            more = _long(times, owners, name=of)
            more[name] = getattr(flow, name).ravel()
            frame = pd.concat([frame, more], ignore_index=True)
    with write_atomically(path) as partial:
        if path.suffix.lower() == ".parquet":
            frame.to_parquet(partial, index=False)
        else:
            frame.to_csv(partial, index=False, lineterminator="\n")


def _long(times: NDArray[np.str_], owners: tuple[str, ...], *, name: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({"time": np.repeat(times, len(owners)), name: np.tile(owners, len(times))})


def _is_filled(text: pd.Series[str]) -> NDArray[np.bool_]:
    return (text != "").to_numpy(dtype=bool)


def _repeated(table: Table, time: NDArray[np.datetime64], *, name: str) -> list[Fault]:
    import pandas as pd

    text = table.text(name)
    twice = pd.DataFrame({"time": time, "owner": text}).duplicated().to_numpy() & _is_filled(text)
    remedy = "keep one row for every time"
    at = text + "' at " + pd.Series(np.datetime_as_string(time, unit="m")) + " UTC"
    return table.faults(twice, at, say=lambda cell: (f"{name} '{cell} is there twice", remedy))


def _out_of_order(
    table: Table, time: NDArray[np.datetime64], *, rows: NDArray[np.bool_], owner: pd.Series[str]
) -> list[Fault]:
    """Return a fault for each reach whose times go back: a sign of two exports in one file."""
    import pandas as pd

    frame = pd.DataFrame({"time": time[rows], "owner": owner[rows].to_numpy(), "row": table.row[rows]})
    back = frame.groupby("owner", sort=False)["time"].diff() < pd.Timedelta(0)
    first = frame[back].groupby("owner", sort=False).first()
    return [
        Fault(
            table.source, int(row), f"time of reach '{name}' goes back to {time} UTC", "sort the rows by time"
        )
        for name, time, row in zip(first.index, first["time"], first["row"], strict=True)
    ][:20]
