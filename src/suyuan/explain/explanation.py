"""Why a section moved between two periods: for every determinand the parts of its change, and what would have been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.explain.blocks import FEWEST_BLOCKS
from suyuan.explain.drivers import EVIDENCE, Drivers, Laid, laid_out
from suyuan.explain.mixing import Mixing, linked, mixing_of
from suyuan.explain.notes import Note
from suyuan.explain.parts import ACTING, CODES, Parted, Releases, Sides, parted
from suyuan.explain.response import Response
from suyuan.explain.table import StationTable
from suyuan.qc.settings import setting

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FEWEST = 6
"""Readings a period must hold, of a determinand that is explained."""

BEFORE = np.timedelta64(30 * 86400, "s")
"""Readings up to so long before both periods teach how the station answers to its drivers."""

THIRD = 1.0 / 3.0


@dataclass(frozen=True)
class Periods:
    """The period that is asked about and the one it is held against, ends included [UTC]; `against` None: the highest third
    of the period's own readings is held against the lowest."""

    since: np.datetime64
    until: np.datetime64
    against: tuple[np.datetime64, np.datetime64] | None

    @property
    def first(self) -> np.datetime64:
        """The earliest time that readings are taken from."""
        return (min(self.since, self.against[0]) if self.against else self.since) - (
            BEFORE if self.against else np.timedelta64(0, "s")
        )

    @property
    def last(self) -> np.datetime64:
        """The latest time that readings are taken from."""
        return max(self.until, self.against[1]) if self.against else self.until


@dataclass(frozen=True)
class Part:
    """One part of a change with its 90 % band, in the unit of the determinand; NaN where `note` says why it is not possible.

    The band alone is NaN where there are too few days for one.
    `without` is the mean of the period had this part stayed as before.
    """

    code: str
    value: float
    low: float
    high: float
    without: float = float("nan")
    note: Note = field(default_factory=lambda: Note(""))

    @property
    def is_possible(self) -> bool:
        """Whether there were data for it."""
        return not self.note.code


@dataclass(frozen=True)
class Instead:
    """What the mean of the period would have been, with its 90 % band, had something not happened."""

    code: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Change:
    """The change of one determinand: its means and readings on both sides, the parts in the order of CODES, what would have been.

    `releases` are the traced outfalls, the most probable first, with their `probabilities`.
    `time`, `value`, `expected`, `is_good`, `is_after` and `is_before` (reading,) are the readings that taught the response.
    """

    determinand: str
    before: float
    after: float
    readings: tuple[int, int]
    flagged: int
    parts: tuple[Part, ...]
    instead: tuple[Instead, ...]
    releases: tuple[str, ...]
    upstream: str
    time: NDArray[np.datetime64]
    value: Array
    expected: Array
    is_good: Mask
    is_after: Mask
    is_before: Mask
    probabilities: tuple[float, ...] = ()

    @property
    def change(self) -> float:
        """What the parts add up to."""
        return self.after - self.before

    @property
    def has_bands(self) -> bool:
        """Whether there are days enough on both sides to tell how firm the parts are."""
        return bool(np.isfinite(self.part("unexplained").low))

    @property
    def is_mostly_flagged(self) -> bool:
        """Whether so many readings are flagged that all were used all the same."""
        return any(part.code == "analyser" and part.note.code == "mostly_flagged" for part in self.parts)

    def part(self, code: str) -> Part:
        """Return the part of this code."""
        return next(part for part in self.parts if part.code == code)

    @property
    def size(self) -> float:
        """The change in robust standard deviations of the readings, at least in changes that the instrument can tell."""
        middle = float(np.median(self.value))
        least = max(setting(self.determinand).tells, 1e-12)
        return abs(self.change) / max(float(1.4826 * np.median(np.abs(self.value - middle))), least)


@dataclass(frozen=True)
class Explanation:
    """Why a station moved: the mixture of its waters, the change of each determinand, the largest first, and what must be known.

    `reversal` is the share of rows in which water ran against its usual way, NaN where flow is not known, and `goes_with_flow`
    the probability that the mixture goes with the flow by chance (NaN likewise).
    """

    station: str
    periods: Periods
    table: StationTable
    mixing: Mixing
    changes: tuple[Change, ...]
    notes: tuple[Note, ...] = ()
    reversal: float = float("nan")
    goes_with_flow: float = float("nan")

    @property
    def leading(self) -> Change:
        """The change that the headline is about."""
        return self.changes[0]


