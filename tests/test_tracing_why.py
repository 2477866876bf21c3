"""Why: what readings say adds up, looks no further ahead than it may, and names the reading that would overturn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import tracing_worlds as worlds
from scipy.stats import multivariate_normal
from tracing_worlds import problem

from suyuan.tracing.accounts import Normal, account_of, normal_of, settled_plumes
from suyuan.tracing.anew import ROUNDS
from suyuan.tracing.overturn import FARTHEST, Forecast, Quiet, expected_of, overturning
from suyuan.tracing.reasons import Contest, Speech, Suspicion, spells
from suyuan.tracing.refine import settled
from suyuan.tracing.responses import responses
from suyuan.tracing.search import Explanations, Problem, joined
from suyuan.tracing.verdict import Verdict, weigh
from suyuan.tracing.why import readings_of, why_of

ONE = {"O1": (worlds.history(40, 12), worlds.rates("industrial", 2.0))}
TWO = {
    "O1": (worlds.history(40, 12), worlds.rates("industrial", 1.0)),
    "O2": (worlds.history(60, 8), worlds.rates("domestic", 3.0)),
}


@dataclass(frozen=True)
class Traced:
    problem: Problem
    verdict: Verdict
    why: tuple[Contest, ...]


def traced(observations) -> Traced:
    given = problem(observations)
    verdict = weigh(given)
    return Traced(given, verdict, why_of(given, verdict))


@cache
def of_one() -> Traced:
    return traced(worlds.read(worlds.meeting(), ONE))


@cache
def of_two() -> Traced:
    return traced(worlds.read(worlds.meeting(), TWO))


@cache
def of_one_in_noise() -> Traced:
    rng = np.random.default_rng(0)
    history = worlds.history(int(rng.integers(30, 70)), int(rng.integers(3, 20)))
    releases = {"O1": (history, worlds.rates("domestic", float(np.exp(rng.normal(0.0, 0.7)))))}
    return traced(worlds.read(worlds.meeting(), releases, seed=0, noise=0.15))


@cache
def of_nobody() -> Traced:
    return traced(worlds.read(worlds.meeting(), {}))


def best_of(found: Traced, suspicion: Suspicion) -> Explanations:
    """Return the best explanation of one or two who are suspected, a row for each."""
    verdict = found.verdict
    tables = (verdict.single,) if len(suspicion.candidates) == 1 else (verdict.first, verdict.second)
    names = np.array([s.candidate for s in found.problem.matrices[0].sources])
    who = np.sort(np.stack([names[table.source] for table in tables]), axis=0)
    rows = np.flatnonzero((who == np.sort(suspicion.candidates)[:, None]).all(axis=0))
    best = np.array([max(rows, key=tables[0].weight.item)])
    return joined([table.where(best) for table in tables])


def joint(found: Traced, suspicion: Suspicion) -> Normal:
    """Return the normal of all readings under a suspicion's best explanation, found here by hand."""
    given, verdict = found.problem, found.verdict
    if not suspicion.candidates:
        return normal_of(given.blocks, verdict.quiet.backgrounds)
    rows = best_of(found, suspicion)
    seen = responses(given, 0, source=rows.source)
    scene = verdict.scenes[rows.scene[0]]
    plumes = settled_plumes(given, scene.ground, seen=seen, found=rows)
    return normal_of(given.blocks, scene.claimed.backgrounds, plumes=plumes)


@pytest.mark.parametrize("found", [of_one, of_nobody])
def test_what_the_readings_say_adds_up_to_the_ratio_of_their_densities(found):
    found = found()
    value = np.concatenate([block.value for block in found.problem.blocks])
    assert len(found.why) >= 1
    for contest in found.why:
        one, rival = (joint(found, suspicion) for suspicion in (contest.one, contest.rival))
        ratio = multivariate_normal.logpdf(value, one.mean, one.covariance) - multivariate_normal.logpdf(
            value, rival.mean, rival.covariance
        )
        assert contest.readings * contest.tempering == pytest.approx(ratio, abs=1e-5)


