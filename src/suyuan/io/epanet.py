"""EPANET networks: which releases would turn which yes/no readings positive (needs the extra `epanet`)."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError, nearest
from suyuan.io.epanet_engine import opened_epanet
from suyuan.tracing.yes_no import Kit, YesNoPredictions, YesNoReadings
from suyuan.tracing.yes_no_predict import Progress, ReleaseGrid, search_starts

Mask = NDArray[np.bool_]

MG_MIN_PER_G_S = 60_000.0
_NODES, _LINKS, _JUNCTION = 0, 2, 0
_INITIAL_QUALITY, _SOURCE_STRENGTH, _SOURCE_PATTERN, _SOURCE_TYPE, _QUALITY = 4, 5, 6, 7, 12
_MASS_SOURCE, _CHEMICAL, _TOLERANCE, _DURATION, _QUALITY_STEP, _FLOW = 1, 1, 2, 0, 2, 8
_NO_SOURCE_HERE, _FIRST_ERROR = 240, 100
"""Numbers of EPANET's toolkit (Rossman et al., 2020, EPANET 2.2 user manual, programmer's toolkit)."""

MERGE_SHARE = 1e-6
"""EPANET merges water that differs by less than its tolerance; kept to this share of the kit's limit, the front of a
plume is not lost, and a release that begins earlier never shows less."""


def predict_with_epanet(
    inp: str | Path,
    readings: YesNoReadings,
    *,
    releases: ReleaseGrid,
    kit: Kit,
    progress: Progress | None = None,
) -> YesNoPredictions:
    """Return what steady releases at nodes of an EPANET network would make of each reading.

    Times are seconds from the start of the simulation; a reading sees the last quality step that is not later. Water is
    clean at first, and sources of the file are off; decay is as its [REACTIONS] say. Without candidates in `releases`
    every junction is one. The assumption that hurts most: demands are as in the file. Several files of one
    network with other demands can be joined (`suyuan.tracing.yes_no.joined`).

    While the file is opened the working directory is changed, since EPANET writes scratch files there.
    """
    with _opened(inp, until=float(readings.time.max())) as model:
        names = releases.candidates or model.junctions()
        model.check([*names, *readings.place])
        model.be_clean(_merging(kit))
        with model.quality() as watch:
            run = watch.of(readings, releases=releases, kit=kit)
            return search_starts(
                run, readings, releases=replace(releases, candidates=names), kit=kit, progress=progress
            )


def nodes_upstream(inp: str | Path, readings: YesNoReadings) -> tuple[str, ...]:
    """Return the nodes from which water can have come to a positive reading, in the order of the file.

    Upstream by the flow of any hour until the reading, however long the way takes: none that can reach is left out. For a
    node that is left out every positive reading would be false.
    """
    positive = readings.is_positive
    if not positive.any():
        return ()
    wanted = {(p, t) for p, t, yes in zip(readings.place, readings.time, positive, strict=True) if yes}
    with _opened(inp, until=float(readings.time[positive].max())) as model:
        model.check(readings.place)
        reached: set[int] = set()
        for begin, end, into in reversed(list(model.flows())):
            reached |= {model.index[p] for p, t in wanted if begin <= t and (t < end or end < 0)}
            reached = _closed(reached, into)
        return tuple(name for name, i in model.index.items() if i in reached)


def _closed(reached: set[int], into: dict[int, list[int]]) -> set[int]:
    """Return the nodes with all that lie upstream of them; `into` lists the nodes from which each gets water."""
    found, fresh = set(reached), list(reached)
    while fresh:
        for node in into.get(fresh.pop(), ()):
            if node not in found:
                found.add(node)
                fresh.append(node)
    return found


def _merging(kit: Kit) -> float:
    return MERGE_SHARE * kit.detects_g_m3


@dataclass(frozen=True)
class _Model:
    """An open EPANET project; `index` numbers its nodes from 1."""

    engine: Any
    name: str
    index: dict[str, int]

    def call(self, function: str, *arguments: object) -> int:
        """Call EPANET's own function; codes below 100 are warnings of its hydraulics."""
        code = int(getattr(self.engine.ENlib, function)(self.engine._project, *arguments))
        if code >= _FIRST_ERROR and code != _NO_SOURCE_HERE:
            raise InputError(
                self.name, f"EPANET's {function} ends with error {code}", "run the file in EPANET"
            )
        return code

    def set_node(self, node: int, code: int, *, value: float) -> None:
        self.call("EN_setnodevalue", ctypes.c_int(node), ctypes.c_int(code), ctypes.c_double(value))

    def junctions(self) -> tuple[str, ...]:
        return tuple(n for n, i in self.index.items() if self.engine.ENgetnodetype(i) == _JUNCTION)

    def check(self, names: Sequence[str]) -> None:
        """Refuse the names of nodes that the file does not have."""
        for name in names:
            if name not in self.index:
                what = f"node '{name}' is not in the network"
                raise InputError(self.name, what, nearest(name, list(self.index)))

    def be_clean(self, merging: float) -> None:
        """Make the water clean, switch the file's own sources off, and let EPANET merge only nearly equal water."""
        self.call("EN_setqualtype", ctypes.c_int(_CHEMICAL), b"release", b"mg/L", b"")
        self.call("EN_setoption", ctypes.c_int(_TOLERANCE), ctypes.c_double(merging))
        strength = ctypes.c_double()
        for node in self.index.values():
            self.set_node(node, _INITIAL_QUALITY, value=0.0)
            code = self.call("EN_getnodevalue", node, _SOURCE_STRENGTH, ctypes.byref(strength))
            if code != _NO_SOURCE_HERE:
                self.set_node(node, _SOURCE_STRENGTH, value=0.0)
                self.set_node(node, _SOURCE_PATTERN, value=0.0)

    def flows(self) -> Iterator[tuple[float, float, dict[int, list[int]]]]:
        """Yield begin and end [s] of each hydraulic step (end -1 of the last) and from where each node gets water."""
        links = [self._ends(link + 1) for link in range(self.engine.ENgetcount(_LINKS))]
        self.engine.ENopenH()
        self.engine.ENinitH(0)
        step = 1
        while step > 0:
            begin = self.engine.ENrunH()
            into: dict[int, list[int]] = {}
            for link, (a, b) in enumerate(links):
                flow = self.engine.ENgetlinkvalue(link + 1, _FLOW)
                if flow != 0.0:
                    into.setdefault(b if flow > 0.0 else a, []).append(a if flow > 0.0 else b)
            step = self.engine.ENnextH()
            yield float(begin), float(begin + step) if step else -1.0, into
        self.engine.ENcloseH()

    def _ends(self, link: int) -> tuple[int, int]:
        a, b = ctypes.c_int(), ctypes.c_int()
        self.call("EN_getlinknodes", ctypes.c_int(link), ctypes.byref(a), ctypes.byref(b))
        return a.value, b.value

    @contextlib.contextmanager
    def quality(self) -> Iterator[_Watch]:
        """Yield what runs water quality over hydraulics that are solved once."""
        with contextlib.chdir(Path(self.engine.rptfile).parent):
            self.engine.ENsolveH()
            self.engine.ENopenQ()
        try:
            yield _Watch(self, tuple(self._steps()))
        finally:
            self.engine.ENcloseQ()

    def _steps(self) -> Iterator[int]:
        """Yield the times of the quality steps [s]; they are the same in every run."""
        now, left = ctypes.c_long(), ctypes.c_long(1)
        self.call("EN_initQ", 0)
        while left.value > 0:
            self.call("EN_runQ", ctypes.byref(now))
            yield now.value
            self.call("EN_stepQ", ctypes.byref(left))


