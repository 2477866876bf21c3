"""N2: suggested samples in cases whose truth answers, beside walking upstream by halves.

Now is 12 h after the first clear rise at a station: the first reading since the release began that stands above the mean of the
12 h before it by four standard deviations of its noise and by a quarter of the largest rise there. Hindsight is used for
this alone. The tracer gets the readings until now and the flow of the whole window. Then, one by one: the product
says which grab sample at a full hour within 24 h (and inside the window) tells most about who did it for its cost, at the prices
that suyuan next takes (an early sample is cheaper than a late one); the true concentration
at that place and hour, with the case's noise, becomes a reading; everything is traced again. Walking by halves samples every two
hours at the place that has half of the suspected outfalls upstream of it (mean direction of flow), and goes by
whether the first determinand stands two standard deviations above the background; its readings are traced likewise.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from suyuan.asked import Ask, substances_to_trace
from suyuan.ensemble import DRAWN as MEMBERS
from suyuan.flow import BalancedFlow, balanced
from suyuan.io.fingerprints import read_fingerprints
from suyuan.io.flow import read_flow
from suyuan.io.network import read_network
from suyuan.io.observations import read_observations
from suyuan.io.project import USUAL_AT_NIGHT, Project, read_project
from suyuan.network import Network
from suyuan.observations import GOOD, Observations
from suyuan.qc import flag
from suyuan.rolling import matrices_of, operator_of
from suyuan.run import HOUR_S, release_edges
from suyuan.substances import Substance
from suyuan.tracing.crews import Terms
from suyuan.tracing.members import FlowMember, flow_members
from suyuan.tracing.methods import Laboratory, Methods
from suyuan.tracing.offers import Wanted
from suyuan.tracing.places import Place, sampling_places
from suyuan.tracing.posterior import candidate_probabilities, problem_of
from suyuan.tracing.predictions import Horizon
from suyuan.tracing.prior import default_prior
from suyuan.tracing.recommend import advise
from suyuan.tracing.scenarios import expected_water
from suyuan.tracing.search import Problem
from suyuan.tracing.shapes import Nights
from suyuan.tracing.verdict import Verdict, weigh

Array = NDArray[np.float64]

AHEAD_H, NOW_AFTER_H, STEP_H = 24, 12, 2
SURE = 0.9
SEED = 1


@dataclass(frozen=True)
class Truth:
    """What answers: `value` (determinand, place, hour) at `reach`, `chainage_m` (place,) and `time` (hour,) [UTC]."""

    sources: tuple[str, ...]
    noise: dict[str, dict[str, float]]
    determinands: tuple[str, ...]
    reach: NDArray[np.str_]
    chainage_m: Array
    time: NDArray[np.datetime64]
    value: Array
    begin: np.datetime64
    peak_rise: dict[str, float]

    def read(
        self, place: Place, time: np.datetime64, *, names: Sequence[str], rng: np.random.Generator
    ) -> Array:
        """Return what a laboratory finds of each determinand in a sample there and then, noise added."""
        away = np.where(self.reach == place.reach, np.abs(self.chainage_m - place.chainage_m), np.inf)
        hour = int(np.argmin(np.abs(self.time - time)))
        found = []
        for name in names:
            true = float(self.value[self.determinands.index(name), int(np.argmin(away)), hour])
            sd = np.hypot(self.noise[name]["relative"] * true, self.noise[name]["absolute"])
            found.append(max(0.0, true + sd * rng.standard_normal()))
        return np.array(found)


@dataclass(frozen=True)
class Case:
    """One case as the tracer sees it at `now`."""

    name: str
    family: str
    project: Project
    network: Network
    flow: BalancedFlow
    members: tuple[FlowMember, ...]
    substances: tuple[Substance, ...]
    observations: Observations
    since: np.datetime64
    until: np.datetime64
    now: np.datetime64
    station: str
    truth: Truth


@dataclass(frozen=True)
class Known:
    """What is believed with these readings."""

    problem: Problem
    verdict: Verdict
    probabilities: dict[str, float]

    def of_truth(self, truth: Truth) -> float:
        return float(np.mean([self.probabilities.get(name, 0.0) for name in truth.sources]))

    def is_first(self, truth: Truth) -> bool:
        return max(self.probabilities, key=self.probabilities.__getitem__) in truth.sources


def read_truth(folder: Path, name: str) -> tuple[str, Truth] | None:
    """Return family and truth of a case; None where nobody released."""
    import xarray as xr

    said = json.loads((folder / "truth" / f"{name}.json").read_text("utf-8"))
    if not said["sources"]:
        return None
    first = min(said["sources"], key=lambda s: s["start"])
    rise = {k: max(float(s["peak_rise_mg_l"].get(k, 0.0)) for s in said["sources"]) for k in said["stations"]}
    with xr.open_dataset(folder / "truth" / f"{name}.nc") as data:
        truth = Truth(
            sources=tuple(s["candidate"] for s in said["sources"]),
            noise=said["noise"],
            determinands=tuple(map(str, data.determinand.values)),
            reach=data.reach.values.astype(str),
            chainage_m=data.chainage_m.values.astype(float),
            time=data.time.values.astype("datetime64[s]") - np.timedelta64(8, "h"),
            value=data.concentration.values.astype(float),
            begin=np.datetime64(first["start"].replace(" ", "T"), "s") - np.timedelta64(8, "h"),
            peak_rise=rise,
        )
    return said["family"], truth


def read_case(folder: Path, name: str) -> Case | str:
    """Return a case at its `now`, or why there is nothing to ask."""
    found = read_truth(folder, name)
    if found is None:
        return "nobody released"
    family, truth = found
    project = read_project(folder / "inputs" / name)
    network = read_network(project.files.network)
    assert project.files.flow
    assert project.trace.since is not None
    assert project.trace.until is not None
    flow = balanced(read_flow(project.files.flow, timezone=project.zone, network=network), network)
    everything = flag(
        read_observations(project.files.observations, timezone=project.zone, network=network)
    ).select(since=project.trace.since, until=project.trace.until)
    risen = clear_rise(everything, truth)
    if risen is None:
        return "no clear rise at any station"
    now, station = risen[0] + np.timedelta64(NOW_AFTER_H, "h"), risen[1]
    if now > project.trace.until - np.timedelta64(2, "h"):
        return "the rise is seen less than 14 h before the window ends"
    return Case(
        name,
        family,
        project,
        network,
        flow,
        flow_members(network, flow, count=MEMBERS, rng=np.random.default_rng(SEED)),
        substances_to_trace(project, Ask(), observations=everything),
        everything.select(until=now),
        project.trace.since,
        project.trace.until,
        now,
        station,
        truth,
    )


def clear_rise(observations: Observations, truth: Truth) -> tuple[np.datetime64, str] | None:
    """Return time and station of the first reading that clearly stands above the time before the release."""
    name = truth.determinands[0]
    own = observations.select(determinands=(name,))
    found = []
    for station in np.unique(own.station).tolist():
        rows = own.where((own.station == station) & np.isfinite(own.value))
        before = (rows.time <= truth.begin) & (rows.time >= truth.begin - np.timedelta64(12, "h"))
        level = float(rows.value[before].mean()) if before.any() else float(np.quantile(rows.value, 0.25))
        noise = float(np.hypot(truth.noise[name]["relative"] * level, truth.noise[name]["absolute"]))
        least = level + max(4.0 * noise, 0.25 * truth.peak_rise.get(station, 0.0))
        above = np.flatnonzero((rows.time > truth.begin) & (rows.value > least))
        if truth.peak_rise.get(station, 0.0) > 4.0 * noise and len(above):
            found.append((rows.time[above].min(), station))
    return min(found) if found else None


def traced(case: Case, observations: Observations) -> Known:
    """Trace with these readings, in the window that ends with the last of them."""
    until = max(case.now, observations.time.max())
    fingerprints = case.project.files.fingerprints
    assert fingerprints is not None
    matrices = matrices_of(
        case.network,
        case.members,
        observations=observations,
        edges=release_edges(case.flow, (case.since, until)),
        progress=lambda *_: None,
    )
    with threadpool_limits(1):
        problem = problem_of(
            observations,
            matrices,
            substances=case.substances,
            fingerprints=read_fingerprints(fingerprints),
            prior=default_prior(case.network, case.flow, nights=Nights(USUAL_AT_NIGHT, case.project.zone)),
        )
        verdict = weigh(problem)
    return Known(problem, verdict, candidate_probabilities(problem, verdict))


Choose = Callable[[Case, Known, Observations], tuple[Place, np.datetime64] | None]


def suggested(case: Case, known: Known, observations: Observations) -> tuple[Place, np.datetime64] | None:
    """The product: the grab sample that tells most about who did it."""
    now = observations.time.max()
    left_h = int((case.until - now) / np.timedelta64(1, "h"))
    if left_h < 1:
        return None
    now_s = float((now - case.flow.start) / np.timedelta64(1, "s"))
    time_s = now_s + HOUR_S * np.arange(1.0, min(AHEAD_H, left_h) + 1.0)
    edges = known.problem.matrices[0].edges
    longer = np.append(edges, np.arange(edges[-1] + HOUR_S, time_s[-1] + HOUR_S, HOUR_S))
    wanted = Wanted(
        tuple(p for p in sampling_places(case.network) if p.kind != "mouth"),
        Horizon(case.flow.start, longer, now_s, time_s),
        np.ones(len(time_s), bool),
        methods=Methods(kit=None, grab=Laboratory(delay_s=0.0)),
        terms=Terms(most=1),
        stops=1,
    )
    advice = advise(
        known.problem,
        known.verdict,
        network=case.network,
        operator_of=lambda m: operator_of(case.network, case.members[m]),
        wanted=wanted,
        rng=np.random.default_rng(SEED),
    )
    return (advice.stops[0].place, advice.stops[0].time) if advice.stops else None


class Walk:
    """Walking upstream by halves: the outfalls still suspected, and the last sample."""

    def __init__(self, case: Case) -> None:
        station = case.network.station(case.station)
        self.suspects = above(case, station.reach, station.chainage_m)
        self.place: Place | None = None

    def __call__(
        self, case: Case, known: Known, observations: Observations
    ) -> tuple[Place, np.datetime64] | None:
        if self.place is not None:
            self._heard(case, known, observations)
        time = observations.time.max() + np.timedelta64(STEP_H, "h")
        if time > case.until or not self.suspects:
            return None
        places = [p for p in sampling_places(case.network) if p.kind != "mouth"]
        shares = [len(self.suspects & above(case, p.reach, p.chainage_m)) for p in places]
        half = 0.5 * len(self.suspects)
        self.place = places[int(np.argmin(np.abs(np.array(shares) - half)))]
        return self.place, time

    def _heard(self, case: Case, known: Known, observations: Observations) -> None:
        assert self.place is not None
        water = expected_water(known.problem, known.verdict)
        first = case.substances[0].determinand.id
        rows = (observations.station == self.place.id) & (observations.determinand == first)
        is_high = bool(observations.value[rows][-1] > water.level[0] + 2.0 * water.sd[0])
        upstream = above(case, self.place.reach, self.place.chainage_m)
        left = self.suspects & upstream if is_high else self.suspects - upstream
        self.suspects = left or self.suspects


def above(case: Case, reach_id: str, chainage_m: float) -> frozenset[str]:
    """Return the outfalls upstream of a place, by the mean direction of flow."""
    network, flow = case.network, case.flow
    mean = 0.5 * (flow.discharge_start + flow.discharge_end).mean(axis=0)
    heads = [
        (r.from_node, r.to_node) if q >= 0.0 else (r.to_node, r.from_node)
        for r, q in zip(network.reaches, mean, strict=True)
    ]
    own = network.reach_index(reach_id)
    seen, queue = {heads[own][0]}, [heads[own][0]]
    whole: set[int] = set()
    while queue:
        node = queue.pop()
        for r, (head, tail) in enumerate(heads):
            if tail == node and r not in whole:
                whole.add(r)
                if head not in seen:
                    seen.add(head)
                    queue.append(head)
    forward = mean[own] >= 0.0
    found = {o.id for o in network.outfalls if network.reach_index(o.reach) in whole}
    for o in network.outfalls:
        if o.reach == reach_id and (o.chainage_m < chainage_m) == forward:
            found.add(o.id)
    return frozenset(found)


def with_sample(
    observations: Observations, place: Place, time: np.datetime64, *, values: Array, names: Sequence[str]
) -> Observations:
    """Return the readings with one more sample."""
    n = len(names)
    added = {
        "time": np.full(n, time),
        "station": np.full(n, place.id),
        "determinand": np.array(names),
        "value": values,
        "qualifier": np.full(n, "", "<U1"),
        "flag": np.full(n, GOOD, np.int8),
        "duration_s": np.zeros(n),
        "sample_id": np.full(n, "next"),
    }
    joined = {k: np.concatenate([getattr(observations, k), v]) for k, v in added.items()}
    return replace(observations, **joined)


def followed(case: Case, first: Known, choose: Choose, most: int) -> list[dict[str, object]]:
    """Return what is believed after each sample, the start included."""
    rng = np.random.default_rng([SEED, sum(map(ord, case.name))])
    names = [s.determinand.id for s in case.substances]
    known, observations = first, case.observations
    steps: list[dict[str, object]] = [_step(known, case.truth, "", None)]
    while len(steps) <= most and known.of_truth(case.truth) < SURE:
        chosen = choose(case, known, observations)
        if chosen is None:
            break
        values = case.truth.read(*chosen, names=names, rng=rng)
        observations = with_sample(observations, *chosen, values=values, names=names)
        known = traced(case, observations)
        steps.append(_step(known, case.truth, chosen[0].id, chosen[1]))
    return steps


def _step(known: Known, truth: Truth, place: str, time: np.datetime64 | None) -> dict[str, object]:
    top = max(known.probabilities, key=known.probabilities.__getitem__)
    return {
        "place": place,
        "time": "" if time is None else f"{time}Z",
        "p_true": known.of_truth(truth),
        "is_first": known.is_first(truth),
        "top": top,
        "p_top": known.probabilities[top],
    }


def run(folder: Path, names: Sequence[str], *, most: int, say: Callable[[str], None]) -> dict[str, object]:
    """Return bar N2 on these cases."""
    rows = []
    for name in names:
        case = read_case(folder, name)
        if isinstance(case, str):
            say(f"{name}: left out, {case}")
            rows.append({"case": name, "left_out": case})
            continue
        first = traced(case, case.observations)
        row = {"case": name, "family": case.family, "true": case.truth.sources, "now": f"{case.now}Z"}
        row["suggested"] = followed(case, first, suggested, most)
        row["halves"] = followed(case, first, Walk(case), most)
        say(f"{name} {case.family}: " + _short(row))
        rows.append(row)
    return {**summary([r for r in rows if "left_out" not in r], most), "cases": rows}


def _short(row: dict) -> str:
    """Return P(true) after each sample, with a star where a true source leads."""
    return "; ".join(
        f"{rule} " + " ".join(f"{s['p_true']:.2f}{'*' if s['is_first'] else ''}" for s in row[rule])
        for rule in ("suggested", "halves")
    )


def summary(rows: Sequence[dict], most: int) -> dict[str, object]:
    """Return the shares and counts of bar N2; a search that stopped early keeps what it last believed."""
    listed = [r for r in rows if r["family"] not in ("unlisted", "upstream")]
    value: dict[str, object] = {"runs": len(rows), "listed": len(listed)}
    for after in (0, 1, 3):
        hits = [r["suggested"][min(after, len(r["suggested"]) - 1)]["is_first"] for r in listed]
        value[f"top1_listed_after_{after}"] = float(np.mean(hits)) if hits else None
    for rule in ("suggested", "halves"):
        needed = [next((i for i, s in enumerate(r[rule]) if s["p_true"] >= SURE), most + 1) for r in rows]
        value[f"samples_{rule}"] = float(np.mean(needed)) if needed else None
        value[f"reached_{rule}"] = float(np.mean([n <= most for n in needed])) if needed else None
    return value
