"""Every sample that could be taken, and what it may show under each scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.tracing.crews import Option, Prices, Terms
from suyuan.tracing.lawful import Lawful
from suyuan.tracing.methods import MethodName, Methods
from suyuan.tracing.next_sample import Beliefs, Hypotheses, Outcome, Reading, YesNo, kit_chance, yes_no_gains
from suyuan.tracing.places import Place
from suyuan.tracing.predictions import Horizon, is_on
from suyuan.tracing.scenarios import Expected, Scenario

Array = NDArray[np.float64]

SCREENED = 300
"""Concentration samples whose gain is computed; the others would tell least if read as high or low."""

LEAST_SIGNAL = 0.25
"""A place where no scenario lifts any substance by so many standard deviations cannot tell anything."""


@dataclass(frozen=True)
class Wanted:
    """What is asked.

    `places` to sample at; `horizon` of hours looked at, of which only `is_open` (hour,) are working hours; `confirm` is an
    outfall to confirm or clear, '' to find out who; `base` a place crews start from and return to; `stops` at most a crew;
    `speed` [m/s] on roads of `road_factor` times the straight line; `handling_s` at each stop; `lawful` is what outfalls let out
    without having done it, by id; those not named let out nothing.
    """

    places: tuple[Place, ...]
    horizon: Horizon
    is_open: NDArray[np.bool_]
    methods: Methods = field(default_factory=Methods)
    prices: Prices = field(default_factory=Prices)
    terms: Terms = field(default_factory=Terms)
    confirm: str = ""
    base: Place | None = None
    stops: int = 4
    speed: float = 30.0 / 3.6
    road_factor: float = 1.4
    handling_s: float = 900.0
    lawful: Mapping[str, Lawful] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.places:
            raise InputError("places", "there is no place to sample at", "draw reaches or name places")
        if not self.is_open.any():
            what = f"none of the next {len(self.is_open)} hours is a working hour"
            raise InputError("working hours", what, "look further ahead or widen the hours")
        if self.road_factor < 1.0:
            what = f"roads of {self.road_factor:g} times the straight line"
            raise InputError("crews", what, "give 1 or more")


@dataclass(frozen=True)
class Offered:
    """Samples that could be taken: `options` and, for each, its `outcomes`."""

    options: tuple[Option, ...]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class World:
    """The scenarios and what they would show.

    `lifted` (scenario, place in the water, hour, substance) [g/m3], `water` without any release, and `noise` (draw, substance)
    of standard normal numbers that every reading is tried on.
    """

    scenarios: Sequence[Scenario]
    wanted: Wanted
    lifted: NDArray[np.float32]
    water: Expected
    noise: Array

    def kit_limit(self) -> float:
        """Return the limit of the kit: as given, else two standard deviations above the background; NaN without a kit."""
        kit = self.wanted.methods.kit
        if kit is None:
            return float("nan")
        return kit.limit if np.isfinite(kit.limit) else float(self.water.level[0] + 2.0 * self.water.sd[0])

    def offered(self) -> Offered:
        """Return every sample that can be taken in working hours, and what it may show.

        Places that no scenario's plume reaches are left out: they show the same whoever did it.
        """
        found: list[tuple[Option, Outcome]] = []
        in_water = 0
        for row, place in enumerate(self.wanted.places):
            if place.kind == "mouth":
                found += self._kits_at(row, self._at_mouth(place))
            else:
                mean, sd = self._concentrations(in_water)
                in_water += 1
                if np.max((mean - self.water.level) / sd) >= LEAST_SIGNAL:
                    found += self._kits_at(row, self._in_water(mean[..., 0], sd[..., 0]))
                    found += self._readings_at(row, mean, sd=sd)
        return Offered(tuple(option for option, _ in found), tuple(outcome for _, outcome in found))

    def _hours(self) -> list[tuple[int, float, int]]:
        """Return row, time [s] and shift of every working hour; a shift is a run of them."""
        is_open = self.wanted.is_open
        shift = np.cumsum(np.diff(is_open.astype(int), prepend=0) == 1)
        time_s = self.wanted.horizon.time_s
        return [(int(h), float(time_s[h]), int(shift[h])) for h in np.flatnonzero(is_open)]

    def _kits_at(self, row: int, chance: Array) -> list[tuple[Option, Outcome]]:
        kit = self.wanted.methods.kit
        if kit is None:
            return []
        return [
            (Option(row, time, "kit", kit.price, shift=shift), YesNo(chance[:, h]))
            for h, time, shift in self._hours()
        ]

    def _at_mouth(self, place: Place) -> Array:
        """Return the chance of a yes at an outfall's own mouth, (scenario, hour): of what is traced, or of lawful water."""
        on = is_on(self.scenarios, place.id, horizon=self.wanted.horizon)
        guilty = self._in_water(np.where(on, np.inf, 0.0), np.full(on.shape, 1e-9))
        return np.where(on, guilty, self.lawful_chance(place))

    def lawful_chance(self, place: Place) -> float:
        """Return the chance that a kit at this mouth says yes though the outfall did nothing wrong; NaN at other places."""
        kit = self.wanted.methods.kit
        if kit is None or place.kind != "mouth":
            return float("nan")
        lawful = self.wanted.lawful.get(place.id)
        above = lawful.chance_above(self.kit_limit()) if lawful else 0.0
        return kit.false_positive + (1.0 - kit.false_positive - kit.false_negative) * above

    def _in_water(self, mean: Array, sd: Array) -> Array:
        """Return the chance of a yes, (scenario, hour), in water of this concentration."""
        kit = self.wanted.methods.kit
        if kit is None:
            return np.zeros(mean.shape)
        return kit_chance(
            mean,
            limit=self.kit_limit(),
            sd=sd,
            false_positive=kit.false_positive,
            false_negative=kit.false_negative,
        )

    def _concentrations(self, in_water: int) -> tuple[Array, Array]:
        """Return mean and standard deviation of the water at a place, (scenario, hour, substance) each."""
        rise = np.maximum(self.lifted[:, in_water].astype(float), 0.0)
        hours = self.wanted.horizon.time_s
        slope = np.gradient(rise, hours, axis=1) if len(hours) > 1 else np.zeros_like(rise)
        water = self.water
        variance = water.sd**2 + (water.plume_share * rise) ** 2 + (water.plume_shift_s * slope) ** 2
        return water.level + rise, np.sqrt(variance)

    def _readings_at(self, row: int, mean: Array, *, sd: Array) -> list[tuple[Option, Outcome]]:
        """Return what a strip (the first substance) and a laboratory (all) may find at a place."""
        strip, grab = self.wanted.methods.strip, self.wanted.methods.grab
        tools: list[tuple[MethodName, float, float, float, int]] = []
        if strip:
            tools.append(("strip", strip.relative, strip.price, 0.0, 1))
        if grab:
            tools.append(("grab", grab.relative, grab.price, grab.delay_s, mean.shape[-1]))
        found: list[tuple[Option, Outcome]] = []
        for hour, time, shift in self._hours():
            for name, relative, price, delay_s, count in tools:
                own = mean[:, hour, :count]
                spread = np.sqrt(sd[:, hour, :count] ** 2 + (relative * own) ** 2)
                reading = Reading(own, spread, self.noise[:, :count])
                found.append((Option(row, time, name, price, delay_s, shift), reading))
        return found


