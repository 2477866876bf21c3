"""The dye release in the River Severn (Atkinson & Davis, 2000) traced from what its record holds.

Place, time and mass of the release are not told to the tracer. Settings and the reason for each. Those marked *
were added after a first run without them, which put the release below km 10: with readings of the cloud alone the
tracer took most of it for background. Nothing was chosen by how near the answer came.

- Stations from km 2.875 down; those above are left out. At each only first arrival, peak time, peak and trailing edge
  are known. A lognormal curve with an unknown origin goes through them, the one smooth skewed curve that three times
  determine; both edges are taken as EDGE of the peak (their threshold is not recorded). Where the first arrival is
  suspect (km 5.275) there is no such curve: the peak and the trailing edge stand alone.
- * Outside those times no dye was seen: readings of 0 from an hour before the first arrival, to an hour after the
  trailing edge.
- * A reading is good to EDGE of its station's peak (what went unseen) and to CURVE_ERROR of itself (the curve is ours).
  Not done here, because it was thought of after the answers had been seen, but to be had (`is_counted`, for R2): a station's
  curve comes from four numbers, three times and a peak, and ought not to count as its forty or more readings; each
  reading's error is then larger by the square root of their number over four.
- * A dye has no background, so the rate a priori is not read off the median reading: it is what raises the river to the
  middle one of the peaks, with the tracer's own spread (log-sd 1.4, factor 10 either way).
- The river is drawn further up than the first station by twice its distance from the release and more (`head_km`).
  There its width, depth and discharge are those of the reach that ends at the first station used.
- A reach is as long as the stretch between two stations, above too: the error of travel time by reach was found
  at that length. It is 0.15 (log), and 0.15 common to all (Jobson, 1996: width, depth and discharge known).
- Discharge grows at the stations; where between them it enters is not known.
- Any stretch of equal length is as likely to hold the release; points of POINT_M stand for them.
- Dispersion is the default mixing length times one factor a member, log-sd 0.7, as one finds between rivers.
- Release bins of five minutes, from before the first arrival by the time from the head of the drawn river at half the speed
  that width and depth give (`lead_h`, whole hours: four for all stations). Where the first arrival is suspect, before the peak.
- Of several stations some may be left out: their readings then, not the survey of the channel.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.severn_river import (
    HOUR_S,
    TIME_ZERO,
    Passage,
    at_hour,
    points,
    prior_of,
    river,
    window_h,
)
from suyuan.fingerprints import Fingerprints
from suyuan.flow import BalancedFlow, balanced
from suyuan.network import Network
from suyuan.observations import GOOD, Observations
from suyuan.substances import Substance, determinand
from suyuan.tracing.library import Strength
from suyuan.tracing.members import FlowErrors, FlowMember, StillWater, flow_members, with_still_water
from suyuan.tracing.posterior import candidate_probabilities, problem_of
from suyuan.tracing.release import draw_releases
from suyuan.tracing.search import Problem
from suyuan.tracing.verdict import Verdict, effective_members, weigh
from suyuan.transport.known_rows import rows_of
from suyuan.transport.matrix import SourceReceptorMatrix
from suyuan.transport.operator import compile_operator, mixing_length_dispersion
from suyuan.transport.sampling import receptors_of
from suyuan.transport.source_receptor import source_receptor_matrix

Array = NDArray[np.float64]

STATIONS = Path(__file__).resolve().parents[2] / "shared" / "data" / "severn-tracer" / "stations.csv"

FIRST_KM = 2.875
SUSPECT_ARRIVAL_KM = (5.275,)
EDGE = 0.02
CURVE_ERROR = 0.1
RECORDED = 4
MEMBERS = 48
READ_EVERY_S, BIN_S = 300.0, 300.0
ERRORS = FlowErrors(travel_common=0.15, travel_reach=0.15, inflow=0.05, dispersion=0.7)
RELEASED_KG = 1.0


@dataclass(frozen=True)
class Found:
    """Where the release is believed to be, and when and how much, as 5, 50 and 95 % of the posterior.

    `place_km`, `mass_kg`, `start_h` (3,); `km` and `weight` (point,) are the posterior of the place.
    """

    km: Array
    weight: Array
    place_km: Array
    mass_kg: Array
    start_h: Array
    first_km: float
    last_km: float
    members: int
    effective_members: float
    temperature: float
    nobody: float
    two: float

    @property
    def place_error_share(self) -> float:
        """Distance of the median from the release over that of the first station used."""
        return abs(float(self.place_km[1])) / self.first_km

    @property
    def covers_release(self) -> bool:
        return bool(self.place_km[0] <= 0.0 <= self.place_km[2])

    def to_dict(self) -> dict[str, Any]:
        return {
            "place_km": self.place_km.tolist(),
            "mass_kg": self.mass_kg.tolist(),
            "start_h": self.start_h.tolist(),
            "effective_members": self.effective_members,
            "temperature": self.temperature,
            "nobody": self.nobody,
            "two": self.two,
        }


def read_stations(path: Path, *, first_km: float = FIRST_KM) -> tuple[Passage, ...]:
    """Return the stations from `first_km` down, suspect arrivals taken out."""
    with path.open(encoding="utf-8") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    return tuple(
        Passage(
            km=row["distance_km"],
            discharge=row["discharge_m3s"],
            arrival_h=np.nan if row["distance_km"] in SUSPECT_ARRIVAL_KM else row["first_arrival_h"],
            peak_h=row["peak_time_h"],
            trailing_h=row["trailing_edge_h"],
            width_m=row["reach_width_m"],
            depth_m=row["reach_depth_m"],
            peak=row["peak_conc_g_m3"],
        )
        for row in rows
        if row["distance_km"] >= first_km
    )


# --- the readings


def curve(passage: Passage, hour: Array) -> Array:
    """Return the lognormal curve [g/m3] through a station's first arrival, peak and trailing edge, 0 outside them.

    With both edges at the same share of the peak, the origin is where the logs of the three times are evenly spaced.
    """
    early, middle, late = passage.arrival_h, passage.peak_h, passage.trailing_h
    origin = (early * late - middle**2) / (early + late - 2.0 * middle)
    width = np.log((late - origin) / (middle - origin)) / np.sqrt(-2.0 * np.log(EDGE))
    since = np.maximum(hour - origin, 1e-9) / (middle - origin)
    inside = (hour >= early - 1e-9) & (hour <= late + 1e-9)
    return np.where(inside, passage.peak * np.exp(-0.5 * (np.log(since) / width) ** 2), 0.0)


def readings(passages: Sequence[Passage]) -> Observations:
    """Return what the record holds as readings every five minutes from first arrival to trailing edge."""
    hours, values, names = [], [], []
    for p in passages:
        if np.isnan(p.arrival_h):
            hour, value = np.array([p.peak_h, p.trailing_h]), p.peak * np.array([1.0, EDGE])
        else:
            count = round((p.trailing_h - p.arrival_h + 2.0) * HOUR_S / READ_EVERY_S) + 1
            hour = np.linspace(p.arrival_h - 1.0, p.trailing_h + 1.0, count)
            value = curve(p, hour)
        hours.append(hour)
        values.append(value)
        names += [p.id] * len(hour)
    every = np.concatenate(hours)
    n = len(every)
    return Observations(
        time=TIME_ZERO + np.round(every * HOUR_S).astype("timedelta64[s]"),
        station=np.array(names),
        determinand=np.full(n, "rhodamine"),
        value=np.concatenate(values),
        qualifier=np.full(n, "", dtype="<U1"),
        flag=np.full(n, GOOD, np.int8),
        duration_s=np.zeros(n),
        sample_id=np.full(n, "", dtype="<U1"),
        source="Severn",
    )


# --- the trace


@dataclass(frozen=True)
class Basis:
    """The river below a first station, its flow drawn, and the matrices for the readings of all stations there.

    `passages` are the stations whose readings they hold; `rng` is at where the drawing of the flow left it.
    """

    network: Network
    passages: tuple[Passage, ...]
    matrices: tuple[SourceReceptorMatrix, ...]
    rng: np.random.Generator


def basis_of(
    passages: Sequence[Passage], *, members: int = MEMBERS, seed: int = 1, still: StillWater | None = None
) -> Basis:
    """Return what all choices of these stations that begin with the first share; with `still` water that is drawn too."""
    rng = np.random.default_rng(seed)
    network, given = river(passages)
    flow = balanced(given, network)
    observations = readings(passages)
    first, last = (_since(flow, hour) for hour in window_h(passages))
    edges = np.append(np.arange(first, last, BIN_S), last)
    drawn = flow_members(network, flow, count=members, rng=rng, errors=ERRORS)
    drawn = with_still_water(network, drawn, still=still, rng=rng)
    matrices = tuple(matrix_of(network, member, observations=observations, edges=edges) for member in drawn)
    return Basis(network, tuple(passages), matrices, rng)


def trace_release(passages: Sequence[Passage], *, members: int = MEMBERS, seed: int = 1) -> Found:
    """Return where, when and how much was released, as the tracer finds it from these stations."""
    basis = basis_of(passages, members=members, seed=seed)
    return trace_of(basis, passages, rng=basis.rng)


def trace_of(
    basis: Basis, passages: Sequence[Passage], *, rng: np.random.Generator, is_counted: bool = False
) -> Found:
    """Return what the tracer finds from the readings of these stations, the first of the basis among them.

    Where `is_counted`, each station's curve counts as the four numbers that it was drawn through.
    """
    problem = problem_of(
        readings(passages),
        [seen_from(matrix, passages) for matrix in basis.matrices],
        substances=[Substance(determinand("rhodamine"))],
        fingerprints=Fingerprints((), (), np.empty((0, 0)), np.empty((0, 0))),
        prior=prior_of(basis.network),
    )
    problem = _with_dye(problem, passages, is_counted=is_counted)
    with threadpool_limits(1):
        verdict = weigh(problem)
    return _found(problem, verdict, passages, bounds=points(basis.network)[2], rng=rng)


def seen_from(matrix: SourceReceptorMatrix, passages: Sequence[Passage]) -> SourceReceptorMatrix:
    """Return the rows of these stations' readings, and the release bins until their last trailing edge.

    They are to the last bit what `source_receptor_matrix` finds for these readings alone.
    """
    rows = np.flatnonzero(np.isin(matrix.receptors.station, [p.id for p in passages]))
    last = (at_hour(window_h(passages)[1]) - matrix.start) / np.timedelta64(1, "s")
    bins = int(np.sum(matrix.edges[:-1] < last))
    return replace(
        matrix,
        receptors=rows_of(matrix.receptors, rows),
        edges=matrix.edges[: bins + 1],
        values=np.ascontiguousarray(matrix.values[rows, :, :bins]),
        fraction=matrix.fraction[rows],
        initial=matrix.initial[rows],
    )


def _since(flow: BalancedFlow, hour: float) -> float:
    return float((at_hour(hour) - flow.start) / np.timedelta64(1, "s"))


def matrix_of(
    network: Network, member: FlowMember, *, observations: Observations, edges: Array
) -> SourceReceptorMatrix:
    """Return what releases do to these readings in one flow member."""
    mixing = mixing_length_dispersion(network, member.flow) * member.dispersion_factor
    operator = compile_operator(
        network, member.flow, dx_m=50.0, dt_s=120.0, dispersion=mixing, storage=member.mixing.storage
    )
    receptors, _ = receptors_of(network, observations)
    return source_receptor_matrix(operator, receptors, sources=points(network)[0], edges=edges)


def _with_dye(problem: Problem, passages: Sequence[Passage], *, is_counted: bool) -> Problem:
    """Return the problem with the readings' errors and the rate a priori of a dye that the river does not hold."""
    (block,) = problem.blocks
    peak = np.array([{p.id: p.peak for p in passages}[name] for name in block.station.tolist()])
    noise = np.hypot(EDGE * peak, CURVE_ERROR * block.value)
    if is_counted:
        _, station, count = np.unique(block.station, return_inverse=True, return_counts=True)
        noise = noise * np.sqrt(np.maximum(count[station] / RECORDED, 1.0))
    rate = float(np.median([p.peak * p.discharge for p in passages]))
    grid = replace(problem.grid, strength=Strength(float(np.log(rate))))
    return replace(problem, blocks=(replace(block, noise_sd=noise),), grid=grid)


