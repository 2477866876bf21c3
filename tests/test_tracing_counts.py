"""How many released: the Bayes factors of nobody, one and two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suyuan.tracing.counts import (
    COUNT_TEMPERATURE,
    LEAST_TEMPERATURE,
    Counts,
    Evidence,
    Shown,
    count_temperature,
    counted,
    discount,
    shown_of,
    shown_priors,
)
from suyuan.tracing.prior import Prior
from suyuan.tracing.search import Explanations
from suyuan.tracing.verdict import evidence_of

PRIOR = Prior((), np.ones(0), (), (), nobody=0.1, pair=0.1)
ALL = Shown(1.0, 1.0, 1.0)
LOGS = st.floats(-200.0, 200.0)


def weighed(
    evidence: Evidence,
    *,
    prior: Prior = PRIOR,
    shown: Shown = ALL,
    substances: int = 3,
    temperature: float = LEAST_TEMPERATURE,
) -> Counts:
    return counted(evidence, prior, shown=shown, substances=substances, temperature=temperature)


def some(share: float) -> Shown:
    """So much of a prior that is spread over very many candidates."""
    return Shown(share, share**2, share**2)


def alike(count: int, log_gain: float, *, shown: float = 1.0) -> Explanations:
    """So many explanations, as likely as each other, that share this much of the prior."""
    zero, one = np.zeros(count, np.int64), np.ones((1, count))
    prior = np.full(count, np.log(shown) - np.log(max(count, 1)))
    return Explanations(zero, np.arange(count), zero, zero, zero, prior, np.full(count, log_gain), one, one)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.02])
def test_readings_that_say_nothing_leave_the_prior_as_it_was(share: float):
    found = weighed(Evidence(-7.0, -7.0, -7.0), shown=some(share))
    none, one, two = shown_priors(PRIOR, some(share))
    assert found == pytest.approx((none, one, two, none))
    assert none + one + two == pytest.approx(1.0)


@pytest.mark.parametrize("pairs", [1, 1000])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_as_many_pairs_as_there_may_be_are_not_ruled_out_by_their_number(pairs: int, share: float):
    """The mean over pairs is what counts: of more pairs with less prior each it is the same."""
    tables = alike(3, 20.0, shown=share), alike(pairs, 20.0, shown=share**2), alike(pairs, 0.0)
    evidence = evidence_of(tables, on=-3.0, nobody=-50.0, shown=some(share))
    assert evidence == pytest.approx((-50.0, 17.0, 17.0))
    found = weighed(evidence, shown=some(share))
    _, one, two = shown_priors(PRIOR, some(share))
    assert found.two / found.one == pytest.approx(two / one)


@pytest.mark.parametrize("weight", [(0.5, 0.5), (0.9, 0.1), (0.6, 0.3, 0.1)])
def test_a_candidate_makes_no_pair_with_itself_and_two_is_not_punished_for_it(weight: tuple[float, ...]):
    share = np.array(weight)
    shown = shown_of(share, share)
    log_prior = np.log([2.0 * share[i] * share[j] for i in range(len(share)) for j in range(i)])
    both = replace(alike(len(log_prior), 5.0), log_prior=log_prior)
    evidence = evidence_of((alike(3, 5.0), both, both), on=0.0, nobody=0.0, shown=shown)
    assert evidence == pytest.approx((0.0, 5.0, 5.0))
    assert shown_priors(PRIOR, shown) == pytest.approx((0.1, 0.8, 0.1))


def test_a_pair_of_which_one_shows_counts_as_one():
    shown = shown_of(np.array([0.5, 0.5]), np.array([0.5, 0.0]))
    assert shown == (0.5, 0.0, 0.0)
    assert shown_priors(PRIOR, shown) == pytest.approx((0.1 + 0.4, 0.4 + 0.1, 0.0))


@pytest.mark.parametrize("temperature", [1.5, 8.0])
def test_the_log_odds_of_two_grow_by_a_part_of_the_evidence_which_is_less_where_flow_members_differ(
    temperature,
):
    part = COUNT_TEMPERATURE * temperature / 1.5
    assert count_temperature(temperature) == pytest.approx(part)
    found = weighed(Evidence(-500.0, 0.0, part * np.log(8.0)), temperature=temperature)
    assert found.two / found.one == pytest.approx(8.0 * 0.1 / 0.8)


def test_evidence_against_a_second_source_counts_no_more_than_evidence_for_it():
    more, less = (weighed(Evidence(-500.0, 0.0, value)) for value in (6.0, -6.0))
    assert more.two / more.one * less.two / less.one == pytest.approx((0.1 / 0.8) ** 2)


def test_two_plumes_that_fit_speak_against_nobody_even_where_they_may_be_one_in_a_wrong_flow():
    """Two fit e^400 better than one, one e^60 worse than nobody with his events: somebody, though it is not sure that two."""
    found = weighed(Evidence(60.0, 0.0, 400.0), temperature=300.0)
    assert found.nobody < 1e-6
    assert 0.1 < found.two < 0.5


def test_evidence_against_nobody_is_discounted_and_evidence_for_nobody_is_not():
    against, silent = weighed(Evidence(-8.0, 0.0, -500.0)), weighed(Evidence(8.0, 0.0, -500.0))
    odds = [p.nobody / (1.0 - p.nobody) * 0.9 / 0.1 for p in (against, silent)]
    assert np.log(odds) == pytest.approx([-(8.0 - np.log(0.9 / 0.8)) / discount(3), 8.0 + np.log(0.9 / 0.8)])


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_where_no_source_can_show_or_explains_anything_nobody_did_it(share: float):
    none = alike(0, 0.0)
    evidence = evidence_of((none, none, none), on=-5.0, nobody=-5.0, shown=some(share))
    assert weighed(evidence, shown=some(share))[:3] == (1.0, 0.0, 0.0)
    assert weighed(Evidence(0.0, 0.0, 0.0), shown=some(0.0)).prior_nobody == 1.0


def test_without_pairs_there_is_one_or_nobody():
    alone = replace(PRIOR, pair=0.0)
    assert weighed(Evidence(-9.0, 0.0, 60.0), prior=alone).two == 0.0
    assert weighed(Evidence(-9.0, 0.0, -np.inf)).two == 0.0


@given(LOGS, LOGS, LOGS, st.floats(1e-3, 1.0), st.floats(2.0, 50.0), st.integers(1, 6))
def test_counts_are_probabilities_and_more_evidence_for_two_never_makes_two_less_probable(
    nobody, one, two, shown, temperature, substances
):
    low, high = (
        weighed(
            Evidence(nobody, one, value), shown=some(shown), temperature=temperature, substances=substances
        )
        for value in (two, two + 3.0)
    )
    for found in (low, high):
        assert sum(found[:3]) == pytest.approx(1.0)
        assert min(found) >= 0.0
    assert high.two >= low.two * (1.0 - 1e-9)
    assert high.nobody <= low.nobody * (1.0 + 1e-9)
