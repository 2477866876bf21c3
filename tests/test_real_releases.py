"""The bench of real releases: choices of the Severn's stations, and the record of the salt drips."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmarks import neon, neon_record, neon_stream, severn, severn_river, severn_subsets
from suyuan.flow import balanced
from suyuan.tracing.members import FlowMember

needs_severn = pytest.mark.skipif(
    not severn.STATIONS.exists(), reason="the Severn record is not beside the repository (../shared/data)"
)
needs_neon = pytest.mark.skipif(
    not neon_record.FOLDER.exists(), reason="the salt drips are not beside the repository (../shared/data)"
)


@pytest.fixture(scope="module", params=neon_record.DAYS)
def drip(request: pytest.FixtureRequest) -> neon_record.Drip:
    return neon_record.read_drip(neon_record.FOLDER, request.param)


# --- Severn


def test_a_limited_number_of_choices_begins_and_ends_with_the_first_and_last_of_all() -> None:
    km = [2.875, 5.275, 7.775, 10.275, 13.775]
    every, some = severn_subsets.choices(km), severn_subsets.choices(km, count=5)
    assert len(every) == len(set(every)) == 10 + 5 + 1
    assert (some[0], some[-1], len(set(some))) == (every[0], every[-1], 5)


@needs_severn
def test_rows_taken_for_a_choice_are_those_computed_for_its_stations_alone() -> None:
    every = severn.read_stations(severn.STATIONS, first_km=7.775)
    some = every[:2]
    basis = severn.basis_of(every, members=1)
    taken = severn.seen_from(basis.matrices[0], some)
    given = FlowMember(balanced(severn_river.river(every)[1], basis.network), 1.0)
    alone = severn.matrix_of(basis.network, given, observations=severn.readings(some), edges=taken.edges)
    assert np.array_equal(alone.receptors.time, taken.receptors.time)
    np.testing.assert_array_equal(alone.values, taken.values)
    np.testing.assert_allclose(alone.fraction, taken.fraction, rtol=1e-12, atol=1e-18)


@needs_severn
def test_one_choice_of_three_stations_is_traced_with_intervals_in_order() -> None:
    passages = severn.read_stations(severn.STATIONS)
    (traced,) = severn_subsets.traced(
        passages, [(2.875, 7.775, 13.775)], seeds=[1], trial=severn_subsets.Trial(members=4)
    )
    found = traced.found
    for quantiles in (found.place_km, found.mass_kg, found.start_h):
        assert np.all(np.diff(quantiles) >= 0.0)
    assert (found.first_km, found.last_km) == (2.875, 13.775)
    assert found.nobody < 0.01
    scores = severn_subsets.scores([traced])
    assert scores["place_90_covers"] == float(found.place_km[0] <= 0.0 <= found.place_km[2])
    assert scores["mass_error"] == pytest.approx(abs(found.mass_kg[1] - 1.0))


@needs_severn
def test_counting_a_curve_as_four_numbers_widens_what_is_said_of_the_place() -> None:
    passages = severn.read_stations(severn.STATIONS, first_km=7.775)
    basis = severn.basis_of(passages, members=2)
    plain, counted = (
        severn.trace_of(basis, passages, rng=np.random.default_rng(1), is_counted=which)
        for which in (False, True)
    )
    assert np.ptp(counted.place_km) > np.ptp(plain.place_km)


# --- salt drips


@needs_neon
def test_salt_dripped_is_mass_over_volume_times_drip_rate() -> None:
    drip = neon_record.read_drip(neon_record.FOLDER, "2015-03-18")
    assert drip.salt == pytest.approx(1681.0 / 17.0 * 0.1 / 60.0)
    assert (drip.near.below_m, drip.far.below_m) == (35.0, 301.0)


@needs_neon
def test_discharge_dilutes_the_drip_to_the_plateau_of_chloride(drip: neon_record.Drip) -> None:
    chloride = drip.salt * neon_record.CHLORIDE_SHARE
    assert chloride / drip.discharge == pytest.approx(drip.chloride_rise)
    assert 0.05 < drip.discharge < 0.5


@needs_neon
def test_loggers_out_of_the_water_are_cut_off(drip: neon_record.Drip) -> None:
    for logger in (drip.near, drip.far):
        assert np.ptp(logger.ec) < 0.1 * logger.ec.min()
        assert np.all(np.diff(logger.time) > np.timedelta64(0, "s"))
        assert np.isfinite(logger.ec).all()


@needs_neon
def test_readings_are_means_of_five_minutes_until_the_first_logger_is_lifted(drip: neon_record.Drip) -> None:
    until = min(drip.near.time[-1], drip.far.time[-1])
    means = neon_stream.readings((drip.near, drip.far), until=until)
    assert means.time.max() <= until
    first = drip.near.time < drip.near.time[0] + np.timedelta64(300, "s")
    assert means.value[0] == pytest.approx(drip.near.ec[first].mean())


@needs_neon
def test_the_drip_began_minutes_before_the_near_logger_is_seen_to_rise(drip: neon_record.Drip) -> None:
    rise = np.datetime64(f"{drip.day}T15:10:00")  # by eye: between 15:05 and 15:15 on both days
    assert np.timedelta64(0) < rise - neon_stream.began(drip) < np.timedelta64(15, "m")


@needs_neon
def test_start_of_the_january_drip_is_found_within_its_interval() -> None:
    drip = neon_record.read_drip(neon_record.FOLDER, "2015-01-29")
    found = neon.recover(drip, members=8)
    assert found.nobody < 0.01
    assert found.covers_start, found.start_min
    assert found.finding.is_going_on
