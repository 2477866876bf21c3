"""How often the 95 % intervals of `suyuan loads` hold the truth on drawn rivers of ten years.

`uv run python -m benchmarks.loads_coverage [--count 50]` prints a line a case: method, days between readings, correlation of the
errors from day to day, share below detection, and the shares held of yearly concentration, load, both flow-normalised, and the
two trends. A case of fifty rivers takes a minute of one core.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from suyuan.loads import Daily, Loads, Samples, rating_loads, weighted_loads
from suyuan.loads.periods import QUANTITIES
from suyuan.loads.record import KG_PER_DAY, decimal_year
from suyuan.loads.wrtds import normalising_points

Array = NDArray[np.float64]

YEARS, LOG_SD, TREND, BY_FLOW = 10, 0.35, -0.03, 0.2
"""Length of a record, spread of errors of ln c, its slope in time [1/year] and in ln Q."""

CASES = (
    (weighted_loads, 30, 0.0, 0.0),
    (weighted_loads, 30, 0.9, 0.0),
    (weighted_loads, 10, 0.9, 0.0),
    (weighted_loads, 10, 0.9, 0.5),
    (rating_loads, 30, 0.0, 0.0),
    (rating_loads, 10, 0.9, 0.0),
    (rating_loads, 10, 0.9, 0.5),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=50, help="rivers a case")
    count = parser.parse_args().count
    for method, every, lasting, censored in CASES:
        shares = coverage(method, every=every, lasting=lasting, count=count, censored=censored)
        said = ", ".join(f"{name} {share:.3f}" for name, share in shares.items())
        case = f"every {every} d, {lasting:g} from day to day, {censored:.0%} censored"
        print(f"{method.__name__}, {case}: {said}", flush=True)


def coverage(
    method: Callable[[Samples, Daily], Loads],
    *,
    every: int,
    lasting: float,
    count: int,
    censored: float = 0.0,
) -> dict[str, float]:
    """Return the share of intervals that hold the truth, of each quantity of whole years and of both trends.

    A share `censored` of the readings is below their detection limit.
    """
    held: dict[str, list[bool]] = defaultdict(list)
    for seed in range(count):
        daily = river(seed=100 + seed)
        truth, concentration = waters(daily, rng=np.random.default_rng(500 + seed), lasting=lasting)
        rows = np.arange(3 + seed % 10, len(daily), every)
        taken = concentration[rows]
        limit = np.quantile(taken, censored) if censored else 0.0
        low, high = np.where(taken < limit, 0.0, taken), np.maximum(taken, limit)
        loads = method(Samples.of(daily.date[rows], low=low, high=high, daily=daily), daily)
        years = daily.date.astype("datetime64[Y]").astype(str)
        for year in loads.years:
            for name in QUANTITIES if year.is_whole else ():
                _, low, high = getattr(year, name)
                held[name].append(low <= truth[name][years == year.label].mean() <= high)
        for change in loads.trend:
            series = truth[f"normalised_{change.quantity}"]
            first, last = (series[years == label].mean() for label in (change.first, change.last))
            held[f"trend of {change.quantity}"].append(
                change.percent.low <= 100.0 * (last / first - 1.0) <= change.percent.high
            )
    return {name: float(np.mean(each)) for name, each in held.items()}


def river(*, seed: int) -> Daily:
    """Return a flow that is high in spring, and wet and dry for weeks at a time."""
    rng = np.random.default_rng(seed)
    date = np.datetime64("2010-01-01") + np.arange(round(365.25 * YEARS))
    weather = lasting_noise(len(date), 0.93, rng) * 0.68
    return Daily.of(date, np.exp(1.0 + 0.7 * np.sin(2.0 * np.pi * decimal_year(date)) + weather))


def waters(daily: Daily, *, rng: np.random.Generator, lasting: float) -> tuple[dict[str, Array], Array]:
    """Return the true daily series of each quantity, and the concentration that is sampled."""
    mean = (
        -1.0 + BY_FLOW * daily.log_q + TREND * (daily.year - 2013.0) + 0.3 * np.cos(2.0 * np.pi * daily.year)
    )
    concentration = np.exp(mean + LOG_SD * lasting_noise(len(daily), lasting, rng))
    day, other = normalising_points(daily)
    each = np.exp(mean[day] + BY_FLOW * (daily.log_q[other] - daily.log_q[day]) + 0.5 * LOG_SD**2)
    count, to_load = np.bincount(day), KG_PER_DAY * daily.discharge
    normalised = np.bincount(day, each) / count, np.bincount(day, each * to_load[other]) / count
    return dict(
        zip(QUANTITIES, (concentration, concentration * to_load, *normalised), strict=True)
    ), concentration


def lasting_noise(count: int, lasting: float, rng: np.random.Generator) -> Array:
    """Return noise of variance 1 whose correlation from day to day is `lasting`."""
    drawn, found = rng.normal(size=count), np.empty(count)
    found[0] = drawn[0]
    for d in range(1, count):
        found[d] = lasting * found[d - 1] + np.sqrt(1.0 - lasting**2) * drawn[d]
    return found


if __name__ == "__main__":
    main()
