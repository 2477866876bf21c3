"""Crews on the road: which samples can be reached in time, what they cost, and which to take.

Crews are planned one after the other (Singh et al., 2009, J. Artif. Intell. Res. 34): each takes, one at a time, the sample that
tells most for its cost given all chosen before, so that another crew can never lower what is learned.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.tracing.methods import MethodName
from suyuan.tracing.next_sample import Beliefs, Hypotheses, Outcome, learned

Array = NDArray[np.float64]

HOUR_S = 3600.0

LEAST_GAIN = 0.02
"""A sample that tells less than this [bits] is not worth a stop."""


@dataclass(frozen=True)
class Prices:
    """What a plan costs, in any one currency.

    `crew_h`: an hour of a crew on the road, waiting or sampling. `answer_h`: every hour until a sample's result is known,
    from now; this is what an hour without the answer is worth, and makes kits preferred to laboratories, early to late.
    """

    crew_h: float = 200.0
    answer_h: float = 10.0

    def __post_init__(self) -> None:
        if not (self.crew_h >= 0.0 and self.answer_h >= 0.0):
            what = f"prices {self.crew_h} and {self.answer_h} an hour"
            raise InputError("prices", what, "give 0 or more")


@dataclass(frozen=True)
class Option:
    """A sample that could be taken: `place` (row of the distances), `time_s` from the start of the flow, `method` its name;
    `price` of the sample itself; `delay_s` until its result is known; `shift` the working day it lies in."""

    place: int
    time_s: float
    method: MethodName
    price: float
    delay_s: float = 0.0
    shift: int = 0


@dataclass(frozen=True)
class Road:
    """How crews move: `distance` by road (place, place) [m], `speed` [m/s], `handling_s` at each stop, the row of the `base`
    they start from (None: they start at their first stop), `stops` at most a crew, `now_s` when they hear of it."""

    distance: Array
    speed: float = 30.0 / 3.6
    handling_s: float = 900.0
    base: int | None = None
    stops: int = 4
    now_s: float = 0.0

    def __post_init__(self) -> None:
        if not (self.speed > 0.0 and self.handling_s >= 0.0 and self.stops >= 1):
            what = f"speed {self.speed:.3g} m/s, {self.handling_s:.3g} s at a stop, {self.stops} stops"
            raise InputError("crews", what, "give a speed above 0, a time of 0 or more, one stop or more")

    def travel_s(self, a: int, b: int) -> float:
        """Return the time between two places [s]."""
        return float(self.distance[a, b]) / self.speed

    def can_reach(self, route: Sequence[Option]) -> bool:
        """Return whether one crew can be at all these places in time; the route is in order of time."""
        if self.base is not None and route:
            ready = self.now_s + self.travel_s(self.base, route[0].place)
            if route[0].time_s < ready:
                return False
        return all(
            b.time_s >= a.time_s + self.handling_s + self.travel_s(a.place, b.place)
            for a, b in pairwise(route)
        )

    def duty_s(self, route: Sequence[Option]) -> float:
        """Return the time a crew is out [s], waiting included; between two shifts only work and travel count."""
        if not route:
            return 0.0
        total = self.handling_s
        if self.base is not None:
            total += self.travel_s(self.base, route[0].place) + self.travel_s(route[-1].place, self.base)
        for a, b in pairwise(route):
            busy = self.handling_s + self.travel_s(a.place, b.place)
            total += b.time_s - a.time_s if a.shift == b.shift else busy
        return total


@dataclass(frozen=True)
class Budget:
    """What may be spent: money (of Prices) on all, and hours on duty of each crew."""

    money: float = float("inf")
    crew_s: float = float("inf")

    def __post_init__(self) -> None:
        if not (self.money > 0.0 and self.crew_s > 0.0):
            what = f"a budget of {self.money:g} and {self.crew_s / HOUR_S:g} h"
            raise InputError("budget", what, "give more than 0")


@dataclass(frozen=True)
class Choice:
    """A chosen sample: row of the options, crew (from 0), what it tells beyond those chosen before [bits], what it costs."""

    option: int
    crew: int
    gain: float
    cost: float


@dataclass(frozen=True)
class Plan:
    """Chosen samples in the order of choice, and what will be believed after them."""

    choices: tuple[Choice, ...]
    beliefs: Beliefs

    @property
    def gain(self) -> float:
        """What all samples together tell [bits]."""
        return sum(choice.gain for choice in self.choices)


def plan(
    options: Sequence[Option],
    outcomes: Sequence[Outcome],
    *,
    hypotheses: Hypotheses,
    road: Road,
    prices: Prices,
    terms: Terms,
) -> Plan:
    """Return which samples to take, by which crew, in the order of what they tell for their cost.

    No place is visited twice: the errors of a second sample there would be those of the first.
    """
    state = _State(
        options, outcomes, hypotheses, road, prices, Beliefs.before(hypotheses), terms.budget.money
    )
    most = min(terms.most, len(options))
    choices: list[Choice] = []
    bounds = list(terms.first_gains) if len(terms.first_gains) else [np.inf] * len(options)
    for crew in range(terms.crews):
        route: tuple[Option, ...] = ()
        while len(route) < road.stops and len(choices) < most:
            found = _best(state, route, bounds=bounds, crew_s=terms.budget.crew_s)
            if found is None:
                break
            choice = replace(found, crew=crew)
            choices.append(choice)
            route = _with(route, options[choice.option])
            state = state.after(choice)
    return Plan(tuple(choices), state.beliefs)


@dataclass(frozen=True)
class Terms:
    """How much may be done: `crews`, `budget`, at most so many samples; `first_gains` (option,) are gains [bits] that are already
    known for the first sample, if any."""

    crews: int = 1
    budget: Budget = field(default_factory=Budget)
    most: int = 1_000
    first_gains: Sequence[float] = ()

    def __post_init__(self) -> None:
        if self.crews < 1 or self.most < 1:
            what = f"{self.crews} crews and {self.most} samples"
            raise InputError("crews", what, "send at least one crew for one sample")


@dataclass(frozen=True)
class _State:
    """What is fixed in a plan, what is believed after the choices so far, the money left and the places visited."""

    options: Sequence[Option]
    outcomes: Sequence[Outcome]
    hypotheses: Hypotheses
    road: Road
    prices: Prices
    beliefs: Beliefs
    money: float
    visited: frozenset[int] = frozenset()

    def after(self, choice: Choice) -> _State:
        _, beliefs = learned(self.beliefs, self.outcomes[choice.option], hypotheses=self.hypotheses)
        visited = self.visited | {self.options[choice.option].place}
        return replace(self, beliefs=beliefs, money=self.money - self.spent(choice), visited=visited)

    def spent(self, choice: Choice) -> float:
        """Return the money a choice takes: its cost without what waiting for the answer is worth."""
        return choice.cost - self.waiting(self.options[choice.option])

    def waiting(self, option: Option) -> float:
        """Return what the time until this sample's result is worth."""
        return self.prices.answer_h * (option.time_s + option.delay_s - self.road.now_s) / HOUR_S