def gain_settled(found: Traced, suspicion: Suspicion) -> float:
    """Return the log density, but for a constant, of the readings under the best explanation of one or two."""
    each = best_of(found, suspicion)
    seen = responses(found.problem, 0, source=each.source)
    scene = found.verdict.scenes[each.scene[0]]
    gain = settled(found.problem, scene.ground, seen=seen, found=each, rounds=ROUNDS).log_gain
    return gain + scene.ground.log_density - scene.claimed.log_prior


@pytest.mark.parametrize("found", [of_one, of_one_in_noise, of_two])
def test_readings_and_water_are_what_the_verdict_weighs_the_leading_explanations_by(found):
    found = found()
    compared = 0
    for contest in found.why:
        if contest.rival.candidates:
            said = (contest.readings + contest.water) * contest.tempering
            assert said == pytest.approx(
                gain_settled(found, contest.one) - gain_settled(found, contest.rival), abs=1e-4
            )
            compared += 1
    assert compared >= 1


@pytest.mark.parametrize("found", [of_one, of_two, of_nobody])
def test_the_parts_add_up_to_the_odds_of_the_probabilities(found):
    for contest in found().why:
        parts = contest.readings + contest.water + contest.prior + contest.others
        odds = np.log(contest.one.probability) - np.log(max(contest.rival.probability, 1e-300))
        assert parts == pytest.approx(contest.log_odds, abs=1e-9)
        assert contest.log_odds == pytest.approx(odds)


def test_nobody_is_always_asked_and_the_most_probable_stands_first():
    for found in (of_one(), of_two(), of_nobody()):
        rivals = [contest.rival for contest in found.why]
        assert len({contest.one for contest in found.why}) == 1
        assert sorted((r.probability for r in rivals), reverse=True) == [r.probability for r in rivals]
        assert () in [found.why[0].one.candidates, *(r.candidates for r in rivals)]
    assert of_nobody().why[0].one.label == "nobody"
    assert set(of_two().why[0].one.candidates) == {"O1", "O2"}


def random_normal(rng: np.random.Generator, size: int) -> Normal:
    root = rng.standard_normal((size, size + 3))
    return Normal(rng.standard_normal(size), root @ root.T)


def test_what_all_other_readings_let_expect_is_the_conditional_normal():
    rng = np.random.default_rng(5)
    normal, value = random_normal(rng, 9), rng.standard_normal(9)
    account = account_of(value, normal, order=rng.permutation(9), known=np.zeros(9, int))
    for i in range(9):
        rest = np.delete(np.arange(9), i)
        gain = normal.covariance[i, rest] @ np.linalg.inv(normal.covariance[np.ix_(rest, rest)])
        assert account.mean[i] == pytest.approx(normal.mean[i] + gain @ (value - normal.mean)[rest])
        assert account.sd[i] ** 2 == pytest.approx(
            normal.covariance[i, i] - gain @ normal.covariance[rest, i]
        )


def test_what_is_expected_rests_on_what_was_known_and_nothing_later():
    rng = np.random.default_rng(6)
    normal, value = random_normal(rng, 8), rng.standard_normal(8)
    order, known = np.array([3, 1, 7, 0, 2, 6, 4, 5]), np.array([2, 0, 4, 0, 4, 4, 4, 2])
    account = account_of(value, normal, order=order, known=known)
    for i in range(8):
        past = order[: known[i]]
        gain = normal.covariance[i, past] @ np.linalg.inv(normal.covariance[np.ix_(past, past)])
        assert account.ahead[i] == pytest.approx(normal.mean[i] + gain @ (value - normal.mean)[past])


