"""Fingerprints: what the water of each kind of outfall usually holds, table to noun and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import Fault, InputError
from suyuan.fingerprints import Fingerprints
from suyuan.io.atomic import write_atomically
from suyuan.io.observations import units_and_ids
from suyuan.io.tables import Column, Table, read_table
from suyuan.substances import determinands

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

COLUMNS = (
    Column("kind", ("类型", "排口类型", "排口")),
    Column("determinand", ("指标", "监测指标", "监测项目", "项目")),
    Column("unit", ("单位",)),
    Column("median", ("中位数", "中值")),
    Column("log_sd", ("对数标准差",)),
    Column("n", ("样品数",), is_required=False),
    Column("source", ("来源",), is_required=False),
)


def read_fingerprints(path: str | Path) -> Fingerprints:
    """Return the fingerprint library of a CSV or Parquet table, medians in each determinand's own unit.

    Raises InputError with every fault: unknown determinands and units, medians or spreads not above 0, and
    a kind that has two rows for one determinand.
    """
    table = read_table(path, COLUMNS)
    named, factor, faults = units_and_ids(table)
    kind = table.text("kind")
    empty = (kind == "").to_numpy(dtype=bool)
    remedy = "name a kind of outfall (industrial, domestic ...) or an outfall's id"
    faults += table.faults(empty, kind, say=lambda _: ("kind is missing", remedy))
    median, median_faults = _positive(table, "median")
    spread, spread_faults = _positive(table, "log_sd")
    faults += median_faults + spread_faults + _repeated(table, kind, named=named)
    if not len(table):
        faults.append(Fault(table.source, 0, "there is no row", "list at least one kind of outfall"))
    if faults:
        raise InputError.of(faults)
    kinds, ids = list(dict.fromkeys(kind)), list(dict.fromkeys(str(name) for name in named))
    place = np.array([kinds.index(k) for k in kind]), np.array([ids.index(str(name)) for name in named])
    grids = np.full((2, len(kinds), len(ids)), np.nan)
    grids[0][place], grids[1][place] = median * factor, spread
    return Fingerprints(tuple(kinds), tuple(ids), grids[0], grids[1], source=table.source)


def write_fingerprints(fingerprints: Fingerprints, path: str | Path) -> None:
    """Write a fingerprint library as CSV or Parquet, by the ending of `path`."""
    import pandas as pd

    known = [tuple(map(int, place)) for place in np.argwhere(np.isfinite(fingerprints.median))]
    ids = [fingerprints.determinands[d] for _, d in known]
    frame = pd.DataFrame(
        {
            "kind": [fingerprints.kinds[k] for k, _ in known],
            "determinand": ids,
            "unit": [determinands()[name].unit for name in ids],
            "median": [fingerprints.median[place] for place in known],
            "log_sd": [fingerprints.log_sd[place] for place in known],
        }
    )
    path = Path(path)
    with write_atomically(path) as partial:
        if path.suffix.lower() == ".parquet":
            frame.to_parquet(partial, index=False)
        else:
            frame.to_csv(partial, index=False, lineterminator="\n")


def _positive(table: Table, name: str) -> tuple[Array, list[Fault]]:
    """Return a column of numbers above 0, and a fault for every other cell."""
    value, faults = table.numbers(name)
    wrong = ~(value > 0.0) & ~np.isin(table.row, [fault.row for fault in faults])
    remedy = "write a number above 0, or leave the row out"
    text = table.text(name)
    return value, faults + table.faults(wrong, text, say=lambda c: (f"{name} '{c}' is not above 0", remedy))


def _repeated(table: Table, kind: pd.Series[str], *, named: NDArray[np.str_]) -> list[Fault]:
    import pandas as pd

    pairs = kind + "' has two rows for " + pd.Series(named, dtype="str")
    twice = pairs.duplicated().to_numpy(dtype=bool) & (named != "")
    return table.faults(twice, pairs, say=lambda pair: (f"kind '{pair}", "keep one"))
