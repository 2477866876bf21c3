"""The background that the flow carries: covariances by hand, shares and noise found again where they are known."""

from __future__ import annotations

import numpy as np
import pytest
import tracing_worlds as worlds
from scipy.stats import multivariate_normal

from suyuan.tracing.background import PRIOR_LOG_SD, PRIOR_SHARE, background_parts, fit_background, noise_of
from suyuan.tracing.plume import claim, model_error, no_plumes
from suyuan.tracing.readings import blocks_of
from suyuan.tracing.unrest import Unrest
from suyuan.transport.matrix import Receptors, SourceReceptorMatrix

HOUR = 3600.0


def two_readings(
    fraction: list[list[float]],
    initial: tuple[float, float] = (0.0, 0.0),
    inflow: tuple[float, float] = (1.0, 1.0),
) -> SourceReceptorMatrix:
    """Two readings an hour apart; `fraction` (receptor, boundary) of water that all entered in the same hour.

    `inflow` [m3/s] of each boundary is that of this hour; it is 1 m3/s in all others.
    """
    start = np.datetime64("2024-07-19T16:00:00")
    receptors = Receptors(
        station=np.array(["S", "T"]),
        reach=np.array(["R", "R"]),
        chainage_m=np.array([100.0, 900.0]),
        time=start + np.array([5, 6]) * np.timedelta64(3600, "s"),
        duration_s=np.zeros(2),
    )
    share = np.zeros((2, 2, 6))
    share[:, :, 2] = fraction
    edges = HOUR * np.arange(7.0)
    nothing = np.zeros((2, 0, 6), np.float32)
    entering = np.ones((2, 6))
    entering[:, 2] = inflow
    return SourceReceptorMatrix(
        receptors, (), start, edges, nothing, ("A", "B"), edges, entering, share, np.array(initial)
    )


def test_two_waters_mixing_share_what_they_have_in_common():
    # water of one hour: the kernels are 1, so covariances are products of fractions, boundary by boundary
    parts = background_parts(two_readings([[0.25, 0.75], [0.6, 0.4]]))
    of = dict(zip(parts.names, parts.covariance, strict=True))
    by_hand = np.array([[0.25**2 + 0.75**2, 0.25 * 0.6 + 0.75 * 0.4], [0.45, 0.6**2 + 0.4**2]])
    for name in ("level", "slow", "fast"):
        np.testing.assert_allclose(of[name], by_hand, atol=1e-12)
    for name in ("slow_all", "fast_all"):  # what moves all waters together moves any mixture by as much
        np.testing.assert_allclose(of[name], np.ones((2, 2)), atol=1e-12)
    np.testing.assert_allclose(of["local"], np.eye(2), atol=1e-12)


def test_water_that_swells_changes_in_proportion_to_the_log_of_its_inflow():
    # A brings e times as much as usual in the hour whose water is read, B as much as always
    parts = background_parts(two_readings([[0.25, 0.75], [0.6, 0.4]], inflow=(np.e, 1.0)))
    of = dict(zip(parts.names, parts.covariance, strict=True))
    by_hand = np.outer([0.25, 0.6], [0.25, 0.6])
    np.testing.assert_allclose(of["inflow"], by_hand, atol=1e-12)
    np.testing.assert_allclose(of["inflow_all"], by_hand, atol=1e-12)


def test_water_held_at_the_start_is_one_more_unknown_water():
    parts = background_parts(two_readings([[0.5, 0.0], [0.2, 0.0]], (0.5, 0.8)))
    of = dict(zip(parts.names, parts.covariance, strict=True))
    np.testing.assert_allclose(of["level"], [[0.5, 0.5], [0.5, 0.68]], atol=1e-12)


def test_every_part_of_the_background_is_symmetric_and_positive():
    parts = background_parts(worlds.meeting().matrix)
    assert parts.names == tuple(PRIOR_SHARE)
    for covariance in parts.covariance:
        np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)
        assert np.linalg.eigvalsh(covariance).min() >= -1e-8 * np.trace(
            covariance
        )  # 0 where inflow is steady


def found_when(name: str, factor: float) -> tuple[float, float]:
    """Return prior and found share of one part, six draws' geometric mean, where its true share is `factor` x prior."""
    parts = background_parts(worlds.meeting().matrix).covariance
    prior, k = np.array(list(PRIOR_SHARE.values())), list(PRIOR_SHARE).index(name)
    truth = np.where(np.arange(len(prior)) == k, factor, 1.0) * prior
    noise = np.full(parts.shape[1], 0.02)
    root = np.linalg.cholesky(np.diag(noise**2) + np.tensordot(4.0 * truth**2, parts, axes=1))
    rng = np.random.default_rng(8)
    shares = [
        fit_background(2.0 + root @ rng.standard_normal(len(noise)), parts, level=2.0, noise_sd=noise).shares[
            k
        ]
        for _ in range(6)
    ]
    return float(prior[k]), float(np.exp(np.log(shares).mean()))


@pytest.mark.parametrize("name", ["fast", "fast_all"])
def test_water_that_swings_three_times_as_much_is_found_to(name):
    # three days hold some seven swings of ten hours: a share is known to 25 % or so, the mean of six to 10 %
    prior, found = found_when(name, 3.0)
    assert found == pytest.approx(3.0 * prior, rel=0.25)


