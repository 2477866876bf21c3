"""What Ribasim writes of a run: basins and flows, NetCDF or Arrow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.models.instants import instants, instants_of_netcdf

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Results:
    """Values (instant, id) of one result file; `seconds` (instant,) count from `start`, UTC."""

    source: str
    start: np.datetime64
    seconds: Array
    ids: tuple[str, ...]
    values: Mapping[str, Array]

    def of(self, name: str) -> Array:
        """Return a variable; 0 where the version of Ribasim did not write it."""
        return self.values.get(name, np.zeros((len(self.seconds), len(self.ids))))


def read_results(folder: Path, name: str, *, key: str, wanted: str, zone: tzinfo) -> Results:
    """Return basin or flow results in `folder`; `key` names their ids, `wanted` the variable that must be there."""
    path = next(
        (folder / f"{name}{end}" for end in (".nc", ".arrow") if (folder / f"{name}{end}").is_file()), None
    )
    if path is None:
        what = f"there is neither {name}.nc nor {name}.arrow in '{folder.name}': the model holds no results"
        raise InputError(folder.name, what, "run the model with Ribasim first")
    found = (_netcdf if path.suffix == ".nc" else _arrow)(path, key=key, zone=zone)
    if wanted not in found.values:
        raise InputError(path.name, f"there is no '{wanted}' in it", "run the model again with Ribasim")
    return found


def _netcdf(path: Path, *, key: str, zone: tzinfo) -> Results:
    import netCDF4

    try:
        with netCDF4.Dataset(path) as data:
            for name in ("time", key):
                if name not in data.variables:
                    raise InputError(
                        path.name, f"there is no '{name}' in it", "run the model again with Ribasim"
                    )
            start, seconds = instants_of_netcdf(data["time"], zone, source=path.name)
            ids = tuple(str(int(i)) for i in data[key][:])
            values = {
                name: _by_time(np.ma.filled(np.ma.asarray(v[:], dtype=float), np.nan), v.dimensions)
                for name, v in data.variables.items()
                if set(v.dimensions) == {"time", data[key].dimensions[0]} and v.dtype.kind in "fi"
            }
    except (OSError, RuntimeError) as error:
        raise _unreadable(path, error) from error
    return Results(path.name, start, seconds, ids, values)


def _by_time(values: Array, dimensions: tuple[str, ...]) -> Array:
    return values if dimensions[0] == "time" else values.T


def _arrow(path: Path, *, key: str, zone: tzinfo) -> Results:
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow import feather

    try:
        frame = feather.read_table(path).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    key = key if key in frame.columns else key.replace("link", "edge")
    if key not in frame.columns or "time" not in frame.columns:
        raise InputError(
            path.name, f"there is no '{key}' or 'time' in it", "run the model again with Ribasim"
        )
    numbers = [c for c in frame.columns if c not in ("time", key) and frame[c].dtype.kind == "f"]
    grids = {c: frame.pivot(index="time", columns=key, values=c) for c in numbers}
    first = next(iter(grids.values()))
    when = [datetime.fromisoformat(str(t)) for t in first.index]
    start, seconds = instants(when, zone, source=path.name)
    ids = tuple(str(int(c)) for c in first.columns)
    return Results(path.name, start, seconds, ids, {c: g.to_numpy(dtype=float) for c, g in grids.items()})


def _unreadable(path: Path, error: Exception) -> InputError:
    what = f"cannot be read, it may be half-written ({str(error).splitlines()[0][:80]})"
    return InputError(path.name, what, "run the model again with Ribasim")
