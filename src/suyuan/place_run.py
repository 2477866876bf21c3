"""From a project folder to where stations should stand: the steps in order, with progress."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from suyuan.ensemble import Ensemble, ensemble_of, read_water
from suyuan.errors import InputError
from suyuan.flow import BalancedFlow
from suyuan.io.atomic import require_writable
from suyuan.io.network import read_network
from suyuan.io.places import read_places, written_places
from suyuan.io.project import Project, read_project
from suyuan.network import Network
from suyuan.report import Lang
from suyuan.report.placement import write_placement
from suyuan.rolling import operator_of
from suyuan.run import HOUR_S, Progress, versions
from suyuan.tracing.members import FlowMember, flow_members
from suyuan.tracing.placement.places import Places, check_places, places_of
from suyuan.tracing.placement.responses import (
    Sight,
    TrialRelease,
    imagined_sources,
    release_bins,
    sight_of,
    table_of,
    usual_discharge,
    window_of,
)
from suyuan.tracing.placement.result import Placement, place
from suyuan.tracing.prior import UNLISTED_SHARE, default_prior

MEMBERS = 4
"""Flow members in which test releases are followed: fewer than a trace weighs, for each is followed from STARTS hours."""

STARTS = 6
"""Hours of release in each flow member, each its own."""

MOST_GIVEN = 12
"""Of flow members that are given so many are looked at; each then has fewer hours of release, all together as many."""

HORIZON_H = 48.0
"""Hours within which a release must be seen, at most half of what the flow covers."""


@dataclass(frozen=True)
class PlaceAsk:
    """What the user asks: `count` new stations among `candidates` (a table) and `at` (REACH:CHAINAGE), about every
    kilometre if both are empty; `from_scratch` no station stays; `apart_share` of the worth is for telling sources apart;
    of single sources a share `unlisted` is not on the list, as the project says if None."""

    count: int
    candidates: Path | None = None
    at: tuple[str, ...] = ()
    from_scratch: bool = False
    apart_share: float = 0.5
    unlisted: float | None = None
    seed: int = 1


@dataclass(frozen=True)
class Placed:
    """A finished run: where stations should stand, on which water (invented or not), and the files it wrote."""

    placement: Placement
    network: Network
    flow: BalancedFlow
    files: tuple[Path, ...]
    is_invented: bool = False


def place_folder(folder: Path, ask: PlaceAsk, *, lang: Lang, out: Path | None, progress: Progress) -> Placed:
    """Find where stations should stand in the project in `folder` and write it to `out` (`folder`/results if None)."""
    began = time.perf_counter()
    progress("reading the project", 0.0)
    project = read_project(folder, reads=("network", "flow", "flow_members"))
    to = out or Path(folder) / "results"
    require_writable(to)
    network = read_network(project.files.network)
    water = read_water(project, network)
    places = asked_places(network, ask)
    rng = np.random.default_rng(ask.seed)
    ensemble = ensemble_of(
        water, network, run_on=lambda flow: flow, rng=rng, progress=progress, drawn=MEMBERS
    )
    flow = ensemble.flow
    ask = ask if ask.unlisted is not None else replace(ask, unlisted=project.trace.unlisted)
    test = trial_of(project, network, flow=flow)
    looks = looks_of(ensemble.members[:MOST_GIVEN], test, rng=rng)
    placement = place_looks(network, looks, ask=ask, places=places, test=test, progress=progress)
    about = {
        "project": project.name,
        "invented": project.is_invented,
        "seed": ask.seed,
        **_members_told(ensemble),
        "versions": dict(versions()),
        "seconds": round(time.perf_counter() - began, 3),
    }
    progress("drawing the map", 0.97)
    files = write_placement(placement, network, flow=flow, about=about, lang=lang, out=to)
    progress("done", 1.0)
    return Placed(placement, network, flow, files, is_invented=project.is_invented)


def _members_told(ensemble: Ensemble) -> dict[str, object]:
    """Return which of the flow members that were given are looked at, and out of how many; nothing where they were drawn."""
    if not ensemble.names:
        return {}
    return {"flow_members": list(ensemble.names[:MOST_GIVEN]), "flow_members_given": ensemble.given}


def asked_places(network: Network, ask: PlaceAsk) -> Places:
    """Return the places to choose among; refuses too many stations before anything is computed."""
    given = (
        *(read_places(ask.candidates, network) if ask.candidates else ()),
        *written_places(ask.at, network),
    )
    check_places(network, given, where="candidates")
    places = places_of(network, given, from_scratch=ask.from_scratch)
    if not 1 <= ask.count <= places.free:
        what = f"{ask.count} stations are to be placed among {places.free} places"
        raise InputError("--count", what, f"write 1 to {places.free}, or name more candidates")
    if not 0.0 <= ask.apart_share <= 1.0:
        what = f"{ask.apart_share:g} is not a share"
        raise InputError("--apart", what, "write 0 (only early sight) to 1 (only telling apart)")
    return places


def trial_of(project: Project, network: Network, *, flow: BalancedFlow) -> TrialRelease:
    """Return the release that is imagined everywhere in this project."""
    decay = project.decay_per_day.get(project.trace.determinand, 0.0) / 86400.0
    horizon = min(HORIZON_H, max(1.0, float(np.floor(0.5 * flow.edges[-1] / HOUR_S))))
    return TrialRelease(usual_discharge(network, flow), horizon_h=horizon, decay_per_s=decay)


def place_stations(
    network: Network,
    flow: BalancedFlow,
    *,
    ask: PlaceAsk,
    places: Places,
    test: TrialRelease,
    progress: Progress,
) -> Placement:
    """Return where to put stations: follow test releases from everywhere in flows drawn about this one, then choose."""
    rng = np.random.default_rng(ask.seed)
    members = flow_members(network, flow, count=MEMBERS, rng=rng)
    looks = looks_of(members, test, rng=rng)
    return place_looks(network, looks, ask=ask, places=places, test=test, progress=progress)


def looks_of(
    members: Sequence[FlowMember], test: TrialRelease, *, rng: np.random.Generator
) -> tuple[tuple[FlowMember, int], ...]:
    """Return the flow members, each with the bins in which its releases begin: as many a member, MEMBERS x STARTS in all."""
    starts = max(1, round(MEMBERS * STARTS / len(members)))
    return tuple((m, b) for m in members for b in release_bins(m.flow, test, count=starts, rng=rng))


def place_looks(
    network: Network,
    looks: Sequence[tuple[FlowMember, int]],
    *,
    ask: PlaceAsk,
    places: Places,
    test: TrialRelease,
    progress: Progress,
) -> Placement:
    """Return where to put stations by what test releases show in these `looks_of` flow members, the best guess first."""
    sights = sights_of(network, looks, places=places, test=test, progress=progress)
    progress("choosing places", 0.85)
    unlisted = UNLISTED_SHARE if ask.unlisted is None else ask.unlisted
    prior = default_prior(network, looks[0][0].flow, unlisted=unlisted)
    table = table_of(
        sights, sources=imagined_sources(network), prior=prior, test=test, apart_share=ask.apart_share
    )
    count = len({id(member) for member, _ in looks})
    return place(table, ask.count, places=places, prior=prior, test=test, members=count)


def sights_of(
    network: Network,
    looks: Sequence[tuple[FlowMember, int]],
    *,
    places: Places,
    test: TrialRelease,
    progress: Progress,
) -> tuple[Sight, ...]:
    """Return what test releases show in each flow member from each bin of release on."""
    sources = imagined_sources(network)

    def sight(look: tuple[FlowMember, int]) -> Sight:
        member, first = look
        flow = window_of(member.flow, first=first, hours=test.horizon_h)
        operator = operator_of(network, replace(member, flow=flow))
        return sight_of(operator, places=places.stations, sources=sources, test=test)

    sights = []
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(sight, looks):
            sights.append(found)
            progress("following test releases", 0.06 + 0.78 * len(sights) / len(looks))
    return tuple(sights)
