"""What a sample tells about who did it: closed forms, and what must hold for any numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad

from suyuan.errors import InputError
from suyuan.tracing.next_sample import (
    Beliefs,
    Hypotheses,
    Reading,
    YesNo,
    entropy,
    hypotheses_of,
    kit_chance,
    learned,
    surest,
    yes_no_gains,
)

Array = NDArray[np.float64]


def _h(p: float) -> float:
    return entropy(np.array([p, 1.0 - p]))


def _before(hypotheses: Hypotheses) -> Beliefs:
    return Beliefs.before(hypotheses)


def _certain(count: int, weight: Array | None = None) -> Hypotheses:
    """Every scenario names another outfall."""
    return hypotheses_of([f"O{i}" for i in range(count)], weight, is_sampled=False)


def test_a_kit_on_two_suspects_tells_what_a_noisy_channel_carries():
    # yes with 0.95 if O0 did it, 0.03 if O1: I = H(0.49) - (H(0.95) + H(0.03)) / 2 (Cover & Thomas, 2006, eq. 2.38)
    kit = YesNo(np.array([0.95, 0.03]))
    both = _certain(2)
    assert kit.gain(_before(both), both) == pytest.approx(_h(0.49) - 0.5 * (_h(0.95) + _h(0.03)), abs=1e-12)


def test_a_perfect_kit_between_equal_halves_tells_one_bit():
    four = _certain(4)
    assert YesNo(np.array([1.0, 1.0, 0.0, 0.0])).gain(_before(four), four) == pytest.approx(1.0, abs=1e-9)


def test_a_kit_that_sees_all_or_none_tells_nothing():
    four = _certain(4)
    gains = yes_no_gains(np.array([[0.97] * 4, [0.03] * 4]), _before(four), hypotheses=four)
    assert gains == pytest.approx([0.0, 0.0], abs=1e-12)


def test_a_tree_of_eight_outfalls_is_walked_by_halves():
    # places: mouths of 8 outfalls, above pairs, above fours, above all; a perfect kit halves the suspects each time
    eight = _certain(8)
    sees = np.array(
        [[i // size == k for i in range(8)] for size in (1, 2, 4, 8) for k in range(8 // size)], float
    )
    beliefs, told = _before(eight), 0.0
    for expected_above in (4, 2, 1):
        gains = yes_no_gains(sees, Beliefs(np.ones(1), beliefs.weight[:1]), hypotheses=eight)
        best = int(np.argmax(gains))
        assert sees[best] @ (beliefs.weight[0] > 0.0) == expected_above
        told += gains[best]
        beliefs = YesNo(sees[best]).split(Beliefs(np.ones(1), beliefs.weight[:1]))
    assert told == pytest.approx(3.0, abs=1e-9)
    assert beliefs.weight[0].max() == pytest.approx(1.0)


def test_a_concentration_tells_what_the_integral_over_all_readings_says():
    # two suspects, normal readings 2 standard deviations apart
    def told(y: float) -> float:
        a, b = (np.exp(-0.5 * (y - m) ** 2) / np.sqrt(2.0 * np.pi) for m in (0.0, 2.0))
        mean = 0.5 * (a + b)
        return float(-mean * np.log2(mean) + 0.5 * (a * np.log2(a) + b * np.log2(b)))

    exact = quad(told, -8.0, 10.0)[0]
    noise = np.random.default_rng(1).standard_normal((40_000, 1))
    two = _certain(2)
    found = Reading(np.array([[0.0], [2.0]]), np.ones((2, 1)), noise).gain(_before(two), two)
    assert found == pytest.approx(exact, abs=0.01)  # fails once in 10^4 seeds


def test_two_determinands_tell_more_than_one():
    noise = np.random.default_rng(2).standard_normal((5_000, 2))
    mean, sd = np.array([[0.0, 0.0], [1.0, 2.0]]), np.ones((2, 2))
    two = _certain(2)
    one = Reading(mean[:, :1], sd[:, :1], noise[:, :1]).gain(_before(two), two)
    assert Reading(mean, sd, noise).gain(_before(two), two) > one + 0.2


def test_scenarios_drawn_at_random_are_not_recognised():
    # labels and predictions have nothing to do with each other: a sample tells nothing, however few the draws
    rng = np.random.default_rng(3)
    labels = [f"O{i}" for i in rng.integers(0, 40, 300)]
    mean = rng.normal(0.0, 10.0, (300, 2))
    reading = Reading(mean, np.ones((300, 2)), rng.standard_normal((300, 2)))
    naive, honest = (hypotheses_of(labels, is_sampled=s) for s in (False, True))
    assert reading.gain(_before(naive), naive) > 2.0
    assert reading.gain(_before(honest), honest) < 0.05
    kit = YesNo(rng.uniform(0.03, 0.95, 300))
    assert kit.gain(_before(honest), honest) < 0.01


def test_many_draws_of_one_suspect_count_as_one():
    # 200 draws each of two suspects that a kit tells apart: the same as the two themselves
    labels = ["O0"] * 200 + ["O1"] * 200
    drawn = hypotheses_of(labels, is_sampled=True)
    kit = YesNo(np.repeat([0.95, 0.03], 200))
    exact = _h(0.49) - 0.5 * (_h(0.95) + _h(0.03))
    assert kit.gain(_before(drawn), drawn) == pytest.approx(exact, abs=0.03)


chances = st.lists(st.floats(0.03, 0.95), min_size=6, max_size=6).map(np.array)
weights = st.lists(st.floats(0.01, 1.0), min_size=6, max_size=6).map(lambda w: np.array(w) / sum(w))
labels = st.lists(st.sampled_from(["A", "B", "C"]), min_size=6, max_size=6)


@settings(max_examples=60, deadline=None)
@given(chances, weights, labels, st.booleans())
def test_information_is_never_negative_nor_more_than_what_is_unsure(
    chance: Array, weight: Array, label: list[str], is_sampled: bool
):
    hypotheses = hypotheses_of(label, weight, is_sampled=is_sampled)
    unsure = entropy(_before(hypotheses).probabilities(hypotheses)[0])
    noise = np.random.default_rng(0).standard_normal((64, 1))
    for outcome in (YesNo(chance), Reading(10.0 * chance[:, None], np.ones((6, 1)), noise)):
        gain = outcome.gain(_before(hypotheses), hypotheses)
        assert 0.0 <= gain <= unsure + (1e-9 if isinstance(outcome, YesNo) else 0.5)


@settings(max_examples=60, deadline=None)
@given(chances, chances, weights, labels)
def test_what_two_kits_tell_is_what_their_four_answers_tell(
    one: Array, two: Array, weight: Array, label: list[str]
):
    hypotheses = hypotheses_of(label, weight, is_sampled=False)
    first, beliefs = learned(_before(hypotheses), YesNo(one), hypotheses=hypotheses)
    second = YesNo(two).gain(beliefs, hypotheses)
    named = hypotheses.membership()
    total = entropy(weight @ named)
    for answer in (one * two, one * (1.0 - two), (1.0 - one) * two, (1.0 - one) * (1.0 - two)):
        joint = (weight * answer) @ named
        total -= joint.sum() * entropy(joint / joint.sum())
    assert first + second == pytest.approx(total, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(chances, weights, labels)
def test_what_is_believed_on_average_does_not_change_by_looking(
    chance: Array, weight: Array, label: list[str]
):
    hypotheses = hypotheses_of(label, weight, is_sampled=False)
    after = YesNo(chance).split(_before(hypotheses))
    assert after.chance @ after.weight == pytest.approx(weight)
    assert surest(after, hypotheses) >= surest(_before(hypotheses), hypotheses) - 1e-12


def test_many_outcomes_are_thinned_to_equally_likely_ones():
    rng = np.random.default_rng(4)
    six = _certain(6)
    beliefs = _before(six)
    for _ in range(8):
        _, beliefs = learned(beliefs, YesNo(rng.uniform(0.03, 0.95, 6)), hypotheses=six)
    assert len(beliefs.chance) <= 48
    assert beliefs.chance.sum() == pytest.approx(1.0)
    assert beliefs.weight.sum(axis=1) == pytest.approx(np.ones(len(beliefs.chance)))


def test_a_kit_says_yes_half_the_time_at_its_limit():
    says = kit_chance(np.array([0.0, 1.0, 9.0]), limit=1.0, sd=0.1, false_positive=0.0, false_negative=0.0)
    assert says == pytest.approx([0.0, 0.5, 1.0])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Hypotheses(("A",), np.array([0, 1]), np.array([0.5, 0.5])), "label 1"),
        (lambda: Hypotheses(("A", "B"), np.array([0, 1]), np.array([0.5, 0.6])), "1.1"),
        (lambda: Hypotheses(("A",), np.array([0]), np.array([0.5, 0.5])), "1 labels for 2"),
        (
            lambda: kit_chance(np.zeros(1), limit=1.0, sd=1.0, false_positive=0.6, false_negative=0.5),
            "0.6",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_value(make, said: str):
    with pytest.raises(InputError, match=said):
        make()