@pytest.mark.parametrize("factor", [3.0, 1.0 / 3.0])
def test_what_three_days_cannot_show_is_left_as_it_was_believed(factor):
    # Three days tell next to nothing of a drift of four: as much as moves a belief of width 0.5 by 10 %, and no more. At the
    # mode of a normal belief of width w, information = shift / (w^2 x what is left to the truth), whatever the width.
    prior, found = found_when("slow_all", factor)
    shift, gap = abs(np.log(found / prior)), abs(np.log(factor))
    most = np.log(1.1) / (0.5**2 * (gap - np.log(1.1)))
    assert shift / (PRIOR_LOG_SD**2 * (gap - shift)) < most


def test_the_covariance_of_the_background_holds_its_noise():
    parts = background_parts(worlds.meeting().matrix).covariance
    rng = np.random.default_rng(2)
    noise = np.full(parts.shape[1], 0.05)
    value = 1.0 + noise * rng.standard_normal(len(noise))
    found = fit_background(value, parts, level=1.0, noise_sd=noise)
    assert np.linalg.eigvalsh(found.covariance).min() >= 0.05**2 * (1.0 - 1e-6)
    assert found.log_prior <= 0.0


@pytest.mark.parametrize("noise", [0.01, 0.03, 0.08])
def test_noise_is_told_from_a_step_and_a_plume(noise):
    # 300 readings at two stations; the sampling error of a 40 % quantile of jumps is about 8 %
    rng = np.random.default_rng(6)
    hour = np.arange(150.0)
    calm = 1.0 + 0.5 * (hour > 80.0) + 3.0 * np.exp(-(((hour - 40.0) / 6.0) ** 2))
    value = np.tile(calm, 2) * (1.0 + noise * rng.standard_normal(300))
    station = np.repeat([0, 1], 150)
    found = noise_of(value, HOUR * np.tile(hour, 2), series=station, kind=np.zeros(len(value), int))
    assert np.median(found / np.tile(calm, 2)) == pytest.approx(noise, rel=0.35)


def test_composites_that_vary_have_their_own_noise_beside_a_calm_sensor():
    rng = np.random.default_rng(3)
    sensor = 1.0 + 0.01 * rng.standard_normal(96)
    composite = np.exp(0.1 * rng.standard_normal(40))
    value, time = np.append(sensor, composite), HOUR * np.append(np.arange(96.0), 8.0 * np.arange(40.0))
    kind = np.repeat([1, 8], [96, 40])
    noise = noise_of(value, time, series=kind, kind=kind) / value
    assert np.median(noise[kind == 1]) == pytest.approx(0.01, rel=0.35)
    assert np.median(noise[kind == 8]) == pytest.approx(0.1, rel=0.35)


def test_the_order_of_readings_says_nothing_about_their_noise():
    rng = np.random.default_rng(7)
    value, time = 1.0 + 0.05 * rng.standard_normal(60), HOUR * np.arange(60.0)
    station = np.zeros(60, int)
    order = rng.permutation(60)
    np.testing.assert_allclose(
        noise_of(value[order], time[order], series=station[order], kind=station[order]),
        noise_of(value, time, series=station, kind=station)[order],
        rtol=1e-12,
    )


def test_the_density_of_readings_is_that_of_a_normal():
    world = worlds.meeting()
    blocks = blocks_of(worlds.read(world, {}), world.matrix.receptors, substances=worlds.substances())
    plumes = tuple(0.3 * np.exp(-(((b.time / HOUR - 60.0) / 9.0) ** 2)) for b in blocks)
    size = len(world.matrix.receptors)
    events = Unrest(
        np.exp(-(((np.arange(size) - 0.5 * size) / 9.0) ** 2))[None],
        np.full((len(blocks), 1), 0.4),
        np.array(["S"]),
        np.array([36.0]),
        np.ones((size, size)),
        np.array([-3.0]),
    )
    claimed = claim(blocks, background_parts(world.matrix), plumes=plumes, unrest=events, bin_s=HOUR)
    for removed in (no_plumes(blocks), plumes):
        expected = -3.0
        for block, background, factor, plume in zip(
            blocks, claimed.backgrounds, claimed.factors, removed, strict=True
        ):
            n = len(block.value)
            normal = multivariate_normal(np.full(n, background.level), factor @ factor.T)
            expected += normal.logpdf(block.value - plume) + 0.5 * n * np.log(2.0 * np.pi)
            expected += background.log_prior
        assert claimed.log_density(removed) == pytest.approx(expected, abs=1e-6 * abs(expected))


def test_a_claimed_plume_is_forgiven_nothing_where_it_is_not():
    world = worlds.meeting()
    block = blocks_of(worlds.read(world, {}), world.matrix.receptors, substances=worlds.substances())[0]
    plume = np.where(block.station == "S", 0.5, 0.0)
    error = model_error(block, plume, bin_s=HOUR)
    away = block.station == "T"
    assert not error[away].any()
    assert not error[:, away].any()
    assert (np.diag(error)[~away] > 0.0).all()
    assert np.linalg.eigvalsh(error).min() > -1e-10
