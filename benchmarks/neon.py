"""The salt drips in Rio Guilarte traced from two conductivity loggers: when the drip began and how it went on.

Discharge is the one that the laboratory's chloride on the plateau gives, so mass would be circular and is not scored.
Every setting and its reason; none was chosen by how near the answer came. That marked * was added after a first run.

- What is traced is specific conductance itself (EC). Readings are means of five minutes, the length of a release bin: the
  shortest history the tracer knows. Every logger counts from when it lay in the water until the first of the two was lifted,
  because from then on the crew handles the equipment.
- A logger tells RESOLUTION apart (Onset HOBO U24, manual); a reading is no better than what is lost by rounding to that, and
  means of readings that are rounded alike are not better either. Drift is the background's business.
- Width and depth were not measured. Velocity and depth are those of small streams of that discharge (Raymond et al., 2012), taken
  as good to a factor of 1.6: the error of travel time common to all reaches is 0.5 (log), and 0.15 by reach as in the Severn.
  The discharge is good to 0.1: the laboratory's chloride differs by that from station to station.
- Dispersion is that of Fischer et al. (1979, eq. 5.19) with a shear velocity of a tenth of the velocity, times one factor a
  member, log-sd 0.7 as in the Severn.
- The stream is drawn as far above the near logger as the far one lies below it, and a release is looked for from before the
  first reading by the time from that head at half the speed.
- The rate a priori is what raises the stream by the middle one of the loggers' rises (highest reading less lowest), with the
  tracer's own spread (log-sd 1.4), as in the Severn: a rate read off the median reading would double the stream's salt.
- * As in `suyuan trace`, no release spreads against the stream to a logger above it (`carried`).

Three ways: `told` (both loggers, the place known), `far` (the far logger alone, the place known: the near one then is a witness
that the tracer has not heard), `place` (both loggers, any place from the head down).

What is held against it. The drip's beginning was not written down: it is when the near logger rose most steeply, less the
time over the 30 m between at the velocity above (about five minutes; half of that is what this is good for). From then on
the drip was constant to beyond the last reading used.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.neon_record import DAYS, FOLDER, Drip, read_drip
from benchmarks.neon_stream import (
    BIN_S,
    HOUR_S,
    SECOND,
    Stream,
    began,
    flow_of,
    network_of,
    readings,
    stream_of,
)
from suyuan.fingerprints import Fingerprints
from suyuan.flow import balanced
from suyuan.network import Network
from suyuan.observations import Observations
from suyuan.substances import Substance, determinand
from suyuan.tracing.library import Strength
from suyuan.tracing.members import FlowErrors, FlowMember, StillWater, flow_members, with_still_water
from suyuan.tracing.posterior import problem_of
from suyuan.tracing.prior import Prior
from suyuan.tracing.release import draw_releases, finding_of
from suyuan.tracing.result import Candidate, Finding
from suyuan.tracing.search import Problem
from suyuan.tracing.verdict import Verdict, weigh
from suyuan.transport.downstream import carried
from suyuan.transport.matrix import Source, SourceReceptorMatrix
from suyuan.transport.operator import compile_operator, mixing_length_dispersion
from suyuan.transport.sampling import receptors_of
from suyuan.transport.source_receptor import source_receptor_matrix

Array = NDArray[np.float64]

WAYS = ("told", "far", "place")
MEMBERS = 48
RESOLUTION = 1.0
ERRORS = FlowErrors(travel_common=0.5, travel_reach=0.15, inflow=0.1, dispersion=0.7)
POINT_M = 20.0
DRAWS = 1000


@dataclass(frozen=True)
class Recovered:
    """What was found of one drip in one way: start and history of the rate, the place [m below the drip] where it was not told.

    `finding` holds start and history, `edges` (bin + 1,) UTC; `began` is when the drip began by the record, `place_m` (3,) 5, 50
    and 95 %; `drip` what was known, `nobody` the probability that nothing was released.
    """

    drip: Drip
    way: str
    seed: int
    finding: Finding
    edges: NDArray[np.datetime64]
    began: np.datetime64
    place_m: Array
    nobody: float

    @property
    def start_min(self) -> Array:
        """Start [min after it began by the record], 5, 50 and 95 %."""
        start = self.finding.start
        return np.array([(t - self.began) / SECOND / 60.0 for t in (start.q05, start.q50, start.q95)])

    @property
    def covers_start(self) -> bool:
        return bool(self.start_min[0] <= 0.0 <= self.start_min[2])

    @property
    def covers_place(self) -> bool:
        return bool(self.place_m[0] <= 0.0 <= self.place_m[2])

    @property
    def dripping(self) -> Array:
        """Share of each bin in which it dripped, (bin,)."""
        after = (self.edges[1:] - self.began) / (self.edges[1:] - self.edges[:-1])
        return np.clip(after, 0.0, 1.0)

    @property
    def history_agrees(self) -> float:
        """Share of the bins in which the median rate says what was: dripping (at half its own highest and more) or not."""
        rate = self.finding.release[1]
        is_on = (rate > 0.0) & (rate >= 0.5 * rate.max())
        return float(np.mean(is_on == (self.dripping >= 0.5)))

    @property
    def history_covers(self) -> float:
        """Share of the bins in which the 90 % band of the rate holds what was dripped, discharge as given."""
        low, _, high = self.finding.release
        rate = self.drip.ec_rate * self.dripping
        return float(np.mean((low <= rate) & (rate <= high)))

    @property
    def rate_ratio(self) -> float:
        """Median rate over the known one, median over the bins in which it dripped."""
        return float(np.median(self.finding.release[1][self.dripping >= 0.5]) / self.drip.ec_rate)

    def to_dict(self) -> dict[str, Any]:
        return {
            "day": self.drip.day,
            "way": self.way,
            "seed": self.seed,
            "start_min_after": self.start_min.round(1).tolist(),
            "start_covers": self.covers_start,
            "history_agrees": round(self.history_agrees, 3),
            "history_90_covers": round(self.history_covers, 3),
            "rate_ratio": round(self.rate_ratio, 3),
            "nobody": self.nobody,
            **({"place_m_below_drip": self.place_m.round().tolist()} if self.way == "place" else {}),
        }


def places(drip: Drip, network: Network, *, is_told: bool) -> tuple[tuple[Source, ...], Prior]:
    """Return where the release may have been, and the prior: at the drip, or anywhere in proportion to length."""
    if is_told:
        at = network.reaches[0].length_m - drip.near.below_m
        candidates = (Candidate("drip", "outfall", "R0", at),)
        return (Source("drip", "outfall", "R0", at),), Prior(candidates, np.ones(1), ("",), (("other", 1.0),))
    sources = []
    for reach in network.reaches:
        count = round(reach.length_m / POINT_M)
        middle = (np.arange(count) + 0.5) / count * reach.length_m
        sources += [Source(f"reach:{reach.id}", "reach", reach.id, float(x)) for x in middle]
    length = np.array([r.length_m for r in network.reaches])
    candidates = tuple(Candidate(f"reach:{r.id}", "reach", r.id, float("nan")) for r in network.reaches)
    return tuple(sources), Prior(candidates, length / length.sum(), ("",) * len(length), (("other", 1.0),))


# --- the trace


def recover(
    drip: Drip, *, way: str = "told", members: int = MEMBERS, seed: int = 1, still: StillWater | None = None
) -> Recovered:
    """Return start and history of the release as the tracer finds them from the loggers; `still` water is drawn, if any."""
    rng = np.random.default_rng(seed)
    problem, network = posed(drip, way=way, members=members, rng=rng, still=still)
    with threadpool_limits(1):
        verdict = weigh(problem)
    matrix = problem.matrices[0]
    weight = np.bincount(verdict.single.source, verdict.single.weight, minlength=len(matrix.sources))
    return Recovered(
        drip=drip,
        way=way,
        seed=seed,
        finding=_finding(problem, verdict, rng=rng),
        edges=matrix.start + np.round(matrix.edges).astype("timedelta64[s]"),
        began=began(drip),
        place_m=_place(drip, network, matrix=matrix, weight=weight),
        nobody=verdict.nobody,
    )


def posed(
    drip: Drip, *, way: str, members: int, rng: np.random.Generator, still: StillWater | None = None
) -> tuple[Problem, Network]:
    """Return the problem that is put to the tracer, and the stream it is about."""
    loggers = (drip.far,) if way == "far" else (drip.near, drip.far)
    network, stream = network_of(drip), stream_of(drip)
    observations = readings(loggers, until=min(drip.near.time[-1], drip.far.time[-1]))
    lead = np.timedelta64(round(stream.lead_s), "s")
    since = min(logger.time[0] for logger in (drip.near, drip.far)) - lead
    flow = balanced(flow_of(drip, network, since=since, until=observations.time.max()), network)
    sources, prior = places(drip, network, is_told=way != "place")
    last = (observations.time.max() - flow.start) / SECOND
    edges = np.arange(last - BIN_S * ((last - HOUR_S) // BIN_S), last + 0.5 * BIN_S, BIN_S)
    drawn = flow_members(network, flow, count=members, rng=rng, errors=ERRORS)
    drawn = with_still_water(network, drawn, still=still, rng=rng)
    matrices = [
        _matrix(network, member, stream=stream, observations=observations, sources=sources, edges=edges)
        for member in drawn
    ]
    problem = problem_of(
        observations,
        matrices,
        substances=[Substance(determinand("EC"))],
        fingerprints=Fingerprints((), (), np.empty((0, 0)), np.empty((0, 0))),
        prior=prior,
    )
    return _as_logged(problem, discharge=drip.discharge), network


def _matrix(
    network: Network,
    member: FlowMember,
    *,
    stream: Stream,
    observations: Observations,
    sources: tuple[Source, ...],
    edges: Array,
) -> SourceReceptorMatrix:
    mixing = mixing_length_dispersion(network, member.flow, length_m=stream.mixing_length)
    operator = compile_operator(
        network,
        member.flow,
        dx_m=10.0,
        dt_s=60.0,
        dispersion=mixing * member.dispersion_factor,
        storage=member.mixing.storage,
    )
    receptors, _ = receptors_of(network, observations)
    reached = carried(network, member.flow, receptors=receptors, sources=sources)
    return source_receptor_matrix(operator, receptors, sources=sources, edges=edges, carried=reached)


def _as_logged(problem: Problem, *, discharge: float) -> Problem:
    """Return the problem with a logger's error of reading and a rate a priori that raises the stream as the readings rise."""
    (block,) = problem.blocks
    rises = [np.ptp(block.value[block.station == name]) for name in np.unique(block.station)]
    noise = np.full(len(block.value), RESOLUTION / np.sqrt(12.0))
    grid = replace(problem.grid, strength=Strength(float(np.log(np.median(rises) * discharge))))
    return replace(problem, blocks=(replace(block, noise_sd=noise),), grid=grid)


