"""Events to calibrate on: four classes of networks, worlds the tracer does not know, and kinds one wants more of.

Who releases is drawn as the tracer's default prior says (suyuan.tracing.prior): nobody, two, a listed outfall, anyone
along a reach, a boundary; else the word calibration would have no meaning. What is not matched, and why, is on the
page docs/calibration.md: releases are scaled to be seen, and they start in the first four days of five.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.calibration import backgrounds
from suyuan.fingerprints import Fingerprints
from suyuan.synthetic import CountySize, DeadZones, Event, Family, draw_event

RELEASES = (0.10, 0.80, 0.10)
"""Chances of no release, one and two; the tracer's prior of nobody and of a pair."""

DAYS, EVERY_H = 9, 2
"""Days of flow, of which five have readings, and the hours between these."""

WITH_DEAD_ZONES = DeadZones(share=0.25, per_s=5e-5)
"""Transient storage as tracer tests in small streams show it; travel times grow by a quarter."""

SHIFT = float(np.log(2.0))
"""A wrong library is off by a factor of two either way in every ratio."""

SWAPPED = (("domestic", "industrial"), ("agricultural", "aquaculture"))
"""Or it takes these kinds for each other."""


@dataclass(frozen=True)
class NetworkClass:
    """Ranges, both ends included, from which a county is drawn, and its tidal exchange."""

    columns: tuple[int, int]
    loops: tuple[int, int]
    gates: tuple[int, int]
    side_canals: tuple[int, int]
    sewers: tuple[int, int]
    tide: tuple[float, float]
    sewer_pull: float = 1.0

    def draw_size(self, rng: np.random.Generator) -> CountySize:
        ranges = (self.columns, self.loops, self.gates, self.side_canals, self.sewers)
        columns, loops, gates, side_canals, sewers = (int(rng.integers(a, b + 1)) for a, b in ranges)
        outfalls = int(rng.integers(12, 21))
        return CountySize(
            columns, loops, gates, side_canals, sewers, outfalls, stations=2, sewer_pull=self.sewer_pull
        )


CLASSES: dict[str, NetworkClass] = {
    "tree": NetworkClass((5, 7), (0, 0), (0, 0), (4, 7), (0, 1), (0.02, 0.20)),
    "looped": NetworkClass((6, 7), (2, 3), (0, 1), (3, 5), (0, 1), (0.05, 0.50)),
    "reversing": NetworkClass((5, 7), (0, 2), (0, 1), (3, 5), (0, 1), (1.5, 3.0)),
    "sewer": NetworkClass((5, 6), (0, 1), (0, 0), (2, 4), (3, 4), (0.05, 0.50), sewer_pull=30.0),
}

Draw = Callable[[np.random.Generator, str], Event]


@dataclass(frozen=True)
class Drawn:
    """An event and the network class it is of."""

    event: Event
    network_class: str


def draw(name: str, *, seed: int, number: int) -> Drawn:
    """Return event `number` of the set `name`; it depends on these three alone.

    A set that is not a network class goes through the classes in turn.
    """
    rng = np.random.default_rng([seed, list(SETS).index(name), number])
    network_class = name if name in CLASSES else list(CLASSES)[number % len(CLASSES)]
    return Drawn(SETS[name](rng, network_class), network_class)


def _family(network_class: str, releases: int) -> Family:
    return Family(
        name=network_class,
        pool="anyone",
        releases=releases,
        tide=CLASSES[network_class].tide,
        every_h=EVERY_H,
        days=DAYS,
    )


def as_the_prior_says(rng: np.random.Generator, network_class: str) -> Event:
    family = _family(network_class, int(rng.choice(3, p=RELEASES)))
    return draw_event(rng, family=family, size=CLASSES[network_class].draw_size(rng))


def with_wrong_velocity(rng: np.random.Generator, network_class: str) -> Event:
    family = replace(_family(network_class, int(rng.choice(3, p=RELEASES))), flow_error=2.0)
    return draw_event(rng, family=family, size=CLASSES[network_class].draw_size(rng))


def with_storage(rng: np.random.Generator, network_class: str) -> Event:
    family = replace(_family(network_class, int(rng.choice(3, p=RELEASES))), dead_zones=WITH_DEAD_ZONES)
    return draw_event(rng, family=family, size=CLASSES[network_class].draw_size(rng))


def with_wrong_library(rng: np.random.Generator, network_class: str) -> Event:
    event = as_the_prior_says(rng, network_class)
    return replace(event, fingerprints=misled(event.fingerprints, rng))


def with_missing_outfall(rng: np.random.Generator, network_class: str) -> Event:
    """Return an event in which one outfall releases that was taken off the list."""
    pool = "sewer" if network_class == "sewer" else "canal"
    family = replace(_family(network_class, 1), pool=pool, is_listed=False)
    return draw_event(rng, family=family, size=CLASSES[network_class].draw_size(rng))


def with_two(rng: np.random.Generator, network_class: str) -> Event:
    return draw_event(rng, family=_family(network_class, 2), size=CLASSES[network_class].draw_size(rng))


def misled(library: Fingerprints, rng: np.random.Generator) -> Fingerprints:
    """Return a library that is wrong and does not know it: medians a factor of two off, or kinds swapped.

    >>> from suyuan.synthetic.waters import library
    >>> wrong = misled(library(), np.random.default_rng(1))
    >>> bool((wrong.median == library().median).all())
    False
    """
    if rng.random() < 0.5:
        factor = np.exp(SHIFT * rng.choice([-1.0, 1.0], size=library.median.shape))
        return replace(library, median=library.median * factor)
    a, b = SWAPPED[int(rng.integers(len(SWAPPED)))]
    rows = list(range(len(library.kinds)))
    i, j = library.kinds.index(a), library.kinds.index(b)
    rows[i], rows[j] = j, i
    return replace(library, median=library.median[rows], log_sd=library.log_sd[rows])


def quiet_weeks(rng: np.random.Generator, network_class: str) -> Event:
    return _on_real(rng, network_class, releases=0)


def planted(rng: np.random.Generator, network_class: str) -> Event:
    return _on_real(rng, network_class, releases=1)


def _on_real(rng: np.random.Generator, network_class: str, *, releases: int) -> Event:
    """Return an event of eight days whose readings are real ones, every four hours, with what was released on top."""
    window = backgrounds.draw_window(rng, stations=int(rng.integers(1, 4)))
    family = replace(_family(network_class, releases), every_h=4, days=12)
    size = replace(CLASSES[network_class].draw_size(rng), stations=len(window.stations))
    return backgrounds.on_real_readings(draw_event(rng, family=family, size=size), window, rng=rng)


SETS: dict[str, Draw] = {
    **dict.fromkeys(CLASSES, as_the_prior_says),
    "velocity": with_wrong_velocity,
    "storage": with_storage,
    "library": with_wrong_library,
    "missing": with_missing_outfall,
    "two": with_two,
    "real_quiet": quiet_weeks,
    "real_planted": planted,
}
"""Every set of events; a new one goes to the end, for its place decides its seeds."""

WRONG = ("velocity", "storage", "library", "missing")
REAL = ("real_quiet", "real_planted")
