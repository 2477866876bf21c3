"""Episodes in readings (超基线过程): what stands above a baseline with its season and its day, when, and how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.qc.series import robust_sd, running_median
from suyuan.qc.settings import setting

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Times = NDArray[np.datetime64]

HOUR_S = 3600.0
DAY_S = 86400.0
MONTH_D = 365.25 / 12.0

SINKS = ("DO", "transparency")
"""Determinands whose episodes lie below the baseline."""

SIDELESS = ("pH", "ORP", "water_temp")
"""Determinands of which neither side is the bad one."""

ABOUT_D = 7.0
"""The baseline is the median of so many days to either side: shorter than a season, longer than an episode."""

FEWEST = 30
"""Readings below which there is no baseline."""

LOW, HIGH = 2.0, 4.0
"""Robust standard deviations above the baseline at which an episode begins and ends, and that it must reach."""

LEAST_READINGS = 2
"""One reading alone is a spike: a matter of quality control, not an episode."""

LEAST_TELLS = 3.0
"""An episode must stand above the baseline by so many of what the instrument can tell."""

GAP_STEPS = 3.5
"""Readings farther apart than so many usual steps belong to two episodes."""

ROUNDS = 3
LEAST_PER_HOUR = 10


@dataclass(frozen=True)
class Episode:
    """One episode: its first and last reading [UTC], the time and value of the peak, baseline and score (robust standard
    deviations) there.

    `size` is the integral of what stands above the baseline [unit x h]; `readings` are in it, `suspect` of them flagged.
    """

    station: str
    determinand: str
    start: np.datetime64
    end: np.datetime64
    peak_time: np.datetime64
    peak: float
    baseline: float
    score: float
    size: float
    readings: int
    suspect: int

    @property
    def hours(self) -> float:
        """How long it lasted, from the first reading to the last."""
        return float((self.end - self.start) / np.timedelta64(3600, "s"))


@dataclass(frozen=True)
class Watched:
    """What was found in one series.

    `time`, `value`, `baseline` and `limit` (reading,): at `limit` an episode is one. `false_alarms` are the episodes that the
    same search finds in the mirrored record, where none can be, and `months` the time with readings: their ratio is the rate
    of false alarms.
    """

    station: str
    determinand: str
    episodes: tuple[Episode, ...]
    time: Times
    value: Array
    baseline: Array
    limit: Array
    false_alarms: int
    months: float

    @property
    def false_alarm_rate(self) -> float:
        """False alarms per month at this station, as measured on the record itself."""
        return self.false_alarms / max(self.months, 1e-9)


def find_episodes(
    time: Times, value: Array, *, station: str, determinand: str, hour: Array, is_suspect: Mask
) -> Watched:
    """Return the episodes of one series: readings that stand above its baseline for longer than one reading.

    `time` (reading,) increases; `hour` (reading,) is the hour of the day on the project's clock. The baseline is a running
    median of the logarithm (of the value itself for SINKS) over ABOUT_D days to either side, which follows the season, plus the
    usual course of the day; what it leaves is divided by its own robust spread of the same days. An episode begins and ends at
    LOW and reaches HIGH. Readings in episodes are taken out and the baseline is made again. Turned upside down (what lies
    below the baseline counts) the same search shows how often chance makes an episode: pollution has no mirror image.
    The assumption that hurts most: quiet readings scatter alike to either side on that scale.

    >>> time = np.datetime64("2024-07-01T00") + np.arange(120) * np.timedelta64(14400, "s")
    >>> value = 0.4 + 0.02 * np.sin(np.arange(120) * 1.7)
    >>> value[60:63] = 1.5
    >>> seen = find_episodes(time, value, station="S", determinand="NH3-N", hour=np.arange(120) * 4.0 % 24,
    ...                      is_suspect=np.zeros(120, bool))
    >>> [(str(one.start), one.readings, one.peak) for one in seen.episodes], seen.false_alarms
    ([('2024-07-11T00:00:00', 3, 1.5)], 0)
    """
    if determinand in SIDELESS:
        what = f"{determinand} may be wrong on either side and has no episodes"
        raise InputError(
            "--determinand", what, "ask about nutrients, oxygen, turbidity, conductivity or algae"
        )
    if len(time) < FEWEST:
        what = f"{determinand} has {len(time)} readings"
        raise InputError(f"station {station}", what, f"a baseline needs at least {FEWEST}")
    sign = -1.0 if determinand in SINKS else 1.0
    scale = _Scale.of(determinand, value)
    seconds = (time - time[0]) / np.timedelta64(1, "s")
    step = float(np.median(np.diff(seconds)))
    raised = sign * scale.inward(value)
    runs, base, spread = _searched(seconds, raised, hour=hour, step=step, least=_least(scale, value))
    mirrored = _searched(seconds, -raised, hour=hour, step=step, least=_least(scale, value))[0]
    baseline, limit = scale.outward(sign * base), scale.outward(sign * (base + HIGH * spread))
    named = (station, determinand)
    score = (raised - base) / spread
    clock = time.astype("datetime64[s]")
    found = [
        _episode(run, named, times=clock, lines=(value, baseline, score), suspect=is_suspect) for run in runs
    ]
    days = len(np.unique(seconds // DAY_S))
    return Watched(
        station, determinand, tuple(found), time, value, baseline, limit, len(mirrored), days / MONTH_D
    )


@dataclass(frozen=True)
class _Scale:
    """The scale on which quiet readings scatter evenly: logarithms above a floor, or the value itself."""

    floor: float
    tells: float

    @classmethod
    def of(cls, determinand: str, value: Array) -> _Scale:
        """Return the scale of a determinand; readings below half the detection limit are alike."""
        known = setting(determinand)
        is_plain = determinand in SINKS or bool((value < 0.0).any())
        positive = value[value > 0.0]
        least = float(np.quantile(positive, 0.01)) if len(positive) else 1.0
        return cls(
            0.0 if is_plain else max(0.5 * known.detection, known.tells / 10.0, 1e-3 * least), known.tells
        )

    def inward(self, value: Array) -> Array:
        """Return values on the scale."""
        return np.log(np.maximum(value, self.floor)) if self.floor else value

    def outward(self, value: Array) -> Array:
        """Return what lies at places on the scale."""
        return np.exp(value) if self.floor else value


def _least(scale: _Scale, value: Array) -> Array:
    """Return by how much a reading must stand out on the scale to be more than what the instrument can tell (reading,)."""
    tells = LEAST_TELLS * scale.tells
    if not scale.floor:
        return np.full(len(value), tells)
    level = np.maximum(np.median(value), scale.floor)
    return np.full(len(value), float(np.log1p(tells / level)))


def _searched(
    seconds: Array, raised: Array, *, hour: Array, step: float, least: Array
) -> tuple[list[NDArray[np.int64]], Array, Array]:
    """Return the rows of every episode, and baseline and spread (reading,), on the scale."""
    quiet = np.ones(len(raised), bool)
    runs: list[NDArray[np.int64]] = []
    base, spread = raised, np.ones(len(raised))
    for _ in range(ROUNDS):
        base = _baseline(seconds, raised, hour=hour, quiet=quiet, step=step)
        spread = np.maximum(_spread(seconds, raised - base, quiet=quiet, step=step), least / HIGH)
        runs = _runs(seconds, (raised - base) / spread, step=step)
        found = np.zeros(len(raised), bool)
        for run in runs:
            found[run] = True
        if np.array_equal(~found, quiet):
            break
        quiet = ~found
    return runs, base, spread


def _baseline(seconds: Array, raised: Array, *, hour: Array, quiet: Mask, step: float) -> Array:
    """Return the running median of quiet readings plus the usual course of the day (reading,)."""
    slow = _running(seconds, np.where(quiet, raised, np.nan), step=step)
    left = raised - slow
    whole = np.floor(hour).astype(int) % 24
    day = np.zeros(24)
    for one in np.unique(whole):
        mine = quiet & (whole == one)
        if mine.sum() >= LEAST_PER_HOUR:
            day[one] = np.median(left[mine])
    return np.asarray(slow + day[whole], float)


def _spread(seconds: Array, left: Array, *, quiet: Mask, step: float) -> Array:
    """Return the running robust standard deviation of quiet readings about the baseline (reading,), at least half of that of
    all."""
    own = 1.4826 * _running(seconds, np.where(quiet, np.abs(left), np.nan), step=step)
    return np.maximum(own, 0.5 * robust_sd(left[quiet]))


def _running(seconds: Array, value: Array, *, step: float) -> Array:
    """Return the running median over ABOUT_D days to either side (reading,), from medians of at least an hour."""
    width = max(step, HOUR_S)
    place = np.round(seconds / width).astype(np.int64)
    known = np.isfinite(value)
    order = np.lexsort((value, place))
    order = order[known[order]]
    cells, first, count = np.unique(place[order], return_index=True, return_counts=True)
    middle = 0.5 * (value[order][first + (count - 1) // 2] + value[order][first + count // 2])
    grid = np.full(int(place.max()) + 1, np.nan)
    grid[cells] = middle
    about = min(max(round(ABOUT_D * DAY_S / width), 1), len(grid))
    with np.errstate(invalid="ignore"):
        smooth = running_median(grid, about)
    there = np.isfinite(smooth)
    return np.interp(place, np.flatnonzero(there), smooth[there])


def _runs(seconds: Array, score: Array, *, step: float) -> list[NDArray[np.int64]]:
    """Return the rows of every stretch that stays at LOW or above, reaches HIGH, and holds readings enough."""
    rows = np.flatnonzero(score >= LOW)
    if not len(rows):
        return []
    apart = (np.diff(rows) > 1) | (np.diff(seconds[rows]) > GAP_STEPS * step)
    stretches = np.split(rows, np.flatnonzero(apart) + 1)
    return [run for run in stretches if len(run) >= LEAST_READINGS and score[run].max() >= HIGH]


def _episode(
    run: NDArray[np.int64],
    named: tuple[str, str],
    *,
    times: Times,
    lines: tuple[Array, Array, Array],
    suspect: Mask,
) -> Episode:
    """Return the episode of some rows; `lines` are values, baseline and score."""
    value, baseline, score = lines
    top = int(run[np.argmax(score[run])])
    hours = (times[run] - times[run[0]]) / np.timedelta64(3600, "s")
    return Episode(
        *named,
        start=times[run[0]],
        end=times[run[-1]],
        peak_time=times[top],
        peak=float(value[top]),
        baseline=float(baseline[top]),
        score=float(score[top]),
        size=float(np.trapezoid(np.abs(value[run] - baseline[run]), hours)),
        readings=len(run),
        suspect=int(suspect[run].sum()),
    )
