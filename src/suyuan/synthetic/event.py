"""Whole invented events: a county, the flow and readings a tracer is given, and the truth behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError, nearest
from suyuan.fingerprints import Fingerprints
from suyuan.flow import FlowField
from suyuan.network import Network
from suyuan.observations import Observations
from suyuan.synthetic.county import draw_county
from suyuan.synthetic.forcing import CHINA_S, DAYS, Forcing, Weather, blurred, draw_forcing
from suyuan.synthetic.layout import CountySize
from suyuan.synthetic.quality import DeadZones, Waters, simulate
from suyuan.synthetic.readings import observe, reported
from suyuan.synthetic.releases import (
    SEEN,
    WARM_UP_H,
    Place,
    Release,
    Scene,
    Shape,
    boundary_places,
    draw_release,
    outfall_places,
    places_of_anyone,
)
from suyuan.synthetic.water import hourly, run_water
from suyuan.synthetic.waters import (
    DECAY_PER_DAY,
    DETERMINANDS,
    Noise,
    draw_backgrounds,
    draw_decay,
    draw_noise,
    library,
)

Array = NDArray[np.float64]

LEAST_DAYS = 9
"""Days of flow in which every release has room: four of warm-up, four to begin in, one to end in."""

ATTEMPTS = 20
"""Counties drawn before giving up on one in which a release can be seen."""


@dataclass(frozen=True)
class Family:
    """What is hard about a kind of event; defaults are those of a plain one.

    `pool` is where releases enter: from outfalls on canals or in sewers, at boundaries, or by anyone, listed or
    not (see places_of_anyone; not with `is_listed` false); `tide` bounds the tidal exchange as a multiple of the
    outflow; `seen` the rise in noise sd at the best station, or at as many as `witnesses`; `days` those of flow,
    of which WARM_UP_H come before the readings; `flow_error` scales all errors of the flow that the tracer is
    given; `dead_zones` hold water in the true canals that the tracer does not know of.
    """

    name: str = "plain"
    pool: Literal["canal", "sewer", "boundary", "anyone"] = "canal"
    releases: int = 1
    is_listed: bool = True
    shapes: tuple[Shape, ...] = ("pulse", "nightly", "step")
    tide: tuple[float, float] = (0.05, 0.50)
    seen: tuple[float, float] = SEEN
    witnesses: int = 1
    stations: tuple[int, ...] = (2, 3)
    every_h: int = 1
    determinands: tuple[str, ...] = DETERMINANDS
    flow_error: float = 1.0
    days: int = DAYS
    dead_zones: DeadZones | None = None

    def __post_init__(self) -> None:
        if self.days < LEAST_DAYS:
            what = f"{self.days} days of flow leave no room for a release after the warm-up of {WARM_UP_H} h"
            raise InputError(f"family '{self.name}'", what, f"give at least {LEAST_DAYS} days")


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("plain"),
        Family("reversing", tide=(1.5, 3.0)),
        Family("sparse", stations=(1, 2), every_h=4),
        Family("two", releases=2),
        Family("unlisted", is_listed=False),
        Family("upstream", pool="boundary"),
        Family("quiet", releases=0),
        Family("sewer", pool="sewer"),
        Family("single", determinands=("NH3-N",)),
        Family("poorflow", flow_error=2.0),
    )
}

DEMO = Family(shapes=("nightly",), tide=(1.6, 2.2), seen=(25.0, 45.0), witnesses=2, days=10)


@dataclass(frozen=True)
class Truth:
    """What the tracer is not told.

    `network` lists every outfall, the unlisted ones too; `flow` is hourly and closes exactly; `waters`
    holds the concentrations in every cell at the full hours, tracers in the order of DETERMINANDS;
    `decay_per_day` (determinand,) [1/d].
    """

    family: str
    releases: tuple[Release, ...]
    network: Network
    flow: FlowField
    waters: Waters
    decay_per_day: Array
    noise: Noise

    def candidate(self, release: Release) -> str:
        """Return the right answer: an outfall, `reach:<id>` if it is not listed, or `boundary:<node>`."""
        return release.place.candidate

    def to_dict(self) -> dict[str, Any]:
        """Return the truth as truth.json holds it: times at UTC+8, masses in kg of NH3-N."""
        return {
            "family": self.family,
            "decay_per_day": dict(zip(DETERMINANDS, map(float, self.decay_per_day), strict=True)),
            "sources": [self._source(release) for release in self.releases],
            "stations": [s.id for s in self.network.stations],
            "n_outfalls": len(self.network.outfalls),
            "n_reaches": len(self.network.reaches),
            "noise": {
                name: {"relative": float(self.noise.relative[d]), "absolute": float(self.noise.absolute[d])}
                for d, name in enumerate(DETERMINANDS)
            },
        }

    def _source(self, release: Release) -> dict[str, Any]:
        first, last = (self.flow.start + np.timedelta64(3600 * h + CHINA_S, "s") for h in release.hours)
        return {
            "kind": release.place.kind,
            "candidate": self.candidate(release),
            "reach": release.place.reach,
            "chainage_m": release.place.chainage_m,
            "shape": release.shape,
            "mass_kg": release.mass_kg,
            "start": str(first).replace("T", " "),
            "end": str(last).replace("T", " "),
            "water_kind": release.place.water,
            "ratio_to_nh3n": dict(zip(DETERMINANDS, map(float, release.ratios), strict=True)),
            "peak_rise_mg_l": {
                s.id: float(rise) for s, rise in zip(self.network.stations, release.rises, strict=True)
            },
        }


@dataclass(frozen=True)
class Event:
    """An invented project as a tracer is given it, and the truth.

    `since` and `until` [datetime64[s] UTC] bound the readings, both included; the flow begins four days
    earlier. `decay_per_day` is the best guess per determinand [1/d].
    """

    network: Network
    flow: FlowField
    observations: Observations
    fingerprints: Fingerprints
    since: np.datetime64
    until: np.datetime64
    decay_per_day: dict[str, float]
    truth: Truth


def draw_event(
    rng: np.random.Generator, *, family: str | Family = "plain", size: CountySize | None = None
) -> Event:
    """Return an invented event of one of FAMILIES or a family of your own, on a county of its own.

    Where `size` is given its number of stations holds, else the family's.

    >>> event = draw_event(np.random.default_rng(5), family="upstream")
    >>> [release.place.kind for release in event.truth.releases]
    ['boundary']
    """
    if isinstance(family, Family):
        return _draw(rng, family, size=size)
    if family not in FAMILIES:
        raise InputError("family", f"'{family}' is not a family of events", nearest(family, list(FAMILIES)))
    return _draw(rng, FAMILIES[family], size=size)


def demo_event(rng: np.random.Generator) -> Event:
    """Return the county of `suyuan demo`: loops, tidal lake, gate, sewers, 40 outfalls, a nightly release."""
    return _draw(rng, DEMO, size=CountySize())


def _draw(rng: np.random.Generator, family: Family, *, size: CountySize | None) -> Event:
    for _ in range(ATTEMPTS):
        network = draw_county(rng, size or _draw_size(rng, family))
        weather = Weather(days=family.days, tide=float(rng.uniform(*family.tide)))
        forcing = draw_forcing(network, rng, weather=weather)
        steps = run_water(network, forcing)
        decay, noise = draw_decay(rng), draw_noise(rng)
        scene = Scene(network, steps, float(decay[0] / 86400.0), noise, family.dead_zones)
        releases = _draw_releases(scene, rng, family=family)
        if len(releases) < family.releases:
            continue
        waters = simulate(
            network,
            steps,
            inflowing=draw_backgrounds(network, rng, rain=forcing.rain),
            sources=tuple(release.point_source() for release in releases),
            decay_per_s=decay / 86400.0,
            dead_zones=family.dead_zones,
        )
        truth = Truth(family.name, releases, network, hourly(steps), waters, decay, noise)
        return _as_given(truth, rng, family=family, forcing=forcing)
    raise InputError("draw_event", f"no visible release in {ATTEMPTS} counties", "use another seed")


def _draw_size(rng: np.random.Generator, family: Family) -> CountySize:
    return CountySize(
        columns=int(rng.integers(6, 10)),
        loops=int(rng.integers(0, 4)),
        gates=int(rng.random() < 0.5),
        side_canals=int(rng.integers(4, 9)),
        sewers=int(rng.integers(2 if family.pool == "sewer" else 1, 4)),
        outfalls=int(rng.integers(18, 47)),
        stations=int(rng.choice(family.stations)),
    )


def _draw_releases(scene: Scene, rng: np.random.Generator, *, family: Family) -> tuple[Release, ...]:
    """Return as many releases as the family has, by different candidates; fewer where they cannot be seen."""
    places = _places(scene, rng, family=family)
    releases: list[Release] = []
    while places and len(releases) < family.releases:
        release = draw_release(
            scene, rng, places=places, shapes=family.shapes, seen=family.seen, witnesses=family.witnesses
        )
        if release is None:
            break
        releases.append(release)
        places = [p for p in places if p.candidate != release.place.candidate]
    return tuple(releases)


def _places(scene: Scene, rng: np.random.Generator, *, family: Family) -> list[Place]:
    if family.pool == "anyone":
        return places_of_anyone(scene, rng)
    at_boundaries = boundary_places(
        scene.network, rng
    )  # drawn in any case: chance runs alike in all families
    if family.pool == "boundary":
        return at_boundaries
    places = outfall_places(scene.network, in_sewers=family.pool == "sewer")
    return places if family.is_listed else [replace(place, kind="unlisted") for place in places]


def _as_given(truth: Truth, rng: np.random.Generator, *, family: Family, forcing: Forcing) -> Event:
    hidden = {release.place.id for release in truth.releases if release.place.kind == "unlisted"}
    listed = replace(truth.network, outfalls=tuple(o for o in truth.network.outfalls if o.id not in hidden))
    believed = hourly(run_water(truth.network, blurred(forcing, rng, error=family.flow_error)))
    start = truth.flow.start
    readings = observe(
        truth.waters, listed, start=start, noise=truth.noise, every_h=family.every_h, rng=rng
    ).select(determinands=family.determinands)
    return Event(
        network=listed,
        flow=reported(believed, rng, error=family.flow_error),
        observations=readings,
        fingerprints=library(),
        since=start + np.timedelta64(3600 * WARM_UP_H, "s"),
        until=truth.flow.until,
        decay_per_day=dict(zip(DETERMINANDS, map(float, DECAY_PER_DAY), strict=True)),
        truth=truth,
    )
