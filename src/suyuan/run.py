"""From a project folder to a trace and its files: the steps in order, with progress."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.altered_flow import prolonged
from suyuan.asked import Ask, chosen
from suyuan.ensemble import Ensemble, Water, ensemble_of, read_water, told
from suyuan.errors import InputError
from suyuan.fingerprints import Fingerprints
from suyuan.flow import BalancedFlow
from suyuan.io.atomic import require_writable
from suyuan.io.fingerprints import read_fingerprints
from suyuan.io.history import append_answer, read_history
from suyuan.io.network import read_network
from suyuan.io.observations import read_observations
from suyuan.io.project import SETTINGS, Project, read_project
from suyuan.limits import refuse_uncovered, refuse_unweighable
from suyuan.network import Network
from suyuan.observations import Observations, pooled
from suyuan.qc import flag
from suyuan.report import RunInfo, write_results
from suyuan.rolling import STORE, Kept, Means, Rolled, keep, record_of, rolled_matrices
from suyuan.substances import Substance
from suyuan.tracing.history import answer_of, with_answer
from suyuan.tracing.members import FlowMember, with_still_water
from suyuan.tracing.posterior import trace
from suyuan.tracing.prior import Prior, default_prior
from suyuan.tracing.result import Trace
from suyuan.tracing.shapes import Nights
from suyuan.tracing.statements import Note
from suyuan.transport.matrix import SourceReceptorMatrix
from suyuan.workers import Workers

NO_FINGERPRINTS = Fingerprints((), (), np.empty((0, 0)), np.empty((0, 0)), "no fingerprints")

HOUR_S = 3600.0

POOLED_S = 3.0 * HOUR_S
"""Readings of a station closer than this are averaged: faster, and no plume of a river is that short."""

Progress = Callable[[str, float], None]
"""Told what is being done and the share of the whole that is done."""


@dataclass(frozen=True)
class Traced:
    """A trace with what it was made from: the means used, of how many readings, and the window [datetime64[s] UTC].

    `members` are the names of flow members that were given.
    """

    trace: Trace
    network: Network
    flow: BalancedFlow
    observations: Observations
    readings: int
    since: np.datetime64
    until: np.datetime64
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Done:
    """A finished run: what was found and the files it wrote, the page first; `kept` is None where no rows are kept."""

    traced: Traced
    run: RunInfo
    files: tuple[Path, ...]
    kept: Kept | None = None


def versions() -> tuple[tuple[str, str], ...]:
    """Return the versions of suyuan, Python and the packages an answer depends on."""
    packages = ("suyuan", "numpy", "scipy", "numba")
    found = [(name, version(name)) for name in packages]
    return (found[0], ("Python", platform.python_version()), *found[1:])


def trace_folder(folder: Path, ask: Ask, *, out: Path | None, now: datetime, progress: Progress) -> Done:
    """Trace the project in `folder`, write the results to `out` (`folder`/results if None), and return both.

    `now` is the time that the page bears, with its offset.
    """
    began = time.perf_counter()
    project = read_project(folder)
    out = out or Path(folder) / "results"
    require_writable(out)
    store = out / STORE if ask.keeps_rows else None
    ready = prepare(project, ask, progress=progress, store=store)
    found = traced(ready, progress=progress)
    progress("writing the report", 0.92)
    run = _run_info(project, ask, found=found, seconds=time.perf_counter() - began, now=now)
    inputs = (
        ready.observations,
        ready.network,
        ready.flow,
        ready.substances,
        ready.fingerprints,
        ready.prior,
        ready.members,
    )
    answer = answer_of(found.trace, record_of(run, *inputs))
    history = read_history(out)
    longer = with_answer(history, answer)
    files = write_results(found.trace, found.network, flow=found.flow, run=run, out=out, history=longer)
    if longer != history:
        append_answer(out, answer)
    progress("keeping what was computed", 0.97)
    kept = keep(ready.rolled, store) if store else None
    progress("done", 1.0)
    return Done(found, run, files, kept)


def _run_info(project: Project, ask: Ask, *, found: Traced, seconds: float, now: datetime) -> RunInfo:
    return RunInfo(
        project=project.name,
        seed=ask.seed,
        seconds=seconds,
        since=found.since,
        until=found.until,
        zone=project.zone,
        stations=tuple(dict.fromkeys(found.observations.station.tolist())),
        determinands=tuple(dict.fromkeys(found.observations.determinand.tolist())),
        readings=found.readings,
        means=int(found.observations.is_usable.sum()),
        versions=versions(),
        made=now.astimezone(project.zone),
        lang=ask.lang,
        is_invented=project.is_invented,
        members=found.members,
    )


@dataclass(frozen=True)
class Prepared:
    """All that is read and computed before the evidence is weighed; `rng` has drawn the flow members.

    `observations` are means of `readings` usable readings, and the unusable ones.
    """

    network: Network
    ensemble: Ensemble
    rolled: tuple[Rolled, ...]
    observations: Observations
    readings: int
    substances: tuple[Substance, ...]
    fingerprints: Fingerprints
    since: np.datetime64
    until: np.datetime64
    rng: np.random.Generator
    prior: Prior
    notes: tuple[Note, ...] = ()

    @property
    def flow(self) -> BalancedFlow:
        """The best guess of the flow, maybe run on beyond `flow_until`."""
        return self.ensemble.flow

    @property
    def members(self) -> tuple[FlowMember, ...]:
        """The flow members."""
        return self.ensemble.members

    @property
    def flow_until(self) -> np.datetime64:
        """Where the given flow ends."""
        return self.ensemble.until

    @property
    def matrices(self) -> tuple[SourceReceptorMatrix, ...]:
        """One source-receptor matrix a flow member."""
        return tuple(each.matrix for each in self.rolled)


def trace_project(project: Project, ask: Ask, *, progress: Progress) -> Traced:
    """Return the trace of a project: read, balance, flag, compute what releases do to readings, weigh."""
    return traced(prepare(project, ask, progress=progress), progress=progress)


def traced(ready: Prepared, *, progress: Progress) -> Traced:
    """Return the trace of what was prepared; `ready.rng` draws from it."""
    progress("weighing the evidence", 0.66)
    found = trace(
        ready.observations,
        ready.matrices,
        substances=ready.substances,
        fingerprints=ready.fingerprints,
        prior=ready.prior,
        rng=ready.rng,
    )
    members = told(ready.ensemble, ready.network, weights=found.member_weights)
    found = replace(found, notes=(*ready.notes, *members, *found.notes))
    return Traced(
        found,
        ready.network,
        ready.flow,
        ready.observations,
        readings=ready.readings,
        since=ready.since,
        until=ready.until,
        members=ready.ensemble.names,
    )


def prepare(
    project: Project,
    ask: Ask,
    *,
    progress: Progress,
    now: np.datetime64 | None = None,
    ahead_h: int = 0,
    store: Path | None = None,
) -> Prepared:
    """Return what a trace of the project starts from.

    Readings after `now`, if given, are left out; the flow is run on to `ahead_h` hours after the later of now and the
    window's end, if it does not reach so far. Rows of the matrices that are in the folder `store` are not computed again.
    """
    progress("reading the project", 0.0)
    network, water = _water(project)
    fingerprints, everything = _fingerprints(project), _observations(project, network)
    seen, span, substances, notes = chosen(project, ask, network=network, everything=everything, now=now)
    observations = pooled(seen, every_s=POOLED_S)
    refuse_unweighable(network, observations, substances=substances, window=span)
    rng = np.random.default_rng(ask.seed)
    run_on = partial(_run_on, network=network, after=span[1] if now is None else now, ahead_h=ahead_h)
    ensemble = _ensemble(project, network, water=water, run_on=run_on, rng=rng, progress=progress)
    refuse_uncovered(ensemble.flow, seen, zone=project.zone)
    return Prepared(
        network=network,
        ensemble=ensemble,
        rolled=rolled_matrices(
            network,
            ensemble.members,
            observations=observations,
            edges=release_edges(ensemble.flow, span),
            progress=progress,
            by=Means(Workers.of(ask.workers or project.trace.workers), store, _settling(substances)),
        ),
        observations=observations,
        readings=int(seen.is_usable.sum()),
        substances=substances,
        fingerprints=fingerprints,
        since=span[0],
        until=span[1],
        rng=rng,
        notes=notes,
        prior=_prior(project, network, flow=ensemble.flow),
    )


def _settling(substances: tuple[Substance, ...]) -> tuple[float, ...]:
    """Return the speeds at which some of the substances settle [m/s]."""
    return tuple(sorted({each.settling_m_per_s for each in substances} - {0.0}))


def _ensemble(
    project: Project,
    network: Network,
    *,
    water: Water,
    run_on: Callable[[BalancedFlow], BalancedFlow],
    rng: np.random.Generator,
    progress: Progress,
) -> Ensemble:
    """Return the members with matter that spreads in them as the project says, still water drawn where it says so."""
    said = project.processes
    ensemble = ensemble_of(water, network, run_on=run_on, rng=rng, progress=progress)
    mixed = [replace(member, mixing=said.mixing) for member in ensemble.members]
    return replace(ensemble, members=with_still_water(network, mixed, still=said.still, rng=rng))


def _water(project: Project) -> tuple[Network, Water]:
    network = read_network(project.files.network)
    return network, read_water(project, network)


def _fingerprints(project: Project) -> Fingerprints:
    named = project.files.fingerprints
    return read_fingerprints(named) if named else NO_FINGERPRINTS


def _prior(project: Project, network: Network, *, flow: BalancedFlow) -> Prior:
    believed = project.trace
    nights = None if believed.at_night is None else Nights(believed.at_night, project.zone)
    return default_prior(network, flow, nobody=believed.nobody, unlisted=believed.unlisted, nights=nights)


def _run_on(flow: BalancedFlow, network: Network, *, after: np.datetime64, ahead_h: int) -> BalancedFlow:
    """Return the flow run on to `ahead_h` hours after `after`; the flow as it is where nothing ahead is asked for."""
    if not ahead_h:
        return flow
    latest = after + np.timedelta64(ahead_h, "h")
    return prolonged(flow, network, until_s=float((latest - flow.start) / np.timedelta64(1, "s")))


def release_edges(flow: BalancedFlow, window: tuple[np.datetime64, np.datetime64]) -> NDArray[np.float64]:
    """Return the edges of the hours in which a release may lie, (bin + 1,) [s] from the start of the flow."""
    first, last = ((t - flow.start) / np.timedelta64(1, "s") for t in window)
    return np.append(np.arange(first, last, HOUR_S), last)


def _observations(project: Project, network: Network) -> Observations:
    if not project.files.observations:
        raise InputError(
            SETTINGS, "no observations are named", 'write observations = "observations.csv" under [files]'
        )
    return flag(read_observations(project.files.observations, timezone=project.zone, network=network))