def explain(
    table: StationTable,
    drivers: Drivers,
    *,
    periods: Periods,
    determinands: Sequence[str] = (),
    rng: np.random.Generator,
) -> Explanation:
    """Return why a station moved between two periods.

    `table` and `drivers` hold the rows of `periods.first` to `periods.last`. Without `determinands` all are explained that have
    readings enough, the largest change first; those asked for stay in their order, and one that cannot be explained raises
    InputError.
    """
    mixing = mixing_of(table, rng=rng)
    asked = tuple(determinands) or tuple(name for name in table.determinands if name not in EVIDENCE)
    found, few = [], []
    for name in asked:
        counts = readings_of(table, name, periods=periods)
        if min(counts) >= FEWEST:
            found.append(_change(table, drivers, determinand=name, mixing=mixing, periods=periods, rng=rng))
        elif determinands:
            raise _too_few(table.station, name, counts=counts)
        else:
            few.append(f"{name} ({min(counts)})")
    if not found:
        raise _too_few(table.station, "", counts=(0, 0))
    if not determinands:
        found.sort(key=lambda one: -_worth_telling(one, mixing, periods=periods))
    notes = _notes(table, mixing, periods=periods, few=few, found=found)
    return Explanation(
        table.station, periods, table, mixing, tuple(found), notes, *_reversal(mixing, drivers)
    )


def _worth_telling(change: Change, mixing: Mixing, *, periods: Periods) -> float:
    """Return by what changes are ordered: their size; within one period, where all are large by choice of the thirds, how much of
    them mixing tells, or where nothing mixes how much they are of the level."""
    if periods.against is not None:
        return change.size
    least = max(setting(change.determinand).tells, 1e-12)
    if mixing.is_found:
        return abs(change.part("mixing").value) / max(abs(change.change), least)
    return abs(change.change) / max(change.before, least)


def _too_few(station: str, name: str, *, counts: tuple[int, int]) -> InputError:
    if not name:
        what = f"no determinand has {FEWEST} readings in both periods"
        return InputError(f"station {station}", what, "ask about a longer period, or import more readings")
    what = f"{name} has {counts[1]} readings in the period and {counts[0]} in the one before it"
    remedy = f"at least {FEWEST} are needed in each: ask about longer periods, or choose --against"
    return InputError(f"station {station}", what, remedy)


def readings_of(table: StationTable, determinand: str, *, periods: Periods) -> tuple[int, int]:
    """Return how many readings lie on the earlier and on the later side of a change."""
    value = table.column(determinand)
    before, after = _sides(table, value, periods=periods)
    return int(before.sum()), int(after.sum())


def _sides(table: StationTable, value: Array, *, periods: Periods) -> tuple[Mask, Mask]:
    """Return which rows (time,) are on the earlier and which on the later side."""
    there = np.isfinite(value)
    inside = there & (table.time >= periods.since) & (table.time <= periods.until)
    if periods.against is not None:
        before = there & (table.time >= periods.against[0]) & (table.time <= periods.against[1])
        return before & ~inside, inside
    low, high = np.zeros(len(value), bool), np.zeros(len(value), bool)
    rows = np.flatnonzero(inside)[np.argsort(value[inside], kind="stable")]
    count = int(np.ceil(len(rows) * THIRD))
    if count and len(rows) >= 2 * count:
        low[rows[:count]] = high[rows[-count:]] = True
    return low, high


def _change(
    table: StationTable,
    drivers: Drivers,
    *,
    determinand: str,
    mixing: Mixing,
    periods: Periods,
    rng: np.random.Generator,
) -> Change:
    value = table.column(determinand)
    rows = np.isfinite(value)
    before, after = _sides(table, value, periods=periods)
    flagged = rows & table.doubtful(determinand)
    is_mostly = _is_mostly_flagged(flagged, rows, sides=(before, after))
    good = rows if is_mostly else rows & ~flagged
    laid = laid_out(table, drivers, determinand=determinand, mixing=mixing, rows=rows, sides=(before, after))
    earlier, later = _sides(table, table.shown(determinand), periods=periods)
    lasts = table.lasts(determinand, side=earlier + 2 * later)[rows]
    sides = Sides(value[rows], after[rows], before[rows], good[rows], drivers.block[rows], lasts)
    released = drivers.releases.get(determinand)
    within = None if released is None else replace(released, added=released.added[:, rows])
    done = parted(sides, laid.design, present=laid.present, releases=within, rng=rng)
    notes = _absent(
        laid, released=released, is_mostly=is_mostly, flagged=int((flagged & (before | after)).sum())
    )
    above = drivers.upstream.get(determinand)
    return Change(
        determinand, done.before, done.after,
        readings=(int(before.sum()), int(after.sum())),
        flagged=int((flagged & (before | after)).sum()),
        parts=tuple(_part(done, k, note=notes.get(code, Note(""))) for k, code in enumerate(CODES)),
        instead=_instead(done, laid, sides=sides),
        releases=tuple(name for name, _ in _suspected(released)),
        probabilities=tuple(probability for _, probability in _suspected(released)),
        upstream=above.station if above is not None and "upstream" in laid.present else "",
        time=table.time[rows], value=value[rows], expected=done.expected,
        is_good=~flagged[rows], is_after=after[rows], is_before=before[rows],
    )  # fmt: skip


