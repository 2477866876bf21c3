"""From a project folder to a trace and its files: the steps in order, with progress."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, tzinfo
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError, nearest
from suyuan.fingerprints import Fingerprints
from suyuan.flow import BalancedFlow, balanced, prolonged
from suyuan.io.atomic import require_writable
from suyuan.io.fingerprints import read_fingerprints
from suyuan.io.flow import read_flow
from suyuan.io.network import read_network
from suyuan.io.observations import read_observations
from suyuan.io.project import SETTINGS, Project, read_project
from suyuan.io.times import utc_of_datetime
from suyuan.network import Network
from suyuan.observations import Observations, pooled
from suyuan.qc import flag
from suyuan.report import Lang, RunInfo, iso, write_results
from suyuan.substances import Substance, determinand
from suyuan.tracing.members import FlowMember, flow_members
from suyuan.tracing.posterior import trace
from suyuan.tracing.prior import candidate_sources, default_prior
from suyuan.tracing.readings import blocks_of
from suyuan.tracing.result import Trace
from suyuan.transport.matrix import SourceReceptorMatrix
from suyuan.transport.operator import TransportOperator, compile_operator, mixing_length_dispersion
from suyuan.transport.sampling import receptors_of
from suyuan.transport.source_receptor import source_receptor_matrix

NO_FINGERPRINTS = Fingerprints((), (), np.empty((0, 0)), np.empty((0, 0)), "no fingerprints")

HOUR_S = 3600.0

MEMBERS = 12
"""Flow members over which the error of the flow is averaged."""

POOLED_S = 2.0 * HOUR_S
"""Readings of a station closer than this are averaged: faster, and no plume of a river is that short."""

Progress = Callable[[str, float], None]
"""Told what is being done and the share of the whole that is done."""


@dataclass(frozen=True)
class Ask:
    """What the user asks of a run; what is empty is taken from suyuan.toml.

    `stations` are ids or names, `determinands` any known names. `since` and `until` are ISO 8601, without an
    offset in the project's zone.
    """

    stations: tuple[str, ...] = ()
    determinands: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    seed: int = 1
    lang: Lang = "zh"


@dataclass(frozen=True)
class Traced:
    """A trace with what it was made from: the readings used and the window [datetime64[s] UTC]."""

    trace: Trace
    network: Network
    flow: BalancedFlow
    observations: Observations
    since: np.datetime64
    until: np.datetime64


@dataclass(frozen=True)
class Done:
    """A finished run: what was found and the files it wrote, the page first."""

    traced: Traced
    run: RunInfo
    files: tuple[Path, ...]


def versions() -> tuple[tuple[str, str], ...]:
    """Return the versions of suyuan, Python and the packages an answer depends on."""
    packages = ("suyuan", "numpy", "scipy", "numba")
    found = [(name, version(name)) for name in packages]
    return (found[0], ("Python", platform.python_version()), *found[1:])


def instant(text: str, zone: tzinfo, *, where: str) -> np.datetime64:
    """Return an ISO 8601 time in UTC, datetime64[s]; one without an offset is in `zone`.

    >>> from suyuan.io.times import timezone_of
    >>> instant("2024-07-20 08:00", timezone_of("Asia/Shanghai"), where="--since")
    np.datetime64('2024-07-20T00:00:00')
    """
    try:
        return utc_of_datetime(datetime.fromisoformat(text), zone)
    except ValueError:
        raise InputError(
            where, f"'{text}' is not a time", "write 2024-07-20T08:00 or 2024-07-20T08:00+08:00"
        ) from None


def trace_folder(
    folder: Path, ask: Ask, *, out: Path | None, now: datetime, progress: Progress, is_invented: bool = False
) -> Done:
    """Trace the project in `folder`, write the results to `out` (`folder`/results if None), and return both.

    `now` is the time that the page bears, with its offset. `is_invented` marks the page as a demonstration.
    """
    began = time.perf_counter()
    project = read_project(folder)
    out = out or Path(folder) / "results"
    require_writable(out)
    traced = trace_project(project, ask, progress=progress)
    progress("writing the report", 0.92)
    run = RunInfo(
        project=project.name,
        seed=ask.seed,
        seconds=time.perf_counter() - began,
        since=traced.since,
        until=traced.until,
        zone=project.zone,
        stations=tuple(dict.fromkeys(traced.observations.station.tolist())),
        determinands=tuple(dict.fromkeys(traced.observations.determinand.tolist())),
        readings=len(traced.observations),
        versions=versions(),
        made=now.astimezone(project.zone),
        lang=ask.lang,
        is_invented=is_invented,
    )
    files = write_results(traced.trace, traced.network, flow=traced.flow, run=run, out=out)
    progress("done", 1.0)
    return Done(traced, run, files)


@dataclass(frozen=True)
class Prepared:
    """All that is read and computed before the evidence is weighed; `rng` has drawn the flow members.

    `flow_until` is where the given flow ends; `flow` may have been run on beyond it. `nobody` is the prior of no release.
    """

    network: Network
    flow: BalancedFlow
    members: tuple[FlowMember, ...]
    matrices: tuple[SourceReceptorMatrix, ...]
    observations: Observations
    substances: tuple[Substance, ...]
    fingerprints: Fingerprints
    since: np.datetime64
    until: np.datetime64
    flow_until: np.datetime64
    rng: np.random.Generator
    nobody: float


def trace_project(project: Project, ask: Ask, *, progress: Progress) -> Traced:
    """Return the trace of a project: read, balance, flag, compute what releases do to readings, weigh."""
    ready = prepare(project, ask, progress=progress)
    progress("weighing the evidence", 0.66)
    found = trace(
        ready.observations,
        ready.matrices,
        substances=ready.substances,
        fingerprints=ready.fingerprints,
        prior=default_prior(ready.network, ready.flow, nobody=ready.nobody),
        rng=ready.rng,
    )
    return Traced(found, ready.network, ready.flow, ready.observations, ready.since, ready.until)


def prepare(
    project: Project, ask: Ask, *, progress: Progress, now: np.datetime64 | None = None, ahead_h: int = 0
) -> Prepared:
    """Return what a trace of the project starts from.

    Readings after `now`, if given, are left out; the flow is run on to `ahead_h` hours after the later of now and the
    window's end, if it does not reach so far.
    """
    progress("reading the project", 0.0)
    network = read_network(project.files.network)
    given = read_flow(_named(project.files.flow, "flow"), timezone=project.zone, network=network)
    fingerprints, everything = _fingerprints(project), _observations(project, network)
    since, until = window(project, ask, observations=everything)
    if now is not None:
        until = min(until, now)
        _refuse_early(now, since, source=everything.source, zone=project.zone)
    substances = substances_to_trace(project, ask, observations=everything)
    stations = tuple(network.station(name).id for name in ask.stations) or None
    names = tuple(s.determinand.id for s in substances)
    chosen = everything.select(stations=stations, determinands=names, since=since, until=until)
    _refuse_empty(everything, chosen, window=(since, until), zone=project.zone)
    observations = pooled(chosen, every_s=POOLED_S)
    receptors, _ = receptors_of(network, observations)
    blocks_of(observations, receptors, substances=substances)  # refuse now what could not be weighed later
    progress("closing the water balance", 0.04)
    flow = _run_on(balanced(given, network), network, after=until if now is None else now, ahead_h=ahead_h)
    rng = np.random.default_rng(ask.seed)
    members = flow_members(network, flow, count=MEMBERS, rng=rng)
    edges = release_edges(flow, (since, until))
    matrices = matrices_of(network, members, observations=observations, edges=edges, progress=progress)
    return Prepared(
        network=network,
        flow=flow,
        members=members,
        matrices=matrices,
        observations=observations,
        substances=substances,
        fingerprints=fingerprints,
        since=since,
        until=until,
        flow_until=given.until,
        rng=rng,
        nobody=project.trace.nobody,
    )


def _fingerprints(project: Project) -> Fingerprints:
    named = project.files.fingerprints
    return read_fingerprints(named) if named else NO_FINGERPRINTS


def _run_on(flow: BalancedFlow, network: Network, *, after: np.datetime64, ahead_h: int) -> BalancedFlow:
    """Return the flow run on to `ahead_h` hours after `after`; the flow as it is where nothing ahead is asked for."""
    if not ahead_h:
        return flow
    latest = after + np.timedelta64(ahead_h, "h")
    return prolonged(flow, network, until_s=float((latest - flow.start) / np.timedelta64(1, "s")))


def matrices_of(
    network: Network,
    members: Sequence[FlowMember],
    *,
    observations: Observations,
    edges: NDArray[np.float64],
    progress: Progress,
) -> tuple[SourceReceptorMatrix, ...]:
    """Return one matrix a flow member: what a release in each bin of `edges` does to each reading."""
    sources = candidate_sources(network)
    receptors, _ = receptors_of(network, observations)

    def matrix(member: FlowMember) -> SourceReceptorMatrix:
        return source_receptor_matrix(operator_of(network, member), receptors, sources=sources, edges=edges)

    matrices = []
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(matrix, members):
            matrices.append(found)
            progress("following the water back", 0.06 + 0.6 * len(matrices) / len(members))
    return tuple(matrices)


def operator_of(network: Network, member: FlowMember) -> TransportOperator:
    """Return the transport of one flow member."""
    mixing = mixing_length_dispersion(network, member.flow) * member.dispersion_factor
    return compile_operator(network, member.flow, dispersion=mixing)


def release_edges(flow: BalancedFlow, window: tuple[np.datetime64, np.datetime64]) -> NDArray[np.float64]:
    """Return the edges of the hours in which a release may lie, (bin + 1,) [s] from the start of the flow."""
    first, last = ((t - flow.start) / np.timedelta64(1, "s") for t in window)
    return np.append(np.arange(first, last, HOUR_S), last)


def substances_to_trace(project: Project, ask: Ask, *, observations: Observations) -> tuple[Substance, ...]:
    """Return what is traced, first the determinand whose mass is reported: as asked, else all there are."""
    measured = list(dict.fromkeys(observations.determinand.tolist()))
    asked = list(dict.fromkeys(determinand(name).id for name in ask.determinands))
    for name in asked:
        if name not in measured:
            raise InputError(observations.source, f"there is no reading of '{name}'", nearest(name, measured))
    kept = [name for name in asked or measured if determinand(name).is_traceable]
    if not kept:
        what = f"none of {', '.join(asked or measured)} keeps its mass in the water and can be traced"
        raise InputError(observations.source, what, "name another --determinand")
    first = project.trace.determinand if project.trace.determinand in kept else kept[0]
    if project.trace.determinand and not asked and first != project.trace.determinand:
        what = f"there is no reading of '{project.trace.determinand}', which [trace] wants traced"
        raise InputError(observations.source, what, nearest(project.trace.determinand, measured))
    ordered = [first, *(name for name in kept if name != first)]
    return tuple(
        Substance(determinand(name), project.decay_per_day.get(name, 0.0) / 86400.0) for name in ordered
    )


def window(project: Project, ask: Ask, *, observations: Observations) -> tuple[np.datetime64, np.datetime64]:
    """Return the window to search, both ends included [UTC]: as asked, else as the project says."""
    since = instant(ask.since, project.zone, where="--since") if ask.since else project.trace.since
    until = instant(ask.until, project.zone, where="--until") if ask.until else project.trace.until
    first = observations.time.min() if since is None else since
    last = observations.time.max() if until is None else until
    if first >= last:
        what = (
            f"the window ends at {iso(last, project.zone)}, not after its begin at {iso(first, project.zone)}"
        )
        raise InputError(observations.source, what, "write the later time as until")
    return first, last


def _observations(project: Project, network: Network) -> Observations:
    if not project.files.observations:
        raise InputError(
            SETTINGS, "no observations are named", 'write observations = "observations.csv" under [files]'
        )
    return flag(read_observations(project.files.observations, timezone=project.zone, network=network))


def _named(path: Path | None, what: str) -> Path:
    if path is None:
        raise InputError(SETTINGS, f"no {what} is named", f'write {what} = "file" under [files]')
    return path


def _refuse_early(now: np.datetime64, since: np.datetime64, *, source: str, zone: tzinfo) -> None:
    if now <= since:
        what = f"now is {iso(now, zone)}, not after the begin of the window at {iso(since, zone)}"
        raise InputError(source, what, "give --now a later time")


def _refuse_empty(
    everything: Observations,
    chosen: Observations,
    *,
    window: tuple[np.datetime64, np.datetime64],
    zone: tzinfo,
) -> None:
    if len(chosen) == 0:
        first, last = (iso(time, zone) for time in window)
        what = f"no reading lies between {first} and {last} at the stations asked for"
        held = f"{iso(everything.time.min(), zone)} to {iso(everything.time.max(), zone)}"
        remedy = f"readings run from {held}; widen the window or name other stations"
        raise InputError(everything.source, what, remedy)
