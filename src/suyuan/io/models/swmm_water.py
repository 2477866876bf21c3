"""From what SWMM 5 reports to discharge and volume per reach and bin, and what each node takes from outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.models.swmm_out import Results

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Binned:
    """Results over bins: `discharge` (bin, link), `lateral` and `overflow` (bin, node) [m3/s] are means.

    `start` as the model's clock shows it, `edges` (bin + 1,) [s] from it; `volume` (bin + 1, link), `held` (bin + 1, node)
    [m3] and `stage` (bin + 1, node) [m] stand at the edges.
    """

    start: np.datetime64
    edges: Array
    discharge: Array
    volume: Array
    lateral: Array
    overflow: Array
    held: Array
    stage: Array


def binned(results: Results, *, bin_s: float | None, is_averaged: bool) -> Binned:
    """Return results over bins of `bin_s` [s], of the report step where that is None.

    Between two reports of the instant a quantity is taken to be linear. Reports of means stand for the step that ends at
    their time; volume at an edge is then the mean of the two steps beside it.
    """
    every = _reports_a_bin(results, bin_s)
    seconds = (results.times - results.times[0]) / np.timedelta64(1, "s")
    if not np.allclose(np.diff(seconds), results.step_s, atol=1.0):
        what = "its reports do not follow each other by the report step"
        raise InputError(results.source, what, "run the model again")
    return (_of_means if is_averaged else _of_instants)(results, seconds, every=every)


def _reports_a_bin(results: Results, bin_s: float | None) -> int:
    if bin_s is None:
        return 1
    every = round(bin_s / results.step_s)
    if every < 1 or abs(every * results.step_s - bin_s) > 1e-6:
        what = f"bins of {bin_s:g} s are no multiple of the report step of {results.step_s:g} s"
        raise InputError(results.source, what, f"ask for {max(every, 1) * results.step_s:g} s")
    return every


def _of_instants(results: Results, seconds: Array, *, every: int) -> Binned:
    if len(seconds) <= every:
        what = f"holds {len(seconds)} reports, {results.step_s:g} s apart"
        raise InputError(results.source, what, f"a bin needs {every + 1}; run the model for longer")
    at = _edges(results, seconds, every=every)

    def mean(values: NDArray[np.float32]) -> Array:
        carried = np.zeros((len(values), values.shape[1]))
        np.cumsum(
            0.5 * (values[1:].astype(float) + values[:-1]) * np.diff(seconds)[:, None],
            axis=0,
            out=carried[1:],
        )
        means: Array = np.diff(carried[at], axis=0) / np.diff(seconds[at])[:, None]
        return means

    return Binned(
        results.times[0],
        seconds[at],
        mean(results.flow),
        results.volume[at].astype(float),
        mean(results.lateral),
        mean(results.overflow),
        results.held[at].astype(float),
        results.stage[at].astype(float),
    )


def _edges(results: Results, seconds: Array, *, every: int) -> NDArray[np.int64]:
    """Return the positions of the reports at the edges of bins: where the clock strikes, the first and the last.

    Two bins are joined where the first or last would be shorter than half of one.
    """
    since_midnight = (results.times - results.times.astype("datetime64[D]")) / np.timedelta64(1, "s")
    struck = np.flatnonzero(np.rint(since_midnight / results.step_s) % every == 0)
    inner = struck[(struck > every // 2) & (struck < len(seconds) - 1 - every // 2)]
    return np.concatenate([[0], inner, [len(seconds) - 1]])


def _of_means(results: Results, seconds: Array, *, every: int) -> Binned:
    bins = len(seconds) // every
    if bins < 1:
        what = f"holds {len(seconds)} reports, {results.step_s:g} s apart"
        raise InputError(results.source, what, f"a bin needs {every}; run the model for longer")
    kept = slice(0, bins * every)

    def mean(values: NDArray[np.float32]) -> Array:
        means: Array = values[kept].astype(float).reshape(bins, every, -1).mean(axis=1)
        return means

    def at_edges(values: NDArray[np.float32]) -> Array:
        middle = 0.5 * (values[1:].astype(float) + values[:-1])
        edges: Array = np.concatenate([values[:1], middle, values[-1:]])[: bins * every + 1 : every]
        return edges

    return Binned(
        results.times[0] - np.timedelta64(round(results.step_s), "s"),
        every * results.step_s * np.arange(bins + 1.0),
        mean(results.flow),
        at_edges(results.volume),
        mean(results.lateral),
        mean(results.overflow),
        at_edges(results.held),
        at_edges(results.stage),
    )