def _finding(problem: Problem, verdict: Verdict, *, rng: np.random.Generator) -> Finding:
    """Return start and history of the likeliest candidate."""
    names = [s.candidate for s in problem.matrices[0].sources]
    share = {c.id: 0.0 for c in problem.grid.prior.candidates}
    for source, weight in zip(verdict.single.source, verdict.single.weight, strict=True):
        share[names[source]] += float(weight)
    candidate = max(problem.grid.prior.candidates, key=lambda c: share[c.id])
    draws = draw_releases(problem, verdict, candidate=candidate.id, count=DRAWS, rng=rng)
    if draws is None:
        return Finding(candidate, 0.0)
    return finding_of(problem, candidate, probability=share[candidate.id], draws=draws)


def _place(drip: Drip, network: Network, *, matrix: SourceReceptorMatrix, weight: Array) -> Array:
    """Return 5, 50 and 95 % of the place [m below the drip, negative above]; each point stands for POINT_M of stream."""
    begin = np.cumsum([0.0, *(r.length_m for r in network.reaches)])
    zero = begin[1] - drip.near.below_m
    at = np.array([begin[network.reach_index(s.reach)] + s.chainage_m for s in matrix.sources]) - zero
    middle = np.cumsum(weight) - 0.5 * weight
    return np.interp([0.05, 0.5, 0.95], middle / weight.sum(), at)


