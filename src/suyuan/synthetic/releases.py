"""Invented releases: who, from when to when, how much; heavy enough to be seen at the best station."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suyuan.flow import FlowField
from suyuan.network import Network, OutfallKind
from suyuan.synthetic.quality import DeadZones, PointSource, simulate
from suyuan.synthetic.waters import LIBRARY, RIVER, Noise, draw_ratios

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Shape = Literal["pulse", "nightly", "step"]

WARM_UP_H = 96
"""Hours of flow before the first reading; releases begin after them."""

HEAVIEST_KG = {"pulse": 900.0, "nightly": 3000.0, "step": 3000.0}
SEEN = (7.0, 70.0)
"""Rise at the best station in noise sd, drawn log-uniformly between these."""

RICHEST = 15.0
"""A sewer's own flow never carries more than this many times the library's concentration."""

FAINTEST_IN_SEWER = 4.0
BATCH = 6


UNLISTED, BOUNDARY = 0.13, 0.13
"""Shares of releases from anyone that no list names, and that enter at a boundary; the rest is listed."""

DRAWN_PLACES = 60
"""Places drawn from anyone, of which the first whose release can be seen is taken."""


@dataclass(frozen=True)
class Place:
    """Somewhere mass may enter: a listed outfall, one no list names, or a boundary node (the head of its reach)."""

    id: str
    kind: Literal["outfall", "unlisted", "boundary"]
    reach: str
    chainage_m: float
    water: OutfallKind

    @property
    def candidate(self) -> str:
        """The right answer: an outfall, `reach:<id>` if it is not listed, or `boundary:<node>`.

        >>> Place("O3", "unlisted", "R7", 120.0, "storm").candidate
        'reach:R7'
        """
        named = {"outfall": self.id, "unlisted": f"reach:{self.reach}", "boundary": f"boundary:{self.id}"}
        return named[self.kind]


@dataclass(frozen=True)
class Release:
    """A true release: `rate` (hour,) [g/s NH3-N], `ratios` (determinand,), `rises` (station,) [mg/L]."""

    place: Place
    shape: Shape
    rate: Array
    ratios: Array
    rises: Array

    @property
    def mass_kg(self) -> float:
        """The mass of NH3-N [kg]."""
        return float(self.rate.sum()) * 3.6

    @property
    def hours(self) -> tuple[int, int]:
        """The first hour of release and the end of the last, counted from the start of the flow."""
        on = np.flatnonzero(self.rate)
        return int(on[0]), int(on[-1]) + 1

    def point_source(self) -> PointSource:
        """Return the release as simulate() takes it, one tracer per determinand."""
        return PointSource(self.place.reach, self.place.chainage_m, self.rate[:, None] * self.ratios)


@dataclass(frozen=True)
class Scene:
    """Where a release is to be seen: the true waters, their decay of NH3-N [1/s], and the stations' noise."""

    network: Network
    flow: FlowField
    decay_per_s: float
    noise: Noise
    dead_zones: DeadZones | None = None


def outfall_places(network: Network, *, in_sewers: bool) -> list[Place]:
    """Return the outfalls that enter sewers, or those that enter canals."""
    return [
        Place(o.id, "outfall", o.reach, o.chainage_m, o.kind)
        for o in network.outfalls
        if (network.reach(o.reach).kind == "storm_sewer") == in_sewers
    ]


def boundary_places(network: Network, rng: np.random.Generator) -> list[Place]:
    """Return the boundary nodes of canals; what enters there is farm, village or works water."""
    waters: tuple[OutfallKind, ...] = ("domestic", "industrial", "agricultural")
    kinds = {n.id: n.kind for n in network.nodes}
    heads = [r for r in network.reaches if kinds[r.from_node] == "boundary" and r.kind != "storm_sewer"]
    return [Place(r.from_node, "boundary", r.id, 0.0, waters[int(rng.integers(3))]) for r in heads]


def places_of_anyone(scene: Scene, rng: np.random.Generator, *, count: int = DRAWN_PLACES) -> list[Place]:
    """Return `count` independent places of a release by anyone.

    A share UNLISTED lies anywhere, uniform in length; BOUNDARY enters at a boundary, sewer heads too, in
    proportion to its mean inflow; the rest is from a listed outfall, in proportion to `prior_weight`. The waters
    of the first two are of the kinds on the list, as often as there.
    """
    network = scene.network
    outfalls, reaches = network.outfalls, network.reaches
    weights = (
        np.array([o.prior_weight for o in outfalls]),
        np.array([r.length_m for r in reaches]),
        scene.flow.inflow.mean(axis=0),
    )
    heads = {r.from_node: r.id for r in reaches}
    places = []
    for number in range(count):
        pool = int(rng.choice(3, p=[1.0 - UNLISTED - BOUNDARY, UNLISTED, BOUNDARY]))
        at = int(rng.choice(len(weights[pool]), p=weights[pool] / weights[pool].sum()))
        where, water = float(rng.random()), outfalls[int(rng.integers(len(outfalls)))].kind
        if pool == 0:
            o = outfalls[at]
            places.append(Place(o.id, "outfall", o.reach, o.chainage_m, o.kind))
        elif pool == 1:
            chainage = round(where * reaches[at].length_m, 1)
            places.append(Place(f"U{number + 1}", "unlisted", reaches[at].id, chainage, water))
        else:
            node = scene.flow.boundaries[at]
            places.append(Place(node, "boundary", heads[node], 0.0, water))
    return places


