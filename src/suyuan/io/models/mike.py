"""MIKE 1D result files (.res1d) through DHI's own mikeio1d, which needs .NET (extra `mike`)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.files import require_file
from suyuan.io.models.chains import Chain, Known, joined
from suyuan.io.models.instants import instants
from suyuan.io.models.model import STRUCTURE_LENGTH, Model
from suyuan.io.models.notes import Note, listed
from suyuan.io.times import timezone_of
from suyuan.network import Node, Reach, Structure, StructureKind

Array = NDArray[np.float64]
Point = tuple[float, float]
Progress = Callable[[int, int], None]

_MAGIC = b"DHI_DFS_"
_KINDS: Mapping[str, StructureKind] = {
    "Pump": "pump",
    "Weir": "weir",
    "Orifice": "gate",
    "Valve": "gate",
    "Gate": "gate",
}


def read_mike(path: str | Path, *, timezone: str | tzinfo = UTC, progress: Progress | None = None) -> Model:
    """Return network and flow of a MIKE 1D result file (.res1d).

    Reaches keep their names; a river that passes nodes is one reach a stretch, named 'river+chainage'. Discharge is read at its
    grid points, and water as WaterVolume at the points of level, or else as FlowArea between them; the end points' water is
    taken as given. Structures that are reaches of their own hold no water. Values stand at instants, bins lie between. Times
    are in `timezone`: MIKE writes none. The assumption that hurts most: discharge between two instants is their mean.
    """
    path = require_file(path)
    with path.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            remedy = "give the .res1d that MIKE 1D wrote; older .res11 can be saved as .res1d"
            raise InputError(path.name, "is no MIKE 1D result file", remedy)
    result = _opened(path)
    when = [stamp.to_pydatetime() for stamp in result.time_index]
    start, seconds = instants(when, timezone_of(timezone), source=path.name)
    stretches = list(_stretches(result))
    if not any(s.discharge for s in stretches):
        what = "holds no discharge: its results are of another kind"
        raise InputError(path.name, what, "give the hydrodynamic (HD) result file")
    chains = []
    for done, stretch in enumerate(stretches, start=1):
        chains.append(_chain(stretch, source=path.name))
        if progress is not None:
            progress(done, len(stretches))
    nodes = {str(node.id): (float(node.xcoord), float(node.ycoord)) for node in result.nodes.values()}
    basins = [str(node.id) for node in result.nodes.values() if str(node.type) == "Basin"]
    lakes = tuple(_lakes(result))
    known = Known(path.name, nodes=lakes, structures=tuple(_structures(result, stretches)))
    points: dict[str, Point | None] = dict(nodes)
    found = joined(chains, points, start=start, edges=seconds, known=known)
    open_basins = sorted(set(basins) - {lake.id for lake in lakes})
    notes = [Note("basins", {"named": listed(open_basins)})] if open_basins else []
    return Model("MIKE 1D", found.network, found.flow, (*notes, *found.notes))


def _opened(path: Path) -> Any:
    """Return mikeio1d's result of a file; raises where mikeio1d or .NET is missing."""
    try:
        from mikeio1d import Res1D
    except ImportError as error:
        raise ImportError("MIKE files need mikeio1d: pip install 'suyuan[mike]'") from error
    except RuntimeError as error:  # pythonnet found no .NET to start
        what = f"mikeio1d cannot start .NET here ({' '.join(str(error).split())[:80]})"
        remedy = (
            "install the .NET runtime (dotnet.microsoft.com, 'dotnet-runtime-8.0'), or export discharge and volume "
            "in MIKE as a table (docs/tables/flow.md)"
        )
        raise InputError(path.name, what, remedy) from error
    return Res1D(str(path))


@dataclass(frozen=True)
class _Stretch:
    """A reach between two nodes. `discharge` are grid points with Discharge, `cells` those between, both by chainage."""

    name: str
    river: str
    ends: tuple[str, str]
    span: tuple[float, float]
    is_structure: bool
    discharge: tuple[Any, ...]
    cells: tuple[Any, ...]


def _stretches(result: Any) -> Iterator[_Stretch]:
    """Yield the reaches of a result, rivers cut at the nodes they pass."""
    nodes = list(result.result_data.Nodes)
    for river in result.reaches.values():
        spans = list(river.res1d_reaches)
        # `gridpoints` keeps one point a chainage, and loses the end of a stretch to the beginning of the next
        for span, own in zip(spans, river._creator.result_gridpoints, strict=True):
            begin, end = float(span.LocationSpan.StartChainage), float(span.LocationSpan.EndChainage)
            near = sorted(own, key=lambda p: float(p.chainage))
            name = str(river.name)
            yield _Stretch(
                name if len(spans) == 1 else f"{name}+{begin:g}",
                name,
                (str(nodes[span.StartNodeIndex].Id), str(nodes[span.EndNodeIndex].Id)),
                (begin, end),
                name.split(":", maxsplit=1)[0] in _KINDS and ":" in name,
                tuple(p for p in near if "Discharge" in p.quantities),
                tuple(p for p in near if "Discharge" not in p.quantities),
            )