def test_readings_before_the_hours_of_a_cell_are_known_and_those_within_are_not():
    readings = readings_of(of_one().problem)
    place = np.argsort(readings.order)
    for i in range(0, len(readings.value), 37):
        inside = np.flatnonzero(readings.cell == readings.cell[i])
        assert len({(readings.station[k], readings.block[k]) for k in inside}) == 1
        assert place[inside].min() >= readings.known[i]
        known = readings.order[: readings.known[i]]
        assert known.size == 0 or readings.time[known].max() < readings.time[inside].min()


def test_what_all_other_readings_let_expect_of_plumes_is_the_conditional_normal_with_free_amplitudes():
    found = of_two()
    given, verdict = found.problem, found.verdict
    best = np.array([int(np.argmax(verdict.first.weight))])
    rows = joined([verdict.first.where(best), verdict.second.where(best)])
    scene = verdict.scenes[0]
    plumes = settled_plumes(given, scene.ground, seen=responses(given, 0, source=rows.source), found=rows)
    quiet = Quiet.of_backgrounds(given.blocks, scene.claimed.backgrounds)
    mean, sd = expected_of(quiet, plumes)
    bare = normal_of(given.blocks, scene.claimed.backgrounds)
    usual, errors, strengths = (
        np.concatenate([part[d, b.means.first] for d, b in enumerate(given.blocks)])
        for part in (plumes.usual, plumes.errors, plumes.strengths)
    )
    covariance = bare.covariance + errors @ errors.T + strengths @ strengths.T
    value = np.concatenate([block.value for block in given.blocks])
    for i in range(0, len(value), 61):
        rest = np.delete(np.arange(len(value)), i)
        gain = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, i])
        assert mean[i] == pytest.approx(
            bare.mean[i] + usual[i] + gain @ (value - bare.mean - usual)[rest], rel=1e-5
        )
        assert sd[i] ** 2 == pytest.approx(covariance[i, i] - gain @ covariance[rest, i], rel=1e-4)


def test_plumes_are_linear_in_log_amplitudes_about_the_likeliest():
    found = of_one()
    given, single = found.problem, found.verdict.single
    row = single.where(np.array([int(np.argmax(single.weight))]))
    ground = found.verdict.scenes[row.scene[0]].ground
    plumes = settled_plumes(given, ground, seen=responses(given, 0, source=row.source), found=row)
    variance = (plumes.strengths**2).sum(axis=2)
    log_sd = np.sqrt(given.grid.strength.log_sd**2 + given.grid.library.spread[row.kind[0]] ** 2 + 0.1**2)
    assert np.sqrt(variance) == pytest.approx(log_sd[:, None] * np.abs(plumes.mean[0]))


def forecasts(rng: np.random.Generator, observed: np.ndarray) -> tuple[Forecast, Forecast]:
    """Return two suspicions of three histories each: the second expects the readings a little higher."""
    each = []
    for lift in (0.0, 0.05):
        mean = observed + lift + 0.02 * rng.standard_normal((3, len(observed)))
        each.append(
            Forecast(mean, rng.uniform(0.04, 0.08, mean.shape), np.log(rng.dirichlet(np.ones(3))), 1.5, 1.0)
        )
    return each[0], each[1]


def test_at_the_overturning_value_both_are_equally_probable_and_beyond_it_the_rival_leads():
    tried = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        observed = rng.uniform(0.5, 1.0, 12)
        leader, rival = forecasts(rng, observed)
        change = overturning(observed, leader, rival=rival, log_odds=1.2)
        if change is None:
            continue
        tried += 1

        def odds(
            at: float, i: int = change.row, now: np.ndarray = observed, both: tuple = (leader, rival)
        ) -> float:
            density = [
                np.exp(-0.5 * ((v - f.mean[:, i]) / f.sd[:, i]) ** 2) for f in both for v in (at, now[i])
            ]
            gains = [
                np.log((np.exp(f.log_share) * (density[2 * k] / density[2 * k + 1]) ** (1 / 1.5)).sum())
                for k, f in enumerate(both)
            ]
            return float(1.2 + gains[0] - gains[1])

        assert odds(float(observed[change.row])) == pytest.approx(1.2)
        assert odds(change.value) == pytest.approx(0.0, abs=0.02)
        out = 1.0 if change.value > change.expected else -1.0
        assert odds(change.value - 0.01 * out) > 0.0 > odds(change.value + 0.01 * out)
        assert change.side in ("about", "or more" if out > 0 else "or less")
    assert tried >= 10