def draw_release(
    scene: Scene,
    rng: np.random.Generator,
    *,
    places: Sequence[Place],
    shapes: Sequence[Shape],
    seen: tuple[float, float],
    witnesses: int = 1,
) -> Release | None:
    """Return a release from one of `places` that rises by `seen` noise sd at a station; None if none can.

    `seen` bounds the rise at the best station, or at the second best where there shall be two `witnesses`.
    Places are tried in random order; one that would need more than HEAVIEST_KG, or in a sewer a richer
    water than RICHEST allows, is passed over.
    """
    order = rng.permutation(len(places))
    for first in range(0, len(order), BATCH):
        tried = [places[i] for i in order[first : first + BATCH]]
        kinds = [shapes[int(rng.integers(len(shapes)))] for _ in tried]
        hours = len(scene.flow.edges[1:]) * round(float(scene.flow.edges[1])) // 3600
        rates = [draw_history(rng, shape, hours=hours) for shape in kinds]
        rises = _rises(scene, tried, rates=rates)
        for place, shape, rate, rise in zip(tried, kinds, rates, rises, strict=True):
            scale = _scale(
                scene,
                place,
                rate=rate,
                best=float(np.sort(rise)[-witnesses]),
                target=_target(scene, rng, seen=seen),
            )
            if 0.0 < scale * rate.sum() * 3.6 <= HEAVIEST_KG[shape]:
                return Release(place, shape, scale * rate, draw_ratios(rng, place.water), scale * rise)
    return None


def draw_history(rng: np.random.Generator, shape: Shape, *, hours: int) -> Array:
    """Return a release history (hour,) inside the readings' window, about 1 while the source is on, else 0.

    A pulse lasts 3 to 14 h; a nightly release 4 to 8 h every night to the last; a step goes on to the end.
    """
    on = np.isin(np.arange(hours), HISTORIES[shape](rng, hours))
    return np.where(on, np.exp(0.12 * rng.normal(size=hours)), 0.0)


def _pulse(rng: np.random.Generator, _hours: int) -> Indices:
    start = WARM_UP_H + int(rng.integers(6, 100))
    return np.arange(start, start + int(rng.integers(3, 15)))


def _nightly(rng: np.random.Generator, hours: int) -> Indices:
    dusk, length = WARM_UP_H + int(rng.integers(19, 24)), int(rng.integers(4, 9))
    dusks = np.arange(dusk + 24 * int(rng.integers(0, 3)), hours - length, 24)
    return (dusks[:, None] + np.arange(length)).ravel()


def _step(rng: np.random.Generator, hours: int) -> Indices:
    return np.arange(WARM_UP_H + int(rng.integers(6, 60)), hours)


HISTORIES: dict[Shape, Callable[[np.random.Generator, int], Indices]] = {
    "pulse": _pulse,
    "nightly": _nightly,
    "step": _step,
}


def _rises(scene: Scene, places: Sequence[Place], *, rates: Sequence[Array]) -> Array:
    """Return the largest rise (place, station) [g/m3] that each history makes, alone in clean water."""
    count, hours = len(places), len(rates[0])
    sources = tuple(
        PointSource(p.reach, p.chainage_m, rate[:, None] * (np.arange(count) == k))
        for k, (p, rate) in enumerate(zip(places, rates, strict=True))
    )
    clean = np.zeros((hours, len(scene.network.nodes), count))
    waters = simulate(
        scene.network,
        scene.flow,
        inflowing=clean,
        sources=sources,
        decay_per_s=np.full(count, scene.decay_per_s),
        dead_zones=scene.dead_zones,
    )
    seen = [waters.at(scene.network, (s.reach, s.chainage_m))[WARM_UP_H:] for s in scene.network.stations]
    return np.array([course.max(axis=0) for course in seen]).T


def _target(scene: Scene, rng: np.random.Generator, *, seen: tuple[float, float]) -> float:
    sd = float(scene.noise.sd(RIVER[0])[0])
    return sd * float(np.exp(rng.uniform(*np.log(seen))))


def _scale(scene: Scene, place: Place, *, rate: Array, best: float, target: float) -> float:
    """Return what lifts a history to `target`; in a sewer perhaps less, and 0 if that would be faint."""
    if best <= 0.0:
        return 0.0
    scale = target / best
    if scene.network.reach(place.reach).kind != "storm_sewer":
        return scale
    r = scene.network.reach_index(place.reach)
    per_hour = len(scene.flow.discharge_start) // len(rate)
    q = scene.flow.discharge_start[:, r].reshape(len(rate), per_hour).mean(axis=1)[rate > 0.0]
    scale = min(scale, RICHEST * LIBRARY[place.water][0][0] * float(q.min()) / float(rate.max()))
    faintest = FAINTEST_IN_SEWER * float(scene.noise.absolute[0])
    return scale if scale * best >= faintest else 0.0
