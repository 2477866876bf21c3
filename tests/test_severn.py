"""The dye release in the River Severn, traced from five stations that know neither place, time nor mass."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmarks import severn, severn_river
from suyuan.flow import balanced

if not severn.STATIONS.exists():
    pytest.skip("the Severn record is not beside the repository (../shared/data)", allow_module_level=True)


@pytest.fixture(scope="module")
def passages() -> tuple[severn_river.Passage, ...]:
    return severn.read_stations(severn.STATIONS)


@pytest.fixture(scope="module")
def found(passages: tuple[severn_river.Passage, ...]) -> severn.Found:
    return severn.trace_release(passages, members=16)


def test_only_stations_below_the_first_used_are_read(passages: tuple[severn_river.Passage, ...]) -> None:
    assert [p.km for p in passages] == [2.875, 5.275, 7.775, 10.275, 13.775]


def test_suspect_arrival_is_not_used(passages: tuple[severn_river.Passage, ...]) -> None:
    assert [p.km for p in passages if np.isnan(p.arrival_h)] == [5.275]


def test_curve_passes_through_arrival_peak_and_trailing_edge(
    passages: tuple[severn_river.Passage, ...],
) -> None:
    for p in passages:
        if not np.isnan(p.arrival_h):
            three = severn.curve(p, np.array([p.arrival_h, p.peak_h, p.trailing_h]))
            np.testing.assert_allclose(three / p.peak, [severn.EDGE, 1.0, severn.EDGE], rtol=1e-9)


def test_river_is_drawn_upstream_by_twice_the_distance_of_the_first_station(
    passages: tuple[severn_river.Passage, ...],
) -> None:
    network, _ = severn_river.river(passages)
    length = sum(r.length_m for r in network.reaches[: severn_river.UPPER_REACHES])
    assert length >= 2.0 * 1000.0 * passages[0].km


def test_discharge_at_each_station_is_the_one_recorded(passages: tuple[severn_river.Passage, ...]) -> None:
    network, given = severn_river.river(passages)
    flow = balanced(given, network)
    at = {s.id: flow.discharge_end[0, network.reach_index(s.reach)] for s in network.stations}
    for p in passages:
        assert at[p.id] == pytest.approx(p.discharge, rel=1e-6)


def test_release_lies_in_the_90_percent_interval_of_its_place(found: severn.Found) -> None:
    assert found.covers_release, found.place_km


def test_release_of_one_kilogram_at_hour_zero_lies_in_the_intervals(found: severn.Found) -> None:
    assert found.mass_kg[0] <= severn.RELEASED_KG <= found.mass_kg[2]
    assert found.start_h[0] <= 0.0 <= found.start_h[2]


def test_a_cloud_that_passed_is_not_put_down_to_nobody(found: severn.Found) -> None:
    assert found.nobody < 0.01
