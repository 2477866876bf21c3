"""Composite samples: water drawn evenly over hours, one value. What they see, what they owe, and who they find."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from functools import cache

import networks
import numpy as np
import pytest
import tracing_worlds as worlds
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import LineCollection
from matplotlib.dates import date2num
from scipy.special import erf

from suyuan.network import Network
from suyuan.observations import GOOD, MOST_COMPOSITE_S, Observations, pooled
from suyuan.plot.series import readings
from suyuan.substances import Substance, determinand
from suyuan.tracing.background import PRIOR_SHARE, background_parts
from suyuan.tracing.posterior import trace
from suyuan.tracing.prior import candidate_sources
from suyuan.tracing.readings import blocks_of
from suyuan.tracing.result import Trace
from suyuan.transport.matrix import Receptors, Source
from suyuan.transport.operator import TransportOperator, compile_operator
from suyuan.transport.reverse import adjoint
from suyuan.transport.runs import Releases, forward
from suyuan.transport.sampling import PART_S, receptors_of
from suyuan.transport.source_receptor import source_receptor_matrix

HOUR = 3600.0
DAY = 24.0 * HOUR


def drawn(station: str, hours: list[float], composite_h: list[float], *, name: str = "NH3-N") -> Observations:
    """Return readings of value 1 that end at these hours and were drawn over `composite_h` each."""
    n = len(hours)
    return Observations(
        time=networks.START + (np.array(hours) * HOUR).astype("timedelta64[s]"),
        station=np.full(n, station),
        determinand=np.full(n, name),
        value=np.ones(n),
        qualifier=np.full(n, "", "<U1"),
        flag=np.full(n, GOOD, np.int8),
        duration_s=np.array(composite_h) * HOUR,
        sample_id=np.full(n, "", "<U1"),
    )


def together(*parts: Observations) -> Observations:
    names = ("time", "station", "determinand", "value", "qualifier", "flag", "duration_s", "sample_id")
    return Observations(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


def at_edges(operator: TransportOperator, network: Network, *, since: float, until: float) -> Receptors:
    """Return instants at the first station: the ends of a sample and every edge of steps between them [s]."""
    inside = operator.edges[(operator.edges > since) & (operator.edges < until)]
    seconds = np.round(np.concatenate([[since], inside, [until]]))
    one = drawn(network.stations[0].id, [0.0] * len(seconds), [0.0] * len(seconds))
    time = networks.START + seconds.astype("timedelta64[s]")
    receptors, _ = receptors_of(network, replace(one, time=time))
    return receptors


def mean_of_instants(receptors: Receptors, seen: np.ndarray) -> np.ndarray:
    """Return the mean over time (trapezoid, exact for what is linear between instants) of `seen` (receptor, column)."""
    seconds = (receptors.time - receptors.time[0]) / np.timedelta64(1, "s")
    return np.asarray(np.trapezoid(seen, seconds, axis=0) / seconds[-1])


@pytest.mark.parametrize("composite_h", [2.0, 4.0, 8.0, 10.37, 24.0])
@pytest.mark.parametrize("name", ["single_reach", "tidal", "loop", "drain_tree"])
def test_a_composite_is_the_mean_of_the_concentrations_that_a_forward_run_shows(
    name: str, composite_h: float
):
    """Linear between the edges of steps, so that the mean is known exactly; the water may reverse."""
    network, flow = networks.ALL[name]()
    operator = compile_operator(network, flow)
    end = flow.edges[-1] / HOUR - 0.5 if flow.edges[-1] > 25.0 * HOUR else 24.0
    receptors, means = receptors_of(network, drawn(network.stations[0].id, [end], [composite_h]))
    rng = np.random.default_rng(3)
    places = tuple(Source(f"reach:{r.id}", "reach", r.id, 0.3 * r.length_m) for r in network.reaches)
    releases = Releases(places, flow.edges, rng.random((len(flow.edges) - 1, len(places), 3)))
    boundary = rng.random((len(flow.edges) - 1, len(operator.geometry.boundaries), 3))
    decay = np.array([0.0, 0.08, 0.6]) / DAY
    instants = at_edges(operator, network, since=round((end - composite_h) * HOUR), until=round(end * HOUR))
    runs = [
        forward(operator, releases, boundary=boundary, decay_per_s=decay, receptors=where).readings
        for where in (receptors, instants)
    ]
    np.testing.assert_allclose(means.of(runs[0])[0], mean_of_instants(instants, runs[1]), rtol=1e-12)


@pytest.mark.parametrize("per_day", [0.0, 0.08, 0.6])
def test_rows_of_the_matrix_predict_a_daily_composite_with_decay(per_day: float):
    """Pulses that pass the station in the first, middle and last hours of the sample; truth is a forward run with decay.

    Without decay the rows are exact (single precision). With it decay counts to the middle of each part, so that water is
    taken for older or younger by half a part at most, and by a quarter of that on average over a plume of 3 h: an error
    below rate x 1.5 h / 4. As one piece, the sample of 24 h would have pulses of its first hours wrong by rate x 9 h.
    """
    network, flow = networks.single_reach(velocity=0.3, hours=60)
    operator = compile_operator(network, flow)
    receptors, means = receptors_of(network, drawn("S", [50.0], [24.0]))
    source, edges = (Source("O", "outfall", "R", 500.0),), HOUR * np.arange(61.0)
    matrix = source_receptor_matrix(operator, receptors, sources=source, edges=edges)
    instants = at_edges(operator, network, since=26.0 * HOUR, until=50.0 * HOUR)
    one = Receptors(*(getattr(receptors, n)[-1:] for n in ("station", "reach", "chainage_m", "time")), DAY)
    in_one = source_receptor_matrix(operator, one, sources=source, edges=edges)
    errors, errors_in_one = [], []
    for first in (24, 36, 45):
        rate = np.zeros((60, 1, 1))
        rate[first : first + 3] = 5.0
        run = forward(
            operator, Releases(source, edges, rate), decay_per_s=np.array([per_day / DAY]), receptors=instants
        )
        truth = float(mean_of_instants(instants, run.readings)[0])
        rows = means.of(matrix.decayed(per_day / DAY))[0], in_one.decayed(per_day / DAY)[0]
        got, rough = (float(row[0] @ rate[:, 0, 0]) / truth - 1.0 for row in rows)
        errors.append(abs(got))
        errors_in_one.append(abs(rough))
    assert max(errors) < per_day * 1.5 / 24.0 / 4.0 + 2e-6
    if per_day:
        assert max(errors) < 0.1 * max(errors_in_one)


def test_a_composite_is_the_mean_of_the_closed_solution():
    """A release that begins and ends, carried by steady water: two fronts (Ogata and Banks, 1961, first term).

    Rate 6 g/s in 3 m3/s; the mean over 8 h of the error functions by 20,001 points. The scheme is at 100 m and 600 s.
    """
    network, flow = networks.single_reach(velocity=0.3, hours=30)
    dispersion, velocity, way = 10.0, 0.3, 2500.0
    operator = compile_operator(network, flow, dispersion=dispersion)
    receptors, means = receptors_of(network, drawn("S", [20.0], [8.0]))
    source = (Source("O", "outfall", "R", 500.0),)
    edges = HOUR * np.arange(31.0)
    matrix = source_receptor_matrix(operator, receptors, sources=source, edges=edges)
    rate = np.where((edges[:-1] >= 13.0 * HOUR) & (edges[:-1] < 16.0 * HOUR), 6.0, 0.0)
    time = np.linspace(12.0, 20.0, 20_001) * HOUR

    def front(begin: float) -> np.ndarray:
        since = np.maximum(time - begin, 1e-9)
        return np.asarray(0.5 * (1.0 + erf((velocity * since - way) / np.sqrt(4.0 * dispersion * since))))

    mean = np.trapezoid(6.0 / 3.0 * (front(13.0 * HOUR) - front(16.0 * HOUR)), time) / (8.0 * HOUR)
    assert mean == pytest.approx(2.0 * 3.0 / 8.0, rel=1e-3)  # it passes whole: 2 g/m3 for 3 of 8 hours
    assert float(means.of(matrix.values)[0, 0] @ rate) == pytest.approx(mean, rel=1e-3)


@pytest.mark.parametrize("name", networks.ALL)
def test_what_composites_owe_is_the_exact_transpose_of_what_they_see(name: str):
    network, flow = networks.ALL[name]()
    operator = compile_operator(network, flow)
    station = network.stations[0].id
    receptors, means = receptors_of(
        network, drawn(station, [23.9, 22.0, 21.5, 24.0, 9.0], [20.0, 8.0, 0.0, 2.0, 7.123])
    )
    rng = np.random.default_rng(12)
    places = tuple(Source(f"reach:{r.id}", "reach", r.id, 0.6 * r.length_m) for r in network.reaches)
    edges = np.arange(0.0, 23.5 * HOUR, 4321.0)
    columns = 6
    releases = Releases(places, edges, rng.random((len(edges) - 1, len(places), columns)))
    boundary = rng.random((len(flow.edges) - 1, len(operator.geometry.boundaries), columns))
    initial = rng.random((operator.stores, columns))
    rate, weights = rng.uniform(0.0, 5e-5, columns), rng.random((5, columns))
    run = forward(
        operator, releases, boundary=boundary, initial=initial, decay_per_s=rate, receptors=receptors
    )
    back = adjoint(
        operator, receptors, weights=means.owed(weights), places=places, edges=edges, decay_per_s=rate
    )
    seen = np.einsum("ok,ok->k", means.of(run.readings), weights)
    owed = np.einsum("bpk,bpk->k", back.release, releases.rate)
    owed += np.einsum("bnk,bnk->k", back.boundary, boundary)
    owed += np.einsum("ck,ck,c->k", back.initial, initial, operator.volume_at(0))
    np.testing.assert_allclose(seen, owed, rtol=1e-13)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.0, MOST_COMPOSITE_S), min_size=1, max_size=6))
def test_parts_of_a_sample_follow_each_other_without_a_gap(duration_s: list[float]):
    network, _ = networks.confluence()
    seen = replace(
        drawn("S", [200.0 + i for i in range(len(duration_s))], [0.0] * len(duration_s)),
        duration_s=np.array(duration_s),
    )
    receptors, means = receptors_of(network, seen)
    for o, whole in enumerate(duration_s):
        row = slice(means.share.indptr[o], means.share.indptr[o + 1])
        parts = means.share.indices[row]
        until = (receptors.time[parts] - seen.time[o]) / np.timedelta64(1, "s")
        length = receptors.duration_s[parts]
        assert until[-1] == 0.0
        assert until[0] - length[0] == pytest.approx(-whole, abs=1e-6)
        np.testing.assert_allclose(until[1:] - length[1:], until[:-1], atol=1e-6)
        assert length.max() <= PART_S + 1.0
        assert means.share.data[row].sum() == pytest.approx(1.0, rel=1e-12)


def test_a_composite_is_never_averaged_with_sensor_readings_of_its_hours():
    sensor = replace(drawn("S", [24.0, 25.0, 26.0], [0.0] * 3), value=np.array([1.0, 2.0, 3.0]))
    sampler = replace(drawn("S", [26.0], [2.0]), value=np.array([9.0]))
    means = pooled(together(sensor, sampler), every_s=3.0 * HOUR)
    assert means.value.tolist() == [2.0, 9.0]
    assert means.duration_s.tolist() == [2.0 * HOUR, 2.0 * HOUR]


def test_the_noise_of_a_sensor_is_not_judged_by_composites_that_stand_between_its_readings():
    """Sensor and sampler differ by half; taken for one series, every jump between them would be noise."""
    network = worlds.meeting().network
    rng = np.random.default_rng(4)
    hours = list(np.arange(24.0, 72.0))
    sensor = replace(drawn("S", hours, [0.0] * 48), value=1.0 + 0.02 * rng.standard_normal(48))
    sampler = replace(drawn("S", hours[8:], [8.0] * 40), value=1.5 + 0.03 * rng.standard_normal(40))
    seen = together(sensor, sampler)
    receptors, _ = receptors_of(network, seen)
    block = blocks_of(seen, receptors, substances=(Substance(determinand("NH3-N"), 0.0),))[0]
    assert np.median(block.noise_sd / block.value) == pytest.approx(0.02, rel=0.3)


def series_in(seen: Observations) -> list[int]:
    """Return the series of each reading, numbered as they first occur."""
    receptors, _ = receptors_of(worlds.meeting().network, seen)
    series = blocks_of(seen, receptors, substances=(Substance(determinand("NH3-N"), 0.0),))[0].series.tolist()
    return [list(dict.fromkeys(series)).index(one) for one in series]


def test_samples_drawn_over_alike_hours_are_compared_and_no_others():
    """Up to 3 h a grab and a mean tell the same; 23.5 and 24 h have eight parts of 3 h, 48 h has sixteen."""
    assert series_in(drawn("S", [60.0, 61.0, 64.0, 67.0], [0.0, 0.25, 2.0, 3.0])) == [0, 0, 0, 0]
    assert series_in(drawn("S", [48.0, 71.5, 72.0, 60.0], [24.0, 23.5, 48.0, 0.0])) == [0, 0, 1, 2]
    elsewhere = together(drawn("S", [48.0], [24.0]), drawn("T", [48.0], [24.0]))
    assert series_in(elsewhere) == [0, 1]


def noise_in(seen: Observations) -> float:
    """Return the share of a reading that is noise, at the median."""
    means = pooled(seen, every_s=3.0 * HOUR)
    receptors, _ = receptors_of(worlds.meeting().network, means)
    block = blocks_of(means, receptors, substances=(Substance(determinand("NH3-N"), 0.0),))[0]
    return float(np.median(block.noise_sd / block.value))


def test_gaps_of_a_sensor_do_not_turn_the_daily_swing_of_the_river_into_noise():
    """A fifth of the hourly readings is missing, so that means are over 0, 1 or 2 hours; mean of ten draws."""
    hours = np.arange(0.0, 96.0)
    whole, gappy = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        swing = 1.0 + 0.1 * np.sin(2.0 * np.pi * hours / 24.0)
        value = swing * (1.0 + 0.02 * rng.standard_normal(len(hours)))
        sensor = replace(drawn("S", list(hours), [0.0] * len(hours)), value=value)
        whole.append(noise_in(sensor))
        gappy.append(noise_in(sensor.where(rng.random(len(hours)) > 0.2)))
    assert np.mean(gappy) == pytest.approx(np.mean(whole), rel=0.25)


def test_a_daily_composite_knows_no_hour_of_the_day_and_little_of_short_errors():
    """The mean over 24 h of a daily cycle is 0; that of errors which last 12 h is calmer than any instant, and like both ends."""
    world = worlds.meeting()
    seen = drawn("S", [72.0, 72.0, 50.0, 60.0], [24.0, 0.0, 0.0, 0.0])
    receptors, means = receptors_of(world.network, seen)
    matrix = source_receptor_matrix(
        compile_operator(world.network, world.flow), receptors, sources=(), edges=HOUR * np.arange(24.0, 97.0)
    )
    own = dict(zip(PRIOR_SHARE, means.between(background_parts(matrix).covariance), strict=True))
    assert np.abs(own["daily"][0]).max() < 1e-12
    assert own["daily"][1, 1] == pytest.approx(1.0)
    assert own["station"] == pytest.approx(np.ones((4, 4)))
    assert 0.4 < own["local"][0, 0] < 0.7  # by hand, mean of (1 + x) exp(-x) over pairs in 24 h: 0.57
    assert (
        own["local"][0, 3] > 1.3 * own["local"][0, 1]
    )  # the middle of the sample is nearer to it than its end
    whole = matrix.fraction.sum(axis=(1, 2)) + matrix.initial
    np.testing.assert_allclose(means.of(whole), 1.0, rtol=1e-12)


def event(plan: list[tuple[str, float, float]], *, seed: int = 1, noise: float = 0.03) -> Observations:
    """Return what samplers of `plan` (station, end [h], hours) and sensors (0 hours) find of an invented event.

    O1 lets out 3 g/s of NH3-N with its other substances from hour 48 to 54. Truth is a forward run with decay, seen every
    5 minutes and averaged: no matrix and no part of a sample is asked.
    """
    world = worlds.meeting()
    operator = compile_operator(world.network, world.flow)
    edges, hours = world.flow.edges, len(world.flow.edges) - 1
    rate = np.zeros((hours, 1, 3))
    rate[48:54, 0] = worlds.rates("industrial", 3.0)
    o1 = world.network.outfalls[0]
    releases = Releases((Source("O1", "outfall", o1.reach, o1.chainage_m),), edges, rate)
    ids = [world.network.nodes[n].id for n in operator.geometry.boundaries]
    boundary = np.zeros((hours, len(ids), 3))
    for d, name in enumerate(worlds.NAMES):
        swing = 1.0 + 0.04 * np.sin(np.arange(hours) / 30.0 + d)
        for place, level in zip(("A", "B"), worlds.BOUNDARY_WATER[name], strict=True):
            boundary[:, ids.index(place), d] = level * swing
    initial = np.tile([worlds.BOUNDARY_WATER[name][1] for name in worlds.NAMES], (operator.stores, 1))
    decay = np.array([worlds.DECAY_PER_S.get(name, 0.0) for name in worlds.NAMES])
    minutes = np.arange(0.0, hours + 1e-9, 1.0 / 12.0)
    curve = {}
    for station in ("S", "T"):
        receptors, _ = receptors_of(world.network, drawn(station, list(minutes), [0.0] * len(minutes)))
        run = forward(
            operator, releases, boundary=boundary, initial=initial, decay_per_s=decay, receptors=receptors
        )
        curve[station] = run.readings
    rng = np.random.default_rng(seed)
    parts = []
    for station, end, length in plan:
        last, first = round(12.0 * end), round(12.0 * (end - length))
        water = curve[station]
        mean = np.trapezoid(water[first : last + 1], axis=0) / (last - first) if length else water[last]
        for d, name in enumerate(worlds.NAMES):
            value = mean[d] * (1.0 + noise * rng.standard_normal())
            parts.append(replace(drawn(station, [end], [length], name=name), value=np.array([value])))
    return together(*parts)


def traced(seen: Observations) -> Trace:
    """Return the trace of these readings with the flow known."""
    world = worlds.meeting()
    receptors, _ = receptors_of(world.network, seen)
    matrix = source_receptor_matrix(
        compile_operator(world.network, world.flow),
        receptors,
        sources=candidate_sources(world.network),
        edges=HOUR * np.arange(worlds.FIRST_HOUR, worlds.LAST_HOUR + 1.0),
    )
    return trace(
        seen,
        (matrix,),
        substances=worlds.substances(),
        fingerprints=worlds.FINGERPRINTS,
        prior=world.prior,
        rng=np.random.default_rng(5),
    )


def every(station: str, hours: float, *, first: float = 24.0) -> list[tuple[str, float, float]]:
    """Return the plan of a sampler that is emptied every so many hours until the window ends."""
    ends = np.arange(first + hours, worlds.LAST_HOUR + 1e-9, hours)
    return [(station, float(end), hours) for end in ends]


@cache
def of_composites() -> Trace:
    return traced(event([*every("S", 4.0), *every("T", 8.0)]))


def test_composites_alone_find_who_released_how_much_and_about_when():
    found = of_composites()
    first = found.findings[0]
    assert first.candidate.id == "O1"
    assert first.probability > 0.8
    assert found.no_source_probability < 0.02
    assert first.mass_kg is not None
    assert first.mass_kg.q05 < 3.0 * 6 * 3.6 < first.mass_kg.q95
    assert first.start is not None
    begin = networks.START + np.timedelta64(48, "h")
    assert first.start.q05 <= begin <= first.start.q95


def test_daily_composites_of_all_stations_do_not_accuse_the_wrong_one():
    found = traced(event([*every("S", 24.0), *every("T", 24.0)]))
    probability = {f.candidate.id: f.probability for f in found.findings}
    assert probability["O2"] < 0.1
    assert probability["O3"] < 0.1


def test_composites_taken_for_grabs_at_their_end_would_put_the_release_too_late():
    """Four draws of noise, samples of 12 h: the start is found within 2 h of hour 48 on average, as grabs 3 h later or more."""
    begin, right, wrong = networks.START + np.timedelta64(48, "h"), [], []
    for seed in (1, 2, 3, 4):
        seen = event([*every("S", 12.0), *every("T", 12.0)], seed=seed)
        for found, late in (
            (traced(seen), right),
            (traced(replace(seen, duration_s=np.zeros(len(seen)))), wrong),
        ):
            start = next(f.start for f in found.findings if f.candidate.id == "O1")
            assert start is not None
            late.append(float((start.q50 - begin) / np.timedelta64(3600, "s")))
    assert abs(np.mean(right)) < 2.0
    assert np.mean(wrong) > 3.0


def test_composites_beside_sensors_say_who():
    plan = [("S", float(h), 0.0) for h in range(24, 97, 2)] + every("T", 24.0)
    found = traced(event(plan))
    assert found.findings[0].candidate.id == "O1"
    assert found.findings[0].probability > 0.8


def test_why_and_fit_of_composites_name_the_hours_over_which_they_were_drawn():
    found = of_composites()
    spans = {s.until - s.since for contest in found.why for s in contest.speeches if s.station == "T"}
    assert spans == {np.timedelta64(8 * 3600, "s")}
    for contest in found.why:
        if contest.overturn is not None:
            assert contest.overturn.time - contest.overturn.since >= np.timedelta64(4 * 3600, "s")
    lengths = {fit.station: set(fit.duration_s.tolist()) for fit in found.fits}
    assert lengths == {"S": {4.0 * HOUR}, "T": {8.0 * HOUR}}
    assert all(fit.is_composite.all() for fit in found.fits)
    inside = [(fit.observed >= fit.fitted[0]) & (fit.observed <= fit.fitted[2]) for fit in found.fits]
    assert np.concatenate(inside).mean() > 0.8


def test_a_composite_is_drawn_as_a_bar_over_its_hours():
    fit = next(f for f in of_composites().fits if f.station == "T")
    figure = readings([fit], zone=UTC)
    axes = figure.axes[0]
    bars = np.concatenate([c.get_segments() for c in axes.collections if isinstance(c, LineCollection)])
    hours = np.sort(24.0 * (bars[:, 1, 0] - bars[:, 0, 0]))
    np.testing.assert_allclose(hours, 8.0, atol=1e-6)
    np.testing.assert_allclose(np.sort(bars[:, 0, 1]), np.sort(fit.observed))
    np.testing.assert_allclose(np.sort(bars[:, 1, 0]), date2num(np.sort(fit.time)), atol=1e-9)
    assert "composite sample" in axes.get_legend_handles_labels()[1]
