"""The Severn release traced from every choice of at least three of its stations.

As `benchmarks.severn` traces it from all of them, with the same settings and nothing chosen anew. What depends on the first
station used (how far up the river is drawn, how long before its first arrival a release is looked for, the channel above)
follows the rules stated there from the first station of the choice. The channel below the first station is surveyed
whichever readings are left out. All choices with the same first station share flow members and source-receptor matrices, of
which each takes its stations' rows and the release bins until its last trailing edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Any

import numpy as np

from benchmarks import severn
from benchmarks.severn_river import Passage
from suyuan.tracing.members import StillWater

LEAST_STATIONS = 3
MASS_WITHIN = 0.3

Choice = tuple[float, ...]
"""The stations of one choice [km]."""


@dataclass(frozen=True)
class Trial:
    """How the choices are traced: flow `members`, whether a curve counts as four numbers (`is_counted`), `still` water drawn."""

    members: int = severn.MEMBERS
    is_counted: bool = False
    still: StillWater | None = None


@dataclass(frozen=True)
class Traced:
    """One choice of stations, traced with one draw of the flow members."""

    choice: Choice
    seed: int
    found: severn.Found

    @property
    def mass_error(self) -> float:
        """Distance of the median mass from the one released, as a share of that."""
        return abs(float(self.found.mass_kg[1]) / severn.RELEASED_KG - 1.0)

    @property
    def covers_mass(self) -> bool:
        return bool(self.found.mass_kg[0] <= severn.RELEASED_KG <= self.found.mass_kg[2])

    @property
    def covers_start(self) -> bool:
        return bool(self.found.start_h[0] <= 0.0 <= self.found.start_h[2])

    def to_dict(self) -> dict[str, Any]:
        return {
            "stations_km": list(self.choice),
            "seed": self.seed,
            "place_error_share": self.found.place_error_share,
            "covers": self.found.covers_release,
            "mass_error": self.mass_error,
            "covers_mass": self.covers_mass,
            "covers_start": self.covers_start,
            **self.found.to_dict(),
        }


def choices(km: Sequence[float], *, count: int = 0) -> tuple[Choice, ...]:
    """Return every choice of at least LEAST_STATIONS stations, in order of first station, number and place.

    With a `count`, so many of them, evenly spaced in that order.

    >>> len(choices([2.875, 5.275, 7.775, 10.275, 13.775]))
    16
    >>> choices([2.875, 5.275, 7.775, 10.275], count=2)
    ((2.875, 5.275, 7.775), (5.275, 7.775, 10.275))
    """
    every = [c for n in range(LEAST_STATIONS, len(km) + 1) for c in combinations(sorted(km), n)]
    every.sort(key=lambda choice: (choice[0], len(choice), choice))
    if not 0 < count < len(every):
        return tuple(every)
    return tuple(every[i] for i in np.linspace(0, len(every) - 1, count).round().astype(int))


def traced(
    passages: Sequence[Passage],
    some: Sequence[Choice],
    *,
    seeds: Sequence[int],
    trial: Trial | None = None,
    workers: int = 1,
) -> list[Traced]:
    """Return these choices of stations traced, each with every seed; choices with the same first station share matrices."""
    groups = [list(group) for _, group in groupby(some, key=lambda choice: choice[0])]
    trial = trial or Trial()
    jobs = [(tuple(passages), group, seed, trial) for seed in seeds for group in groups]
    if workers == 1:
        return [each for job in jobs for each in _group_traced(*job)]
    with ProcessPoolExecutor(workers) as pool:
        return [each for group in pool.map(_group_traced, *zip(*jobs, strict=True)) for each in group]


def _group_traced(
    passages: Sequence[Passage], group: Sequence[Choice], seed: int, trial: Trial
) -> list[Traced]:
    """Return choices with one first station traced with one seed, whose draws of releases begin anew for each."""
    below = [p for p in passages if p.km >= group[0][0]]
    basis = severn.basis_of(below, members=trial.members, seed=seed, still=trial.still)
    found = []
    for choice in group:
        used = [p for p in below if p.km in choice]
        rng = np.random.default_rng(seed)
        one = severn.trace_of(basis, used, rng=rng, is_counted=trial.is_counted)
        found.append(Traced(choice, seed, one))
    return found


def scores(found: Sequence[Traced]) -> dict[str, float]:
    """Return what R2 asks of the Severn: medians and shares over all choices and seeds."""
    return {
        "place_error_share": float(np.median([t.found.place_error_share for t in found])),
        "place_90_covers": float(np.mean([t.found.covers_release for t in found])),
        "mass_error": float(np.median([t.mass_error for t in found])),
        "mass_within_30": float(np.mean([t.mass_error <= MASS_WITHIN for t in found])),
        "mass_90_covers": float(np.mean([t.covers_mass for t in found])),
        "start_90_covers": float(np.mean([t.covers_start for t in found])),
    }


def by_first(found: Sequence[Traced]) -> dict[str, dict[str, float]]:
    """Return the scores of the choices with each first station [km], and how many traces there were."""
    return {
        f"{km:g}": {"traces": len(some), **scores(some)}
        for km in sorted({t.choice[0] for t in found})
        for some in [[t for t in found if t.choice[0] == km]]
    }