def _is_mostly_flagged(flagged: Mask, rows: Mask, *, sides: tuple[Mask, Mask]) -> bool:
    """Return whether more than half of the readings, of all or of one side, are flagged."""
    return any(2 * (flagged & part).sum() > part.sum() for part in (rows, *sides))


def _suspected(released: Releases | None) -> list[tuple[str, float]]:
    """Return the traced outfalls with their probabilities, the most probable first."""
    if released is None:
        return []
    pairs = zip(released.names, map(float, released.probability), strict=True)
    return sorted(pairs, key=lambda pair: -pair[1])


def _absent(laid: Laid, *, released: Releases | None, is_mostly: bool, flagged: int) -> Mapping[str, Note]:
    """Return why each part that is not possible is not."""
    notes = {code: laid.absent.get(code, Note("no_data")) for code in ACTING if code not in laid.present}
    if released is None:
        notes["release"] = laid.absent.get("release", Note("no_trace"))
    if is_mostly:
        notes["analyser"] = Note("mostly_flagged", (str(flagged),))
    return notes


def _part(done: Parted, k: int, *, note: Note) -> Part:
    if note.code:
        return Part(CODES[k], 0.0, float("nan"), float("nan"), note=note)
    return Part(CODES[k], float(done.parts[k]), *_band(done.draws[:, k]), float(done.without[k]))


def _band(draws: Array) -> tuple[float, float]:
    """Return the 90 % band of draws (draw,), NaN without any."""
    if not len(draws):
        return float("nan"), float("nan")
    low, high = np.quantile(draws, (0.05, 0.95))
    return float(low), float(high)


def _instead(done: Parted, laid: Laid, *, sides: Sides) -> tuple[Instead, ...]:
    """Return the mean of the period without each part, and without any rain where rain is a driver."""
    found = []
    removable = (*laid.present, *(["release"] if laid.design.release.any() else []))
    for k, code in enumerate(CODES):
        if code in removable:
            found.append(Instead(code, float(done.without[k]), *_band(done.without_draws[:, k])))
    if laid.rain_column >= 0:
        found.append(_dry(done, laid, sides=sides))
    return tuple(found)


def _dry(done: Parted, laid: Laid, *, sides: Sides) -> Instead:
    """Return the mean of the period's good readings had it not rained, not below 0: what the driver rain makes is taken away,
    all else stays."""
    rows = sides.after & sides.is_good
    wet = laid.design.where(rows)
    column, value = wet.modifiers[:, laid.rain_column], sides.value[rows]

    def mean(response: Response, weights: Array) -> float:
        acted = response.expected(wet) - wet.release
        dry = value + acted * np.expm1(response.effect[laid.rain_column] * (laid.dry - column))
        return max(float(np.average(dry, weights=weights[rows])), 0.0)

    pairs = zip(done.responses, done.weights, strict=True)
    draws = np.array([mean(response, weights) for response, weights in pairs])
    return Instead("rain", mean(done.response, sides.lasts), *_band(draws))


def _reversal(mixing: Mixing, drivers: Drivers) -> tuple[float, float]:
    """Return the share of rows in which water ran back, and the probability that the mixture goes with it by chance."""
    if drivers.flow is None:
        return float("nan"), float("nan")
    known = np.isfinite(drivers.flow)
    if not known.any():
        return float("nan"), float("nan")
    back = float((drivers.flow[known] < 0.0).mean())
    both = known & np.isfinite(mixing.fraction)
    if not mixing.is_found or both.sum() < FEWEST:
        return back, float("nan")
    return back, linked(drivers.flow[both], mixing.fraction[both])[1]


def _notes(
    table: StationTable, mixing: Mixing, *, periods: Periods, few: Sequence[str], found: Sequence[Change]
) -> tuple[Note, ...]:
    notes = []
    if periods.against is None:
        notes.append(Note("within"))
    if few:
        notes.append(Note("few_readings", (", ".join(few), str(FEWEST))))
    short = ", ".join(change.determinand for change in found if not change.has_bands)
    if short:
        notes.append(Note("few_days", (short, str(FEWEST_BLOCKS))))
    repeats = int(table.is_repeat.sum())
    if repeats:
        notes.append(Note("repeats", (str(repeats),)))
    if mixing.is_found:
        notes.append(Note("accuses_nobody"))
    return tuple(notes)
