"""Traces in small clean worlds: who did it is known, and so is when nobody did or nobody could have seen."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import tracing_worlds as worlds

from suyuan.errors import InputError
from suyuan.observations import FAIL
from suyuan.report.statements import note_words
from suyuan.tracing.counts import COUNT_TEMPERATURE, LEAST_TEMPERATURE, counted
from suyuan.tracing.library import LEAST_SPREAD, UNKNOWN_SPREAD, library_of
from suyuan.tracing.posterior import candidate_probabilities, problem_of, trace
from suyuan.tracing.prior import default_prior
from suyuan.tracing.readings import blocks_of
from suyuan.tracing.result import Trace
from suyuan.tracing.search import Explanations, Problem
from suyuan.tracing.verdict import (
    LEAST_MEMBERS,
    Verdict,
    effective_members,
    evidence_of,
    shown_in,
    temperature_of,
    tempered,
    weigh,
)

PULSE = {"O1": (worlds.history(48, 6), worlds.rates("industrial", 3.0))}
PULSE_KG = 3.0 * 6 * 3.6
NIGHTLY = {"O2": (worlds.history(66, 8), worlds.rates("domestic", 8.0))}


@cache
def clean() -> Trace:
    world = worlds.meeting()
    return worlds.traced(world, worlds.read(world, PULSE))


@cache
def quiet() -> Trace:
    world = worlds.meeting()
    return worlds.traced(world, worlds.read(world, {}))


@cache
def weighed() -> tuple[Problem, Verdict]:
    world = worlds.meeting()
    problem = problem_of(
        worlds.read(world, PULSE),
        (world.matrix,),
        substances=worlds.substances(),
        fingerprints=worlds.FINGERPRINTS,
        prior=world.prior,
    )
    return problem, weigh(problem)


def test_a_clean_release_is_traced_to_its_outfall():
    found = clean()
    assert found.findings[0].candidate.id == "O1"
    assert found.findings[0].probability > 0.9
    assert found.no_source_probability < 0.01
    assert found.credible_set == ("O1",)


def test_readings_that_were_flagged_away_are_in_the_fit_and_marked():
    world = worlds.meeting()
    seen = worlds.read(world, PULSE)
    at_s = np.flatnonzero((seen.station == "S") & (seen.determinand == "TP"))[[3, 20]]
    value, flag = seen.value.copy(), seen.flag.copy()
    value[at_s], flag[at_s] = 99.0, FAIL
    found = worlds.traced(world, replace(seen, value=value, flag=flag))
    fit = next(f for f in found.fits if (f.station, f.determinand) == ("S", "TP"))
    np.testing.assert_array_equal(np.flatnonzero(~fit.is_used), [3, 20])
    assert (fit.observed[~fit.is_used] == 99.0).all()
    assert np.isnan(fit.fitted[:, ~fit.is_used]).all()
    assert np.isfinite(fit.fitted[:, fit.is_used]).all()
    assert (np.diff(fit.time) > np.timedelta64(0, "s")).all()


def test_mass_and_start_of_a_clean_release_are_covered():
    top = clean().findings[0]
    assert top.mass_kg.q05 < PULSE_KG < top.mass_kg.q95
    assert top.mass_kg.q95 / top.mass_kg.q05 < 3.0
    started = worlds.networks.START + np.timedelta64(48, "h")
    assert top.start.q05 <= started <= top.start.q95
    assert top.release.shape == (3, worlds.LAST_HOUR - worlds.FIRST_HOUR)
    assert (np.diff(top.release, axis=0) >= 0.0).all()


def test_nobody_is_accused_of_a_river_that_only_flows():
    found = quiet()
    assert found.no_source_probability > 0.9
    assert max(finding.probability for finding in found.findings) < 0.05


def test_what_the_readings_say_of_somebody_does_not_hang_on_the_prior_of_nobody():
    world = worlds.meeting()
    observations = worlds.read(world, {})
    usual, doubtful = (
        world.prior,
        default_prior(world.network, world.flow, nobody=0.95, unlisted=worlds.UNLISTED),
    )
    found = trace(
        observations,
        (world.matrix,),
        substances=worlds.substances(),
        fingerprints=worlds.FINGERPRINTS,
        prior=doubtful,
        rng=np.random.default_rng(5),
    )
    assert found.no_source_probability > quiet().no_source_probability
    assert found.bayes_factor == pytest.approx(quiet().bayes_factor, rel=1e-6)
    assert quiet().bayes_factor < 1.0
    assert quiet().prior_nobody > usual.nobody  # O4 lies below every station: its release could not show


def test_the_background_of_a_quiet_river_is_found_at_every_reading():
    for fit in quiet().fits:
        middle = fit.fitted[1]
        assert np.abs(fit.observed / middle - 1.0).max() < 5.0 * worlds.NOISE
        inside = (fit.fitted[0] <= fit.observed) & (fit.observed <= fit.fitted[2])
        assert inside.mean() > 0.8


def test_an_outfall_below_every_station_is_a_blind_spot_and_not_accused():
    # its plume passes no station, so the readings are those of a quiet river
    world = worlds.meeting()
    found = worlds.traced(
        world, worlds.read(world, {"O4": (worlds.history(48, 6), worlds.rates("industrial", 30.0))})
    )
    assert worlds.probability(found, "O4") < 0.01
    assert found.no_source_probability > 0.9
    blind = {spot.candidate: spot.is_blind for spot in found.blind_spots}
    assert blind["O4"].all()
    assert "O1" not in blind or not blind["O1"].all()


def test_two_outfalls_in_a_clean_river_are_both_found():
    world = worlds.meeting()
    found = worlds.traced(world, worlds.read(world, PULSE | NIGHTLY))
    assert worlds.probability(found, "O1") > 0.8
    assert worlds.probability(found, "O2") > 0.8
    assert set(found.pairs[0][:2]) == {"O1", "O2"}


def test_one_determinand_suffices_where_the_stations_tell_the_canals_apart():
    world = worlds.meeting()
    found = worlds.traced(world, worlds.read(world, PULSE), names=("NH3-N",))
    assert found.findings[0].candidate.id in ("O1", "boundary:A", "reach:RA")
    upstream = sum(worlds.probability(found, name) for name in ("O1", "boundary:A", "reach:RA"))
    assert upstream > 0.9


def test_without_fingerprints_the_water_alone_is_followed():
    world = worlds.meeting()
    found = worlds.traced(world, worlds.read(world, PULSE), fingerprints=worlds.NO_FINGERPRINTS)
    assert found.findings[0].candidate.id in ("O1", "boundary:A", "reach:RA")
    assert "no fingerprints" in [note.key for note in found.notes]


def test_names_of_outfalls_mean_nothing():
    world = worlds.meeting((("O1", "Z1"), ("O2", "A2")))
    renamed = {"Z1": PULSE["O1"]}
    found = worlds.traced(world, worlds.read(world, renamed))
    before = {finding.candidate.id: finding.probability for finding in clean().findings}
    after = {finding.candidate.id: finding.probability for finding in found.findings}
    assert after["Z1"] == pytest.approx(before["O1"], rel=1e-6)
    assert after["A2"] == pytest.approx(before["O2"], rel=1e-6)
    assert found.no_source_probability == pytest.approx(clean().no_source_probability, rel=1e-6)


def test_the_same_seed_gives_the_same_answer():
    world = worlds.meeting()
    again = worlds.traced(world, worlds.read(world, PULSE))
    assert again.to_dict() == clean().to_dict()


def test_readings_flagged_as_failed_say_nothing():
    world = worlds.meeting()
    observations = worlds.read(world, PULSE)
    broken = np.arange(len(observations)) % 7 == 3
    wild = replace(
        observations,
        value=np.where(broken, 1e4, observations.value),
        flag=np.where(broken, FAIL, observations.flag).astype(np.int8),
    )
    blocks = blocks_of(wild, world.matrix.receptors, substances=worlds.substances())
    assert sum(len(block.value) for block in blocks) == (~broken).sum()
    assert max(block.value.max() for block in blocks) < 1e3


def test_a_window_without_the_traced_determinand_is_refused():
    world = worlds.meeting()
    others = worlds.read(world, {})
    others = others.where(others.determinand != "NH3-N")
    with pytest.raises(InputError, match="no usable reading of NH3-N"):
        blocks_of(others, world.matrix.receptors, substances=worlds.substances())


def test_library_keeps_the_ratios_of_each_kind():
    world = worlds.meeting()
    blocks = blocks_of(worlds.read(world, {}), world.matrix.receptors, substances=worlds.substances())
    library = library_of(worlds.FINGERPRINTS, blocks)
    domestic = library.kinds.index("domestic")
    np.testing.assert_allclose(np.exp(library.centre[domestic]), np.array([40.0, 5.0, 120.0]) / 40.0)
    assert library.spread.min() >= LEAST_SPREAD


def test_what_the_library_does_not_know_is_left_wide_open():
    world = worlds.meeting()
    blocks = blocks_of(worlds.read(world, {}), world.matrix.receptors, substances=worlds.substances())
    gap = replace(worlds.FINGERPRINTS, median=worlds.FINGERPRINTS.median * np.array([1.0, np.nan, 1.0]))
    library = library_of(gap, blocks)
    assert np.isfinite(library.centre).all()
    assert (library.spread[:, 1] == UNKNOWN_SPREAD).all()


def test_the_prior_shares_itself_out_among_all_candidates():
    world = worlds.meeting()
    prior = world.prior
    assert prior.weight.sum() == pytest.approx(1.0)
    of = {c.id: w for c, w in zip(prior.candidates, prior.weight, strict=True)}
    # 1 and 3 m3/s enter; the reaches are 1500, 2100 and 3000 m long
    assert of["boundary:B"] / of["boundary:A"] == pytest.approx(3.0)
    assert of["reach:RC"] / of["reach:RA"] == pytest.approx(2.0)
    problem, _ = weighed()
    assert np.exp(problem.log_prior).sum() == pytest.approx(1.0)


def test_the_prior_of_nobody_leaves_room_for_one_and_for_two():
    world = worlds.meeting()
    assert default_prior(world.network, world.flow).pair == pytest.approx(0.10)
    sure = default_prior(world.network, world.flow, nobody=0.95)
    assert sure.nobody + sure.pair < 1.0
    for value in (0.0, 1.0, float("nan")):
        with pytest.raises(InputError, match="prior of nobody"):
            default_prior(world.network, world.flow, nobody=value)
    with pytest.raises(InputError, match=r"prior of nobody and of two: 0\.6 and 0\.4; leave some"):
        replace(sure, nobody=0.6, pair=0.4)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.25, 0.87])
def test_unlisted_sources_have_the_share_that_was_asked_for(share: float):
    world = worlds.meeting()
    assert default_prior(world.network, world.flow, unlisted=share).unlisted == pytest.approx(share)


@pytest.mark.parametrize("share", [-0.1, 0.9, 1.5, float("nan"), float("inf")])
def test_shares_that_leave_less_than_nothing_to_outfalls_are_refused(share: float):
    world = worlds.meeting()
    with pytest.raises(InputError, match=r"unlisted sources and of boundaries: .* and 0.13; give shares"):
        default_prior(world.network, world.flow, unlisted=share)


def test_with_one_source_the_candidates_and_nobody_share_one():
    problem, verdict = weighed()
    alone = replace(verdict, nobody=0.2, one=0.8, two=0.0)
    shares = candidate_probabilities(problem, alone)
    assert sum(shares.values()) + alone.nobody == pytest.approx(1.0)


@pytest.mark.parametrize("two", [0.0, 0.5, 1.0])
def test_probabilities_stay_between_none_and_certain(two):
    problem, verdict = weighed()
    shares = candidate_probabilities(problem, replace(verdict, nobody=0.0, one=1.0 - two, two=two))
    assert all(0.0 <= p <= 1.0 for p in shares.values())
    assert verdict.nobody + verdict.one + verdict.two == pytest.approx(1.0)


def test_hotter_evidence_speaks_more_softly():
    _, verdict = weighed()
    hot = replace(verdict.single, temperature=4.0)
    assert hot.weight.sum() == pytest.approx(1.0)
    assert hot.weight.max() < replace(verdict.single, temperature=1.0).weight.max()
    assert hot.log_evidence < replace(verdict.single, temperature=1.0).log_evidence


def test_evidence_is_weakened_until_enough_flow_members_carry_weight():
    # eight members, each with two explanations as likely a priori, whose evidence differs by 30: one would decide alone
    row = np.arange(16)
    many = Explanations(
        member=row % 8,
        source=row // 8,
        shape=np.zeros(16, np.int64),
        kind=np.zeros(16, np.int64),
        scene=np.zeros(16, np.int64),
        log_prior=np.full(16, -3.0),
        log_gain=30.0 * (row % 8),
        alpha=np.ones((1, 16)),
        beta=np.ones((1, 16)),
    )
    assert effective_members(many, 8) == pytest.approx(1.0, abs=1e-6)
    warm = replace(many, temperature=temperature_of(many, 8))
    assert LEAST_MEMBERS <= effective_members(warm, 8) < LEAST_MEMBERS + 1.0
    assert warm.weight.sum() == pytest.approx(1.0)
    assert np.argmax(warm.weight) in (7, 15)


def test_each_count_rests_on_enough_flow_members_of_its_own():
    """Singles fit alike in all eight flows, pairs in one flow only: that weakens the pairs and not the singles."""
    row = np.arange(8)
    zero, one = np.zeros(8, np.int64), np.ones((1, 8))
    alike = Explanations(row, zero, zero, zero, zero, np.full(8, -2.0), np.full(8, 50.0), one, one)
    odd = replace(alike, log_gain=np.where(row == 3, 150.0, 50.0))
    single, first, second = tempered((alike, odd, odd), 8)
    assert single.temperature == LEAST_TEMPERATURE
    assert first.temperature == second.temperature > 20.0
    assert LEAST_MEMBERS <= effective_members(first, 8) < LEAST_MEMBERS + 1.0
    _, found = weighed()
    sure_of_two = replace(found, nobody=0.0, one=0.0, two=1.0, single=single, first=first, second=second)
    assert sure_of_two.temperature == first.temperature
    assert sure_of_two.count_temperature == COUNT_TEMPERATURE
    assert sure_of_two.effective_members(8) == pytest.approx(effective_members(first, 8))
    assert replace(sure_of_two, nobody=1.0, two=0.0).effective_members(8) == pytest.approx(8.0)


def test_one_or_two_is_judged_by_the_whole_evidence_of_both():
    problem, found = weighed()
    tables = tuple(replace(table, temperature=1.0) for table in (found.single, found.first, found.second))
    ground = max(found.scenes, key=lambda scene: scene.log_density).ground.log_density
    shown = shown_in(problem, found.scenes[0].claimed)
    evidence = evidence_of(tables, on=ground, nobody=found.quiet.log_density(), shown=shown)
    again = counted(evidence, problem.grid.prior, shown=shown, substances=3, temperature=LEAST_TEMPERATURE)
    assert found.two < 0.05
    assert (found.nobody, found.one, found.two) == pytest.approx(again[:3], rel=1e-9)


def test_members_that_agree_weaken_the_evidence_no_further():
    row = np.arange(8)
    zero = np.zeros(8, np.int64)
    agreeing = Explanations(
        row, zero, zero, zero, zero, np.zeros(8), np.full(8, 50.0), np.ones((1, 8)), np.ones((1, 8))
    )
    assert temperature_of(agreeing, 8) == LEAST_TEMPERATURE
    assert effective_members(agreeing, 8) == pytest.approx(8.0)


def test_ammonium_without_a_rate_of_decay_is_said():
    world = worlds.meeting()
    bare = tuple(replace(substance, decay_per_s=0.0) for substance in worlds.substances())
    found = trace(
        worlds.read(world, {}),
        (world.matrix,),
        substances=bare,
        fingerprints=worlds.FINGERPRINTS,
        prior=world.prior,
        rng=np.random.default_rng(5),
    )
    (note,) = [note for note in found.notes if note.key == "no rate"]
    assert str(note).startswith("NH3-N: lost on the way")
    assert note_words(note).zh.startswith("NH3-N 会在途中衰减")
    assert not any(note.key == "no rate" for note in quiet().notes)


def test_where_no_source_can_show_the_answer_is_nobody():
    world = worlds.meeting()
    blind = replace(world, matrix=replace(world.matrix, values=np.zeros_like(world.matrix.values)))
    found = worlds.traced(blind, worlds.read(world, {}))
    assert found.no_source_probability == 1.0
    assert max(finding.probability for finding in found.findings) == 0.0
    assert found.effective_members == 0.0
    assert found.credible_set == ()
    said = {a.name: a.value for a in found.assumptions}
    assert said["evidence divided by"] == f"{LEAST_TEMPERATURE:.2f}"
    assert "members disagree" not in [note.key for note in found.notes]
