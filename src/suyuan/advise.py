"""From a project folder to advice on the next samples and its files: the steps in order, with progress."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from suyuan.asked import Ask, instant
from suyuan.clock import iso, local
from suyuan.errors import InputError, nearest
from suyuan.io.atomic import require_writable
from suyuan.io.network import read_network
from suyuan.io.project import Project, read_project
from suyuan.network import Network
from suyuan.report import PlanInfo, write_advice
from suyuan.rolling import operator_of
from suyuan.run import HOUR_S, Prepared, Progress, prepare
from suyuan.tracing.advice import Advice
from suyuan.tracing.crews import Budget, Terms
from suyuan.tracing.lawful import lawful_waters
from suyuan.tracing.methods import METHODS, Kit, Laboratory, Methods, Strip
from suyuan.tracing.offers import Wanted
from suyuan.tracing.places import Place, outfall_named, place_named, sampling_places
from suyuan.tracing.posterior import problem_of
from suyuan.tracing.predictions import Horizon
from suyuan.tracing.recommend import advise
from suyuan.tracing.statements import Note
from suyuan.tracing.verdict import weigh

MOST_AHEAD_H = 240


@dataclass(frozen=True)
class Sampling:
    """What the user says of the crews; what is empty is left to the defaults.

    `now` is ISO 8601, '' for the last reading; `ahead_h` how far to look; `hours` are the working hours, '08-18' or '22:00-04:00'
    on the project's clock; `budget` is money ('800') on all, or hours ('6h') of each crew; `methods` are kit, strip or grab.
    """

    crews: int = 1
    stops: int = 4
    budget: str = ""
    now: str = ""
    ahead_h: int = 24
    hours: str = "08-18"
    methods: tuple[str, ...] = ()
    kit_limit: float = float("nan")
    confirm: str = ""
    base: str = ""
    speed_kmh: float = 30.0


@dataclass(frozen=True)
class Advised:
    """Advice with the network it is about, what was asked, and the files that were written."""

    advice: Advice
    network: Network
    plan: PlanInfo
    files: tuple[Path, ...]


def advise_folder(
    folder: Path, ask: Ask, *, sampling: Sampling, out: Path | None, now: datetime, progress: Progress
) -> Advised:
    """Return advice on the project in `folder`; write it to `out`, if given. `now` is the time that the page bears."""
    project = read_project(folder)
    if out:
        require_writable(out)
    ready, advice = advise_project(project, ask, sampling=sampling, progress=progress)
    made = now.astimezone(project.zone)
    plan = PlanInfo(
        project.name, project.zone, made, ask.seed, lang=ask.lang, is_invented=project.is_invented
    )
    progress("writing the plan", 0.96)
    files = write_advice(advice, ready.network, flow=ready.flow, plan=plan, out=out) if out else ()
    progress("done", 1.0)
    return Advised(advice, ready.network, plan, files)


def advise_project(
    project: Project, ask: Ask, *, sampling: Sampling, progress: Progress
) -> tuple[Prepared, Advice]:
    """Return what the trace starts from, and which samples to take next."""
    if not 1 <= sampling.ahead_h <= MOST_AHEAD_H:
        what = f"{sampling.ahead_h} hours to look ahead"
        raise InputError("--ahead", what, f"give 1 to {MOST_AHEAD_H}")
    methods, terms = methods_of(sampling), terms_of(sampling)
    begin, end = working_hours(sampling.hours)
    now = instant(sampling.now, project.zone, where="--now") if sampling.now else None
    asked = _asked(sampling, read_network(project.files.network))
    ready = prepare(project, ask, progress=progress, now=now, ahead_h=sampling.ahead_h)
    horizon = horizon_of(ready, now, ahead_h=sampling.ahead_h)
    network = ready.network
    wanted = Wanted(
        sampling_places(network),
        horizon,
        is_open(horizon, begin, end=end, zone=project.zone),
        methods=methods,
        terms=terms,
        confirm=asked.confirm,
        base=asked.base,
        stops=sampling.stops,
        speed=sampling.speed_kmh / 3.6,
        lawful=lawful_waters(network, ready.fingerprints, determinand=ready.substances[0].determinand.id),
    )
    progress("weighing the evidence", 0.66)
    return ready, _advice(ready, wanted, zone=project.zone, progress=progress)


class _Asked(NamedTuple):
    """The outfall to confirm, '' for none, and the place crews start from."""

    confirm: str
    base: Place | None


def _asked(sampling: Sampling, network: Network) -> _Asked:
    """Return what is asked for by name; refuses, before the long work, what crews cannot do."""
    if sampling.stops < 1:
        raise InputError("--stops", f"{sampling.stops} samples a crew", "give 1 or more")
    if not 0.0 < sampling.speed_kmh < float("inf"):
        raise InputError("--speed", f"a speed {sampling.speed_kmh:g} km/h", "give more than 0")
    confirm = outfall_named(network, sampling.confirm) if sampling.confirm else ""
    return _Asked(confirm, place_named(network, sampling.base) if sampling.base else None)


def methods_of(sampling: Sampling) -> Methods:
    """Return the ways of looking that were asked for; kit and grab if none was named."""
    for name in sampling.methods:
        if name not in METHODS:
            raise InputError("--method", f"'{name}' is no way to look at water", nearest(name, list(METHODS)))
    named = sampling.methods or ("kit", "grab")
    return Methods(
        Kit(limit=sampling.kit_limit) if "kit" in named else None,
        Strip() if "strip" in named else None,
        Laboratory() if "grab" in named else None,
    )


def terms_of(sampling: Sampling) -> Terms:
    """Return crews and budget: '800' is money on all, '6h' hours on duty of each crew.

    >>> terms_of(Sampling(budget="6h")).budget.crew_s
    21600.0
    """
    text = sampling.budget.strip().lower()
    try:
        number = float(text.removesuffix("h")) if text else float("inf")
    except ValueError:
        what = f"'{sampling.budget}' is neither money nor hours"
        raise InputError("--budget", what, "write 800 for money or 6h for hours of each crew") from None
    budget = Budget(crew_s=number * HOUR_S) if text.endswith("h") else Budget(money=number)
    return Terms(sampling.crews, budget)


def working_hours(text: str) -> tuple[float, float]:
    """Return begin and end of the working day [h].

    >>> working_hours("08-17:30")
    (8.0, 17.5)
    """
    found = re.fullmatch(r"(\d{1,2})(?::(\d\d))?-(\d{1,2})(?::(\d\d))?", text.strip())
    begin, end = (
        (float(found[k]) + float(found[k + 1] or 0.0) / 60.0 for k in (1, 3)) if found else (0.0, 0.0)
    )
    minutes = [float(found[k] or 0.0) for k in (2, 4)] if found else []
    if begin == end or max(begin, end) > 24.0 or max(minutes) >= 60.0:
        what = f"'{text}' are no working hours"
        raise InputError("--hours", what, "write 08-18, 07:30-17, 22-04 over midnight, or 00-24")
    return begin, end


def is_open(horizon: Horizon, begin: float, *, end: float, zone: tzinfo) -> NDArray[np.bool_]:
    """Return which hours of the horizon are working hours on the clock of `zone`, (hour,)."""
    clock = local(np.array([horizon.instant(float(t)) for t in horizon.time_s]), zone)
    hour = (clock - clock.astype("datetime64[D]")) / np.timedelta64(1, "h")
    if begin < end:
        return np.asarray((hour >= begin) & (hour <= end))
    return np.asarray((hour >= begin) | (hour <= end))


def horizon_of(ready: Prepared, now: np.datetime64 | None, *, ahead_h: int) -> Horizon:
    """Return the hours after now, and the bins in which releases may go on until then."""
    start, edges = ready.flow.start, ready.matrices[0].edges
    last = ready.observations.time[ready.observations.is_usable].max()
    at = last if now is None else max(last, now)
    now_s = float((at - start) / np.timedelta64(1, "s"))
    time_s = now_s + HOUR_S * np.arange(1.0, ahead_h + 1.0)
    bins = max(1, int(np.ceil((time_s[-1] - edges[-1]) / HOUR_S)))
    longer = np.concatenate([edges, edges[-1] + HOUR_S * np.arange(1.0, bins + 1.0)])
    return Horizon(start, longer, now_s, time_s)


def _advice(ready: Prepared, wanted: Wanted, *, zone: tzinfo, progress: Progress) -> Advice:
    """Return the advice from what is ready; a note says so where the flow was run on."""
    network, members = ready.network, ready.members
    problem = problem_of(
        ready.observations,
        ready.matrices,
        substances=ready.substances,
        fingerprints=ready.fingerprints,
        prior=ready.prior,
    )
    with threadpool_limits(1):
        verdict = weigh(problem)
        progress("carrying what may have happened ahead", 0.8)
        found = advise(
            problem,
            verdict,
            network=network,
            operator_of=lambda member: operator_of(network, members[member]),
            wanted=wanted,
            rng=ready.rng,
        )
    found = replace(found, notes=(*ready.notes, *found.notes))
    if ready.flow_until < found.until:
        note = Note("flow ends", {"end": iso(ready.flow_until, zone)})
        found = replace(found, notes=(*found.notes, note))
    return found
