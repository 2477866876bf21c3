"""Whether the answer fits the readings at all: half days foretold from the rest, and the leader's water against its kind.

Probabilities only compare explanations; the best of bad ones may get all. Leaving out one reading says nothing, because its
neighbours an hour away foretell it under any model, and a background fitted to the readings swallows what the plume does
not explain. So half a day of a station is left out at once, and the background is held to be hardly more restless than usual.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import poisson

from suyuan.tracing.background import PRIOR_LOG_SD, PRIOR_SHARE
from suyuan.tracing.evidence import AMPLITUDE_ERROR
from suyuan.tracing.fit import TO_90, plumes_of
from suyuan.tracing.readings import Block
from suyuan.tracing.search import Explanations, Problem
from suyuan.tracing.statements import Note
from suyuan.tracing.verdict import Verdict

Array = NDArray[np.float64]

LEFT_OUT_S = 12.0 * 3600.0
"""Readings of a station this close together are foretold together, from all the others."""

DOUBTED_FROM = 0.20
"""Share of readings outside their 90 % interval from which the model or the readings are to be doubted."""

LEAST_READINGS = 20
"""Fewer foretold readings than these are too few to doubt anything."""

DEPARTURE = 2.5
"""Standard deviations by which a substance may depart from the fingerprint before it is said."""


RESTLESS = 0.01
"""Chance that a river has so many events, below which the flow or the instruments are to be doubted."""

WORTH_TELLING = 0.25
"""Probability of a scene, or of nobody, from which its events are told."""

LEAST_ALPHA = 1e-12
"""A substance whose plume would tell less than this [alpha of `evidence`] was not measured where the plume passed."""

SHOWS_AT = 4.0
"""Squared signal to noise ratio from which a substance shows (as in `rough_evidences`)."""


def shares_outside(problem: Problem, verdict: Verdict) -> tuple[tuple[str, float], ...]:
    """Return, for each determinand, the share of readings outside the 90 % interval foretold by the others; 0.1 is usual.

    Left out is what lies below detection. The interval is that of the normal distribution with the covariance of the
    claimed plume, backgrounds no more than PRIOR_LOG_SD above their usual sizes (Rasmussen and Williams, 2006, eq. 5.12,
    for groups of readings). No event of the background is foretold. NaN with fewer than LEAST_READINGS.
    """
    plumes = plumes_of(problem, verdict)
    found = []
    for d, block in enumerate(problem.blocks):
        above = block.value - verdict.believed.backgrounds[d].level - (1.0 - verdict.nobody) * plumes[d]
        covariance, events = _covariance(problem, verdict, d=d)
        departures = left_out_departures(covariance, above, group=_half_days(block), events=events)
        outside = (np.abs(departures) > TO_90)[~block.is_below]
        share = float(np.mean(outside)) if len(outside) >= LEAST_READINGS else np.nan
        found.append((block.substance.determinand.id, share))
    return tuple(found)


def left_out_departures(
    covariance: Array, above: Array, *, group: NDArray[np.int64], events: Array | float = 0.0
) -> Array:
    """Return by how many standard deviations each reading departs from what all other groups foretell, (reading,).

    `above` (reading,) is what readings lie above their mean, `covariance` (reading, reading) theirs, `group` (reading,).
    `events` (reading, reading), the part of the covariance that no model foretells, excuses the other groups, not its own.

    >>> left_out_departures(np.array([[4.0, 0.0], [0.0, 1.0]]), np.array([2.0, 3.0]), group=np.array([0, 1]))
    array([1., 3.])
    """
    out, foretold = np.empty(len(above)), covariance - events
    for one in np.unique(group):
        own, rest = np.flatnonzero(group == one), np.flatnonzero(group != one)
        factor = cho_factor(covariance[np.ix_(rest, rest)], lower=True, check_finite=False)
        weight = cho_solve(factor, foretold[np.ix_(rest, own)], check_finite=False)
        variance = np.diag(foretold)[own] - np.einsum("ro,ro->o", weight, foretold[np.ix_(rest, own)])
        out[own] = (above[own] - weight.T @ above[rest]) / np.sqrt(variance)
    return out


def fit_notes(shares: tuple[tuple[str, float], ...]) -> tuple[Note, ...]:
    """Return what a reader must know of readings that the answer does not fit."""
    bad = ", ".join(f"{name} {share:.0%}" for name, share in shares if share > DOUBTED_FROM)
    return (Note("poor fit", {"shares": bad}),) if bad else ()


class Departure(NamedTuple):
    """By how many standard deviations a substance of a candidate's water departs from the fingerprint of a kind."""

    determinand: str
    kind: str
    spreads: float


