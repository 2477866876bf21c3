"""The days ahead of a station: motions, simple forecasts, helpers, errors, paths, against closed forms and invented water."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, truncnorm

from suyuan.errors import InputError
from suyuan.io.times import timezone_of
from suyuan.observations import Observations
from suyuan.outlook.budget import allowed_rest, expected_readings, item_budget, month_means, score_of
from suyuan.outlook.daily import Daily, daily_of
from suyuan.outlook.forecast import forecast
from suyuan.outlook.helped import FEWEST, help_of
from suyuan.outlook.joint import Ends, chance_of_any
from suyuan.outlook.level import Motion, ahead, below_limit, follow, motion_of, path_covariance
from suyuan.outlook.paths import rest_means
from suyuan.outlook.rolled import HORIZONS, refits_of, roll, standard_errors
from suyuan.outlook.scale import Scale, scale_of
from suyuan.outlook.simple import simple_of
from suyuan.outlook.skilled import _cases, skill_of
from suyuan.outlook.spread import members_of
from suyuan.report.outlook import take_words
from suyuan.standards import Section, rounded, scheme
from suyuan.standards.assessment import Mean

CHINA = timezone_of("Asia/Shanghai")
FIRST = np.datetime64("2022-01-01")
DAYS = FIRST + np.arange(730)
FAST_ONLY = Motion(
    fast_sd=1.0, fast=0.8, slow_sd=1e-9, slow=0.9, noise_sd=1e-6, season_sd=1e-9, mean=0.0, mean_sd=1e-9
)


def autoregression(n: int, *, left: float, seed: int) -> np.ndarray:
    """Return a stationary AR(1) of unit variance."""
    steps = np.random.default_rng(seed).standard_normal(n)
    found = np.empty(n)
    found[0] = steps[0]
    for t in range(1, n):
        found[t] = left * found[t - 1] + np.sqrt(1 - left**2) * steps[t]
    return found


def concentration(level: np.ndarray, *, name: str = "TP", first: np.datetime64 = FIRST) -> Daily:
    return Daily(name, first, np.exp(level), np.where(np.isfinite(level), 6, 0))


def readings(
    times: list[str], values: list[float], *, name: str = "TP", signs: list[str] | None = None
) -> Observations:
    n = len(times)
    text = np.full(n, "")
    return Observations(
        np.array(times, "datetime64[s]"),
        np.full(n, "S1"),
        np.full(n, name),
        np.array(values),
        np.array(signs) if signs else text,
        np.ones(n, np.int8),
        np.zeros(n),
        text,
    )


def test_what_is_left_of_an_anomaly_after_h_days_is_phi_to_the_h():
    """AR(1) of persistence phi without noise: E[z(t+h) | z(t)] = phi^h z(t), Var = 1 - phi^2h (Box and Jenkins)."""
    level = autoregression(60, left=0.8, seed=1)
    mean, sd = ahead(follow(level, DAYS[:60], motion=FAST_ONLY), DAYS[:60], horizons=HORIZONS)
    assert mean[40] == pytest.approx(0.8**HORIZONS * level[40], abs=1e-6)
    assert sd[40] == pytest.approx(np.sqrt(1 - 0.8 ** (2 * HORIZONS)), abs=1e-6)


def test_a_gap_of_three_days_is_a_horizon_of_three_days():
    level = autoregression(60, left=0.8, seed=1)
    level[-3:] = np.nan
    mean, _ = ahead(follow(level, DAYS[:60], motion=FAST_ONLY), DAYS[:60], horizons=HORIZONS)
    assert mean[-1, 0] == pytest.approx(0.8**4 * level[56], abs=1e-6)


def test_errors_of_neighbouring_days_hang_together_as_those_of_an_autoregression():
    """Cov(e_h, e_k) = phi^(k-h) (1 - phi^2h) for h <= k."""
    followed = follow(autoregression(30, left=0.8, seed=2), DAYS[:30], motion=FAST_ONLY)
    found = path_covariance(followed, DAYS[29], row=29, horizons=HORIZONS[:5])
    h, k = np.minimum.outer(HORIZONS[:5], HORIZONS[:5]), np.maximum.outer(HORIZONS[:5], HORIZONS[:5])
    assert found == pytest.approx(0.8 ** (k - h) * (1 - 0.8 ** (2 * h)), abs=1e-6)


def test_the_mean_level_is_weighed_by_readings_and_belief():
    """Without season and parts, n readings of noise s about a level of prior sd m: shrink n / (n + s^2 / m^2)."""
    still = Motion(1e-9, 0.5, 1e-9, 0.5, 1.0, 1e-9, 0.0, 2.0)
    found = follow(np.array([1.0, np.nan, 2.0, 3.0]), DAYS[:4], motion=still)
    assert found.state[-1, 0] == pytest.approx(2.0 * 3 / (3 + 0.25), abs=1e-6)


@settings(deadline=None)
@given(st.floats(-6.0, 6.0))
def test_what_lies_below_a_limit_is_a_normal_cut_off_there(b):
    chance, mean, variance = below_limit(b)
    cut = truncnorm(-np.inf, b)
    assert chance == pytest.approx(norm.logcdf(b), rel=1e-6, abs=1e-9)
    assert (mean, variance) == pytest.approx((cut.mean(), cut.var()), abs=1e-5)


def test_non_detects_say_that_the_level_is_no_higher_and_no_more():
    at_floor = follow(np.array([0.0]), DAYS[:1], motion=FAST_ONLY, floor=0.0)
    assert at_floor.state[0, -2] == pytest.approx(-np.sqrt(2 / np.pi), abs=1e-4)  # E[u | u <= 0]
    far_below = follow(np.array([6.0]), DAYS[:1], motion=FAST_ONLY, floor=6.0)
    assert far_below.state[0, -2] == pytest.approx(0.0, abs=1e-6)  # known before: nothing learnt


def test_a_single_fault_moves_the_level_by_five_standard_deviations_at_most():
    noisy = Motion(1.0, 0.8, 1e-9, 0.9, 1.0, 1e-9, 0.0, 1e-9)
    level = np.zeros(10)
    level[-1] = 1e6
    found = follow(level, DAYS[:10], motion=noisy)
    assert found.moved[-1] == pytest.approx(5.0 * ahead(found, DAYS[:10], horizons=HORIZONS)[1][-2, 0])


def test_a_motion_is_found_again_in_eight_years_of_invented_water():
    days = FIRST + np.arange(2920)
    found = motion_of(autoregression(2920, left=0.8, seed=5), days)
    level = autoregression(2920, left=0.8, seed=6)
    mean, _ = ahead(follow(level, days, motion=found), days, horizons=HORIZONS)
    for h in (1, 3, 7):
        ours = np.mean((mean[730:-h, h - 1] - level[730 + h :]) ** 2)
        best = np.mean((0.8**h * level[730:-h] - level[730 + h :]) ** 2)
        assert ours < 1.05 * best


def test_without_readings_a_motion_is_what_was_believed():
    found = motion_of(np.full(30, np.nan), DAYS[:30])
    assert found.fast_sd == pytest.approx(0.6)
    assert found.mean == 0.0


def test_damped_persistence_of_an_autoregression_keeps_phi_to_the_h():
    level = autoregression(730, left=0.9, seed=7)
    for h in (1, 3, 7):
        found = simple_of(level, DAYS, learnt=730, horizon=h)
        slope = np.polyfit(found.persistence - found.climatology, found.damped - found.climatology, 1)[0]
        assert slope == pytest.approx(0.9**h, abs=0.09)
    assert found.persistence is level


def test_simple_forecasts_know_nothing_of_what_comes_after():
    level = autoregression(400, left=0.9, seed=8)
    later = level.copy()
    later[300:] += 5.0
    a, b = (simple_of(z, DAYS[:400], learnt=300, horizon=3) for z in (level, later))
    assert a.damped[:300] == pytest.approx(b.damped[:300])


def test_a_helper_is_used_where_it_leads_and_left_alone_where_it_does_not():
    rng = np.random.default_rng(9)
    signal = rng.standard_normal((900, 3))
    error = 0.8 * signal[:, 1] + 0.6 * rng.standard_normal(900)
    assert help_of(signal, error, horizon=1).share > 0.8
    assert help_of(signal, rng.standard_normal(900), horizon=1).share < 0.2
    assert help_of(signal[: FEWEST - 1], error[: FEWEST - 1], horizon=1).share == 0.0


@settings(deadline=None)
@given(st.lists(st.floats(-4, 4), max_size=300))
def test_members_are_ordered_and_finite_however_many_errors_there_were(errors):
    found = members_of(np.array([*errors, np.nan]))
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()


def test_many_past_errors_outweigh_the_normal():
    skewed = np.random.default_rng(4).exponential(size=5000) - 1.0
    found = members_of(skewed)
    assert found.min() > -1.6
    assert found[94] == pytest.approx(np.quantile(skewed, 0.9545), abs=0.15)


def test_forecasts_of_the_past_do_not_know_the_future():
    level = autoregression(400, left=0.8, seed=11)
    other = level.copy()
    other[380:] += 3.0
    rolled = []
    for z in (level, other):
        dailies = {"TP": concentration(z), "EC": concentration(0.5 * z, name="EC")}
        rolled.append(roll(dailies, "TP", refits=refits_of(dailies)))
    assert rolled[0].mean[:380] == pytest.approx(rolled[1].mean[:380], nan_ok=True)
    assert rolled[0].known_errors(379) == pytest.approx(rolled[1].known_errors(379), nan_ok=True)
    assert np.isnan(rolled[0].known_errors(379)[379]).all()


def test_intervals_of_invented_water_hold_what_they_say():
    """Eight stations of two years, AR(1) plus season with heavy-tailed noise: 80 and 90 % hold within 4 points (about 2,000
    forecasts of a day, hardly dependent: chance moves 80 % by 0.9 points).
    """
    inside80, inside90 = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        level = autoregression(730, left=0.85, seed=seed) + 0.3 * rng.standard_t(3, 730)
        level += np.sin(2 * np.pi * np.arange(730) / 365.25)
        level[rng.random(730) < 0.2] = np.nan
        dailies = {"TP": concentration(level)}
        found = skill_of(roll(dailies, "TP", refits=refits_of(dailies)), 1)
        inside80.append(found.covered_80)
        inside90.append(found.covered_90)
    assert np.mean(inside80) == pytest.approx(0.80, abs=0.04)
    assert np.mean(inside90) == pytest.approx(0.90, abs=0.04)


def test_white_noise_gives_no_skill_beyond_the_season():
    level = np.random.default_rng(12).standard_normal(730)
    dailies = {"TP": concentration(level)}
    rolled = roll(dailies, "TP", refits=refits_of(dailies))
    error = (rolled.came - rolled.mean)[:, 2]
    assert -0.1 < 1.0 - np.nanmean(error**2) < 0.03  # nothing is left to know of a unit variance
    found = skill_of(rolled, 3)
    assert found.against["persistence"] > 0.4  # of twice the variance


def test_month_ends_of_invented_water_fall_into_their_band():
    """Rest of the month from day 15, ten months of six stations: 54 of 60 in a 90 % band; fewer than 47 come by chance less than
    once in 300.
    """
    inside = []
    for seed in range(6):
        level = 0.4 * autoregression(730, left=0.85, seed=100 + seed)
        dailies = {"TP": concentration(level)}
        rolled = roll(dailies, "TP", refits=refits_of(dailies))
        months = DAYS.astype("datetime64[M]")
        for label in np.unique(months)[-10:]:
            rows = np.flatnonzero(months == label)
            left = int(rows[-1] - rows[14])
            means = rest_means(rolled, int(rows[14]), days=left, rng=np.random.default_rng(seed))
            low, high = np.quantile(means, (0.05, 0.95))
            inside.append(low <= np.exp(level[rows[15:]]).mean() <= high)
    assert 47 <= sum(inside) < 60


def test_whole_paths_are_wider_than_days_drawn_one_by_one():
    level = autoregression(730, left=0.95, seed=21)
    dailies = {"water_temp": Daily("water_temp", FIRST, level + 15, np.full(730, 6))}
    rolled = roll(dailies, "water_temp", refits=refits_of(dailies))
    paths = rest_means(rolled, 729, days=20, rng=np.random.default_rng(1))
    alone = rolled.sd[729, :20].mean() / np.sqrt(20)
    assert paths.std() > 2.0 * alone


def test_where_nothing_is_detected_the_month_ends_at_half_the_limit():
    level = np.full(400, np.log(0.025))
    level[::40] = np.log(0.05)
    dailies = {"NH3-N": concentration(level, name="NH3-N")}
    rolled = roll(dailies, "NH3-N", refits=refits_of(dailies))
    means = rest_means(rolled, 399, days=10, rng=np.random.default_rng(1))
    assert means.min() == pytest.approx(0.025)
    assert np.median(means) < 0.03


def test_a_day_with_fewer_readings_leaves_the_detection_limit_where_it_is():
    mean = np.where(np.arange(100) % 2, 0.1, 0.025)
    mean[4] = np.nextafter(0.025, 0.0)  # five readings added instead of six
    found = Daily("NH3-N", FIRST, mean, np.full(100, 6))
    assert found.floor == pytest.approx(0.025)


def test_redox_potential_and_temperature_may_be_negative_oxygen_may_not():
    level = autoregression(120, left=0.5, seed=3)
    for name, middle in (("ORP", -150.0), ("water_temp", 0.0), ("DO", 0.1)):
        dailies = {
            name: Daily(
                name, FIRST, np.maximum(level + middle, 0.0 if name == "DO" else -1e9), np.full(120, 6)
            )
        }
        found = forecast(
            roll(dailies, name, refits=refits_of(dailies)), "S1", days=1, is_beyond=None, limit=None
        )
        low, middle_ahead = found.ahead[0].quantiles[0], found.ahead[0].quantiles[2]
        if name == "DO":
            assert low == 0.0
        else:
            assert low < 0.0
        assert middle_ahead == pytest.approx(middle, abs=3.0)


def test_a_zero_says_that_the_level_is_no_higher_than_the_lowest_reading():
    mean = np.array([0.0, 0.4, 0.0, 0.2, 0.0, 0.2])
    found = Daily("NH3-N", FIRST, mean, np.full(6, 6))
    assert np.exp(found.level) == pytest.approx([np.nan, 0.4, 0.4, 0.2, 0.2, 0.2], nan_ok=True)
    assert found.floor == pytest.approx(0.2)


def test_a_past_month_of_zeros_is_not_one_to_be_measured_by():
    mean = np.exp(0.3 * autoregression(200, left=0.8, seed=3))
    mean[DAYS[:200].astype("datetime64[M]") == np.datetime64("2022-05")] = 0.0
    dailies = {"NH3-N": Daily("NH3-N", FIRST, mean, np.full(200, 6))}
    rolled = roll(dailies, "NH3-N", refits=refits_of(dailies))
    found = score_of(rolled, days_left=12, rng=np.random.default_rng(1))
    assert found.months == 4  # February to June without May
    assert np.isfinite([found.ours, found.so_far]).all()


def test_a_determinand_installed_last_month_has_a_forecast():
    level = autoregression(120, left=0.8, seed=3)
    new = np.where(np.arange(120) < 95, np.nan, level)  # from 6 April; the 30th is the last day
    dailies = {"TP": concentration(level), "NH3-N": concentration(new, name="NH3-N")}
    rolled = roll(dailies, "NH3-N", refits=refits_of(dailies))
    found = forecast(rolled, "S1", days=1, is_beyond=None, limit=None)
    assert found.learnt == 25
    assert found.ahead[0].quantiles[0] < found.ahead[0].quantiles[-1]


def test_a_day_without_readings_makes_forecasts_a_day_longer_and_three_days_none():
    level = autoregression(120, left=0.8, seed=3)
    level[-1] = np.nan
    dailies = {"TP": concentration(level)}
    found = forecast(roll(dailies, "TP", refits=refits_of(dailies)), "S1", days=1, is_beyond=None, limit=None)
    assert (found.made_from, found.ahead[0].day) == (DAYS[118], DAYS[120])
    assert found.ahead[0].skill.horizon == 2
    level[-3:] = np.nan
    dailies = {"TP": concentration(level)}
    with pytest.raises(InputError, match="TP at S1 has no readings after 2022-04-27"):
        forecast(roll(dailies, "TP", refits=refits_of(dailies)), "S1", days=1, is_beyond=None, limit=None)


def test_the_point_that_is_printed_is_the_one_that_is_scored():
    """Near a floor f the expected level of a normal N(m, s) is m + s (phi(b) + b Phi(b)) - s b at b = (f - m) / s."""
    level = np.maximum(autoregression(200, left=0.8, seed=3), 0.0)
    dailies = {"TP": concentration(level)}
    rolled = roll(dailies, "TP", refits=refits_of(dailies))
    one = forecast(rolled, "S1", days=1, is_beyond=None, limit=None).ahead[0]
    m, s = rolled.mean[-1, 0], rolled.sd[-1, 0]
    b = -m / s
    assert np.log(one.point) == pytest.approx(m + s * (norm.pdf(b) + b * norm.cdf(b)), rel=1e-6)


@pytest.mark.parametrize(("so_far", "is_lost"), [("2.0", True), ("4.9", False)])
def test_oxygen_is_lost_where_the_rest_would_have_to_exceed_all_days_seen(so_far, is_lost):
    """After 174 readings of 2 the last 6 must average 88.5 mg/L to keep 5 (4.95 before rounding); after 4.9, 6.4."""
    level = 7.0 + autoregression(200, left=0.8, seed=3)
    dailies = {"DO": Daily("DO", FIRST, level, np.full(200, 6))}
    found = item_budget(
        scheme().item("DO"),
        roll(dailies, "DO", refits=refits_of(dailies)),
        so_far=Mean(Decimal(so_far), 174, 0, 0, 0),
        section=(Section("S1", target_class="III"), 2),
        time_left=1.0,
        rng=np.random.default_rng(1),
    )
    assert found.is_lost == is_lost
    assert ("nothing that this record has seen" in take_words(found).en) == is_lost


def test_what_is_expected_to_be_zero_is_said_without_a_share():
    dailies = {"TP": concentration(0.2 * autoregression(120, left=0.8, seed=3))}
    rolled = roll(dailies, "TP", refits=refits_of(dailies))
    found = item_budget(
        scheme().item("TP"),
        rolled,
        so_far=Mean(Decimal("0.1"), 90, 0, 0, 0),
        section=(Section("S1", target_class="III"), 2),
        time_left=10.0,
        rng=np.random.default_rng(1),
    )
    words = take_words(replace(found, rest=(0.0, 0.0, 0.0))).en
    assert words.startswith("TP: the rest must average at most 0.")
    assert "%" not in words


def test_skill_of_the_past_does_not_know_a_later_detection_limit():
    """A better instrument in the last month reads lower: the scores of the months before stay as they were."""
    level = np.maximum(autoregression(200, left=0.8, seed=3), -0.5)
    later = level.copy()
    later[-5:] = -9.0
    scored = []
    for one in (level, later):
        dailies = {"TP": concentration(one)}
        came, _, ours, _ = _cases(roll(dailies, "TP", refits=refits_of(dailies)), 1)
        scored.append((came[:140], ours[:140, 0]))
    assert scored[0][1] == pytest.approx(scored[1][1])


def test_an_error_at_the_floor_is_in_the_middle_of_those_that_it_may_be():
    found = standard_errors(np.array([0.0, 0.0]), np.array([2.0, -40.0]), sd=np.ones(2), floor=0.0)
    assert norm.cdf(found) == pytest.approx([norm.cdf(-2.0) / 2, 0.5], abs=1e-9)


def test_days_are_those_of_the_wall_clock_also_where_clocks_change():
    paris = timezone_of("Europe/Paris")
    times = ["2024-03-30T22:30", "2024-03-30T23:30", "2024-03-31T21:30", "2024-03-31T22:30"]
    days = np.datetime64("2024-03-30"), np.datetime64("2024-04-01")
    found = daily_of(readings(times, [1.0, 2.0, 4.0, 8.0]), zone=paris, first=days[0], last=days[1])["TP"]
    assert found.mean.tolist() == [1.0, 3.0, 8.0]  # the 31st has 23 hours
    assert found.count.tolist() == [1, 2, 1]


def test_daily_means_take_half_of_a_detection_limit_and_hydrogen_ions_of_ph():
    day = np.datetime64("2024-07-01")
    times = ["2024-07-01T01:00", "2024-07-01T05:00"]
    below = daily_of(readings(times, [0.1, 0.3], signs=["<", ""]), zone=CHINA, first=day, last=day)["TP"]
    assert below.mean.tolist() == pytest.approx([0.175])
    acid = daily_of(readings(times, [7.0, 9.0], name="pH"), zone=CHINA, first=day, last=day)["pH"]
    assert acid.level.tolist() == pytest.approx([7.2967], abs=1e-4)


def test_days_that_end_before_they_begin_are_refused():
    with pytest.raises(InputError, match="lies before"):
        daily_of(readings([], []), zone=CHINA, first=DAYS[5], last=DAYS[0])


@pytest.mark.parametrize("name", ["TP", "pH", "DO"])
def test_scales_come_back_to_where_they_started(name):
    scale, value = scale_of(name), np.array([5.5, 7.25])
    assert scale.read(scale.mean(scale.forecast(scale.averaged(value)))) == pytest.approx(value)


def test_a_concentration_of_zero_has_no_logarithm():
    assert np.isnan(Scale("log").forecast(np.array([0.0, -1.0]))).all()


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["TP", "NH3-N", "CODMn"]),
    st.floats(0.01, 3.0),
    st.integers(1, 150),
    st.floats(5.0, 150.0),
)
def test_a_rest_at_what_it_may_be_ends_the_month_at_the_limit(name, so_far, count, rest):
    item = scheme().item(name)
    begun = Mean(Decimal(repr(round(so_far, 4))), count, 0, 0, 0)
    (_, high), is_lost = allowed_rest(item, item.limits["river"][2], so_far=begun, ahead=rest)
    assert is_lost == (high <= 0.0)
    if not is_lost:
        inside, outside = (
            month_means(scale_of(name), begun, rest=np.array([high * f]), ahead=rest)[0]
            for f in (0.999, 1.001)
        )
        limit = item.limits["river"][2][1]
        assert rounded(Decimal(repr(float(inside))), item.decimals) <= limit
        if high * 0.001 * rest / (count + rest) > 1e-9:
            assert float(outside) > float(limit)


def ends(chance: float, past: np.ndarray) -> Ends:
    """Return an item that misses with its highest members."""
    return Ends(np.arange(400) >= round(400 * (1.0 - chance)), past)


def test_items_that_always_went_wrong_together_miss_together():
    """n past paths are held against 200 independent ones: (n max(p) + 200 (1 - (1 - p)(1 - q))) / (n + 200)."""
    past = np.random.default_rng(1).standard_normal(600)
    together = chance_of_any([ends(0.3, past), ends(0.2, np.exp(past))])
    assert together == pytest.approx((600 * 0.3 + 200 * 0.44) / 800, abs=1e-9)
    apart = chance_of_any([ends(0.3, past), ends(0.2, -past)])
    assert apart == pytest.approx((600 * 0.5 + 200 * 0.44) / 800, abs=1e-9)


def test_errors_that_hang_together_by_half_give_the_chance_of_a_binormal():
    """P(neither) of two normals with correlation 0.5, each missing above its median, is 1/4 + asin(0.5) / 2 pi = 1/3."""
    rng, n = np.random.default_rng(2), 40_000
    first = rng.standard_normal(n)
    second = 0.5 * first + np.sqrt(0.75) * rng.standard_normal(n)
    found = chance_of_any([ends(0.5, first), ends(0.5, second)])
    assert found == pytest.approx((n * 2 / 3 + 200 * 0.75) / (n + 200), abs=0.008)  # three standard errors


def test_a_determinand_without_a_past_goes_its_own_way_and_leaves_the_others_together():
    past, none = np.random.default_rng(3).standard_normal(600), np.full(600, np.nan)
    found = chance_of_any([ends(0.3, past), ends(0.3, past), ends(0.1, none)])
    assert found == pytest.approx(1.0 - (600 * 0.7 * 0.9 + 200 * 0.7**2 * 0.9) / 800, abs=1e-9)


def test_paths_that_are_all_at_the_detection_limit_know_nothing_of_others():
    past, floor = np.random.default_rng(4).standard_normal(600), np.full(600, 0.025)
    assert chance_of_any([ends(0.3, past), ends(0.2, floor)]) == pytest.approx(0.44, abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=4),
    st.floats(0.0, 1.0),
    st.integers(0, 60),
)
def test_any_item_misses_at_least_as_often_as_each_and_no_oftener_than_all_in_turn(seed, chances, gaps, days):
    rng = np.random.default_rng(seed)
    items = []
    for chance in chances:
        past = np.round(rng.standard_normal(days), 1)
        past[rng.random(days) < gaps] = np.nan
        items.append(Ends(rng.random(400) < chance, past))
    own = [one.chance for one in items]
    assert max(own) - 1e-9 <= chance_of_any(items) <= min(sum(own), 1.0) + 1e-9


def test_oxygen_must_be_at_least_and_ph_within():
    oxygen, acidity = scheme().item("DO"), scheme().item("pH")
    bounds, is_lost = allowed_rest(
        oxygen, oxygen.limits["river"][2], so_far=Mean(Decimal(4), 90, 0, 0, 0), ahead=90.0
    )
    assert (bounds, is_lost) == ((pytest.approx(5.9), None), False)
    bounds, is_lost = allowed_rest(
        acidity, acidity.limits["river"][2], so_far=Mean(Decimal(8), 90, 0, 0, 0), ahead=90.0
    )
    assert not is_lost
    assert bounds[0] == pytest.approx(-np.log10(2 * 10**-5.5 - 10**-8))  # 6 is kept down to 5.5, in ions
    assert bounds[1] is None  # no rest can lift a mean of ions from 8 beyond 9


def test_a_month_that_no_rest_can_mend_is_lost():
    item = scheme().item("TP")
    bounds, is_lost = allowed_rest(
        item, item.limits["river"][2], so_far=Mean(Decimal(2), 150, 0, 0, 0), ahead=30.0
    )
    assert is_lost
    assert bounds[1] < 0


def test_a_load_is_concentration_times_discharge():
    level = 0.3 * autoregression(730, left=0.8, seed=31) + np.log(0.1)
    dailies = {"TP": concentration(level)}
    rolled = roll(dailies, "TP", refits=refits_of(dailies))
    item = scheme().item("TP")
    found = item_budget(
        item,
        rolled,
        so_far=Mean(Decimal("0.1"), 90, 0, 0, 0),
        section=(Section("S1", target_class="III"), 2),
        time_left=10.0,
        rng=np.random.default_rng(1),
    )
    assert found.load(0.1) is None
    assert found.ahead == 60.0
    assert found.month[0] < found.month[1] < found.month[2]
    assert 0.0 <= found.probability <= 0.05
    assert found.score.months >= 18

    assert replace(found, discharge=10.0).load(0.1) == pytest.approx(86.4)  # 1 g/s


def test_one_reading_at_least_is_expected_where_there_was_none():
    assert expected_readings(np.zeros(20, np.int64), 5) == 1.0


def test_an_outage_is_no_rate_of_readings_and_weekly_samples_stay_weekly():
    assert expected_readings(np.array([6] * 30 + [0] * 12), 5.0) == 30.0
    assert expected_readings(np.array([1, 0, 0, 0, 0, 0, 0] * 8), 14.0) == 2.0


def test_an_instrument_that_failed_last_week_is_expected_to_do_so_again():
    """Five of the last fourteen days without readings, and it runs: 9 of 14 days to come."""
    assert expected_readings(np.array([6] * 30 + [0] * 5 + [6] * 4), 14.0) == pytest.approx(54.0)


def test_how_a_month_ends_hardly_hangs_on_the_seed():
    """A year of past against 4,000 drawn paths: medians and bounds of six seeds within 2 % of the rest's mean."""
    dailies = {"TP": concentration(0.3 * autoregression(365, left=0.8, seed=5))}
    rolled = roll(dailies, "TP", refits=refits_of(dailies))
    found = [rest_means(rolled, 364, days=16, rng=np.random.default_rng(seed)) for seed in range(6)]
    bounds = np.array([np.quantile(means, (0.05, 0.5, 0.95)) for means in found])
    assert np.ptp(bounds, axis=0) == pytest.approx(0.0, abs=0.02 * bounds[:, 1].mean())


def test_too_short_a_past_and_too_many_days_are_refused():
    dailies = {"TP": concentration(np.array([0.1, 0.2, np.nan]))}
    rolled = roll(dailies, "TP", refits=refits_of(dailies))
    with pytest.raises(
        InputError, match="TP at S1 has 2 days with readings, too few; import more of its past"
    ):
        forecast(rolled, "S1", days=3, is_beyond=None, limit=None)
    with pytest.raises(InputError, match="8 days ahead; ask for 1 to 7"):
        forecast(rolled, "S1", days=8, is_beyond=None, limit=None)
    with pytest.raises(InputError, match="'TN' has no readings here"):
        roll(dailies, "TN", refits=())
