"""The transport operator: a network, its water and its dispersion, ready to be marched through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.flow import BalancedFlow, has_structure
from suyuan.network import Network
from suyuan.transport.advection import POINTS, Step, step_for
from suyuan.transport.dispersion import Factors, Mesh, assemble_factors, factors_for, mesh_of
from suyuan.transport.elimination import NodeSystem, node_system
from suyuan.transport.geometry import Geometry, cut, is_link
from suyuan.transport.mixing import LEAST_DISPERSION, dispersion_by_formula, widths_of
from suyuan.transport.remap import Rows, assemble_rows
from suyuan.transport.storage import TransientStorage, Zones, zones_of
from suyuan.transport.water import Water, step_edges, water_of

Array = NDArray[np.float64]

STRETCH_BYTES = 48_000_000
"""Memory that the matrices of one stretch of steps may take, roughly."""

BYTES_PER_CELL = 160

STRETCH_STEPS = 150
"""Nor has a stretch more steps than these: columns whose water is spent are dropped between stretches."""

SHUT = 1e-4
"""Share of the most that a structure lets pass below which it is shut and nothing disperses through it."""

MIXING_LENGTH = 50.0
"""Dispersion over velocity where nothing better is known, m: half the 100 m cells of most river models."""


@dataclass(frozen=True)
class TransportOperator:
    """A network cut into cells and a flow cut into steps, between which mass moves linearly.

    `edges` (step + 1,) [s] count from the start of the flow. The matrices of the steps are assembled stretch
    by stretch when they are marched through, so that memory stays small however long the flow is.
    """

    network: Network
    flow: BalancedFlow
    geometry: Geometry
    mesh: Mesh
    water: Water
    system: NodeSystem
    edges: Array
    zones: Zones

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.edges) - 1

    @property
    def entries(self) -> tuple[str, ...]:
        """Where water comes from outside: ids of boundary nodes, then 'lateral:R7' for what enters along reach R7."""
        along = (f"lateral:{self.network.reaches[r].id}" for r in self.geometry.laterals)
        return (*(self.network.nodes[n].id for n in self.geometry.boundaries), *along)

    @property
    def entering(self) -> Array:
        """What comes from outside at each of `entries` as the flow has it, (flow bin, entry) [m3/s]; negative where it leaves."""
        flow, geometry = self.flow, self.geometry
        return np.hstack([flow.external[:, geometry.boundaries], flow.lateral[:, geometry.laterals]])

    @property
    def stores(self) -> int:
        """How many rows a state has: cells, then lakes, then storage zones."""
        return self.geometry.cells + len(self.geometry.lakes) + len(self.zones.cell)

    @property
    def rows(self) -> int:
        """How many rows an advection matrix has: cells, then lakes, then boundaries."""
        return self.geometry.cells + len(self.geometry.lakes) + len(self.geometry.boundaries)

    def per_depth(self, steps: slice) -> Array:
        """Return one over the depth of cells, lakes and zones as these steps begin, (step, store) [1/m]; 0 where not known.

        A zone is as deep as the channel beside it is on average.
        """
        volume = np.stack([self.volume_at(n) for n in range(steps.start, steps.stop)])
        length = np.array([r.length_m for r in self.network.reaches])
        surface = widths_of(self.network, self.flow, needed_by="settling") * length
        cell = surface[self.geometry.cell_reach] * self.geometry.cell_share
        lake = np.array([self.network.nodes[n].area_m2 for n in self.geometry.lakes])
        return np.asarray(np.concatenate([cell, lake, self.zones.ratio * cell[self.zones.cell]]) / volume)

    def volume_at(self, edge: int) -> Array:
        """Return the volume of cells, lakes and storage zones at an edge of the steps, (store,) [m3]."""
        step = min(edge, self.steps - 1)
        share = self.water.begin[step] if edge < self.steps else 1.0
        b = self.water.bin[step]
        reach = self.water.volume[b] + (self.water.volume[b + 1] - self.water.volume[b]) * share
        lake = self.water.lake[b] + (self.water.lake[b + 1] - self.water.lake[b]) * share
        cells = reach[self.geometry.cell_reach] * self.geometry.cell_share
        return np.concatenate([cells, lake, self.zones.held])


@dataclass(frozen=True)
class Stretch:
    """The assembled matrices of the steps `first` to `last` (not included)."""

    first: int
    last: int
    rows: Rows
    factors: Factors


def compile_operator(
    network: Network,
    flow: BalancedFlow,
    *,
    dx_m: float = 100.0,
    dt_s: float = 600.0,
    dispersion: float | Array | None = None,
    storage: TransientStorage | None = None,
) -> TransportOperator:
    """Return the operator that moves dissolved matter with this flow.

    Reaches are cut into cells of about `dx_m`, bins of the flow into steps of at most `dt_s`. `dispersion`
    [m2/s] is one number, or (bin, reach), or None for `mixing_length_dispersion` of MIXING_LENGTH; nothing disperses through
    a shut structure, nor through one that holds next to no water. Water in a lake of known volume is mixed; a lake without one
    counts as an outlet. `storage` is still water beside the channel.
    """
    if not (dx_m > 0.0 and dt_s > 0.0):
        raise InputError(
            "transport", f"dx_m {dx_m} and dt_s {dt_s} must be above 0", "100 m and 600 s suit most rivers"
        )
    shape = (len(flow.edges) - 1, len(network.reaches))
    spread = (
        mixing_length_dispersion(network, flow) if dispersion is None else np.broadcast_to(dispersion, shape)
    )
    if not np.all(spread >= 0.0):
        raise InputError(
            "transport", f"dispersion {np.min(spread)} m2/s is below 0", "give 0 or more everywhere"
        )
    geometry = cut(network, dx_m, flow=flow)
    system = node_system(geometry)
    spread = np.where(is_shut(network, flow) | is_link(network, flow), 0.0, spread)
    water = water_of(geometry, network, flow=flow, dt_s=dt_s, dispersion=spread)
    return TransportOperator(
        network=network,
        flow=flow,
        geometry=geometry,
        mesh=mesh_of(geometry, system),
        water=water,
        system=system,
        edges=step_edges(water, flow),
        zones=zones_of(geometry, network, flow=flow, storage=storage),
    )


def mixing_length_dispersion(
    network: Network, flow: BalancedFlow, *, length_m: float = MIXING_LENGTH
) -> Array:
    """Return dispersion in proportion to velocity, (bin, reach) [m2/s].

    It is |u| times `length_m`, at least LEAST_DISPERSION. Velocity is the mean of both ends' discharge over the mean
    cross-section, volume / length_m of the reach.
    """
    length = np.array([reach.length_m for reach in network.reaches])
    volume = 0.5 * (flow.volume[1:] + flow.volume[:-1])
    velocity = 0.5 * (flow.discharge_start + flow.discharge_end) * length / volume
    return np.asarray(np.maximum(np.abs(velocity) * length_m, LEAST_DISPERSION))


@dataclass(frozen=True)
class Mixing:
    """How a project says that matter spreads.

    `dispersion` is '' for `mixing_length_dispersion`, the name of a formula (see `mixing.FORMULAS`), one number [m2/s], or pairs
    of reach id and number, the other reaches being as for ''. `storage` is still water beside the channel.
    """

    dispersion: str | float | tuple[tuple[str, float], ...] = ""
    storage: TransientStorage | None = None

    def dispersion_in(self, network: Network, flow: BalancedFlow) -> Array:
        """Return dispersion (bin, reach) [m2/s]."""
        if isinstance(self.dispersion, str) and self.dispersion:
            return dispersion_by_formula(network, flow, formula=self.dispersion)
        found = mixing_length_dispersion(network, flow)
        if isinstance(self.dispersion, tuple):
            for reach, value in self.dispersion:
                found[:, network.reach_index(reach)] = value
        elif not isinstance(self.dispersion, str):
            found[:] = self.dispersion
        return found


def is_shut(network: Network, flow: BalancedFlow) -> NDArray[np.bool_]:
    """Return where a structure lets nothing pass, (bin, reach): less than SHUT of the most it ever does."""
    passes = np.maximum(np.abs(flow.discharge_start), np.abs(flow.discharge_end))
    return np.asarray(has_structure(network) & (passes <= SHUT * passes.max(axis=0)))


def stretches(operator: TransportOperator, span: range, *, is_backward: bool = False) -> Iterator[Stretch]:
    """Yield the assembled matrices of the steps of `span`, in order of marching.

    They come stretch by stretch, and all in the same memory: a stretch is gone when the next one comes.
    """
    first, last = span.start, span.stop
    columns = operator.rows
    size = max(1, min(last - first, STRETCH_STEPS, STRETCH_BYTES // (BYTES_PER_CELL * columns)))
    starts = range(first, last, size)
    bench = Bench.of(operator, size)
    for begin in reversed(starts) if is_backward else starts:
        bench = assembled(operator, range(begin, min(begin + size, last)), bench=bench)
        yield bench.stretch(begin, min(begin + size, last))


@dataclass(frozen=True)
class Bench:
    """Memory in which stretches are assembled, one after the other."""

    step: Step
    rows: Rows
    factors: Factors

    @classmethod
    def of(cls, operator: TransportOperator, steps: int) -> Bench:
        """Return room for so many steps, with the number of entries that most networks need."""
        columns = operator.rows
        entries = (POINTS + 2) * (steps + 2) * columns
        rows = Rows(
            first=np.zeros((steps, columns + 1), np.int64),
            base=np.zeros((steps, columns), np.int64),
            column=np.zeros(entries, np.int64),
            weight=np.zeros(entries),
        )
        return cls(
            step_for(operator.geometry), rows, factors_for(operator.geometry, operator.system, steps=steps)
        )

    def with_more_room(self) -> Bench:
        """Return a bench with room for twice the entries."""
        entries = 2 * len(self.rows.weight)
        return replace(
            self, rows=self.rows._replace(column=np.zeros(entries, np.int64), weight=np.zeros(entries))
        )

    def stretch(self, first: int, last: int) -> Stretch:
        """Return what has just been assembled for these steps."""
        return Stretch(first, last, self.rows, self.factors)


def assembled(operator: TransportOperator, span: range, *, bench: Bench) -> Bench:
    """Assemble the steps of `span` on a bench; return it, or a larger one if it was
    too small."""
    steps = np.arange(span.start, span.stop)
    assemble_factors(operator.mesh, operator.water, operator.system, steps, bench.factors)
    geometry = operator.geometry
    while not assemble_rows(
        bench.step, operator.water, geometry.cell_share, geometry.lakes, steps, bench.rows
    ):
        bench = bench.with_more_room()
    return bench