def departures(problem: Problem, verdict: Verdict, *, candidate: str) -> tuple[Departure, ...]:
    """Return how far each substance departs from the kind by which the candidate's leading explanation goes.

    Its log amplitude against the mean of all that show, each weighted by its variance: that of the kind, of the amplitude's
    error and of the readings. A substance that does not show can only be too little.
    """
    names = np.array([source.candidate for source in problem.matrices[0].sources])
    tables = (verdict.single,) if verdict.one >= verdict.two else (verdict.first, verdict.second)
    own = [(found, np.flatnonzero(names[found.source] == candidate)) for found in tables]
    own = [(found, rows) for found, rows in own if len(rows)]
    if not own:
        return ()
    found, rows = max(own, key=lambda pair: float(pair[0].log_weight[pair[1]].max()))
    return _departures(problem, found, row=int(rows[np.argmax(found.log_weight[rows])]))


def _departures(problem: Problem, found: Explanations, *, row: int) -> tuple[Departure, ...]:
    library, kind = problem.grid.library, int(found.kind[row])
    alpha, beta = np.maximum(found.alpha[:, row], LEAST_ALPHA), found.beta[:, row]
    is_measured = found.alpha[:, row] > LEAST_ALPHA
    information = np.maximum(beta, 0.0) ** 2 / alpha
    shows = is_measured & (information > SHOWS_AT)
    if not shows.any():
        return ()
    off = np.log(np.maximum(beta / alpha, alpha**-0.5)) - library.centre[kind]
    variance = library.spread[kind] ** 2 + AMPLITUDE_ERROR**2 + 1.0 / np.maximum(information, 1.0)
    precision = float((1.0 / variance[shows]).sum())
    far = off - float((off / variance)[shows].sum()) / precision
    spread = np.sqrt(
        np.maximum(np.where(shows, variance - 1.0 / precision, variance + 1.0 / precision), 1e-9)
    )
    spreads = np.where(shows, far, np.where(is_measured, np.minimum(far, 0.0), 0.0)) / spread
    return tuple(
        Departure(block.substance.determinand.id, library.kinds[kind], float(z))
        for block, z in zip(problem.blocks, spreads, strict=True)
    )


def fingerprint_notes(found: tuple[Departure, ...], *, candidate: str) -> tuple[Note, ...]:
    """Return what a reader must know of a water that is not that of its kind."""
    high = ", ".join(one.determinand for one in found if one.spreads > DEPARTURE)
    low = ", ".join(one.determinand for one in found if one.spreads < -DEPARTURE)
    about = {"candidate": candidate, "kind": found[0].kind if found else "", "spreads": f"{DEPARTURE:g}"}
    notes = []
    if high:
        notes.append(Note("too high for its kind", {**about, "determinands": high}))
    if low:
        notes.append(Note("too low for its kind", {**about, "determinands": low}))
    return tuple(notes)


def _covariance(problem: Problem, verdict: Verdict, *, d: int) -> tuple[Array, Array]:
    """Return the covariance (reading, reading) under what is believed, and the part of it that events are.

    The background is held hardly more restless than usual.
    """
    believed, block = verdict.believed, problem.blocks[d]
    background, factor = believed.backgrounds[d], np.tril(believed.factors[d])
    usual = np.array(list(PRIOR_SHARE.values()))
    calm = np.minimum(background.shares, usual * np.exp(PRIOR_LOG_SD))
    parts = block.means.between(problem.parts.covariance)
    excess = np.tensordot(background.shares**2 - calm**2, parts, axes=1)
    covariance = np.asarray(factor @ factor.T - background.level**2 * excess)
    return covariance, believed.unrest.covariance(d, block.means)


def _half_days(block: Block) -> NDArray[np.int64]:
    """Return the group of each reading, (reading,): readings of one station in the same LEFT_OUT_S."""
    station = np.unique(block.station, return_inverse=True)[1]
    turn = ((block.time - block.time.min()) // LEFT_OUT_S).astype(np.int64)
    return np.asarray(station * (turn.max() + 1) + turn, dtype=np.int64)


def moved_notes(problem: Problem, verdict: Verdict) -> tuple[Note, ...]:
    """Return a note of what is taken for the river's own movement, if anything is.

    Each event, of nobody's or of any scene that may well hold, as the determinands, where it begins (`*`: at all stations), and
    hours after the first reading. And a second note where there are more of them than rivers usually have.
    """
    shares = verdict.scene_shares
    told = [s.claimed.unrest for s, p in zip(verdict.scenes, shares, strict=True) if p >= WORTH_TELLING]
    told += [verdict.quiet.unrest] if verdict.nobody >= WORTH_TELLING else []
    names = np.array([block.substance.determinand.id for block in problem.blocks])
    events: dict[str, float] = {}
    for unrest in told:
        for place, begin, size in zip(
            unrest.name.tolist(), unrest.begin.tolist(), unrest.size.T, strict=True
        ):
            events[f"{', '.join(names[size > 0.0])} @ {place} {begin:+.0f} h"] = begin
    notes = [Note("moved", {"events": "; ".join(sorted(events, key=lambda e: events[e]))})] if events else []
    count, usual = len(verdict.believed.unrest.course), float(problem.courses.expected.sum())
    if poisson.sf(count - 1, usual) < RESTLESS:
        notes.append(Note("restless", {"count": f"{count}", "usual": f"{usual:.1f}"}))
    return tuple(notes)
