"""Why: which readings speak for the leading suspicion and which against it, and what single reading would overturn it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.accounts import Account, Plumes, account_of, normal_of, settled_plumes
from suyuan.tracing.readings import Block
from suyuan.tracing.reasons import HOURS, Contest, Delay, Overturn, Side, Speech, Suspicion
from suyuan.tracing.refine import Ground, ground_of
from suyuan.tracing.responses import responses
from suyuan.tracing.search import Explanations, Problem, joined
from suyuan.tracing.verdict import ALIKE, Verdict

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MOST_RIVALS = 3
"""So many leading suspicions are held against the first, and nobody."""

WORTH_ASKING = 0.01
"""Probability from which a suspicion is."""

FARTHEST = 6.0
"""No reading further than this many standard deviations from what is expected is thought of to overturn the order."""


@dataclass(frozen=True)
class Case:
    """A suspicion made out in full: its leading explanation, with the log of its prior, and what that says of each reading."""

    suspicion: Suspicion
    log_prior: float
    water: float
    account: Account


@dataclass(frozen=True)
class Readings:
    """All readings, block after block: arrays (reading,); `order` is that of time, `block` and `cell` count.

    `known` is how many readings lie before the hours of a reading's cell.
    """

    blocks: tuple[Block, ...]
    block: Index
    station: NDArray[np.str_]
    value: Array
    time: NDArray[np.datetime64]
    order: Index
    cell: Index
    known: Index


def why_of(problem: Problem, verdict: Verdict) -> tuple[Contest, ...]:
    """Return why the leading suspicion is believed rather than each of its rivals, the most probable first.

    Nobody is always among them. Each is judged by its leading explanation alone; what all others add is one number.
    """
    chosen = _leading(problem, verdict)
    if len(chosen) < 2:
        return ()
    readings = readings_of(problem)
    ground = ground_of(verdict.claimed, problem.matrices[0].receptors, bin_s=problem.bin_s)
    cases = [
        _case(problem, verdict, ground=ground, readings=readings, chance=chance, found=found)
        for chance, found in chosen
    ]
    return tuple(
        _contest(readings, cases[0], case, tempering=_tempering(problem, verdict, cases[0], rival=case))
        for case in cases[1:]
    )


def readings_of(problem: Problem) -> Readings:
    """Return all readings in the order of their time, with the hours of a station and determinand to which each belongs."""
    receptor = np.concatenate([block.receptor for block in problem.blocks])
    block = np.repeat(np.arange(len(problem.blocks)), [len(b.value) for b in problem.blocks])
    station = np.concatenate([b.station for b in problem.blocks])
    time = problem.matrices[0].receptors.time[receptor]
    hours, start = np.timedelta64(HOURS, "h"), problem.matrices[0].start
    spell = (time - start) // hours
    number = np.unique(station, return_inverse=True)[1]
    keys = np.stack([number, block, spell.astype(np.int64)])
    return Readings(
        problem.blocks,
        block,
        station,
        np.concatenate([b.value for b in problem.blocks]),
        time,
        np.lexsort((block, number, time)),
        np.unique(keys, axis=1, return_inverse=True)[1].ravel(),
        np.searchsorted(np.sort(time), start + spell * hours),
    )


@dataclass(frozen=True)
class Pick:
    """The leading explanation of a suspicion: rows (one or two) of one table, and the log of their prior."""

    found: Explanations
    log_prior: float


def _leading(problem: Problem, verdict: Verdict) -> list[tuple[tuple[tuple[str, ...], float], Pick | None]]:
    """Return the leading suspicions as (candidates, probability) with their best explanation, nobody's None."""
    prior = problem.grid.prior
    picks: dict[tuple[str, ...], Pick] = {}
    chances: dict[tuple[str, ...], float] = {}
    names = np.array([s.candidate for s in problem.matrices[0].sources])
    counts = (
        (verdict.one, (verdict.single,), np.log(1.0 - prior.nobody - prior.pair)),
        (verdict.two, (verdict.first, verdict.second), np.log(prior.pair)),
    )
    for chance, tables, log_count in counts:
        weight = tables[0].weight
        for row in np.argsort(-weight, kind="stable"):
            who = tuple(sorted(str(names[table.source[row]]) for table in tables))
            chances[who] = chances.get(who, 0.0) + chance * float(weight[row])
            if who not in picks:
                rows = np.array([row])
                picks[who] = Pick(
                    joined([table.where(rows) for table in tables]),
                    float(tables[0].log_prior[row] + log_count),
                )
    leading = sorted(chances, key=lambda who: -chances[who])[: MOST_RIVALS + 1]
    kept = [who for i, who in enumerate(leading) if chances[who] >= WORTH_ASKING or i < 1]
    ranked: list[tuple[tuple[tuple[str, ...], float], Pick | None]] = [
        ((who, chances[who]), picks[who]) for who in kept
    ]
    ranked.append((((), verdict.nobody), None))
    return sorted(ranked, key=lambda each: -each[0][1])


