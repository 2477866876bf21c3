"""Why: which readings speak for the leading suspicion and which against it, and what single reading would overturn it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from suyuan.tracing.accounts import Account, SettledPlumes, account_of, normal_of, settled_plumes
from suyuan.tracing.background import Background
from suyuan.tracing.counts import discount
from suyuan.tracing.overturn import Change, Forecast, Quiet, expected_of, overturning
from suyuan.tracing.plume import Claim
from suyuan.tracing.readings import Block, series_of
from suyuan.tracing.reasons import HOURS, Contest, Delay, Overturn, Speech, Suspicion
from suyuan.tracing.responses import Responses, responses
from suyuan.tracing.scan import log_sum
from suyuan.tracing.search import Explanations, Problem, joined
from suyuan.tracing.verdict import Verdict

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MOST_RIVALS = 3
"""So many leading suspicions are held against the first, and nobody."""

WORTH_ASKING = 0.01
"""Probability from which a suspicion is."""

MOST_EXPLANATIONS = 4
"""So many explanations of a suspicion, the leading ones, are asked what they would make of another reading."""


@dataclass(frozen=True)
class Pick:
    """A suspicion with its leading explanations, the best first.

    `parts` has none for nobody, one table for one source, two of the same length for two; `log_prior` is that of the best,
    `log_count` that of so many sources; of nobody both are one, `log_count`.
    """

    who: tuple[str, ...]
    probability: float
    parts: tuple[Explanations, ...]
    log_prior: float
    log_count: float

    def scene(self, which: int) -> int:
        """Return the scene in which one of its explanations was weighed."""
        return int(self.parts[0].scene[which])


@dataclass(frozen=True)
class Case:
    """A suspicion made out in full: `water` and `account` are of its leading explanation.

    `mean`, `sd` (explanation, reading) are what each of its explanations lets expect of a reading from all others.
    """

    suspicion: Suspicion
    pick: Pick
    water: float
    account: Account
    mean: Array
    sd: Array

    def forecast(self, *, within: float, between: float) -> Forecast:
        """Return what is expected of each reading, the explanations weighed with their evidence divided by `within`."""
        if not self.pick.parts:
            return Forecast(self.mean, self.sd, np.zeros(1), within, between)
        table = self.pick.parts[0]
        log_weight = table.log_prior + table.log_gain / within
        return Forecast(self.mean, self.sd, log_weight - log_sum(log_weight), within, between)


@dataclass(frozen=True)
class ReadingsInTime:
    """All readings, block after block: arrays (reading,); `order` is that of time, `block` and `cell` count.

    `since` is the begin of each, `time` its end. `known` is how many readings lie before the hours of a reading's cell.
    """

    blocks: tuple[Block, ...]
    block: Index
    station: NDArray[np.str_]
    value: Array
    since: NDArray[np.datetime64]
    time: NDArray[np.datetime64]
    order: Index
    cell: Index
    known: Index


@dataclass(frozen=True)
class Hearing:
    """All that suspicions are judged by.

    `quiet` has the readings without plumes in each scene that is asked about, `seen` what releases do in each flow member.
    """

    problem: Problem
    verdict: Verdict
    readings: ReadingsInTime
    quiet: Mapping[int, Quiet]
    seen: Mapping[int, Responses]

    def plumes(self, pick: Pick, which: int) -> SettledPlumes:
        """Return the settled plumes of one of the explanations picked."""
        rows = joined([part.where(np.array([which])) for part in pick.parts])
        seen, scene = self.seen[int(rows.member[0])], self.verdict.scenes[pick.scene(which)]
        return settled_plumes(self.problem, scene.ground, seen=seen, found=rows)

    def claimed(self, pick: Pick) -> Claim:
        """Return under which claim the best explanation of a suspicion was weighed."""
        return self.verdict.scenes[pick.scene(0)].claimed if pick.parts else self.verdict.quiet

    def account(self, backgrounds: Sequence[Background], plumes: SettledPlumes | None = None) -> Account:
        """Return what the readings are to an explanation, or to nobody."""
        normal = normal_of(self.problem.blocks, backgrounds, plumes=plumes)
        return account_of(self.readings.value, normal, order=self.readings.order, known=self.readings.known)


def why_of(problem: Problem, verdict: Verdict) -> tuple[Contest, ...]:
    """Return why the leading suspicion is believed rather than each of its rivals, the most probable first.

    Nobody is always among them. Each is judged by its leading explanation alone; what all others add is one number.
    """
    picks = _leading(problem, verdict)
    if len(picks) < 2:
        return ()
    hearing = Hearing(
        problem,
        verdict,
        readings_of(problem),
        _quiets(problem, verdict, picks=picks),
        _seen(problem, picks),
    )
    with threadpool_limits(1):  # explanations are asked side by side
        cases = [_case(hearing, pick) for pick in picks]
    return tuple(_contest(hearing, cases[0], rival=case) for case in cases[1:])


def _quiets(problem: Problem, verdict: Verdict, *, picks: Sequence[Pick]) -> dict[int, Quiet]:
    """Return the readings without plumes in each scene in which one of these explanations was weighed."""
    scenes = {pick.scene(which) for pick in picks if pick.parts for which in range(len(pick.parts[0].scene))}
    return {
        scene: Quiet.of_backgrounds(problem.blocks, verdict.scenes[scene].claimed.backgrounds)
        for scene in sorted(scenes)
    }


def _seen(problem: Problem, picks: Sequence[Pick]) -> dict[int, Responses]:
    """Return what the sources of these explanations do, by flow member."""
    parts = [part for pick in picks for part in pick.parts]
    table = joined(parts)
    return {
        int(m): responses(problem, int(m), source=table.source[table.member == m])
        for m in np.unique(table.member)
    }


def readings_of(problem: Problem) -> ReadingsInTime:
    """Return all readings in the order of their time, with the hours of a station and determinand to which each belongs."""
    receptors = problem.matrices[0].receptors
    first, last, count = (
        np.concatenate([getattr(b.means, name) for b in problem.blocks])
        for name in ("first", "last", "count")
    )
    block = np.repeat(np.arange(len(problem.blocks)), [len(b.value) for b in problem.blocks])
    station = np.concatenate([b.station for b in problem.blocks])
    since = receptors.time[first] - receptors.duration_s[first].astype("timedelta64[s]")
    time = receptors.time[last]
    hours, start = np.timedelta64(HOURS, "h"), problem.matrices[0].start
    spell = (time - start) // hours
    number = series_of(station, count)
    keys = np.stack([number, block, spell.astype(np.int64)])
    return ReadingsInTime(
        problem.blocks,
        block,
        station,
        np.concatenate([b.value for b in problem.blocks]),
        since,
        time,
        np.lexsort((block, number, time)),
        np.unique(keys, axis=1, return_inverse=True)[1].ravel(),
        np.searchsorted(np.sort(time), start + spell * hours),
    )


def _leading(problem: Problem, verdict: Verdict) -> list[Pick]:
    """Return the leading suspicions, and nobody, the most probable first."""
    prior = problem.grid.prior
    names = np.array([s.candidate for s in problem.matrices[0].sources])
    picks: list[Pick] = []
    for chance, tables, log_count in (
        (verdict.one, (verdict.single,), np.log(1.0 - prior.nobody - prior.pair)),
        (verdict.two, (verdict.first, verdict.second), np.log(prior.pair) if prior.pair else -np.inf),
    ):
        weight = tables[0].weight
        rows_of: dict[tuple[str, ...], list[int]] = {}
        for row in np.argsort(-weight, kind="stable"):
            who = tuple(sorted(str(names[table.source[row]]) for table in tables))
            rows_of.setdefault(who, []).append(int(row))
        for who, rows in rows_of.items():
            best = np.array(rows[:MOST_EXPLANATIONS])
            parts = tuple(table.where(best) for table in tables)
            share = chance * float(weight[rows].sum())
            picks.append(Pick(who, share, parts, float(parts[0].log_prior[0]), float(log_count)))
    picks.sort(key=lambda pick: -pick.probability)
    kept = [p for i, p in enumerate(picks[: MOST_RIVALS + 1]) if p.probability >= WORTH_ASKING or i < 1]
    nobody = Pick((), verdict.nobody, (), 0.0, float(np.log(verdict.prior_nobody)))
    return sorted([*kept, nobody], key=lambda pick: -pick.probability)


def _case(hearing: Hearing, pick: Pick) -> Case:
    """Return one suspicion made out in full; nobody is judged under the background found where nothing is claimed."""
    problem = hearing.problem
    if not pick.parts:
        silent = hearing.claimed(pick).backgrounds
        mean, sd = expected_of(Quiet.of_backgrounds(problem.blocks, silent))
        account = hearing.account(silent)
        return Case(Suspicion((), pick.probability), pick, 0.0, account, mean[None], sd[None])

    def asked(which: int) -> tuple[SettledPlumes, tuple[Array, Array]]:
        plumes = hearing.plumes(pick, which)
        return plumes, expected_of(hearing.quiet[pick.scene(which)], plumes)

    with ThreadPoolExecutor(problem.workers) as pool:
        each, expected = zip(*pool.map(asked, range(len(pick.parts[0].source))), strict=True)
    account = hearing.account(hearing.claimed(pick).backgrounds, each[0])
    names = tuple(problem.matrices[0].sources[part.source[0]].candidate for part in pick.parts)
    waters = tuple(problem.grid.library.kinds[part.kind[0]] for part in pick.parts)
    suspicion = Suspicion(names, pick.probability, waters, _delays(problem, names, plumes=each[0]))
    mean, sd = (np.stack([one[k] for one in expected]) for k in (0, 1))
    return Case(suspicion, pick, each[0].water, account, mean, sd)


def _delays(problem: Problem, names: tuple[str, ...], *, plumes: SettledPlumes) -> tuple[Delay, ...]:
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


def _tempering(hearing: Hearing, one: Case, *, rival: Case) -> float:
    """Return by how much the evidence between two suspicions is weakened, as in the verdict."""
    verdict, counts = hearing.verdict, (len(one.pick.parts), len(rival.pick.parts))
    if min(counts):
        same = verdict.single.temperature if counts[0] == 1 else verdict.first.temperature
        return same if counts[0] == counts[1] else verdict.count_temperature
    return discount(len(hearing.problem.blocks)) if one.suspicion.candidates else 1.0


def _contest(hearing: Hearing, one: Case, *, rival: Case) -> Contest:
    """Return why one is believed rather than the other."""
    tempering = _tempering(hearing, one, rival=rival)
    is_nobody, is_count = (
        not (one.pick.parts and rival.pick.parts),
        len(one.pick.parts) != len(rival.pick.parts),
    )
    ratio = (one.account.log_density - rival.account.log_density) / tempering
    chances = one.suspicion.probability, rival.suspicion.probability
    log_odds = float(np.log(max(chances[0], 1e-300)) - np.log(max(chances[1], 1e-300)))
    water = (one.water - rival.water) / tempering
    who, count = (getattr(one.pick, name) - getattr(rival.pick, name) for name in ("log_prior", "log_count"))
    moved = hearing.claimed(one.pick).log_prior - hearing.claimed(rival.pick).log_prior
    # how many released is judged by means over who did, so the prior of who is weakened with the evidence; against nobody all is
    prior = (
        moved / tempering + who / (tempering if is_count else 1.0) + count / (tempering if is_nobody else 1.0)
    )
    within, between = (1.0, tempering) if is_count else (tempering, 1.0)
    leader, behind = (case.forecast(within=within, between=between) for case in (one, rival))
    change = overturning(hearing.readings.value, leader, rival=behind, log_odds=log_odds)
    return Contest(
        one=one.suspicion,
        rival=rival.suspicion,
        log_odds=log_odds,
        speeches=_speeches(hearing.readings, ratio, one=one.account, rival=rival.account),
        water=water,
        prior=prior,
        others=log_odds - float(ratio.sum()) - water - prior,
        tempering=tempering,
        overturn=_overturn(hearing.readings, change) if change else None,
    )


def _overturn(readings: ReadingsInTime, change: Change) -> Overturn:
    """Return a change with the reading it is of."""
    i, block = change.row, readings.blocks[readings.block[change.row]]
    first = int(np.searchsorted(readings.block, readings.block[i]))
    return Overturn(
        station=str(readings.station[i]),
        determinand=block.substance.determinand.id,
        unit=block.substance.determinand.unit,
        since=readings.since[i],
        time=readings.time[i],
        observed=float(readings.value[i]),
        is_below=bool(block.is_below[i - first]),
        value=change.value,
        side=change.side,
        expected=change.expected,
        surprise=change.surprise,
    )


def _speeches(readings: ReadingsInTime, ratio: Array, *, one: Account, rival: Account) -> tuple[Speech, ...]:
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
                since=readings.since[rows].min(),
                until=readings.time[rows].max(),
                log_ratio=float(total[c]),
                observed=float(observed[c] / count[c]),
                expected=float(ahead[c] / count[c]),
                rival_expected=float(rival_ahead[c] / count[c]),
            )
        )
    return tuple(speeches)