def recovered(
    folder: Path = FOLDER,
    *,
    ways: Sequence[str] = WAYS,
    seeds: Sequence[int] = (1,),
    members: int = MEMBERS,
    workers: int = 1,
    still: StillWater | None = None,
) -> list[Recovered]:
    """Return both drips recovered in each way with each seed."""
    jobs = [
        (read_drip(folder, day), way, members, seed, still) for day in DAYS for way in ways for seed in seeds
    ]
    if workers == 1:
        return [_job(*job) for job in jobs]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(_job, *zip(*jobs, strict=True)))


def _job(drip: Drip, way: str, members: int, seed: int, still: StillWater | None) -> Recovered:
    return recover(drip, way=way, members=members, seed=seed, still=still)


def scores(found: Sequence[Recovered]) -> dict[str, float]:
    """Return what R2 asks of the drips: medians and shares over days and seeds."""
    median = {
        "start_error_min": [abs(float(r.start_min[1])) for r in found],
        "start_width_min": [float(r.start_min[2] - r.start_min[0]) for r in found],
        "rate_ratio": [r.rate_ratio for r in found],
        "nobody": [r.nobody for r in found],
    }
    share: dict[str, list[Any]] = {
        "start_90_covers": [r.covers_start for r in found],
        "history_agrees": [r.history_agrees for r in found],
        "history_90_covers": [r.history_covers for r in found],
        **({"place_90_covers": [r.covers_place for r in found]} if found[0].way == "place" else {}),
    }
    return {
        **{name: float(np.median(values)) for name, values in median.items()},
        **{name: float(np.mean(values)) for name, values in share.items()},
    }