def test_no_value_that_would_surprise_beyond_belief_overturns():
    rng = np.random.default_rng(3)
    observed = rng.uniform(0.5, 1.0, 12)
    leader, rival = forecasts(rng, observed)
    assert overturning(observed, leader, rival=rival, log_odds=60.0) is None


def test_the_overturning_reading_is_one_that_was_read():
    found = of_one_in_noise()
    readings = readings_of(found.problem)
    names = np.array([b.substance.determinand.id for b in found.problem.blocks])[readings.block]
    changes = [contest.overturn for contest in found.why if contest.overturn]
    assert changes
    for change in changes:
        at = (
            (readings.station == change.station)
            & (readings.time == change.time)
            & (names == change.determinand)
        )
        assert readings.value[at].tolist() == [change.observed]
        assert change.surprise <= FARTHEST
        assert change.value >= 0.0


def test_readings_where_the_plume_passes_speak_against_nobody():
    contest = next(c for c in of_one().why if c.rival.label == "nobody")
    loudest = spells(contest)[0]
    assert loudest.station == "T"
    assert loudest.log_ratio * contest.tempering > 20.0
    assert loudest.observed == pytest.approx(loudest.expected, rel=0.03)
    before = [s for s in contest.speeches if s.until < worlds.networks.START + np.timedelta64(38, "h")]
    assert before
    assert max(abs(s.log_ratio) for s in before) < 0.2 * loudest.log_ratio


def test_a_plume_that_passed_a_station_late_is_said_to():
    world = worlds.meeting()
    observations = worlds.read(world, ONE)
    value = observations.value.copy()
    for name in worlds.NAMES:
        rows = np.flatnonzero((observations.station == "S") & (observations.determinand == name))
        value[rows[1:]] = value[rows[:-1]]
    found = traced(replace(observations, value=value))
    plain, late = (
        {(d.candidate, d.station): d.hours for c in each.why for s in (c.one, c.rival) for d in s.delays}
        for each in (of_one(), found)
    )
    assert late["O1", "S"] - late["O1", "T"] > plain["O1", "S"] - plain["O1", "T"] + 0.4


def speech(hour: int, log_ratio: float, determinand: str = "TP") -> Speech:
    since = np.datetime64("2024-07-20T00:00:00") + np.timedelta64(hour, "h")
    until = since + np.timedelta64(5, "h")
    return Speech("S", determinand, "mg/L", since, until, log_ratio, 1.0, 1.1, 0.8)


def test_speeches_for_the_same_side_are_joined_for_a_day_at_most_and_nothing_is_lost():
    said = [speech(6 * k, 1.0) for k in range(6)] + [speech(36, -2.0), speech(42, 1.0), speech(0, 3.0, "EC")]
    contest = Contest(Suspicion(("O1",), 0.7), Suspicion(("O2",), 0.3), 0.8, tuple(said), 0.0, 0.0, 0.0)
    joined = spells(contest)
    assert [(s.determinand, s.log_ratio) for s in joined] == [
        ("TP", 4.0),
        ("EC", 3.0),
        ("TP", 2.0),
        ("TP", -2.0),
        ("TP", 1.0),
    ]
    assert sum(s.log_ratio for s in joined) == pytest.approx(contest.readings)
    assert joined[0].until - joined[0].since <= np.timedelta64(24, "h")


def test_without_any_explanation_there_is_nothing_to_ask():
    found = of_one()
    empty = found.verdict.single.where(np.empty(0, np.int64))
    nothing = replace(found.verdict, nobody=1.0, one=0.0, two=0.0, single=empty, first=empty, second=empty)
    assert why_of(found.problem, nothing) == ()