def _case(
    problem: Problem,
    verdict: Verdict,
    *,
    ground: Ground,
    readings: Readings,
    chance: tuple[tuple[str, ...], float],
    found: Pick | None,
) -> Case:
    """Return one suspicion made out in full; nobody is judged under the background that is found where nothing is claimed."""
    probability = chance[1]
    if found is None:
        quiet = problem.claim([np.zeros(len(block.value)) for block in problem.blocks])
        normal = normal_of(problem.blocks, quiet.backgrounds)
        account = account_of(readings.value, normal, order=readings.order, known=readings.known)
        return Case(Suspicion((), probability), float(np.log(problem.grid.prior.nobody)), 0.0, account)
    rows = found.found
    seen = responses(problem, int(rows.member[0]), source=rows.source)
    plumes = settled_plumes(problem, ground, seen=seen, found=rows)
    normal = normal_of(problem.blocks, verdict.claimed.backgrounds, plumes=plumes)
    names = tuple(problem.matrices[0].sources[s].candidate for s in rows.source)
    waters = tuple(problem.grid.library.kinds[k] for k in rows.kind)
    suspicion = Suspicion(names, probability, waters, _delays(problem, names, plumes=plumes))
    account = account_of(readings.value, normal, order=readings.order, known=readings.known)
    return Case(suspicion, found.log_prior, plumes.water, account)


def _delays(problem: Problem, names: tuple[str, ...], *, plumes: Plumes) -> tuple[Delay, ...]:
    """Return how late each plume must be at the stations it passes."""
    stations = np.unique(problem.matrices[0].receptors.station)
    return tuple(
        Delay(
            names[p],
            str(stations[s]),
            float(plumes.late_s[p, s]) / 3600.0,
            float(plumes.doubt_s[p, s]) / 3600.0,
        )
        for p, s in np.argwhere(plumes.passes)
    )


def _tempering(problem: Problem, verdict: Verdict, one: Case, *, rival: Case) -> float:
    """Return by how much the evidence between two suspicions is weakened, as in the verdict."""
    if one.suspicion.candidates and rival.suspicion.candidates:
        return verdict.single.temperature
    if not one.suspicion.candidates:
        return 1.0
    return 1.0 + (len(problem.blocks) - 1.0) * ALIKE


def _contest(readings: Readings, one: Case, rival: Case, *, tempering: float) -> Contest:
    """Return why one is believed rather than the other."""
    ratio = (one.account.log_density - rival.account.log_density) / tempering
    chances = one.suspicion.probability, rival.suspicion.probability
    log_odds = float(np.log(max(chances[0], 1e-300)) - np.log(max(chances[1], 1e-300)))
    water = (one.water - rival.water) / tempering
    prior = one.log_prior - rival.log_prior
    if not (one.suspicion.candidates and rival.suspicion.candidates):
        prior /= tempering  # that somebody released is judged with the prior discounted too
    return Contest(
        one=one.suspicion,
        rival=rival.suspicion,
        log_odds=log_odds,
        speeches=_speeches(readings, ratio, one=one.account, rival=rival.account),
        water=water,
        prior=prior,
        others=log_odds - float(ratio.sum()) - water - prior,
        tempering=tempering,
        overturn=overturn_of(readings, one.account, rival.account, log_odds=tempering * log_odds),
    )


