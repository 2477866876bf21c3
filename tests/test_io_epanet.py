"""EPANET networks by hand: a line of pipes with known travel times, written here; no third party's network."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from suyuan.errors import InputError
from suyuan.tracing.yes_no import Kit, YesNoPrior, YesNoReadings, name_sources
from suyuan.tracing.yes_no_predict import ReleaseGrid

if find_spec("wntr") is None:
    pytest.skip("EPANET needs wntr (extra `epanet`)", allow_module_level=True)

from suyuan.io.epanet import nodes_upstream, predict_with_epanet

KIT = Kit(1e-3)
PIPE_S = 1800.0
"""Travel time of each pipe: 0.5 m/s over 900 m."""

DIAMETER_MM, LENGTH_M, DEMAND_LPS = 200.0, 900.0, 0.5 * np.pi * 0.1**2 * 1000.0


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """Invented: lake L - A - B - C with all demand at C, and a side arm D off A that uses half as much again."""
    text = f"""
[JUNCTIONS]
 A 0 0
 B 0 0
 C 0 {DEMAND_LPS:.6f}
 D 0 {0.5 * DEMAND_LPS:.6f}
[RESERVOIRS]
 L 100
[PIPES]
 LA L A {LENGTH_M} 400 130
 AB A B {LENGTH_M} {DIAMETER_MM} 130
 BC B C {LENGTH_M} {DIAMETER_MM} 130
 AD A D {LENGTH_M} {DIAMETER_MM} 130
[TIMES]
 Duration 12:00
 Hydraulic Timestep 1:00
 Quality Timestep 0:01
 Pattern Timestep 1:00
[QUALITY]
 A 5
[SOURCES]
 B CONCEN 50
[OPTIONS]
 Units LPS
 Headloss H-W
 Quality Chlorine mg/L
[END]
"""
    path = tmp_path / "line.inp"
    path.write_text(text, "utf-8")
    return path


def readings(*rows: tuple[str, float, bool]) -> YesNoReadings:
    place, time, answer = zip(*rows, strict=True)
    return YesNoReadings(tuple(place), np.array(time), np.array(answer))


def releases(*names: str, starts: np.ndarray | None = None) -> ReleaseGrid:
    return ReleaseGrid(names, np.zeros(1) if starts is None else starts, 0.1)


def test_front_arrives_after_the_travel_time_of_the_pipes(line: Path) -> None:
    at_b, at_c = 3600.0 + PIPE_S, 3600.0 + 2.0 * PIPE_S
    asked = readings(
        ("B", at_b - 240.0, True),
        ("B", at_b + 240.0, True),
        ("C", at_c - 240.0, True),
        ("C", at_c + 240.0, True),
        ("D", at_c + 7200.0, True),
    )
    found = predict_with_epanet(line, asked, releases=releases("A", starts=np.array([3600.0])), kit=KIT)
    assert found.is_positive[0].tolist() == [False, True, False, True, True]


def test_sources_and_quality_of_the_file_are_off(line: Path) -> None:
    asked = readings(("C", 20_000.0, True), ("B", 20_000.0, True), ("A", 60.0, True))
    found = predict_with_epanet(line, asked, releases=releases("D"), kit=KIT)
    assert not found.is_positive.any()


def test_concentration_is_rate_over_discharge(line: Path) -> None:
    """0.1 g/s into the water that C draws: the kit's limit a little below and above the quotient."""
    asked = readings(("C", 20_000.0, True))
    share = 0.1 / (DEMAND_LPS / 1000.0)
    below, above = (
        predict_with_epanet(line, asked, releases=releases("B"), kit=Kit(f * share)) for f in (0.99, 1.01)
    )
    assert below.is_positive.all()
    assert not above.is_positive.any()


def test_every_junction_is_tried_where_none_is_named(line: Path) -> None:
    found = predict_with_epanet(line, readings(("C", 9_000.0, True)), releases=releases(), kit=KIT)
    assert found.candidate == ("A", "B", "C", "D")


def test_source_and_start_are_found_again(line: Path) -> None:
    times = np.arange(1800.0, 14_400.0, 900.0)
    blank = readings(*[(place, t, True) for t in times for place in ("B", "C", "D")])
    truth = predict_with_epanet(line, blank, releases=releases("B", starts=np.array([5400.0])), kit=KIT)
    asked = YesNoReadings(blank.place, blank.time, truth.is_positive[0])
    grid = releases(starts=np.arange(0.0, 12_000.0, 300.0))
    told: list[tuple[int, int]] = []
    predictions = predict_with_epanet(
        line, asked, releases=grid, kit=KIT, progress=lambda done, of: told.append((done, of))
    )
    found = name_sources(predictions, asked, kit=KIT, prior=YesNoPrior(nobody=0.0))
    assert found.candidate[0] == "B"
    first, last = found.best_start[:, 0]
    assert first <= 5400.0 <= last
    assert last - first <= 900.0
    assert told == [(i, 4) for i in range(1, 5)]


def test_nodes_upstream_are_those_whose_water_arrives(line: Path) -> None:
    asked = readings(("B", 9000.0, True), ("D", 9000.0, False))
    assert set(nodes_upstream(line, asked)) == {"L", "A", "B"}
    assert nodes_upstream(line, readings(("B", 9000.0, False))) == ()


def test_unknown_node_missing_file_and_late_reading_are_refused(line: Path, tmp_path: Path) -> None:
    asked = readings(("C", 9000.0, True))
    with pytest.raises(InputError, match="'BB' is not in the network"):
        predict_with_epanet(line, asked, releases=releases("BB"), kit=KIT)
    with pytest.raises(InputError, match="no such file"):
        predict_with_epanet(tmp_path / "none.inp", asked, releases=releases("A"), kit=KIT)
    with pytest.raises(InputError, match="lengthen the duration"):
        predict_with_epanet(line, readings(("C", 1e6, True)), releases=releases("A"), kit=KIT)


def test_file_that_epanet_cannot_read_is_refused_by_name(tmp_path: Path) -> None:
    broken = tmp_path / "broken.inp"
    broken.write_text("[JUNCTIONS]\n A 0 0\n[END]\n", "utf-8")
    with pytest.raises(InputError, match=r"broken\.inp"):
        predict_with_epanet(broken, readings(("A", 0.0, True)), releases=releases("A"), kit=KIT)


def test_numpy_prints_as_before(line: Path) -> None:
    predict_with_epanet(line, readings(("C", 600.0, True)), releases=releases("A"), kit=KIT)
    assert np.get_printoptions()["precision"] == 8