def _chain(stretch: _Stretch, *, source: str) -> Chain:
    """Return a stretch: its discharge points are the faces, its level points the cells."""
    if not stretch.discharge:
        what = f"reach '{stretch.name}' has no Discharge"
        raise InputError(source, what, "write all HD results of the network, not a selection")
    q = np.column_stack([_values(p, "Discharge") for p in stretch.discharge])
    mean = 0.5 * (q[1:] + q[:-1])
    length = max(stretch.span[1] - stretch.span[0], 0.0)
    reach = Reach(stretch.name, *stretch.ends, length or STRUCTURE_LENGTH, "canal", name=stretch.river)
    faces = [float(p.chainage) - stretch.span[0] for p in stretch.discharge]
    if stretch.is_structure:
        alone = Reach(stretch.name, *stretch.ends, STRUCTURE_LENGTH, "canal", name=stretch.river)
        return Chain(alone, mean[:, :1], np.zeros((len(q), 2)), np.empty(0), ())
    middle = np.array([_between(a, b, stretch=stretch) for a, b in itertools.pairwise(faces)])
    names = tuple(f"{stretch.river}+{x + stretch.span[0]:g}~" for x in middle)
    volume = _volumes(stretch, faces, length=length, instants=len(q), source=source)
    return Chain(reach, mean, volume, middle, names)


def _between(a: float, b: float, *, stretch: _Stretch) -> float:
    """Return where the level point between two faces lies; half-way where there is none."""
    inside = [float(p.chainage) - stretch.span[0] for p in stretch.cells]
    found = [x for x in inside if a < x < b]
    return found[0] if found else 0.5 * (a + b)


def _volumes(
    stretch: _Stretch, faces: Sequence[float], *, length: float, instants: int, source: str
) -> Array:
    """Return the water before, between and behind the faces, (instant, face + 1) [m3]."""
    found = np.zeros((instants, len(faces) + 1))
    measured = [p for p in stretch.cells if "WaterVolume" in p.quantities]
    if measured:
        for p in measured:
            column = int(np.searchsorted(faces, float(p.chainage) - stretch.span[0]))
            found[:, column] += _values(p, "WaterVolume")
        return found
    if not all("FlowArea" in p.quantities for p in stretch.discharge):
        what = f"reach '{stretch.name}' says no volume: there is neither WaterVolume nor FlowArea"
        raise InputError(source, what, "add 'Water volume' to the additional HD output of MIKE and run again")
    marks = np.concatenate(
        [[0.0], [_between(a, b, stretch=stretch) for a, b in itertools.pairwise(faces)], [length]]
    )
    for i, p in enumerate(stretch.discharge):
        area = _values(p, "FlowArea")
        found[:, i] += area * (faces[i] - marks[i])
        found[:, i + 1] += area * (marks[i + 1] - faces[i])
    return found


def _values(point: Any, quantity: str) -> Array:
    """Return one quantity of a grid point or node, (instant,)."""
    return np.asarray(getattr(point, quantity).read().to_numpy(), dtype=float)[:, 0]


def _lakes(result: Any) -> Iterator[Node]:
    for node in result.nodes.values():
        if str(node.type) == "Basin" and "WaterVolume" in node.quantities:
            held = float(_values(node, "WaterVolume")[0])
            yield Node(str(node.id), "lake", held, 0.0, (float(node.xcoord), float(node.ycoord)))


def _structures(result: Any, stretches: Sequence[_Stretch]) -> Iterator[Structure]:
    """Yield structures: reaches of their own, and those within a river on the stretch that holds them."""
    own = [s for s in stretches if s.is_structure]
    for s in own:
        yield Structure(s.name, s.name, _KINDS[s.name.split(":")[0]])
    alone = {s.river for s in own}
    for structure in result.structures.values():
        river = str(structure.res1d_reach.Name)
        within = [
            s for s in stretches if s.river == river and s.span[0] <= float(structure.chainage) <= s.span[1]
        ]
        if within and river not in alone:
            yield Structure(str(structure.id), within[0].name, _KINDS.get(str(structure.type), "weir"))
