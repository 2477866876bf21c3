"""Which readings an imagined release would turn positive: from source-receptor matrices, or by running any model."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.tracing.yes_no import Kit, YesNoPredictions, YesNoReadings, joined, log_likelihood
from suyuan.transport.matrix import SourceReceptorMatrix

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

Run = Callable[[str, float], Mask]
"""Runs a model for a release by one candidate from a start [s] on; returns which readings it turns positive, (reading,)."""

Progress = Callable[[int, int], None]
"""Told how many candidates of how many are done."""

NEGLIGIBLE = 1e-6
"""Share of the posterior that may be moved by starts that are not looked at."""


@dataclass(frozen=True)
class ReleaseGrid:
    """Releases to imagine: each candidate, from each of the `starts` (start,) [s] on, steady at `rate_g_s`.

    A release goes on until after the last reading.
    """

    candidates: tuple[str, ...]
    starts: Array
    rate_g_s: float

    def __post_init__(self) -> None:
        if not len(self.starts) or np.any(np.diff(self.starts) <= 0.0):
            raise InputError("starts", f"{len(self.starts)} starts that do not rise", "sort them, each once")
        if not 0.0 < self.rate_g_s < np.inf:
            raise InputError("release", f"rate_g_s is {self.rate_g_s}", "give a rate above 0 [g/s]")


def predict_with_matrices(
    matrices: Sequence[SourceReceptorMatrix],
    *,
    rates_g_s: Sequence[float],
    kit: Kit,
    weights: Sequence[float] | None = None,
) -> YesNoPredictions:
    """Return what steady releases from each source and bin on would make of each receptor, under each flow.

    The readings are the receptors of the matrices, in their order; starts count from the matrices' start. Candidates are
    those of the sources. Releases of every rate in `rates_g_s` [g/s] are imagined, equally likely. Of the background
    the kit is assumed to take no notice.
    """
    rates = np.asarray(rates_g_s, float)
    if not len(rates) or np.any(rates <= 0.0):
        raise InputError("rates_g_s", f"{rates.tolist()}", "give at least one rate, all above 0 [g/s]")
    return joined([_of_flow(matrix, rates=rates, kit=kit) for matrix in matrices], weights)


def _of_flow(matrix: SourceReceptorMatrix, *, rates: Array, kit: Kit) -> YesNoPredictions:
    since = np.cumsum(matrix.values[:, :, ::-1], axis=2, dtype=float)[:, :, ::-1]
    positive = rates[:, None, None, None] * since[None] > kit.detects_g_m3
    _, receptors, sources, bins = positive.shape
    names = [source.candidate for source in matrix.sources]
    return YesNoPredictions(
        candidate=tuple(np.tile(np.repeat(names, bins), len(rates)).tolist()),
        start=np.tile(matrix.edges[:-1], len(rates) * sources),
        scenario=np.zeros(len(rates) * sources * bins, np.intp),
        is_positive=np.moveaxis(positive, 1, -1).reshape(-1, receptors),
    )


def search_starts(
    run: Run,
    readings: YesNoReadings,
    *,
    releases: ReleaseGrid,
    kit: Kit,
    progress: Progress | None = None,
) -> YesNoPredictions:
    """Return the predictions of every release, running the model only where the posterior can feel it.

    A release that begins earlier and goes on holds the later one within it, so whatever the later one turns positive the
    earlier one does too. Where two starts predict the same, all starts between do; and what lies between two that differ
    can match the readings no better than a reading-by-reading choice between them. Stretches of starts that could not
    move the posterior by more than NEGLIGIBLE even so are not run and hold the prediction of their last start.
    The result therefore holds for these readings and this kit.
    """
    margin = float(np.log(len(releases.candidates) * len(releases.starts) / NEGLIGIBLE))
    best, tables = -np.inf, []
    for done, name in enumerate(releases.candidates):
        table, best = _search_one(
            partial(run, name),
            _Judge(readings, kit, margin, name),
            starts=releases.starts,
            best=best,
        )
        tables.append(table)
        if progress is not None:
            progress(done + 1, len(releases.candidates))
    count = len(releases.starts)
    return YesNoPredictions(
        candidate=tuple(np.repeat(releases.candidates, count).tolist()),
        start=np.tile(releases.starts, len(releases.candidates)),
        scenario=np.zeros(count * len(releases.candidates), np.intp),
        is_positive=np.concatenate(tables),
    )


@dataclass(frozen=True)
class _Judge:
    """Judges what starts of one candidate can at best be worth."""

    readings: YesNoReadings
    kit: Kit
    margin: float
    name: str

    def worth(self, row: Mask) -> float:
        return float(log_likelihood(row[None], self.readings, kit=self.kit)[0])

    def bound(self, early: Mask, late: Mask) -> float:
        """Return the log-likelihood that no start between the two can exceed."""
        return self.worth(np.where(early != late, self.readings.is_positive, early))

    def checked(self, row: Mask, *, early: Mask, late: Mask) -> Mask:
        """Return a prediction between two others, or say that the model breaks the rule the search stands on."""
        if np.any(row & ~early) or np.any(late & ~row):
            at = int(np.flatnonzero((row & ~early) | (late & ~row))[0])
            what = f"a later release by '{self.name}' turns a reading at '{self.readings.place[at]}' positive, an earlier not"
            raise InputError(
                "model",
                what,
                "make it linear and free of rounding near the kit's limit, or predict every start",
            )
        return row


def _search_one(
    run: Callable[[float], Mask], judge: _Judge, *, starts: Array, best: float
) -> tuple[Mask, float]:
    """Return one candidate's predictions, (start, reading), and the best log-likelihood seen so far."""
    last = len(starts) - 1
    table = np.empty((len(starts), len(judge.readings)), bool)
    table[0] = run(float(starts[0]))
    if last and table[0].any():
        table[last] = judge.checked(run(float(starts[last])), early=table[0], late=np.zeros_like(table[0]))
    else:
        table[last] = table[0]
    best = max(best, judge.worth(table[0]), judge.worth(table[last]))
    queue = list(_stretch(judge, table, low=0, high=last))
    while queue:
        bound, low, high = heapq.heappop(queue)
        if -bound < best - judge.margin or np.array_equal(table[low], table[high]):
            table[low + 1 : high] = table[high]
            continue
        middle = (low + high) // 2
        table[middle] = judge.checked(run(float(starts[middle])), early=table[low], late=table[high])
        best = max(best, judge.worth(table[middle]))
        for part in ((low, middle), (middle, high)):
            for stretch in _stretch(judge, table, low=part[0], high=part[1]):
                heapq.heappush(queue, stretch)
    return table, best


def _stretch(judge: _Judge, table: Mask, *, low: int, high: int) -> Iterator[tuple[float, int, int]]:
    """Yield the stretch between two starts with its bound, the highest first in a heap, if anything lies between."""
    if high - low > 1:
        yield -judge.bound(table[low], table[high]), low, high
