"""Whether gauges can be right together: the water balance of their means, before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from suyuan.errors import InputError
from suyuan.flow import has_outside
from suyuan.hydraulics.frame import Frame
from suyuan.hydraulics.gauges import Gauge, Gauges
from suyuan.hydraulics.ways import ways

Array = NDArray[np.float64]

SURE = 1e-4
"""Probability of so large a misfit by chance below which gauges contradict each other."""

FILLED = 0.5
"""Share of its usual depth by which a reach may fill or empty over the window: one standard deviation."""


@dataclass(frozen=True)
class MeanBalance:
    """The chi-square test of the means: `misfit` over `freedom` redundant gauges, its `probability`, and the pair to
    blame with the `means` they read [m3/s]."""

    misfit: float
    freedom: int
    probability: float
    pair: tuple[Gauge, Gauge] | None = None
    means: tuple[float, float] = (0.0, 0.0)


def mean_balance(frame: Frame, gauges: Gauges) -> MeanBalance:
    """Return whether the gauges' mean discharges agree with continuity within their errors.

    Generalised least squares of the means under continuity, water stored by chance included; the gauge whose standardised
    adjustment is largest and the one most redundant with it are the pair (the measurement test of Mah and Tamhane, 1982,
    Detection of gross errors in process data). Only bins in which all of them say something count; gauges with too few values
    for that, and inflows of lakes, which store what does not leave, are not asked.
    """
    seen, known = _together(frame, gauges)
    if len(seen) < 2:
        return MeanBalance(0.0, 0, 1.0)
    rows, storing = _rows(frame, seen)
    mean = np.array([g.value[known].mean() for g in seen])
    white = np.array([np.mean(g.sd[known] ** 2) / known.sum() for g in seen])
    share = np.array([g.share for g in seen])
    filled = FILLED * frame.shape.held * (frame.shape.area > 0.0) / (known.sum() * gauges.step)
    covariance = np.diag(white + (share * mean) ** 2) + (storing * filled**2) @ storing.T
    read = mean
    mean, covariance = _entered(frame, gauges, known=known, storing=storing, seen=(mean, covariance))
    weight = np.linalg.inv(covariance + 1e-12 * np.trace(covariance) * np.eye(len(mean)))
    left = np.linalg.pinv(rows.T @ weight @ rows, rcond=1e-10, hermitian=True)
    adjusted = weight - weight @ rows @ left @ rows.T @ weight
    freedom = len(mean) - int(np.linalg.matrix_rank(rows, tol=1e-9))
    misfit = float(mean @ adjusted @ mean)
    if freedom < 1:
        return MeanBalance(misfit, 0, 1.0)
    size = np.sqrt(np.maximum(np.diag(adjusted), 1e-300))
    worst = int(np.argmax(np.abs(adjusted @ mean) / size))
    kin = np.abs(adjusted[worst]) / size
    kin[worst] = -1.0
    other = int(np.argmax(kin))
    pair, means = (seen[worst], seen[other]), (float(read[worst]), float(read[other]))
    return MeanBalance(misfit, freedom, float(chi2.sf(misfit, freedom)), pair, means)


def _entered(
    frame: Frame, gauges: Gauges, *, known: NDArray[np.bool_], storing: Array, seen: tuple[Array, Array]
) -> tuple[Array, Array]:
    """Return means and covariance of what gauges see without what enters along reaches, as its own gauges tell.

    In the `known` bins; where a gauge is silent in some of them, its spread over all it says is an error in their share.
    """
    mean, covariance = seen
    for gauge in gauges.readings:
        if gauge.kind == "lateral":
            spoken = np.isfinite(gauge.value)
            both = spoken & known
            used = both if both.any() else spoken
            own = float(gauge.value[used].mean())
            silent = 1.0 - both.sum() / known.sum()
            error = (gauge.share * own) ** 2 + np.mean(gauge.sd[used] ** 2) / used.sum()
            error += silent * np.var(gauge.value[spoken])
            moved = storing[:, frame.network.reach_index(gauge.reach)]
            mean, covariance = mean + moved * own, covariance + error * np.outer(moved, moved)
    return mean, covariance


def _together(frame: Frame, gauges: Gauges) -> tuple[list[Gauge], NDArray[np.bool_]]:
    """Return gauges of discharge and inflow that speak together in at least two bins, and in which, (bin,).

    While there are fewer bins, the gauge that speaks least is left out.
    """
    lakes = {node.id for node in frame.network.nodes if node.kind == "lake"}
    seen = [
        g for g in gauges.readings if g.kind == "discharge" or (g.kind == "inflow" and g.node not in lakes)
    ]
    seen.sort(key=lambda g: -int(np.isfinite(g.value).sum()))
    while seen:
        known = np.all([np.isfinite(g.value) for g in seen], axis=0)
        if known.sum() >= 2:
            return seen, np.asarray(known)
        seen.pop()
    return [], np.zeros(len(gauges.edges) - 1, bool)


def require_agreement(frame: Frame, gauges: Gauges) -> MeanBalance:
    """Return the balance of the means; raises InputError that names the gauges where they contradict each other."""
    found = mean_balance(frame, gauges)
    if found.probability >= SURE or found.pair is None:
        return found
    one, other = found.pair
    what = (
        f"{one.label} (mean {found.means[0]:.3g} m3/s) and {other.label} (mean {found.means[1]:.3g} m3/s) contradict each "
        f"other beyond their errors (chi-square {found.misfit:.3g} at {found.freedom} degrees of freedom)"
    )
    remedy = "check sign, unit and rating of both, add what flows in between them, or write a larger error"
    raise InputError(gauges.source, what, remedy)


def _rows(frame: Frame, seen: list[Gauge]) -> tuple[Array, Array]:
    """Return what gauges see of the free discharges (gauge, way) and of what reaches store (gauge, reach)."""
    free = ways(frame.ends, has_outside(frame.network))
    passed = 0.5 * (free.passing[:, frame.ends[0]] + free.passing[:, frame.ends[1]])
    rows, storing = [], []
    for gauge in seen:
        weights, stored = seen_of(frame, gauge)
        rows.append(weights @ free.round)
        storing.append(weights @ passed + stored)
    return np.array(rows).reshape(len(seen), -1), np.array(storing)


def seen_of(frame: Frame, gauge: Gauge) -> tuple[Array, Array]:
    """Return weights (reach,) of mean discharge and of storing that make up what a gauge of discharge or inflow reads."""
    discharge, storing = np.zeros(len(frame.network.reaches)), np.zeros(len(frame.network.reaches))
    if gauge.kind == "discharge":
        r = frame.network.reach_index(gauge.reach)
        discharge[r] = 1.0
        storing[r] = 0.5 - gauge.chainage_m / frame.shape.length[r]
    elif gauge.kind == "inflow":
        node = frame.network.node_index(gauge.node)
        begins, ends = (frame.ends[0] == node).astype(float), (frame.ends[1] == node).astype(float)
        discharge, storing = begins - ends, 0.5 * (begins + ends)
    return discharge, storing