def _with(route: tuple[Option, ...], option: Option) -> tuple[Option, ...]:
    return tuple(sorted((*route, option), key=lambda o: o.time_s))


def _best(state: _State, route: tuple[Option, ...], *, bounds: list[float], crew_s: float) -> Choice | None:
    """Return the sample that tells most for its cost among those the crew can still reach and pay; None where none is worth it.

    `bounds` are gains found earlier; what is learned only falls as more is known (submodularity), so that an option whose
    bound cannot lead is not computed again (Minoux, 1978). They are brought up to date.
    """
    before = state.road.duty_s(route)
    queue: list[tuple[float, int, float]] = []
    for i, option in enumerate(state.options):
        longer = _with(route, option)
        if bounds[i] < LEAST_GAIN or option.place in state.visited or not state.road.can_reach(longer):
            continue
        duty = state.road.duty_s(longer)
        spent = option.price + state.prices.crew_h * (duty - before) / HOUR_S
        if duty <= crew_s and spent <= state.money:
            cost = max(spent + state.waiting(option), 1e-9)
            heapq.heappush(queue, (-bounds[i] / cost, i, cost))
    best: Choice | None = None
    while queue:
        bound, i, cost = heapq.heappop(queue)
        if best is not None and -bound <= best.gain / best.cost:
            break
        bounds[i] = min(bounds[i], state.outcomes[i].gain(state.beliefs, state.hypotheses))
        if bounds[i] >= LEAST_GAIN and (best is None or bounds[i] / cost > best.gain / best.cost):
            best = Choice(i, 0, bounds[i], cost)
    return best
