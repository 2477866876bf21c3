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

from suyuan.tracing.background import Background
from suyuan.tracing.evidence import SHOWS_AT
from suyuan.tracing.readings import Block
from suyuan.tracing.refine import Ground, amplitude_covariance, doubt_of, first_guesses
from suyuan.tracing.responses import Responses
from suyuan.tracing.search import Explanations, Problem
from suyuan.tracing.settle import (
    TAIL_BINS,
    erring_rows,
    error_root,
    hull_of,
    least_signal,
    moved,
    released,
    settle,
)

Array = NDArray[np.float64]
Index = NDArray[np.int64]


ROUNDS_TO_REST = 6
"""How often a plume is moved to where it fits best: until it rests, unlike in the search, where two rounds must do."""


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
class Plumes:
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
    blocks: Sequence[Block], backgrounds: Sequence[Background], *, plumes: Plumes | None = None
) -> Normal:
    """Return the joint normal of all readings under these backgrounds, with the plumes if there are any."""
    mean = np.concatenate([np.full(len(b.value), g.level) for b, g in zip(blocks, backgrounds, strict=True)])
    covariance = np.asarray(block_diag(*(g.covariance for g in backgrounds)), dtype=float)
    if plumes is None:
        return Normal(mean, covariance)
    rise = [plumes.mean[:, d, block.receptor].sum(axis=0) for d, block in enumerate(blocks)]
    errors = np.concatenate([plumes.errors[d, block.receptor] for d, block in enumerate(blocks)])
    return Normal(mean + np.concatenate(rise), covariance + errors @ errors.T)


def settled_plumes(problem: Problem, ground: Ground, *, seen: Responses, found: Explanations) -> Plumes:
    """Return the plumes of one or two explanations (rows of `found`) where they fit best, as `settle` finds them."""
    library, strength = problem.grid.library, problem.grid.strength
    centre = library.centre[found.kind] + strength.log_rate
    prior = amplitude_covariance(library.spread[found.kind], strength.log_sd)
    releases = list(zip(found.source.tolist(), found.shape.tolist(), strict=True))
    doubt = np.stack(
        [doubt_of(*seen.travel_s(source, shape), bin_s=ground.bin_s) for source, shape in releases]
    )
    total, history = seen.total[seen.place[found.source]], seen.history[found.shape]
    precision = np.asarray(np.linalg.inv(prior), dtype=float)
    reach = 2.0 * np.sqrt(np.diag(prior)).reshape(centre.shape)
    _, x, information, late = settle(
        total,
        history,
        doubt,
        ground.precision,
        ground.score,
        first_guesses(found, centre, reach=reach).ravel(),
        centre.ravel(),
        precision,
        ground.station,
        ground.time,
        ground.memory,
        ground.bin_s,
        ROUNDS_TO_REST,
    )
    a, off = np.exp(x), x - centre.ravel()
    curve = precision + information * np.outer(a, a)
    shown = a @ information @ a if len(releases) == 1 else least_signal(a, information, len(releases))
    water = (
        -0.5 * off @ precision @ off
        + 0.5 * (np.linalg.slogdet(precision)[1] - np.linalg.slogdet(curve)[1])
        + np.log(1.0 - np.exp(-0.5 * min(shown, 1e6) / SHOWS_AT**2) + 1e-9)
    )
    mean, errors, passes = _errors(ground, total=total, history=history, late=late, doubt=doubt, amplitude=a)
    root = np.asarray(np.linalg.cholesky(prior), dtype=float)
    usual, strengths = _linear(mean, off.reshape(centre.shape), root=root)
    return Plumes(mean, errors, late, doubt[:, 0], passes, float(water), usual, strengths)


def _linear(mean: Array, off: Array, *, root: Array) -> tuple[Array, Array]:
    """Return the plumes before any reading and what amplitudes make of them, linear about the likeliest.

    `mean` (plume, substance, receptor), `off` (plume, substance) how far the likeliest log amplitudes are from the prior's
    centre, `root` (amplitude, amplitude) of the prior's covariance.
    """
    plumes, substances = off.shape
    usual = (mean * (1.0 - off[:, :, None])).sum(axis=0)
    each = root.reshape(plumes, substances, -1)
    return usual, np.asarray(np.einsum("pdr,pdk->drk", mean, each))


def _errors(
    ground: Ground, *, total: Array, history: Index, late: Array, doubt: Array, amplitude: Array
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return mean, errors and passing of plumes with these amplitudes (plume x substance,), as late as `late` [s]."""
    plumes, substances, receptors = total.shape[:3]
    response = np.empty((plumes, substances, receptors))
    bend, hull = np.empty((plumes, 2, receptors)), np.empty((plumes, receptors))
    for p in range(plumes):
        by = late[p][ground.station] / ground.bin_s
        response[p] = released(total[p], history[p], by)
        after, before = (released(total[p, :1], history[p], by + step)[0] for step in (1.0, -1.0))
        bend[p, 0] = (after - before) / (2.0 * ground.bin_s)
        bend[p, 1] = 0.5 * (after - 2.0 * response[p, 0] + before) / ground.bin_s**2
        hull[p] = hull_of(response[p, 0], ground.station, ground.time, TAIL_BINS * ground.bin_s)
    first = np.ascontiguousarray(response[:, 0])
    rows, owner = erring_rows(first, bend, hull, doubt, ground.station)
    root = error_root(first, bend, hull, doubt, rows, owner, ground.station, ground.memory)
    mean, ratio = moved(response, bend, late, ground.station)
    scale = amplitude.reshape(plumes, substances)
    errors = np.zeros((substances, receptors, len(rows)))
    for p in range(plumes):
        own = owner == p
        errors[:, rows[own]] += (scale[p] * ratio[p])[:, None, None] * root[own]
    passes = np.zeros(late.shape, bool)
    passes[owner, ground.station[rows]] = True
    return scale[:, :, None] * mean, errors, passes