@dataclass(frozen=True)
class _Watch:
    """Runs releases one by one and looks at the readings; `steps` are the times of the quality steps [s]."""

    model: _Model
    steps: tuple[int, ...]

    def of(self, readings: YesNoReadings, *, releases: ReleaseGrid, kit: Kit) -> Any:
        """Return a function of (node, start) that says which readings turn positive, (reading,)."""
        seen: dict[int, list[tuple[int, int]]] = {}
        for o, (place, time) in enumerate(zip(readings.place, readings.time, strict=True)):
            step = int(np.searchsorted(self.steps, time, side="right")) - 1
            seen.setdefault(step, []).append((o, self.model.index[place]))
        strength = releases.rate_g_s * MG_MIN_PER_G_S

        def run(node: str, start: float) -> Mask:
            found = np.zeros(len(readings))
            self._run(self.model.index[node], start, strength=strength, seen=seen, found=found)
            return found > kit.detects_g_m3

        return run

    def _run(
        self, node: int, start: float, *, strength: float, seen: dict[int, list[tuple[int, int]]], found: Any
    ) -> None:
        """Fill `found` (reading,) with the concentrations [mg/L] that a release makes."""
        call, value, time = self.model.call, ctypes.c_double(), ctypes.c_long()
        self.model.set_node(node, _SOURCE_TYPE, value=_MASS_SOURCE)
        self.model.set_node(node, _SOURCE_STRENGTH, value=0.0)
        call("EN_initQ", 0)
        first = int(np.searchsorted(self.steps, start))
        for step in range(max(seen) + 1):
            if step == first:
                self.model.set_node(node, _SOURCE_STRENGTH, value=strength)
            call("EN_runQ", ctypes.byref(time))
            for o, place in seen.get(step, ()):
                call("EN_getnodevalue", place, _QUALITY, ctypes.byref(value))
                found[o] = value.value
            call("EN_stepQ", ctypes.byref(time))
        self.model.set_node(node, _SOURCE_STRENGTH, value=0.0)


@contextlib.contextmanager
def _opened(inp: str | Path, *, until: float) -> Iterator[_Model]:
    """Yield the network of an EPANET file, to be simulated until [s]."""
    with opened_epanet(inp) as engine:
        name = Path(inp).name
        _set_duration(engine, name, until=until)
        count = engine.ENgetcount(_NODES)
        yield _Model(engine, name, {engine.ENgetnodeid(i + 1): i + 1 for i in range(count)})


def _set_duration(engine: Any, name: str, *, until: float) -> None:
    """End the simulation a quality step after the last reading."""
    modelled = engine.ENgettimeparam(_DURATION)
    if until > modelled:
        what = f"the simulation ends at {modelled} s but a reading is at {until:g} s"
        raise InputError(name, what, "lengthen the duration under [TIMES] or drop that reading")
    engine.ENsettimeparam(_DURATION, int(np.ceil(until)) + engine.ENgettimeparam(_QUALITY_STEP))