def first_gains(offered: Offered, hypotheses: Hypotheses) -> tuple[float, ...]:
    """Return what each sample tells if it is the first [bits], (option,).

    Only the SCREENED readings that would tell most as a mere high or low are worked out; the others count as telling nothing.
    """
    before = Beliefs.before(hypotheses)
    chances = [_as_yes_no(outcome) for outcome in offered.outcomes]
    gains = yes_no_gains(np.array(chances), before, hypotheses=hypotheses) if chances else np.empty(0)
    read = np.array([i for i, o in enumerate(offered.outcomes) if not isinstance(o, YesNo)], np.int64)
    order = read[np.argsort(-gains[read], kind="stable")]
    for i in order[:SCREENED]:
        gains[i] = offered.outcomes[int(i)].gain(before, hypotheses)
    gains[order[SCREENED:]] = 0.0
    return tuple(map(float, gains))


def _as_yes_no(outcome: Outcome) -> Array:
    """Return the chance of a yes, or that a reading lies above the middle of what may be read, (scenario,)."""
    if isinstance(outcome, Reading):
        first = outcome.mean[:, 0]
        middle = float(0.5 * (first.min() + first.max()))
        return kit_chance(first, limit=middle, sd=outcome.sd[:, 0], false_positive=1e-3, false_negative=1e-3)
    assert isinstance(outcome, YesNo)
    return outcome.chance
