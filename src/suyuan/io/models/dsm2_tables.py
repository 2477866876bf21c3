"""The tables of a DSM2 study: from its tidefile, or from the echo of its input (.inp)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.files import read_text
from suyuan.io.models.hdf5 import text_of
from suyuan.io.models.model import STRUCTURE_LENGTH
from suyuan.network import Network, Node, Reach, Structure

Array = NDArray[np.float64]
Row = Mapping[str, str]

FOOT = 0.3048
_MILLION_FT2 = 1e6 * FOOT**2


@dataclass(frozen=True)
class Reservoir:
    """A reservoir: its area and the elevation of its bottom, in m."""

    name: str
    area_m2: float
    bottom_m: float


@dataclass(frozen=True)
class Tables:
    """Channels as reaches; `connections` (reservoir, node), `outside` (name, node or reservoir), `stages` nodes with a given
    stage, `transfers` (name, from, to), `gates` (name, channel)."""

    source: str
    channels: tuple[Reach, ...]
    reservoirs: tuple[Reservoir, ...]
    connections: tuple[tuple[str, str], ...]
    outside: tuple[tuple[str, str], ...]
    stages: tuple[str, ...]
    transfers: tuple[tuple[str, str, str], ...]
    gates: tuple[tuple[str, str], ...]

    def is_reservoir(self, name: str) -> bool:
        """Whether a name is a reservoir's."""
        return any(r.name == name for r in self.reservoirs)

    def reservoir_index(self, name: str) -> int:
        """Return the position of a reservoir; raises InputError where it is not in the table."""
        for i, reservoir in enumerate(self.reservoirs):
            if reservoir.name == name:
                return i
        raise InputError(self.source, f"reservoir '{name}' is not in the table reservoir", "run HYDRO again")

    def areas(self) -> Array:
        """Return the areas of the reservoirs [m2]."""
        return np.array([r.area_m2 for r in self.reservoirs])

    def bottoms(self) -> Array:
        """Return the elevations of their bottoms [m]."""
        return np.array([r.bottom_m for r in self.reservoirs])


def read_dsm2_network(path: str | Path) -> Network:
    """Return the network in the echo of a DSM2 input (.inp): channels, reservoirs as lakes half a foot deep, ends as outlets.

    Without a tidefile nothing says how much water a reservoir holds: it is given its initial stage where there is one.
    """
    name = Path(path).name
    tables = _text_tables(read_text(path), name)
    stage = {row["RES_NAME"]: float(row["STAGE"]) * FOOT for row in tables.get("RESERVOIR_IC", ())}
    study = _tables({key.lower(): rows for key, rows in tables.items()}, name)
    links = tuple(Reach(f"{r}-{n}", r, n, STRUCTURE_LENGTH) for r, n in study.connections)
    reaches = (*study.channels, *links)
    lakes = {
        r.name: Node(
            r.name,
            "lake",
            max(stage.get(r.name, r.bottom_m + 0.5 * FOOT) - r.bottom_m, 0.0) * r.area_m2,
            r.area_m2,
        )
        for r in study.reservoirs
    }
    ends = [n for r in reaches for n in (r.from_node, r.to_node)]
    nodes = tuple(
        lakes.get(n) or Node(n, "outlet" if ends.count(n) == 1 or n in study.stages else "junction")
        for n in dict.fromkeys(ends)
    )
    structures = (
        *(Structure(gate, reach, "gate") for gate, reach in study.gates),
        *(Structure(r.id, r.id, "gate") for r in links),
    )
    return Network(nodes, reaches, structures=structures, source=name)


def tables_of_tidefile(data: Any, source: str) -> Tables:
    """Return the tables that HYDRO keeps in its tidefile."""
    found: dict[str, list[Row]] = {}
    for group in ("hydro/input", "hydro/geometry"):
        for name in data.get(group, {}):
            rows = data[f"{group}/{name}"]
            if rows.dtype.names:
                found[name] = [{n.upper(): text_of(row[n]) for n in rows.dtype.names} for row in rows[:]]
    tables = _tables(found, source)
    if "hydro/geometry/channel_number" not in data:
        return tables
    order = {text_of(str(n)): i for i, n in enumerate(data["hydro/geometry/channel_number"][:])}
    strange = [c.id for c in tables.channels if c.id not in order]
    if strange:
        what = f"channel '{strange[0]}' of the input is not in geometry/channel_number"
        raise InputError(source, what, "the tidefile mixes two studies; run HYDRO again")
    return replace(tables, channels=tuple(sorted(tables.channels, key=lambda c: order[c.id])))


def _tables(found: Mapping[str, Sequence[Row]], source: str) -> Tables:
    if not found.get("channel"):
        raise InputError(source, "there is no table of channels", "give a tidefile or echo of DSM2-HYDRO")
    channels = tuple(
        Reach(
            r["CHAN_NO"],
            r["UPNODE"],
            r["DOWNNODE"],
            float(r["LENGTH"]) * FOOT,
            roughness=float(r.get("MANNING", "nan")),
        )
        for r in found["channel"]
    )
    reservoirs = tuple(
        Reservoir(r["NAME"], float(r["AREA"]) * _MILLION_FT2, float(r["BOT_ELEV"]) * FOOT)
        for r in found.get("reservoir", ())
    )
    joined = found.get("reservoir_node_connect") or [
        {**r, "EXT_NODE_NO": r["NODE"]} for r in found.get("reservoir_connection", ())
    ]
    gates = [r for r in found.get("gate", ()) if r["FROM_OBJ"].lower() == "channel"]
    behind = [r for r in found.get("gate", ()) if r["FROM_OBJ"].lower() == "reservoir"]
    if "reservoir_node_connect" not in found:
        joined = [*joined, *({"RES_NAME": r["FROM_IDENTIFIER"], "EXT_NODE_NO": r["TO_NODE"]} for r in behind)]
    numbers = {c.id for c in channels}
    return Tables(
        source,
        channels,
        reservoirs,
        tuple((r["RES_NAME"], r["EXT_NODE_NO"]) for r in joined),
        tuple((r["NAME"], r.get("ATTACH_OBJ_NAME") or r["ATTACHED_OBJ_NAME"]) for r in found.get("qext", ())),
        tuple(
            r.get("EXT_NODE_NO") or r["NODE"]
            for r in found.get("stage_boundaries", ()) or found.get("boundary_stage", ())
        ),
        tuple((r["NAME"], r["FROM_IDENTIFIER"], r["TO_IDENTIFIER"]) for r in found.get("transfer", ())),
        tuple((r["NAME"], r["FROM_IDENTIFIER"]) for r in gates if r["FROM_IDENTIFIER"] in numbers),
    )


def _text_tables(text: str, source: str) -> dict[str, list[Row]]:
    """Return the tables of an echo: a name, a line of columns, rows, END."""
    lines = [line.split("#")[0].strip() for line in text.split("\n")]
    found: dict[str, list[Row]] = {}
    i = 0
    while i < len(lines):
        if not lines[i]:
            i += 1
            continue
        if "END" not in lines[i:]:
            raise InputError(
                source, f"table '{lines[i][:40]}' has no END", "the file may be half-written; run HYDRO again"
            )
        stop = lines.index("END", i)
        columns = lines[i + 1].split()
        rows = [line.split() for line in lines[i + 2 : stop] if line]
        found[lines[i]] = [dict(zip(columns, row, strict=False)) for row in rows]
        i = stop + 1
    return found
