"""Loads over years: censored regression, weighted surfaces, flow normalisation, rating curves."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import hyp0f1
from scipy.stats import gamma, norm

sys.path.append(str(Path(__file__).resolve().parents[1]))

from oracles import errors_below

from benchmarks import section_loads
from benchmarks.loads_coverage import lasting_noise
from benchmarks.section_loads import agrees
from suyuan.errors import InputError
from suyuan.loads import Daily, Samples, Windows, rating_loads, weighted_loads
from suyuan.loads.adjusted import _expected, fit_adjusted
from suyuan.loads.bridge import bridge, sites_together
from suyuan.loads.carry import DAY_TO_DAY, Lasting, carry, how_lasting
from suyuan.loads.doubt import rating_errors, surface_errors
from suyuan.loads.likelihood import between, fit_censored
from suyuan.loads.local import local_influences
from suyuan.loads.periods import change, months_of, years_of
from suyuan.loads.rating import MODELS, centre_of, design_of, fit_rating, limits_in_force
from suyuan.loads.record import KG_PER_DAY, Bounded, calendar_day, decimal_year
from suyuan.loads.spread import daily_error
from suyuan.loads.unbiased import _Series, daily_loads, load_covariance, mean_load
from suyuan.loads.wrtds import cross_validation, edges_of, fit_places, fit_surface, normalising_points

Array = NDArray[np.float64]

NEVER = -np.inf


def days(first: str, count: int) -> NDArray[np.datetime64]:
    return np.datetime64(first) + np.arange(count)


def river(*, years: int = 6, seed: int = 1, swing: float = 0.7) -> Daily:
    """A flow that is high in spring, and wet and dry for weeks at a time."""
    rng = np.random.default_rng(seed)
    date = days("2010-01-01", round(365.25 * years))
    weather = np.zeros(len(date))
    for d in range(1, len(date)):
        weather[d] = 0.93 * weather[d - 1] + 0.25 * rng.normal()
    return Daily.of(date, np.exp(1.0 + swing * np.sin(2.0 * np.pi * decimal_year(date)) + weather))


def sampled(
    daily: Daily,
    *,
    every: int = 12,
    seed: int = 2,
    trend: float = 0.0,
    sd: float = 0.3,
    limit: float = 0.0,
) -> Samples:
    """Readings whose log mean is linear in ln Q and in time with a season; below `limit` they are censored."""
    rng = np.random.default_rng(seed)
    rows = np.arange(3, len(daily), every)
    log_c = truth(daily, trend=trend)[rows] + sd * rng.normal(size=len(rows))
    c = np.exp(log_c)
    below = c < limit
    return Samples.of(
        daily.date[rows], low=np.where(below, 0.0, c), high=np.where(below, limit, c), daily=daily
    )


def truth(daily: Daily, *, trend: float = 0.0) -> Array:
    angle = 2.0 * np.pi * daily.year
    return -1.0 + 0.2 * daily.log_q + trend * (daily.year - 2013.0) + 0.3 * np.cos(angle)


def fitted(
    design: Array, low: Array, high: Array, *, weights: Array | None = None
) -> tuple[Array, float, float]:
    """Coefficients, sigma and the log-likelihood."""
    p = design.shape[1]
    at, factor = np.zeros(p + 1), np.zeros((p + 1, p + 1))
    value = fit_censored(design, low, high, np.ones(len(low)) if weights is None else weights, at, factor)
    with np.errstate(divide="ignore", invalid="ignore"):
        return at[:-1] / at[-1], 1.0 / at[-1], value


def minus_log_likelihood(x: Array, design: Array, low: Array, high: Array) -> float:
    mean, sigma = design @ x[:-1], np.exp(x[-1])
    known = low == high
    value = norm.logpdf(high[known], mean[known], sigma).sum()
    a, b = (low[~known] - mean[~known]) / sigma, (high[~known] - mean[~known]) / sigma
    return -(value + np.log(norm.cdf(b) - norm.cdf(a)).sum())


def test_without_censoring_the_fit_is_weighted_least_squares():
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(40), rng.normal(size=(40, 2))])
    y, weights = design @ [1.0, -2.0, 0.5] + rng.normal(size=40), rng.uniform(0.1, 1.0, 40)
    root = np.sqrt(weights)
    exact = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
    coefficients, sigma, _ = fitted(design, y, y, weights=weights)
    np.testing.assert_allclose(coefficients, exact, rtol=1e-12)
    assert sigma == pytest.approx(
        np.sqrt((weights * (y - design @ exact) ** 2).sum() / weights.sum()), rel=1e-12
    )


@pytest.mark.parametrize("kind", ["left", "right", "interval", "all"])
def test_censored_readings_are_fitted_at_the_greatest_likelihood(kind: str):
    rng = np.random.default_rng(4)
    design = np.column_stack([np.ones(80), rng.normal(size=80)])
    y = design @ [0.5, 1.0] + 0.7 * rng.normal(size=80)
    low, high = y.copy(), y.copy()
    parts = {"left": [0], "right": [1], "interval": [2], "all": [0, 1, 2]}[kind]
    for part in parts:
        own = slice(part * 20, part * 20 + 20)
        low[own] = -np.inf if part == 0 else y[own] - rng.uniform(0.1, 1.0, 20)
        high[own] = np.inf if part == 1 else y[own] + rng.uniform(0.1, 1.0, 20)
    coefficients, sigma, value = fitted(design, low, high)
    best = minimize(
        minus_log_likelihood,
        np.zeros(3),
        args=(design, low, high),
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 4000},
    )
    assert value == pytest.approx(-best.fun, abs=1e-9)
    np.testing.assert_allclose([*coefficients, sigma], [*best.x[:2], np.exp(best.x[2])], rtol=1e-5)
    shifted = minus_log_likelihood(np.array([*coefficients, np.log(sigma)]), design, low, high)
    assert shifted <= best.fun + 1e-10


@settings(max_examples=60, deadline=None)
@given(st.floats(-45.0, 45.0), st.floats(0.001, 30.0))
def test_the_chance_of_an_interval_is_right_far_in_either_tail(a: float, width: float):
    value, at_a, at_b = between(a, a + width)
    lower, upper = (a, a + width) if a < 0.0 else (-a - width, -a)  # the same chance, mirrored
    exact = norm.logcdf(upper) + np.log1p(-np.exp(norm.logcdf(lower) - norm.logcdf(upper)))
    assert value == pytest.approx(exact, rel=1e-6, abs=1e-9)
    assert at_a == pytest.approx(np.exp(norm.logpdf(a) - exact), rel=1e-5)
    assert at_b == pytest.approx(np.exp(norm.logpdf(a + width) - exact), rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 10.0))
def test_another_unit_of_concentration_moves_only_the_constant(seed: int, factor: float):
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(30), rng.normal(size=30)])
    y = design @ [0.0, 1.0] + rng.normal(size=30)
    low = np.where(y < np.quantile(y, 0.3), -np.inf, y)
    high = np.maximum(y, np.quantile(y, 0.3))
    first, sigma, _ = fitted(design, low, high)
    second, other, _ = fitted(design, low + np.log(factor), high + np.log(factor))
    np.testing.assert_allclose(second - first, [np.log(factor), 0.0], atol=1e-9)
    assert other == pytest.approx(sigma, rel=1e-9)


def test_readings_that_lie_on_a_line_have_no_likelihood():
    design = np.column_stack([np.ones(5), np.arange(5.0)])
    assert np.isnan(fitted(design, np.arange(5.0), np.arange(5.0))[2])


@pytest.mark.parametrize("limit", [-1.0, 0.0, 1.5])
def test_expected_derivatives_are_integrals_over_the_normal_distribution(limit: float):
    """At mean 0 and sigma 1, by finite differences of the log-likelihood, integrated numerically."""

    def likelihood(z: float, mean: float, sigma: float) -> float:
        if z < limit:
            return float(norm.logcdf((limit - mean) / sigma))
        return float(norm.logpdf(z, mean, sigma))

    def second(z: float, mean: float, sigma: float) -> tuple[float, float, float]:
        h, f = 1e-3, likelihood
        return (
            (f(z, mean + h, sigma) - 2.0 * f(z, mean, sigma) + f(z, mean - h, sigma)) / h**2,
            (
                f(z, mean + h, sigma + h)
                - f(z, mean + h, sigma - h)
                - f(z, mean - h, sigma + h)
                + f(z, mean - h, sigma - h)
            )
            / (4.0 * h**2),
            (f(z, mean, sigma + h) - 2.0 * f(z, mean, sigma) + f(z, mean, sigma - h)) / h**2,
        )

    def expected(k: int, mean: float = 0.0, sigma: float = 1.0) -> float:
        """Readings are drawn at (mean, sigma), where the derivative is taken too."""
        below = norm.cdf((limit - mean) / sigma) * second(-np.inf, mean, sigma)[k]
        above = quad(
            lambda z: norm.pdf(z, mean, sigma) * second(z, mean, sigma)[k], limit, 12.0, epsabs=1e-9
        )[0]
        return float(below + above)

    def held(k: int, mean: float, sigma: float) -> float:
        """Readings are drawn at (0, 1); the derivative is taken at (mean, sigma)."""
        below = norm.cdf(limit) * second(-np.inf, mean, sigma)[k]
        return float(
            below + quad(lambda z: norm.pdf(z) * second(z, mean, sigma)[k], limit, 12.0, epsabs=1e-9)[0]
        )

    ours, third, slope = (one[..., 0] for one in _expected(np.array([limit])))
    h = 1e-2
    for k, (i, j) in enumerate(((0, 0), (0, 1), (1, 1))):
        assert ours[i, j] == pytest.approx(expected(k), abs=2e-5)
        for m, (mean, sigma) in enumerate(((h, 0.0), (0.0, h))):
            moved = (expected(k, mean, 1.0 + sigma) - expected(k, -mean, 1.0 - sigma)) / (2.0 * h)
            assert slope[i, j, m] == pytest.approx(moved, rel=1e-3, abs=3e-3)
            cubed = (held(k, mean, 1.0 + sigma) - held(k, -mean, 1.0 - sigma)) / (2.0 * h)
            assert third[i, j, m] == pytest.approx(cubed, rel=1e-3, abs=3e-3)


def test_without_censoring_adjusted_likelihood_is_least_squares():
    rng = np.random.default_rng(8)
    design = np.column_stack([np.ones(25), rng.normal(size=(25, 2))])
    y = design @ [1.0, 0.5, -0.5] + rng.normal(size=25)
    fit = fit_adjusted(design, log_low=y, log_high=y, log_limit=np.full(25, NEVER))
    exact = np.linalg.lstsq(design, y, rcond=None)[0]
    variance = ((y - design @ exact) ** 2).sum() / (25 - 3)
    np.testing.assert_allclose(fit.adjusted, exact, rtol=1e-10)
    assert fit.variance == pytest.approx(variance, rel=1e-10)
    np.testing.assert_allclose(fit.covariance, variance * np.linalg.inv(design.T @ design), rtol=1e-8)


def test_adjusted_variance_of_censored_readings_is_nearly_unbiased():
    """2,000 draws of 20 readings with a third below detection; the mean of the estimates is within 4 standard errors."""
    rng = np.random.default_rng(5)
    x = np.linspace(-1.0, 1.0, 20)
    design = np.column_stack([np.ones(20), x])
    limit = np.full(20, -0.45)
    plain, adjusted = [], []
    for _ in range(2000):
        y = 0.5 * x + rng.normal(size=20)
        low, high = np.where(y < limit, -np.inf, y), np.maximum(y, limit)
        fit = fit_adjusted(design, log_low=low, log_high=high, log_limit=limit)
        plain.append(fit.sigma**2)
        adjusted.append(fit.variance)
    error = np.std(adjusted) / np.sqrt(2000)
    assert abs(np.mean(adjusted) - 1.0) < 4.0 * error
    assert np.mean(plain) < 0.95


def test_the_mean_load_of_many_readings_is_finneys():
    """Without regressors: exp(mean) 0F1(m / 2; b s^2 m / 2), m = n - 1, b = (1 - 1 / n) / 2 (Finney, 1941)."""
    y = np.random.default_rng(2).normal(size=80)
    fit = fit_adjusted(np.ones((80, 1)), log_low=y, log_high=y, log_limit=np.full(80, NEVER))
    exact = np.exp(y.mean()) * hyp0f1(79.0 / 2.0, 0.5 * (1.0 - 1.0 / 80.0) * fit.variance * 79.0 / 2.0)
    assert daily_loads(fit, np.ones((1, 1)))[0] == pytest.approx(exact, rel=2e-4)
    assert exact < 0.999 * np.exp(y.mean() + 0.5 * fit.variance)  # less than the plain return from logs


def test_the_series_in_sigma_is_unbiased_over_the_gamma_distribution_of_its_square():
    """E of the series over S^2 ~ gamma(shape, scale sigma^2) is exp(a sigma + b sigma^2), integrated numerically."""
    rng = np.random.default_rng(9)
    design = np.column_stack([np.ones(20), np.linspace(-1.0, 1.0, 20)])
    y = design @ [0.0, 0.5] + rng.normal(size=20)
    limit = np.full(20, -0.5)
    fit = fit_adjusted(
        design, log_low=np.where(y < limit, NEVER, y), log_high=np.maximum(y, limit), log_limit=limit
    )
    series, row, sigma = _Series.of(fit), np.array([[1.0, 0.7]]), 0.8
    a, b = (float(one[0]) for one in series.in_sigma(row))
    assert a != 0.0

    def weighed(s2: float) -> float:
        density = gamma.pdf(s2, series.shape, scale=series.scale * sigma**2)
        return float(density * sum(term[0] for term in series.terms(row, np.sqrt(s2))))

    assert quad(weighed, 0.0, 6.0, limit=200)[0] == pytest.approx(np.exp(a * sigma + b * sigma**2), rel=1e-6)


def test_estimated_loads_are_unbiased_and_their_standard_error_is_their_spread():
    """3,000 draws of 60 readings: mean load of 3 days within 4 standard errors of the truth, spread within 8 %."""
    rng = np.random.default_rng(6)
    x = np.linspace(-1.0, 1.0, 60)
    design, new = np.column_stack([np.ones(60), x]), np.column_stack([np.ones(3), [0.0, 0.5, 1.5]])
    sigma, beta = 0.6, np.array([1.0, 0.8])
    truly = np.exp(new @ beta + 0.5 * sigma**2).mean()
    found, errors = [], []
    for _ in range(3000):
        y = design @ beta + sigma * rng.normal(size=60)
        fit = fit_adjusted(design, log_low=y, log_high=y, log_limit=np.full(60, NEVER))
        period = mean_load(fit, new)
        found.append(period.mean)
        errors.append(period.standard_error**2)
    assert abs(np.mean(found) - truly) < 4.0 * np.std(found) / np.sqrt(3000)
    assert np.sqrt(np.mean(errors)) == pytest.approx(np.std(found), rel=0.08)


def test_the_covariance_of_loads_is_symmetric_and_its_sum_the_variance_of_the_total():
    daily = river(years=3)
    rating = fit_rating(sampled(daily), 7)
    design = rating.design(daily.log_q[:30], daily.year[:30])
    covariance = load_covariance(rating.fit, design)
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-9)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9 * np.trace(covariance)
    assert mean_load(rating.fit, design).standard_error == pytest.approx(np.sqrt(covariance.sum()) / 30.0)


@pytest.mark.parametrize(
    ("number", "size"), [(1, 2), (2, 3), (3, 3), (4, 4), (5, 4), (6, 5), (7, 5), (8, 6), (9, 7)]
)
def test_the_nine_models_have_their_terms(number: int, size: int):
    assert design_of(number, np.ones(4), years=(np.full(4, 2020.25), 2020.0)).shape == (4, size)
    assert len(MODELS) == 9


def test_the_centre_makes_flow_and_its_square_uncorrelated():
    x = np.random.default_rng(3).gamma(2.0, size=50)
    from_centre = x - centre_of(x)
    assert np.cov(from_centre, from_centre**2)[0, 1] == pytest.approx(0.0, abs=1e-9)


def test_aic_finds_the_season_and_leaves_out_a_trend_that_is_not_there():
    daily = river(years=6)
    assert fit_rating(sampled(daily, sd=0.1)).number in (4, 6)
    assert fit_rating(sampled(daily, sd=0.1, trend=0.1)).number in (7, 8, 9)


def test_a_reading_is_censored_at_its_own_limit_and_others_at_the_usual_one():
    daily = Daily.of(days("2020-01-01", 5), np.ones(5))
    low, high = np.array([0.0, 0.0, 0.0, 0.5, 0.15]), np.array([0.1, 0.2, 0.2, 0.5, 0.15])
    samples = Samples.of(daily.date, low=low, high=high, daily=daily)
    np.testing.assert_allclose(np.exp(limits_in_force(samples)), [0.1, 0.2, 0.2, 0.2, 0.1])


def test_one_milligram_a_litre_in_one_cubic_metre_a_second_is_86_kilograms_a_day():
    """Constant concentration 2 mg/L: the load is 2 * 86.4 kg/d for each m3/s, whatever the flow."""
    daily = river(years=4)
    rng = np.random.default_rng(0)
    rows = np.arange(0, len(daily), 10)
    c = 2.0 * np.exp(1e-4 * rng.normal(size=len(rows)))
    samples = Samples.of(daily.date[rows], low=c, high=c, daily=daily)
    for loads in (weighted_loads(samples, daily), rating_loads(samples, daily)):
        np.testing.assert_allclose(loads.load, 2.0 * 86.4 * daily.discharge, rtol=1e-3)
        for year in loads.years:
            assert year.load.value == pytest.approx(86.4 * 2.0 * year.discharge, rel=1e-3)
            assert year.concentration.value == pytest.approx(2.0, rel=1e-3)


def test_normalising_a_flow_that_is_the_same_every_year_changes_nothing():
    """Every calendar day carries the same water in all years, so its own flow is all that is averaged over.

    Three floods a year, so that flow is told from season.
    """
    date = days("2010-01-01", 6 * 365 + 2)
    daily = Daily.of(date, np.exp(1.0 + np.sin(calendar_day(date) / 20.0)))
    samples = sampled(daily, every=15)
    windows = Windows()
    surface = fit_surface(samples, daily, windows=windows)
    left_out = cross_validation(samples, daily, windows=windows)
    for errors in (
        surface_errors(surface, samples, daily=daily, windows=windows, left_out=left_out),
        rating_errors(fit_rating(samples, 7), samples, daily=daily),
    ):
        of_regression = errors.estimates[:2] / errors.carried.factor
        np.testing.assert_allclose(errors.estimates[2:], of_regression, rtol=1e-9)


def test_each_day_is_normalised_over_all_flows_of_its_date():
    daily = Daily.of(
        days("2019-01-01", 3 * 365), np.arange(1.0, 3 * 365 + 1.0)
    )  # 2019, 2020, 2021 without its last day
    first, other = normalising_points(daily)
    of_june = other[first == np.flatnonzero(daily.date == np.datetime64("2020-06-01"))[0]]
    assert daily.date[of_june].astype(str).tolist() == ["2019-06-01", "2020-06-01", "2021-06-01"]
    leap = other[first == np.flatnonzero(daily.date == np.datetime64("2020-02-29"))[0]]
    assert daily.date[leap].astype(str).tolist() == ["2019-02-28", "2020-02-28", "2020-02-29", "2021-02-28"]


def test_the_total_normalised_over_all_years_is_that_of_a_rating_without_trend():
    """Without a term in time normalisation only moves water between years: sums over whole years are the same."""
    date = days("2010-01-01", 4 * 365)  # 2010, 2011, and 2012 with its leap day
    keep = calendar_day(date) < 365
    daily = Daily.of(date[keep], river(years=4).discharge[: len(date)][keep])
    one_each = np.bincount(calendar_day(daily.date))
    even = np.isin(calendar_day(daily.date), np.flatnonzero(one_each == 4))
    daily = Daily.of(daily.date[even], daily.discharge[even])
    samples = sampled(daily)
    rating = fit_rating(samples, 1)
    found = rating_errors(rating, samples, daily=daily)
    of_regression = found.estimates[1] / found.carried.factor
    assert found.estimates[3].sum() == pytest.approx(of_regression.sum(), rel=1e-9)


def test_a_linear_truth_is_found_by_the_surface_where_there_are_readings():
    daily = river(years=6)
    surface = fit_surface(sampled(daily, every=4, sd=0.05), daily, windows=Windows())
    found = surface.at(surface.log_mean, log_q=daily.log_q, year=daily.year)
    inner = np.abs(daily.log_q - 1.0) < 1.0
    assert np.abs(found - truth(daily))[inner].max() < 0.06


def test_a_place_of_the_grid_keeps_its_own_value_and_between_two_lies_their_mean():
    daily = river(years=4)
    surface = fit_surface(sampled(daily), daily, windows=Windows(readings=50, known=25))
    at = surface.at(
        surface.concentration,
        log_q=surface.log_q[[3, 3]],
        year=np.array([surface.year[5], surface.year[5:7].mean()]),
    )
    np.testing.assert_allclose(
        at, [surface.concentration[3, 5], surface.concentration[3, 5:7].mean()], rtol=1e-12
    )


def test_windows_near_the_end_of_a_record_keep_their_width():
    daily = river(years=12)
    samples = sampled(daily)
    place = np.array([1.0]), np.array([daily.year[0]])
    edge = Windows(years=4.0, readings=10, known=5)
    cut = Windows(years=8.0, readings=10, known=5, keeps_width=False)
    np.testing.assert_allclose(
        fit_places(samples, daily, windows=edge, places=place),
        fit_places(samples, daily, windows=cut, places=place),
        rtol=1e-5,
    )  # 2 * 4 - 0 = 8 years to the one side


def test_influences_are_the_slopes_of_the_fit_in_the_weight_of_a_reading():
    """A reading twice in the record weighs twice: half the difference between one more and one less is its slope."""
    daily = river(years=4)
    samples = sampled(daily, every=9, limit=0.25)
    windows = Windows(readings=40, known=20)
    places = np.array([1.2]), np.array([2011.6])
    moved = local_influences(places[1], places[0], samples.logs, edges_of(daily, windows), windows.array)[0]
    for o in (20, 55):
        several = np.arange(len(samples))
        up, down = np.append(several, o), np.delete(several, o)
        found = [
            fit_places(_taken(samples, rows), daily, windows=windows, places=places)[0, :2]
            for rows in (up, down)
        ]
        np.testing.assert_allclose(0.5 * (found[0] - found[1]), moved[:, o], rtol=0.15, atol=2e-5)
    np.testing.assert_allclose(moved.sum(axis=1), 0.0, atol=1e-9)  # all weights together change nothing


def _taken(samples: Samples, rows: NDArray[np.int64]) -> Samples:
    return Samples(*(getattr(samples, name)[rows] for name in ("date", "year", "log_q", "low", "high")))


def test_days_shared_by_both_years_do_not_make_a_trend():
    daily = river(years=6)
    samples = sampled(daily, every=10)
    left_out = cross_validation(samples, daily, windows=Windows())
    for errors in (
        surface_errors(
            fit_surface(samples, daily, windows=Windows()),
            samples,
            daily=daily,
            windows=Windows(),
            left_out=left_out,
        ),
        rating_errors(fit_rating(samples, 7), samples, daily=daily),
    ):
        assert errors.of_ratio(3, first=2, last=2) == pytest.approx(0.0, abs=1e-12)
        assert errors.of_ratio(3, first=0, last=5) > 0.0


@pytest.mark.parametrize("method", [weighted_loads, rating_loads])
def test_a_planted_trend_lies_in_its_interval_and_is_named(method: object):
    daily = river(years=10)
    loads = method(sampled(daily, every=14, trend=-0.08), daily)
    truly = 100.0 * np.expm1(-0.08 * 9.0)
    concentration = loads.trend[0]
    assert concentration.percent.low < truly < concentration.percent.high
    assert concentration.direction == "falling"
    assert concentration.chance_of_rise < 0.01


def test_years_that_are_not_whole_have_no_part_in_the_trend():
    daily = river(years=8)
    keep = daily.date >= np.datetime64("2010-09-01")
    daily = Daily.of(daily.date[keep], daily.discharge[keep])
    loads = weighted_loads(sampled(daily, every=10), daily)
    assert not loads.years[0].is_whole
    assert loads.trend[0].first == "2011"


def test_intervals_widen_with_the_error_and_hold_the_value():
    narrow, wide = Bounded.of_error(10.0, 1.0), Bounded.of_error(10.0, 3.0)
    assert wide.low < narrow.low < 10.0 < narrow.high < wide.high


def test_a_change_whose_interval_holds_zero_is_unclear():
    assert change("load", years=("2001", "2005"), values=(1.0, 1.1), log_error=0.2).direction == "unclear"
    assert change("load", years=("2001", "2005"), values=(1.0, 1.1), log_error=0.01).direction == "rising"


def test_months_and_years_hold_every_day_once():
    date = days("2019-11-15", 800)
    for groups in (years_of(date), months_of(date)):
        assert sorted(np.concatenate([group.rows for group in groups]).tolist()) == list(range(800))
    assert [group.is_whole for group in years_of(date)] == [False, True, True, False]


def test_days_of_leap_years_and_others_meet_after_february():
    leap, other = days("2020-01-01", 366), days("2021-01-01", 365)
    assert calendar_day(leap)[-1] == calendar_day(other)[-1] == 365
    assert calendar_day(np.array(["2020-03-01", "2021-03-01"], "datetime64[D]")).tolist() == [60, 60]


@pytest.mark.parametrize("value", [0.0, -3.0, np.nan])
def test_discharge_that_is_not_above_zero_is_refused_with_its_day(value: float):
    with pytest.raises(
        InputError, match=r"1 days have a discharge that is not above 0, the first .* on 2020-01-02"
    ):
        Daily.of(days("2020-01-01", 3), np.array([1.0, value, 1.0]))


def test_a_day_twice_is_refused():
    with pytest.raises(InputError, match="2020-01-01 does not come after 2020-01-01"):
        Daily.of(np.array(["2020-01-01", "2020-01-01"], "datetime64[D]"), np.ones(2))


def test_too_few_readings_are_counted_and_rating_is_advised():
    daily = river(years=4)
    with pytest.raises(
        InputError, match=r"49 days with a reading and a discharge, 50 are needed; use --method rating"
    ):
        weighted_loads(Samples(*_first(sampled(daily, every=20), 49)), daily)
    with pytest.raises(InputError, match=r"11 days with a reading and a discharge; a rating curve needs 12"):
        rating_loads(Samples(*_first(sampled(daily, every=20), 11)), daily)


def _first(samples: Samples, count: int) -> list[NDArray]:
    return [getattr(samples, name)[:count] for name in ("date", "year", "log_q", "low", "high")]


def test_a_short_span_is_refused_by_weighted_regressions():
    daily = river(years=2)
    with pytest.raises(InputError, match=r"the readings span 2\.0 years, 3 are needed"):
        weighted_loads(sampled(daily, every=5), daily)


def test_too_many_readings_below_detection_are_counted():
    daily = river(years=4)
    samples = sampled(daily, every=14, limit=3.0)
    assert samples.is_known.sum() < 6
    with pytest.raises(InputError, match=r"of 105 readings are below detection or above range"):
        rating_loads(samples, daily)
    with pytest.raises(InputError, match=r"25 others are needed"):
        weighted_loads(samples, daily)


def test_readings_at_one_flow_do_not_make_a_rating_curve():
    daily = Daily.of(days("2020-01-01", 60), np.full(60, 2.0))
    c = np.exp(np.random.default_rng(0).normal(size=60))
    with pytest.raises(
        InputError, match="all readings are of days with 2 m3/s; give readings of low and high flow"
    ):
        rating_loads(Samples.of(daily.date, low=c, high=c, daily=daily), daily)


def test_days_without_discharge_are_left_out_of_the_readings():
    daily = Daily.of(days("2020-01-01", 5), np.ones(5))
    date = days("2020-01-04", 4)
    assert len(Samples.of(date, low=np.ones(4), high=np.ones(4), daily=daily)) == 2


@pytest.mark.skipif(
    not section_loads.CHOPTANK.is_dir(),
    reason="../shared/data/egret-choptank-wrtds is not here: no surfaces to compare with",
)
def test_the_choptank_surfaces_and_means_are_those_of_egret():
    bar = section_loads.weighted_bar()
    assert bar["value"]["surfaces"] < 1e-6
    assert bar["beside"]["wrong"] == {}
    assert max(bar["beside"]["daily_series_apart"].values()) < 1e-8
    assert bar["beside"]["seconds_again"]["processor"] < 10.0


@pytest.mark.skipif(
    not section_loads.LOADEST.is_dir(),
    reason="../shared/data/loadest-examples is not here: no example to compare with",
)
def test_loadest_examples_are_met_to_every_printed_digit():
    bar = section_loads.rating_bar()
    assert bar["beside"]["wrong"] == {}
    assert bar["beside"]["wrong_2"] == {}


def test_digits_agree_when_the_value_rounds_to_them():
    assert agrees(0.94854034, "0.9485403")
    assert not agrees(0.94854036, "0.9485403")


def test_a_day_that_was_read_is_as_read_and_with_readings_every_day_the_load_is_their_sum():
    daily = river(years=4)
    samples = sampled(daily, every=1)
    for loads in (weighted_loads(samples, daily), rating_loads(samples, daily)):
        own = np.isin(daily.date, samples.date)
        np.testing.assert_allclose(loads.concentration[own], samples.high, rtol=1e-12)
        year = loads.years[1]
        of_year = samples.date.astype("datetime64[Y]").astype(str) == year.label
        exact = (samples.high * np.exp(samples.log_q) * KG_PER_DAY)[of_year].mean()
        assert year.load.value == pytest.approx(exact, rel=1e-9)
        assert year.load.high - year.load.low < 1e-6 * exact
        assert year.normalised_load.high - year.normalised_load.low > 0.01 * exact


def test_between_readings_errors_are_those_of_an_autoregression_given_both():
    """The bridge in closed form against the conditional normal distribution from the whole covariance matrix."""
    daily = Daily.of(days("2020-01-01", 40), np.ones(40))
    rows = np.array([5, 12, 13, 30])
    rng = np.random.default_rng(1)
    c = np.exp(rng.normal(size=4))
    samples = Samples.of(daily.date[rows], low=c, high=c, daily=daily)
    sd, mean = np.full(40, 0.7), rng.normal(size=40)
    estimate = np.exp(mean + 0.5 * sd**2)
    found = carry(
        samples, daily, estimate=estimate, log_mean=mean, log_sd=sd, lasting=Lasting(DAY_TO_DAY, False)
    )
    lag = np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    whole = DAY_TO_DAY**lag
    gain = whole[:, rows] @ np.linalg.inv(whole[np.ix_(rows, rows)])
    left = whole - gain @ whole[rows]
    error = gain @ ((np.log(c) - mean[rows]) / 0.7)
    np.testing.assert_allclose(found.correlation(np.arange(40)), left, atol=1e-12)
    np.testing.assert_allclose(found.share, gain.sum(axis=1), atol=1e-12)
    exact = np.exp(mean + 0.7 * error + 0.5 * 0.49 * np.diag(left))
    np.testing.assert_allclose(found.factor * estimate, exact, rtol=1e-10)


def test_a_reading_below_detection_pulls_the_days_around_it_down():
    """Below the log mean: m = -sqrt(2 / pi), v = 1 - 2 / pi; a day on, 0.9 m and 1 - 0.81 (1 - v)."""
    daily = Daily.of(days("2020-01-01", 9), np.ones(9))
    samples = Samples.of(daily.date[4:5], low=np.zeros(1), high=np.ones(1), daily=daily)
    found = carry(
        samples,
        daily,
        estimate=np.ones(9),
        log_mean=np.zeros(9),
        log_sd=np.ones(9),
        lasting=Lasting(0.9, False),
    )
    m, v = -np.sqrt(2.0 / np.pi), 1.0 - 2.0 / np.pi
    np.testing.assert_allclose(np.log(found.factor[4]), m + 0.5 * (v - 1.0), rtol=1e-9)
    np.testing.assert_allclose(np.log(found.factor[[3, 5]]), 0.9 * m + 0.5 * 0.81 * (v - 1.0), rtol=1e-9)
    np.testing.assert_allclose(found.share[5], 0.9 * (1.0 - v), rtol=1e-9)


def test_what_is_carried_from_a_censored_record_is_right_in_the_mean_however_close_its_readings():
    """Known errors alone lie above 0; with those below their limit the mean over all days is that of what was drawn."""
    daily = Daily.of(days("2000-01-01", 12_000), np.ones(12_000))
    error = lasting_noise(12_000, 0.9, np.random.default_rng(7))
    for every in (1, 7):
        c = np.exp(0.4 * error[::every])
        low, high = np.where(c < 1.0, 0.0, c), np.maximum(c, 1.0)
        samples = Samples.of(daily.date[::every], low=low, high=high, daily=daily)
        estimate = np.full(12_000, np.exp(0.08))
        found = carry(
            samples,
            daily,
            estimate=estimate,
            log_mean=np.zeros(12_000),
            log_sd=np.full(12_000, 0.4),
            lasting=Lasting(0.9, False),
        )
        assert (found.factor * estimate).mean() == pytest.approx(np.exp(0.4 * error).mean(), rel=0.02)


@pytest.mark.parametrize(
    ("apart", "count", "too_small"),
    [(1, 3, 0.175), (1, 10, 0.175), (5, 3, 0.031), (10, 6, 0.006), (30, 3, 1e-4)],
)
def test_readings_below_detection_in_a_row_meet_the_truncated_normal_distribution(
    apart: int, count: int, too_small: float
):
    """Days below their log mean, 0.9 from day to day, against the exact moments by quadrature.

    Means within 0.6 %. Expectation propagation has variances too small, by a sixth on days in a row and by nothing a month apart;
    never too large.
    """
    day = float(apart) * np.arange(count)
    mean, variance = errors_below(day, lasting=0.9)
    value, noise = sites_together(day, low=np.full(count, -np.inf), high=np.zeros(count), lasting=0.9)
    found = bridge(day, seen=value, noise=noise, lasting=0.9)
    np.testing.assert_allclose(found.mean, mean, rtol=0.006)
    lacks = 1.0 - found.left / variance
    assert -1e-6 < lacks.min() <= lacks.max() < too_small


def test_the_exact_moments_of_two_days_below_detection_are_those_of_the_bivariate_normal():
    """P = 1/4 + asin(r) / 2 pi, mean -(1 + r) / (2 sqrt(2 pi) P), E[x^2] 1 + r sqrt(1 - r^2) / 2 pi P (Rosenbaum, 1961)."""
    chance = 0.25 + np.arcsin(0.9) / (2.0 * np.pi)
    mean, variance = errors_below(np.arange(2.0), lasting=0.9)
    exact = -1.9 / (2.0 * np.sqrt(2.0 * np.pi) * chance)
    np.testing.assert_allclose(mean, exact, rtol=1e-9)
    square = 1.0 + 0.9 * np.sqrt(0.19) / (2.0 * np.pi * chance)
    np.testing.assert_allclose(variance, square - exact**2, rtol=1e-9)


def test_were_errors_those_of_single_days_a_months_mean_errs_as_told():
    """Readings every ten days carried as if errors lasted, while each day errs alone by 10 %: 3,000 draws know it to 1.3 %."""
    rng, rows = np.random.default_rng(8), np.array([0, 10, 20, 30])
    daily = Daily.of(days("2020-01-01", 31), np.ones(31))
    sd, estimate = np.full(31, 0.1), np.full(31, np.exp(0.005))
    missed = []
    for _ in range(3000):
        c = np.exp(0.1 * rng.normal(size=31))
        samples = Samples.of(daily.date[rows], low=c[rows], high=c[rows], daily=daily)
        found = carry(
            samples, daily, estimate=estimate, log_mean=np.zeros(31), log_sd=sd, lasting=Lasting(0.9, True)
        )
        missed.append((found.factor * estimate - c).mean())
    told = found.fleeting_error(estimate, sd, rows=np.arange(31))
    assert np.sqrt(np.mean(np.square(missed))) == pytest.approx(told, rel=0.04)
    assert told > 1.2 * daily_error(estimate, sd, correlation=np.diag(1.0 - np.isin(np.arange(31), rows)))


@pytest.mark.parametrize(
    ("truly", "every", "can_be"), [(0.0, 3, True), (0.9, 5, False), (0.9, 30, True), (0.0, 30, True)]
)
def test_readings_a_month_apart_do_not_exclude_errors_of_single_days(truly: float, every: int, can_be: bool):
    daily = river(years=28)
    error = lasting_noise(len(daily), truly, np.random.default_rng(3))
    rows = np.arange(0, 250 * every, every)
    samples = Samples.of(daily.date[rows], low=np.ones(250), high=np.ones(250), daily=daily)
    assert how_lasting(samples, np.stack([error[rows], error[rows]])).can_be_fleeting == can_be


@pytest.mark.parametrize(
    ("truly", "every", "told"), [(0.0, 3, 0.0), (0.5, 1, 0.5), (0.9, 5, 0.9), (0.0, 40, 0.9)]
)
def test_how_long_errors_last_is_seen_where_readings_are_close_and_assumed_elsewhere(
    truly: float, every: int, told: float
):
    """250 readings; those 40 days apart do not tell."""
    daily = river(years=28)
    error = lasting_noise(len(daily), truly, np.random.default_rng(3))
    rows = np.arange(0, 250 * every, every)
    samples = Samples.of(daily.date[rows], low=np.ones(250), high=np.ones(250), daily=daily)
    assert how_lasting(samples, np.stack([error[rows], error[rows]])).likely == pytest.approx(told, abs=0.13)


def test_two_sampling_dates_a_year_make_no_season():
    """Spring and autumn only: sine and cosine of the year are not told apart from the constant."""
    daily = river(years=10)
    own = np.isin(calendar_day(daily.date), [100, 101, 280, 281])
    c = np.exp(truth(daily)[own] + 0.3 * np.random.default_rng(1).normal(size=own.sum()))
    samples = Samples.of(daily.date[own], low=c, high=c, daily=daily)
    assert "season" not in MODELS[fit_rating(samples).number]
    loads = rating_loads(samples, daily)
    assert loads.load.max() < 100.0 * loads.load.mean()
    assert loads.normalised_load.min() > 0.0
    with pytest.raises(InputError, match=r"the regression gives no positive number on .* days"):
        rating_loads(samples, daily, number=4)


def test_two_flows_that_determine_no_parabola_still_make_a_rating_curve():
    date = days("2015-01-01", 1800)
    daily = Daily.of(date, np.where(np.arange(1800) // 50 % 2 == 0, 1.0, 4.0))
    samples = sampled(daily)
    assert "lnQ2" not in MODELS[fit_rating(samples).number]
    with pytest.raises(InputError, match="do not determine the 3 coefficients of model 2"):
        rating_loads(samples, daily, number=2)


@pytest.mark.parametrize("method", [weighted_loads, rating_loads])
def test_years_beyond_the_readings_are_not_estimated_and_have_no_part_in_the_trend(method: object):
    daily = river(years=10)
    samples = sampled(daily, every=10, trend=-0.08)
    own = (samples.date >= np.datetime64("2012-06-01")) & (samples.date < np.datetime64("2017-03-01"))
    loads = method(_taken(samples, np.flatnonzero(own)), daily)
    assert [loads.years[0].label, loads.years[-1].label] == ["2012", "2017"]
    assert (loads.trend[0].first, loads.trend[0].last) == ("2012", "2017")
    assert loads.days_left_out == len(daily) - sum(year.days for year in loads.years) > 0


def test_no_upper_bound_falls_as_the_error_grows():
    found = [Bounded.of_error(1.0, error) for error in (0.1, 0.9, 1.0, 1.1, 5.0, 10.0, 100.0)]
    assert (np.diff([one.high for one in found]) > 0.0).all()
    assert (np.diff([one.low for one in found]) < 0.0).all()


@pytest.mark.parametrize("method", [weighted_loads, rating_loads])
def test_a_last_year_without_its_december_makes_no_trend_of_its_own(method: object):
    """The record ends on 26 November in a water high in winter; half a per cent a year over seven years is what remains."""
    daily = river(years=8)
    keep = daily.date <= np.datetime64("2017-11-26")
    daily = Daily.of(daily.date[keep], daily.discharge[keep])
    rows = np.arange(3, len(daily), 10)
    noise = 0.01 * np.random.default_rng(1).normal(size=len(rows))
    c = np.exp((truth(daily, trend=-0.005) + np.cos(2.0 * np.pi * daily.year))[rows] + noise)
    loads = method(Samples.of(daily.date[rows], low=c, high=c, daily=daily), daily)
    assert loads.years[-1].is_whole
    assert loads.trend[0].last == "2017"
    for one in loads.trend:
        assert one.percent.value == pytest.approx(100.0 * np.expm1(-0.005 * 7.0), abs=1.0)


def test_under_five_years_no_direction_is_told():
    assert change("load", years=("2001", "2004"), values=(1.0, 2.0), log_error=0.01).direction == "short"


def test_a_day_known_within_a_hair_is_known():
    """Six values of which one is <0.025 lie between 0.100 and 0.104: at 0.102."""
    daily = Daily.of(days("2020-01-01", 3), np.ones(3))
    samples = Samples.of(
        daily.date, low=np.array([0.1, 0.1, 0.0]), high=np.array([0.104, 0.2, 0.1]), daily=daily
    )
    assert samples.is_known.tolist() == [True, False, False]
    assert samples.high[0] == pytest.approx(np.sqrt(0.1 * 0.104))


@pytest.mark.parametrize("dates", [["2020-01-02", "2020-01-01"], ["2020-01-01", "2020-01-01"]])
def test_readings_out_of_order_or_twice_a_day_are_refused(dates: list[str]):
    daily = Daily.of(days("2020-01-01", 3), np.ones(3))
    with pytest.raises(InputError, match=r"2020-01-01 does not come after 2020-01-0"):
        Samples.of(np.array(dates, "datetime64[D]"), low=np.ones(2), high=np.ones(2), daily=daily)


@pytest.mark.parametrize("bounds", [(np.nan, 1.0), (-1.0, 1.0), (2.0, 1.0), (1.0, np.nan), (0.0, 0.0)])
def test_bounds_that_hold_no_concentration_are_refused(bounds: tuple[float, float]):
    daily = Daily.of(days("2020-01-01", 3), np.ones(3))
    with pytest.raises(InputError, match=r"1 days have no concentration between bounds, .* on 2020-01-01"):
        Samples.of(daily.date[:1], low=np.array(bounds[:1]), high=np.array(bounds[1:]), daily=daily)
