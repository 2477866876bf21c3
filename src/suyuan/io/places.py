"""Places for stations: a table, or written as REACH:CHAINAGE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from suyuan.errors import Fault, InputError
from suyuan.io.tables import Column, read_table
from suyuan.network import Network, Station
from suyuan.tracing.placement.places import check_places

COLUMNS = (
    Column("id", ("编号", "候选点", "点位")),
    Column("reach", ("河段",)),
    Column("chainage_m", ("里程", "里程_m")),
    Column("name", ("名称",), is_required=False),
)


def read_places(path: str | Path, network: Network) -> tuple[Station, ...]:
    """Return the places of a CSV or Parquet table: id, reach, chainage_m, and a name if there is one.

    Raises InputError with every fault: a missing id, a reach that is not in the network, a chainage beyond its
    end or that is no number, an id that is there twice, a table without rows.
    """
    table = read_table(path, COLUMNS)
    chainage, faults = table.numbers("chainage_m")
    missing = np.isnan(chainage) & ~np.isin(table.row, [fault.row for fault in faults])
    text = table.text("chainage_m")
    faults += table.faults(missing, text, say=lambda _: ("chainage_m is missing", "write metres"))
    ids = table.text("id")
    nameless = (ids == "").to_numpy(dtype=bool)
    faults += table.faults(nameless, ids, say=lambda _: ("id is missing", "give every place its own id"))
    if not len(table):
        faults.append(Fault(table.source, 0, "there is no place", "list at least one, or leave the file out"))
    if faults:
        raise InputError.of(faults)
    cells = zip(ids, table.text("reach"), chainage.tolist(), table.text("name"), strict=True)
    places = tuple(Station(*row) for row in cells)
    check_places(network, places, where=table.source, rows=table.row.tolist())
    return places


def written_places(texts: Sequence[str], network: Network) -> tuple[Station, ...]:
    """Return the places written as REACH:CHAINAGE, such as 'R7:1200'; their ids read 'R7+1200'."""
    places, faults = [], []
    for text in texts:
        reach, _, metres = text.rpartition(":")
        try:
            places.append(Station(f"{reach}+{float(metres):g}", reach, float(metres)))
        except ValueError:
            faults.append(
                Fault("--candidate", 0, f"'{text}' is not a place", "write REACH:CHAINAGE, such as R7:1200")
            )
    if faults:
        raise InputError.of(faults)
    check_places(network, places, where="--candidate")
    return tuple(places)
