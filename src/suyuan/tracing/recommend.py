"""From the posterior of a trace to advice: draw scenarios, carry them ahead, send crews where they learn most."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.network import Network
from suyuan.tracing.advice import Advice, Stop
from suyuan.tracing.crews import Choice, Plan, Road, plan
from suyuan.tracing.next_sample import (
    DRAWS,
    Beliefs,
    Hypotheses,
    Outcome,
    Reading,
    YesNo,
    entropy,
    hypotheses_of,
    surest,
)
from suyuan.tracing.offers import Offered, Wanted, World, first_gains
from suyuan.tracing.places import road_distances
from suyuan.tracing.predictions import Horizon, rises
from suyuan.tracing.scenarios import Scenario, draw_scenarios, expected_water, substances_of
from suyuan.tracing.search import Problem
from suyuan.tracing.statements import Assumption, Note
from suyuan.tracing.verdict import Verdict
from suyuan.transport.operator import TransportOperator

Array = NDArray[np.float64]

SCENARIOS = 600

CERTAIN_BITS = 0.05


def advise(
    problem: Problem,
    verdict: Verdict,
    *,
    network: Network,
    operator_of: Callable[[int], TransportOperator],
    wanted: Wanted,
    rng: np.random.Generator,
) -> Advice:
    """Return which samples would tell most about who did it, for what they cost.

    `operator_of` a flow member gives its transport over a flow that covers the horizon. The assumption that hurts most: what
    the trace thinks possible holds the truth.
    """
    horizon, sources = wanted.horizon, problem.matrices[0].sources
    ahead = len(horizon.edges) - len(problem.matrices[0].edges)
    scenarios = draw_scenarios(problem, verdict, count=SCENARIOS, ahead=ahead, rng=rng)
    hypotheses = asked_of(scenarios, confirm=wanted.confirm)
    substances = substances_of(problem)
    lifted = rises(
        scenarios,
        operator_of,
        sources=sources,
        substances=substances,
        places=[p for p in wanted.places if p.kind != "mouth"],
        horizon=horizon,
    )
    noise = rng.standard_normal((DRAWS, len(substances)))
    world = World(scenarios, wanted, lifted, expected_water(problem, verdict), noise)
    offered = world.offered()
    terms = replace(wanted.terms, first_gains=first_gains(offered, hypotheses))
    found = plan(
        offered.options,
        offered.outcomes,
        hypotheses=hypotheses,
        road=_road(network, wanted),
        prices=wanted.prices,
        terms=terms,
    )
    return _advice(found, offered, world=world, hypotheses=hypotheses, problem=problem)


def asked_of(scenarios: Sequence[Scenario], *, confirm: str = "") -> Hypotheses:
    """Return the scenarios as hypotheses about who, or about one outfall: did it or not."""
    if not confirm:
        return hypotheses_of([s.label for s in scenarios], is_sampled=True)
    labels = [confirm if confirm in s.who else f"not {confirm}" for s in scenarios]
    if confirm not in labels:
        what = f"outfall {confirm} released in none of {len(scenarios)} scenarios drawn from the posterior"
        raise InputError(
            "--confirm", what, "it is as good as cleared; leave --confirm out to find who did it"
        )
    return hypotheses_of(labels, is_sampled=True)


def _road(network: Network, wanted: Wanted) -> Road:
    places = (*wanted.places, wanted.base) if wanted.base else wanted.places
    return Road(
        road_distances(network, places, road_factor=wanted.road_factor),
        speed=wanted.speed,
        handling_s=wanted.handling_s,
        base=len(wanted.places) if wanted.base else None,
        stops=wanted.stops,
        now_s=wanted.horizon.now_s,
    )


def _advice(
    found: Plan, offered: Offered, *, world: World, hypotheses: Hypotheses, problem: Problem
) -> Advice:
    horizon, wanted = world.wanted.horizon, world.wanted
    determinand = substances_of(problem)[0].determinand
    before = Beliefs.before(hypotheses).probabilities(hypotheses)[0]
    top, unsure = int(np.argmax(before)), entropy(before)
    return Advice(
        question=wanted.confirm or "who",
        now=horizon.instant(horizon.now_s),
        until=horizon.instant(float(horizon.time_s[-1])),
        determinand=determinand.id,
        unit=determinand.unit,
        kit_limit=world.kit_limit(),
        stops=_stops(found, offered, world=world, hypotheses=hypotheses),
        leading=(hypotheses.names[top], float(before[top])),
        unsure=unsure,
        unsure_after=max(0.0, unsure - found.gain),
        surest_after=max(float(before[top]), surest(found.beliefs, hypotheses)),
        cost=sum(choice.cost for choice in found.choices),
        substances=tuple((s.determinand.id, s.determinand.unit) for s in substances_of(problem)),
        notes=_notes(found, offered, wanted=wanted, unsure=unsure),
        assumptions=_assumptions(world, f"{determinand.unit} {determinand.id}"),
    )


def _stops(found: Plan, offered: Offered, *, world: World, hypotheses: Hypotheses) -> tuple[Stop, ...]:
    """Return the chosen samples by crew and time."""
    ordered = sorted(found.choices, key=lambda c: (c.crew, offered.options[c.option].time_s))
    numbers = [sum(1 for c in ordered[:i] if c.crew == choice.crew) + 1 for i, choice in enumerate(ordered)]
    return tuple(
        _stop(choice, number, offered=offered, world=world, hypotheses=hypotheses)
        for choice, number in zip(ordered, numbers, strict=True)
    )


def _stop(choice: Choice, number: int, *, offered: Offered, world: World, hypotheses: Hypotheses) -> Stop:
    horizon: Horizon = world.wanted.horizon
    option, outcome = offered.options[choice.option], offered.outcomes[choice.option]
    expected, high, chance = _says(outcome, hypotheses.weight)
    place = world.wanted.places[option.place]
    return Stop(
        crew=choice.crew + 1,
        number=number,
        place=place,
        time=horizon.instant(option.time_s),
        known_at=horizon.instant(option.time_s + option.delay_s),
        method=option.method,
        gain=choice.gain,
        cost=choice.cost,
        chance_yes=chance,
        expected=expected,
        if_high=_leading(hypotheses, high),
        if_low=_leading(hypotheses, 1.0 - high),
        chance_lawful=world.lawful_chance(place),
    )


def _says(outcome: Outcome, weight: Array) -> tuple[tuple[float, float, float], Array, float]:
    """Return the expected concentration, the chance that each scenario gives a high outcome, and that of a yes."""
    nothing = float("nan")
    if isinstance(outcome, YesNo):
        return (nothing, nothing, nothing), outcome.chance, float(outcome.chance @ weight)
    assert isinstance(outcome, Reading)
    first = outcome.mean[:, 0]
    expected = _quantiles(first, weight)
    return expected, (first > 0.5 * (first.min() + first.max())).astype(float), nothing


def _leading(hypotheses: Hypotheses, likelihood: Array) -> tuple[str, float]:
    """Return the label that leads after an outcome of this likelihood, and its probability; '' if it cannot be."""
    weight = hypotheses.weight * likelihood
    if weight.sum() <= 0.0:
        return "", float("nan")
    share = np.bincount(hypotheses.label, weights=weight / weight.sum())
    return hypotheses.names[int(np.argmax(share))], float(share.max())


def _quantiles(value: Array, weight: Array) -> tuple[float, float, float]:
    order = np.argsort(value, kind="stable")
    edges = np.cumsum(weight[order])
    rows = [order[min(int(np.searchsorted(edges, q)), len(value) - 1)] for q in (0.05, 0.5, 0.95)]
    return float(value[rows[0]]), float(value[rows[1]]), float(value[rows[2]])


def _notes(found: Plan, offered: Offered, *, wanted: Wanted, unsure: float) -> tuple[Note, ...]:
    notes = []
    if not found.choices:
        notes.append(Note("sure" if unsure < CERTAIN_BITS else "no sample"))
    if any(wanted.places[offered.options[c.option].place].kind == "mouth" for c in found.choices):
        notes.append(Note("mouth"))
    return tuple(notes)


def _assumptions(world: World, unit: str) -> tuple[Assumption, ...]:
    wanted, water, prices = world.wanted, world.water, world.wanted.prices
    background = {"level": f"{water.level[0]:.3g}", "sd": f"{water.sd[0]:.2g}", "unit": unit}
    travel = {"speed": f"{wanted.speed * 3.6:g}", "factor": f"{wanted.road_factor:g}"}
    return (
        Assumption("scenarios", {"count": f"{len(world.scenarios)}"}),
        Assumption("background", background),
        Assumption("travel", travel),
        Assumption("stop", {"minutes": f"{wanted.handling_s / 60.0:g}"}),
        Assumption("prices", {"crew": f"{prices.crew_h:g}", "answer": f"{prices.answer_h:g}"}),
        *_ways(world, unit),
    )


def _ways(world: World, unit: str) -> Iterator[Assumption]:
    """Yield what each way of looking at water is taken to be worth and to cost."""
    methods = world.wanted.methods
    if kit := methods.kit:
        wrong = {"yes": f"{kit.false_positive:.0%}", "no": f"{kit.false_negative:.0%}"}
        said = {"limit": f"{world.kit_limit():.3g}", "unit": unit, "price": f"{kit.price:g}"}
        yield Assumption("kit", said | wrong)
    if strip := methods.strip:
        yield Assumption("strip", {"error": f"{strip.relative:.0%}", "price": f"{strip.price:g}"})
    if grab := methods.grab:
        hours = f"{grab.delay_s / 3600.0:g}"
        yield Assumption(
            "grab", {"error": f"{grab.relative:.0%}", "hours": hours, "price": f"{grab.price:g}"}
        )
