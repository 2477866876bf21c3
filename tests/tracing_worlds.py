"""Small worlds to trace in: two canals that meet, hourly readings for days, and who released what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import networks
import numpy as np
from numpy.typing import NDArray

from suyuan.fingerprints import Fingerprints
from suyuan.flow import BalancedFlow
from suyuan.network import Network, Outfall, Station
from suyuan.observations import GOOD, Observations
from suyuan.substances import Substance, determinand
from suyuan.tracing.posterior import problem_of, trace
from suyuan.tracing.prior import Prior, candidate_sources, default_prior
from suyuan.tracing.result import Trace
from suyuan.tracing.search import Problem
from suyuan.transport.matrix import SourceReceptorMatrix
from suyuan.transport.operator import compile_operator
from suyuan.transport.sampling import receptors_of
from suyuan.transport.source_receptor import source_receptor_matrix

Array = NDArray[np.float64]

NAMES = ("NH3-N", "TP", "CODMn")
DECAY_PER_S = {"NH3-N": 0.08 / 86400.0}
BOUNDARY_WATER = {"NH3-N": (0.5, 0.9), "TP": (0.10, 0.16), "CODMn": (4.0, 5.5)}
"""Concentration of what enters at A and at B [g/m3]."""

WATER_OF = {"industrial": (30.0, 1.0, 60.0), "domestic": (40.0, 5.0, 120.0), "storm": (5.0, 1.5, 50.0)}
"""Concentration of each kind of outfall, by NAMES."""

FIRST_HOUR, LAST_HOUR = 24, 96
NOISE = 0.02

FINGERPRINTS = Fingerprints(
    tuple(WATER_OF), NAMES, np.array(list(WATER_OF.values())), np.full((3, 3), 0.25), "made up"
)
NO_FINGERPRINTS = Fingerprints((), (), np.empty((0, 0)), np.empty((0, 0)), "none")


UNLISTED = 0.25
"""How often a source on these rivers is not on the list: given, so that what tests ask does not hang on the tracer's default."""


@dataclass(frozen=True)
class World:
    """A network with its flow and the matrix of its readings; `time` (receptor,) is the hour of each."""

    network: Network
    flow: BalancedFlow
    matrix: SourceReceptorMatrix
    observations: Observations

    @property
    def prior(self) -> Prior:
        return default_prior(self.network, self.flow, unlisted=UNLISTED)

    def source(self, candidate: str) -> int:
        return [s.candidate for s in self.matrix.sources].index(candidate)


def outfalls() -> tuple[Outfall, ...]:
    return (
        Outfall("O1", "RA", 400.0, kind="industrial"),
        Outfall("O2", "RB", 600.0, kind="domestic"),
        Outfall("O3", "RC", 300.0, kind="storm"),
        Outfall("O4", "RC", 2700.0, kind="industrial"),
    )


@cache
def meeting(renamed: tuple[tuple[str, str], ...] = ()) -> World:
    """Return two canals of 1 and 3 m3/s that meet, read hourly at T on the smaller one and at S below.

    O1 is above T, O2 on the other canal, O3 below the confluence, and O4 below every station.
    """
    names = dict(renamed)
    bare, _ = networks.confluence()
    network = replace(
        bare,
        outfalls=tuple(replace(o, id=names.get(o.id, o.id)) for o in outfalls()),
        stations=(Station("S", "RC", 2000.0), Station("T", "RA", 1200.0)),
    )
    flow = networks.steady(network, np.array([1.0, 3.0, 4.0]), hours=LAST_HOUR + 1)
    observations = unread(network)
    receptors, _ = receptors_of(network, observations)
    matrix = source_receptor_matrix(
        compile_operator(network, flow),
        receptors,
        sources=candidate_sources(network),
        edges=3600.0 * np.arange(FIRST_HOUR, LAST_HOUR + 1),
    )
    return World(network, flow, matrix, observations)


def unread(network: Network) -> Observations:
    """Return hourly readings at every station in the window, values still 0."""
    hours = np.arange(FIRST_HOUR, LAST_HOUR + 1)
    stations = [s.id for s in network.stations]
    table = [(h, s, d) for h in hours for s in stations for d in NAMES]
    n = len(table)
    return Observations(
        time=networks.START + np.array([h for h, _, _ in table]) * np.timedelta64(3600, "s"),
        station=np.array([s for _, s, _ in table]),
        determinand=np.array([d for _, _, d in table]),
        value=np.zeros(n),
        qualifier=np.full(n, "", dtype="<U1"),
        flag=np.full(n, GOOD, np.int8),
        duration_s=np.zeros(n),
        sample_id=np.full(n, "", dtype="<U1"),
    )


def history(first_hour: int, hours: int) -> Array:
    """Return a pulse of rate 1, (bin,), on from `first_hour` of the flow."""
    on = np.zeros(LAST_HOUR - FIRST_HOUR)
    on[first_hour - FIRST_HOUR : first_hour - FIRST_HOUR + hours] = 1.0
    return on


def read(
    world: World, releases: Mapping[str, tuple[Array, Array]], *, seed: int = 1, noise: float = NOISE
) -> Observations:
    """Return what the stations read when each candidate releases (history (bin,), [g/s] by NAMES)."""
    rng = np.random.default_rng(seed)
    matrix, rows = world.matrix, world.observations
    place = {
        key: i for i, key in enumerate(zip(matrix.receptors.station, matrix.receptors.time, strict=True))
    }
    receptor = np.array([place[key] for key in zip(rows.station, rows.time, strict=True)])
    value = np.zeros(len(rows))
    hour = 0.5 * (matrix.flow_edges[1:] + matrix.flow_edges[:-1]) / 3600.0
    for d, name in enumerate(NAMES):
        here = rows.determinand == name
        decayed = matrix.decayed(DECAY_PER_S.get(name, 0.0))
        water = np.array(BOUNDARY_WATER[name])[:, None] * (1.0 + 0.04 * np.sin(hour / 30.0 + d))
        river = (matrix.fraction[:, :2] * water).sum(axis=(1, 2)) + matrix.initial * water[:, 0].mean()
        for candidate, (on, rate) in releases.items():
            river = river + decayed[:, world.source(candidate)] @ on * rate[d]
        value[here] = river[receptor[here]]
    return replace(rows, value=value * (1.0 + noise * rng.standard_normal(len(value))))


def rates(kind: str, grams_per_s: float) -> Array:
    """Return what an outfall of this kind lets out of each substance [g/s], so much of the first."""
    water = np.array(WATER_OF[kind])
    return np.asarray(grams_per_s * water / water[0])


def problem(observations: Observations) -> Problem:
    """Return what is to be explained of these readings of `meeting`, with the flow known."""
    world = meeting()
    return problem_of(
        observations,
        (world.matrix,),
        substances=substances(),
        fingerprints=FINGERPRINTS,
        prior=world.prior,
    )


def traced(
    world: World,
    observations: Observations,
    *,
    names: tuple[str, ...] = NAMES,
    fingerprints: Fingerprints = FINGERPRINTS,
    seed: int = 5,
) -> Trace:
    """Return the trace of these readings with the flow known."""
    return trace(
        observations,
        (world.matrix,),
        substances=substances(names),
        fingerprints=fingerprints,
        prior=world.prior,
        rng=np.random.default_rng(seed),
    )


def substances(names: tuple[str, ...] = NAMES) -> tuple[Substance, ...]:
    return tuple(Substance(determinand(name), DECAY_PER_S.get(name, 0.0)) for name in names)


def probability(found: Trace, candidate: str) -> float:
    return {finding.candidate.id: finding.probability for finding in found.findings}[candidate]
