"""What one explanation says of every reading: expected from those before it, and from all the others.

An explanation is held at its likeliest amplitudes and lateness. The errors of its plumes, shared by the substances, and the
backgrounds make all readings jointly normal; their density is then a product of the densities of each reading given those
before it (chain rule: Rasmussen and Williams, 2006, appendix A), and what each says given all others follows from the inverse
covariance (ibid., eq. 5.12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag, solve_triangular

from suyuan.tracing.anew import ROUNDS
from suyuan.tracing.background import Background
from suyuan.tracing.readings import Block
from suyuan.tracing.refine import Ground, posed
from suyuan.tracing.responses import Responses
from suyuan.tracing.search import Explanations, Problem
from suyuan.tracing.settle import (
    Amplitudes,
    Plumes,
    Weighed,
    errors_of,
    log_shown,
    moved,
    plumes_at,
    settle,
)

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Normal:
    """All readings, block after block, as one normal: `mean` (reading,), `covariance` (reading, reading)."""

    mean: Array
    covariance: Array


@dataclass(frozen=True)
class Account:
    """What one normal says of every reading, arrays (reading,).

    `log_density` of each given those before it, `ahead` what those that were `known` let expect of it; `mean` and `sd` what all
    others let expect.
    """

    log_density: Array
    ahead: Array
    mean: Array
    sd: Array


@dataclass(frozen=True)
class SettledPlumes:
    """One or two plumes that have settled.

    `mean` (plume, substance, receptor) [g/m3] and `errors` (substance, receptor, error), what it gets wrong for independent
    standard normal errors; `late_s` and `doubt_s` (plume, station), `passes` (plume, station) whether it shows there; `water`
    is the log of how usual the amplitudes are, integrated about the likeliest, and of how far they show at all. Linear about
    the likeliest log amplitudes, the plumes are `usual` (substance, receptor) before any reading, and `strengths` (substance,
    receptor, amplitude) what amplitudes make of them for independent standard normal departures.
    """

    mean: Array
    errors: Array
    late_s: Array
    doubt_s: Array
    passes: NDArray[np.bool_]
    water: float
    usual: Array
    strengths: Array


def account_of(value: Array, normal: Normal, *, order: Index, known: Index) -> Account:
    """Return what a normal says of the readings `value` (reading,), which came in this `order` (reading,).

    `known` (reading,) is how many in that order count as known when `ahead` is expected; no more than came before.
    """
    factor = np.linalg.cholesky(normal.covariance[np.ix_(order, order)])
    inverse = solve_triangular(factor, np.eye(len(order)), lower=True, check_finite=False)
    white = inverse @ (value - normal.mean)[order]
    width = np.diag(factor)
    variance = 1.0 / np.einsum("ij,ij->j", inverse, inverse)
    sorted_parts = {
        "log_density": -0.5 * white**2 - np.log(width) - 0.5 * np.log(2.0 * np.pi),
        "ahead": normal.mean[order]
        + np.where(np.arange(len(order)) < known[order, None], factor, 0.0) @ white,
        "mean": value[order] - variance * (inverse.T @ white),
        "sd": np.sqrt(variance),
    }
    back = np.argsort(order)
    return Account(**{name: part[back] for name, part in sorted_parts.items()})


def normal_of(
    blocks: Sequence[Block], backgrounds: Sequence[Background], *, plumes: SettledPlumes | None = None
) -> Normal:
    """Return the joint normal of all readings under these backgrounds, with the plumes if there are any."""
    mean = np.concatenate([np.full(len(b.value), g.level) for b, g in zip(blocks, backgrounds, strict=True)])
    covariance = np.asarray(block_diag(*(g.covariance for g in backgrounds)), dtype=float)
    if plumes is None:
        return Normal(mean, covariance)
    rise = [block.means.of(plumes.mean[:, d].sum(axis=0)) for d, block in enumerate(blocks)]
    errors = np.concatenate([block.means.of(plumes.errors[d]) for d, block in enumerate(blocks)])
    return Normal(mean + np.concatenate(rise), covariance + errors @ errors.T)


def settled_plumes(
    problem: Problem, ground: Ground, *, seen: Responses, found: Explanations
) -> SettledPlumes:
    """Return the plumes of one or two explanations (rows of `found`) where `settle` leaves them, as the verdict weighs them."""
    releases, amplitudes = posed(problem, ground, seen=seen, found=found)
    before, weighed = (settle(releases, amplitudes, ground.readings, n) for n in (ROUNDS - 1, ROUNDS))
    plumes = plumes_at(releases, weighed.late, ground.readings.station, ground.readings.bin_s)
    shape, x = plumes.response.shape[:2], weighed.log_amplitude
    each, erring = (np.exp(logs).reshape(shape) for logs in (x, before.log_amplitude))
    mean, errors, passes = _erring(plumes, ground, amplitude=each, erring=erring)
    off = (x - amplitudes.centre).reshape(shape)
    usual, strengths = _linear(mean, off, prior=np.asarray(np.linalg.inv(amplitudes.precision), dtype=float))
    water = _water(weighed, amplitudes, plumes=len(mean))
    return SettledPlumes(mean, errors, weighed.late, releases.doubt[:, 0], passes, water, usual, strengths)


def _water(weighed: Weighed, amplitudes: Amplitudes, *, plumes: int) -> float:
    """Return the log of how usual amplitudes are, integrated about the likeliest (Laplace), and that the plumes show."""
    x, precision = weighed.log_amplitude, amplitudes.precision
    off, a = x - amplitudes.centre, np.exp(x)
    curve = precision + weighed.information * np.outer(a, a)
    volume = np.linalg.slogdet(precision)[1] - np.linalg.slogdet(curve)[1]
    return float(-0.5 * off @ precision @ off + 0.5 * volume + log_shown(x, weighed.information, plumes))


def _linear(mean: Array, off: Array, *, prior: Array) -> tuple[Array, Array]:
    """Return the plumes before any reading and what amplitudes make of them, linear about the likeliest.

    `mean` (plume, substance, receptor), `off` (plume, substance) how far the likeliest log amplitudes are from the prior's
    centre, `prior` (amplitude, amplitude) their covariance.
    """
    plumes, substances = off.shape
    usual = (mean * (1.0 - off[:, :, None])).sum(axis=0)
    each = np.linalg.cholesky(prior).reshape(plumes, substances, -1)
    return usual, np.asarray(np.einsum("pdr,pdk->drk", mean, each))


def _erring(
    plumes: Plumes, ground: Ground, *, amplitude: Array, erring: Array
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return mean, errors and passing, as of SettledPlumes, of plumes with this `amplitude` (plume, substance).

    Their errors are a share of plumes of the amplitudes `erring`, those of the round before, as in `weigh_plumes`.
    """
    station = ground.readings.station
    mean, ratio = moved(plumes, station)
    rows, owner, root = errors_of(plumes, ground.readings)
    errors = np.zeros((mean.shape[1], mean.shape[2], len(rows)))
    scale = (erring * ratio)[owner].T
    for p in range(len(mean)):  # two plumes may err at the same receptor
        own = owner == p
        errors[:, rows[own]] += scale[:, own, None] * root[own]
    passes = np.zeros(plumes.late.shape, bool)
    passes[owner, station[rows]] = True
    return amplitude[:, :, None] * mean, errors, passes
