"""Yes/no tracing against closed forms, ties, relabelling and a search that must agree with trying everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suyuan.errors import InputError
from suyuan.tracing.yes_no import (
    Kit,
    YesNoPredictions,
    YesNoPrior,
    YesNoReadings,
    joined,
    log_likelihood,
    name_sources,
)
from suyuan.tracing.yes_no_predict import ReleaseGrid, predict_with_matrices, search_starts
from suyuan.transport.matrix import Receptors, Source, SourceReceptorMatrix

KIT = Kit(1.0, false_positive=0.05, false_negative=0.05)
SOMEBODY = YesNoPrior(nobody=0.0)


def said(*answers: bool) -> YesNoReadings:
    return YesNoReadings(
        tuple(f"S{o}" for o in range(len(answers))), np.arange(float(len(answers))), np.array(answers)
    )


def predicted(rows: dict[str, list[list[int]]]) -> YesNoPredictions:
    """Each candidate with one row of 0 and 1 a start; starts are 0, 60, 120 s..."""
    flat = [(name, 60.0 * i, row) for name, table in rows.items() for i, row in enumerate(table)]
    return YesNoPredictions(
        candidate=tuple(name for name, _, _ in flat),
        start=np.array([start for _, start, _ in flat]),
        scenario=np.zeros(len(flat), np.intp),
        is_positive=np.array([row for _, _, row in flat], bool),
    )


def test_likelihood_is_that_of_the_toolkit_when_both_rates_are_equal() -> None:
    readings = said(True, False, True, False)
    rows = np.array([[1, 0, 1, 0], [1, 1, 1, 1], [0, 1, 0, 1]], bool)
    match = np.array([4, 2, 0])
    np.testing.assert_allclose(
        np.exp(log_likelihood(rows, readings, kit=KIT)), 0.95**match * 0.05 ** (4 - match), rtol=1e-12
    )


def test_the_two_rates_are_not_confused() -> None:
    kit = Kit(1.0, false_positive=0.03, false_negative=0.2)
    rows = np.array([[1, 1], [0, 0]], bool)
    found = np.exp(log_likelihood(rows, said(True, False), kit=kit))
    np.testing.assert_allclose(found, [0.8 * 0.2, 0.03 * 0.97], rtol=1e-12)


def test_sum_averages_over_starts_and_profile_takes_the_best() -> None:
    readings, rows = said(True), predicted({"A": [[1], [0], [0]], "B": [[1], [1], [0]]})
    by_sum = name_sources(rows, readings, kit=KIT, prior=SOMEBODY)
    a, b = (0.95 + 0.1) / 3, (1.9 + 0.05) / 3
    assert by_sum.candidate == ("B", "A")
    assert by_sum.probability_of("A") == pytest.approx(a / (a + b), rel=1e-12)
    by_profile = name_sources(rows, readings, kit=KIT, prior=SOMEBODY, over_starts="profile")
    np.testing.assert_allclose(by_profile.probability, 0.5, rtol=1e-12)
    best = dict(zip(by_profile.candidate, by_profile.best_start.T.tolist(), strict=True))
    assert best == {"A": [0.0, 0.0], "B": [0.0, 60.0]}


def test_nobody_competes_with_its_prior() -> None:
    found = name_sources(predicted({"A": [[1, 1]]}), said(True, True), kit=KIT, prior=YesNoPrior(nobody=0.1))
    somebody, nobody = 0.9 * 0.95**2, 0.1 * 0.05**2
    assert found.no_source_probability == pytest.approx(nobody / (somebody + nobody), rel=1e-12)
    assert found.probability.sum() + found.no_source_probability == pytest.approx(1.0, rel=1e-12)


def test_prior_weights_multiply_the_odds() -> None:
    prior = YesNoPrior(nobody=0.0, weight={"A": 3.0, "B": 1.0})
    found = name_sources(predicted({"A": [[1]], "B": [[1]]}), said(True), kit=KIT, prior=prior)
    assert found.probability_of("A") == pytest.approx(0.75, rel=1e-12)


def test_credible_set_does_not_cut_inside_a_tie() -> None:
    rows = predicted({"far": [[0, 0]], "A": [[1, 1]], "B": [[1, 1]], "C": [[1, 1]]})
    found = name_sources(rows, said(True, True), kit=KIT, prior=SOMEBODY, credible=0.5)
    assert found.credible_set == ("A", "B", "C")
    assert found.candidate == ("A", "B", "C", "far")


def test_flows_are_averaged_by_weight_and_a_candidate_struck_out_under_one_loses_it() -> None:
    windy, calm = predicted({"A": [[1]], "B": [[0]]}), predicted({"A": [[0]]})
    for over_starts in ("sum", "profile"):
        found = name_sources(
            joined([windy, calm], [3.0, 1.0]), said(True), kit=KIT, prior=SOMEBODY, over_starts=over_starts
        )
        a, b = 0.75 * 0.95 + 0.25 * 0.05, 0.75 * 0.05
        assert found.probability_of("A") == pytest.approx(a / (a + b), rel=1e-12)


def test_blind_candidates_are_listed_and_not_removed() -> None:
    found = name_sources(predicted({"A": [[1]], "hidden": [[0]]}), said(False), kit=KIT)
    assert found.blind == ("hidden",)
    assert "hidden" in found.candidate
    assert "unseen" in str(found)


def test_printing_frame_and_dict_tell_the_same() -> None:
    found = name_sources(predicted({"A": [[1]], "B": [[0]]}), said(True), kit=KIT)
    frame, plain = found.to_frame(), found.to_dict()
    assert frame["candidate"].tolist() == [c["id"] for c in plain["candidates"]] == ["A", "B"]
    assert frame["probability"].tolist() == [c["probability"] for c in plain["candidates"]]
    assert str(found).splitlines()[1].startswith("A")
    assert "nobody" in str(found)


@given(st.data())
def test_renaming_and_reordering_change_nothing_but_names(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 5))
    table = data.draw(
        st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=2 * n, max_size=2 * n)
    )
    rows = {f"N{i}": [list(map(int, table[2 * i])), list(map(int, table[2 * i + 1]))] for i in range(n)}
    shuffled = data.draw(st.permutations(list(rows)))
    readings = said(True, False, True)
    over_starts = data.draw(st.sampled_from(["sum", "profile"]))
    one = name_sources(predicted(rows), readings, kit=KIT, over_starts=over_starts)
    other = name_sources(
        predicted({f"new {name}": rows[name] for name in shuffled}),
        readings,
        kit=KIT,
        over_starts=over_starts,
    )
    for name in rows:
        assert other.probability_of(f"new {name}") == pytest.approx(one.probability_of(name), rel=1e-9)
    assert {f"new {name}" for name in one.credible_set} == set(other.credible_set)


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 40)), min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_searching_starts_names_as_trying_every_start_does(
    travel: list[tuple[float, float]], answers: list[bool]
) -> None:
    """A release from `start` on shows at reading o where water that left then has arrived."""
    readings = YesNoReadings(("S", "T") * 3, np.repeat([40.0, 80.0, 120.0], 2), np.array(answers))
    delay = {f"N{i}": np.array([s, s + lag] * 3) for i, (s, lag) in enumerate(travel)}
    starts = np.arange(0.0, 130.0, 5.0)

    def run(node: str, start: float) -> np.ndarray:
        return start + delay[node] <= readings.time

    searched = search_starts(run, readings, releases=ReleaseGrid(tuple(delay), starts, 1.0), kit=KIT)
    every = predicted({n: [run(n, s).astype(int).tolist() for s in starts] for n in delay})
    for over_starts in ("sum", "profile"):
        one = name_sources(searched, readings, kit=KIT, over_starts=over_starts)
        other = name_sources(every, readings, kit=KIT, over_starts=over_starts)
        for node in delay:
            assert one.probability_of(node) == pytest.approx(other.probability_of(node), abs=2e-6)


def test_source_receptor_matrices_give_predictions_of_every_start_and_rate() -> None:
    """Two bins of an hour; receptor S sees 2 s/m3 of bin 0 and 1 s/m3 of bin 1, T only the second."""
    time = np.array(["2024-01-01T02", "2024-01-01T03"], "datetime64[s]")
    matrix = SourceReceptorMatrix(
        receptors=Receptors(np.array(["S", "T"]), np.array(["R", "R"]), np.zeros(2), time, np.zeros(2)),
        sources=(Source("O1", "outfall", "R", 0.0),),
        start=np.datetime64("2024-01-01T00", "s"),
        edges=np.array([0.0, 3600.0, 7200.0]),
        values=np.array([[[2.0, 1.0]], [[0.0, 1.0]]]),
        boundaries=(),
        flow_edges=np.array([0.0, 7200.0]),
        inflow=np.zeros((0, 1)),
        fraction=np.zeros((2, 0, 1)),
        initial=np.ones(2),
    )
    found = predict_with_matrices([matrix], rates_g_s=[1.0, 3.0], kit=Kit(2.5))
    assert found.candidate == ("O1",) * 4
    rows = {
        (start, rate): row.tolist()
        for start, rate, row in zip(found.start, [1.0, 1.0, 3.0, 3.0], found.is_positive, strict=True)
    }
    assert rows == {
        (0.0, 1.0): [True, False],
        (3600.0, 1.0): [False, False],
        (0.0, 3.0): [True, True],
        (3600.0, 3.0): [True, True],
    }


def test_search_refuses_a_model_in_which_more_shows_less() -> None:
    def run(node: str, start: float) -> np.ndarray:
        return np.array([start > 30.0, start <= 30.0])

    with pytest.raises(InputError, match="a later release"):
        search_starts(
            run,
            said(True, False),
            releases=ReleaseGrid(("A",), np.arange(0.0, 60.0, 5.0), 1.0),
            kit=KIT,
        )


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Kit(1.0, 0.0, 0.1), "never wrong"),
        (lambda: Kit(1.0, 0.6, 0.5), "turn it round"),
        (lambda: Kit(-1.0), "detects_g_m3"),
        (lambda: YesNoReadings(("A",), np.zeros(2), np.array([True])), "one of each"),
        (lambda: YesNoReadings(("A",), np.array([np.nan]), np.array([True])), "no time"),
        (lambda: YesNoPrior(nobody=1.0), "nobody"),
        (lambda: YesNoPrior(weight={"A": 1.0}).shares(["B"]), "no weight"),
        (lambda: ReleaseGrid(("A",), np.array([1.0, 1.0]), 1.0), "rise"),
        (lambda: log_likelihood(np.zeros((1, 3), bool), said(True), kit=KIT), "3 readings for 1"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(build, says: str) -> None:
    with pytest.raises(InputError, match=says):
        build()