def _found(
    problem: Problem,
    verdict: Verdict,
    passages: Sequence[Passage],
    *,
    bounds: Array,
    rng: np.random.Generator,
) -> Found:
    single = verdict.single
    weight = np.bincount(single.source, weights=single.weight, minlength=len(bounds) - 1)
    place = np.interp([0.05, 0.5, 0.95], np.concatenate([[0.0], np.cumsum(weight)]), bounds)
    mass, start = _released(problem, verdict, rng=rng)
    return Found(
        km=0.5 * (bounds[1:] + bounds[:-1]),
        weight=weight,
        place_km=place,
        mass_kg=mass,
        start_h=start,
        first_km=passages[0].km,
        last_km=passages[-1].km,
        members=len(problem.matrices),
        effective_members=effective_members(single, len(problem.matrices)),
        temperature=single.temperature,
        nobody=verdict.nobody,
        two=verdict.two,
    )


def _released(problem: Problem, verdict: Verdict, *, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return 5, 50 and 95 % of mass [kg] and start [h on the record's clock], over all places."""
    matrix, shapes = problem.matrices[0], problem.grid.shapes
    length = np.diff(matrix.edges)
    mass, start = [], []
    for name, probability in candidate_probabilities(problem, verdict).items():
        count = round(1000 * probability)
        draws = draw_releases(problem, verdict, candidate=name, count=count, rng=rng) if count else None
        if draws is not None:
            mass += [
                r * float(shapes.history(int(s)) @ length) / 1000.0
                for r, s in zip(draws.rate, draws.shape, strict=True)
            ]
            start += matrix.edges[shapes.start[draws.shape]].tolist()
    offset = (matrix.start - TIME_ZERO) / np.timedelta64(1, "h")
    quantiles = [0.05, 0.5, 0.95]
    return np.quantile(mass, quantiles), offset + np.quantile(start, quantiles) / HOUR_S
