"""Storage tables: what canals and lakes hold by stage, from a table of stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import Fault, InputError
from suyuan.hydraulics.gauges import StorageTable, table_faults
from suyuan.io.tables import Column, Table, read_table

COLUMNS = (
    Column("place", ("名称", "湖泊", "河段", "断面", "reach", "lake", "node")),
    Column("stage_m", ("水位", "stage")),
    Column("volume_m3", ("蓄水量", "库容", "volume", "storage")),
)


def read_storage(path: str | Path) -> tuple[StorageTable, ...]:
    """Return the table of every place, rows in any order.

    Raises InputError for cells that are no number or cannot be, and for a table without rows.
    """
    table = read_table(path, COLUMNS)
    if not len(table):
        remedy = "write two or more stages of a canal or lake, or leave the file out of suyuan.toml"
        raise InputError(table.source, "holds no row", remedy)
    place = table.text("place").to_numpy(dtype=str)
    stage, faults = table.numbers("stage_m")
    volume, more = table.numbers("volume_m3")
    faults += more
    if not faults:
        faults = _missing(table, "stage_m", values=stage) + _missing(table, "volume_m3", values=volume)
    if faults:
        raise InputError.of(faults)
    found = []
    for name in dict.fromkeys(place.tolist()):
        rows = np.flatnonzero(place == name)
        rows = rows[np.argsort(stage[rows], kind="stable")]
        found.append(StorageTable(name, stage[rows], volume[rows], source=table.source))
        faults += [
            Fault(table.source, int(table.row[rows[i]]), *said) for i, *said in table_faults(found[-1])
        ]
    if faults:
        raise InputError.of(faults)
    return tuple(found)


def _missing(table: Table, name: str, *, values: NDArray[np.float64]) -> list[Fault]:
    return table.faults(
        ~np.isfinite(values),
        table.text("place"),
        say=lambda cell: (f"{name} of '{cell}' is missing", "write a number, or leave the row out"),
    )