def _speeches(readings: Readings, ratio: Array, *, one: Account, rival: Account) -> tuple[Speech, ...]:
    """Return what the readings say, (reading,) `ratio`, summed over hours of a station and determinand."""
    cells = readings.cell
    count = np.bincount(cells)
    total, observed, ahead, rival_ahead = (
        np.bincount(cells, part) for part in (ratio, readings.value, one.ahead, rival.ahead)
    )
    speeches = []
    for c in range(len(count)):
        rows = np.flatnonzero(cells == c)
        determinand = readings.blocks[readings.block[rows[0]]].substance.determinand
        speeches.append(
            Speech(
                station=str(readings.station[rows[0]]),
                determinand=determinand.id,
                unit=determinand.unit,
                since=readings.time[rows].min(),
                until=readings.time[rows].max(),
                log_ratio=float(total[c]),
                observed=float(observed[c] / count[c]),
                expected=float(ahead[c] / count[c]),
                rival_expected=float(rival_ahead[c] / count[c]),
            )
        )
    return tuple(speeches)


def overturn_of(readings: Readings, one: Account, rival: Account, *, log_odds: float) -> Overturn | None:
    """Return the reading that would make two explanations equally probable, None if none would plausibly.

    `log_odds` are those of the one against its rival before any tempering, all readings as they are.
    """
    leader = one if log_odds >= 0.0 else rival
    sign = 1.0 if log_odds >= 0.0 else -1.0
    here = _log_normal(readings.value, one) - _log_normal(readings.value, rival)
    roots = _level_roots(one, rival, level=here - log_odds)
    far = np.abs(roots - leader.mean) / leader.sd
    far = np.where(np.isfinite(roots) & (roots >= 0.0), far, np.inf)
    k, i = np.unravel_index(int(np.argmin(far)), far.shape)
    if far[k, i] > FARTHEST:
        return None
    block = readings.blocks[readings.block[i]]
    at = i - int(np.searchsorted(readings.block, readings.block[i]))
    outside = (
        sign * (1.0 / rival.sd[i] ** 2 - 1.0 / one.sd[i] ** 2) < 0.0
    )  # beyond the roots the rival leads for good
    side: Side = "about"
    if outside or abs(one.sd[i] / rival.sd[i] - 1.0) < 0.05:
        side = "or less" if roots[k, i] < readings.value[i] else "or more"
    return Overturn(
        station=str(readings.station[i]),
        determinand=block.substance.determinand.id,
        unit=block.substance.determinand.unit,
        time=readings.time[i],
        observed=float(readings.value[i]),
        is_below=bool(block.is_below[at]),
        value=float(roots[k, i]),
        side=side,
        expected=float(leader.mean[i]),
        surprise=float(far[k, i]),
    )


def _log_normal(value: Array, account: Account) -> Array:
    """Return the log density of each reading given all others, (reading,)."""
    return np.asarray(-0.5 * ((value - account.mean) / account.sd) ** 2 - np.log(account.sd))


def _level_roots(one: Account, rival: Account, *, level: Array) -> Array:
    """Return the two values (2, reading) at which each reading, given all others, has this log ratio; NaN if none."""
    w, v = 1.0 / one.sd**2, 1.0 / rival.sd**2
    a = -0.5 * (w - v)
    b = w * one.mean - v * rival.mean
    c = -0.5 * (w * one.mean**2 - v * rival.mean**2) + np.log(rival.sd / one.sd) - level
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(b**2 - 4.0 * a * c)
        q = -0.5 * (b + np.where(b >= 0.0, 1.0, -1.0) * root)
        return np.stack([q / a, c / q])
