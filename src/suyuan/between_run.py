"""From a project folder to what enters and leaves a town: stations, flow, readings, the balance of every determinand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import clocked, local
from suyuan.errors import InputError
from suyuan.explain.balance import FEWEST, FEWEST_BLOCKS, Balance, Crossing, balance_between
from suyuan.explain.region import Region, region_between
from suyuan.explain.table import StationTable, station_table
from suyuan.explain.water import discharge_at, travel_hours
from suyuan.flow import BalancedFlow
from suyuan.given import Given, determinands_of, read_given, window
from suyuan.network import Network, Station
from suyuan.report import Lang
from suyuan.report.between import BetweenInfo, balance_dict, write_between
from suyuan.report.section_page import PageInfo
from suyuan.run import Progress
from suyuan.substances import determinand

Array = NDArray[np.float64]

LOADED = "mg/L"
"""The unit whose product with discharge is a load in kg/d."""


@dataclass(frozen=True)
class BetweenAsk:
    """What the user asks: stations where water enters and where it leaves (several separated by commas), a window (all that flow
    and readings cover if ''), determinands (all that every station has if empty)."""

    inlets: str
    outlets: str
    since: str = ""
    until: str = ""
    determinands: tuple[str, ...] = ()
    seed: int = 1


@dataclass(frozen=True)
class Between:
    """Balances with what their page must know."""

    project: str
    zone: tzinfo
    info: BetweenInfo
    balances: tuple[Balance, ...]
    is_invented: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        about = {"project": self.project, "invented": self.is_invented}
        return {**about, **balance_dict(self.balances, self.info, zone=self.zone)}


@dataclass(frozen=True)
class _Town:
    """What a balance is made of; `cut` are the first bin of the flow and the one after its last."""

    network: Network
    flow: BalancedFlow
    region: Region
    places: list[list[Station]]
    tables: dict[str, StationTable]
    cut: tuple[int, int]


def balance_folder(folder: Path, ask: BetweenAsk, *, now: datetime, progress: Progress) -> Between:
    """Return the balances between stations of the project in `folder`."""
    progress("reading the project", 0.0)
    asked = determinands_of(ask.determinands)
    for name in asked:
        if not determinand(name).is_traceable:
            what = f"{name} does not keep its mass in the water and has no load"
            raise InputError("--determinand", what, "ask about nutrients, oxygen demand or salts")
        if determinand(name).unit != LOADED:
            what = f"{name} is in {determinand(name).unit}, of which there is no load in kg/d"
            raise InputError("--determinand", what, f"ask about determinands in {LOADED}")
    given = read_given(folder, now=now)
    sides = _sides(given, ask)
    network, flow = _water(given)
    places = [[network.station(name) for name in side] for side in sides]
    progress("the water between", 0.2)
    region = region_between(network, flow, inlets=places[0], outlets=places[1])
    tables = {name: _table(given, name) for side in sides for name in side}
    names = _determinands(tables, asked)
    cut = _cut(given, flow, ask=ask, now=now, tables=tables)
    progress("loads", 0.4)
    rng = np.random.default_rng(ask.seed)
    town = _Town(network, flow, region, places, tables, cut)
    balances = tuple(_balance(town, name, zone=given.zone, rng=rng) for name in names)
    project = given.project
    info = BetweenInfo(
        tuple(given.called(name) for name in sides[0]),
        tuple(given.called(name) for name in sides[1]),
        travel=_travel(network, flow, places=places),
        volume=float(region.volume(flow)[cut[0] : cut[1] + 1].mean()),
        others=region.others,
        bypassed=region.bypassed,
        suspect={name: sum(int(t.doubtful(name).sum()) for t in tables.values()) for name in names},
    )
    return Between(project.name, given.zone, info, balances, project.is_invented)


def write_balance(found: Between, *, lang: Lang, made: datetime, out: Path) -> tuple[Path, ...]:
    """Write the page, the JSON and the table of balances into a folder and return them."""
    page = PageInfo(found.project, made.astimezone(found.zone), lang, found.is_invented)
    return write_between(
        found.balances, found.info, zone=found.zone, page=page, whole=found.to_dict(), out=out
    )


def _table(given: Given, station: str) -> StationTable:
    """Return the readings of a station but those that cannot be: suspect ones may be peaks, and a load must have its peaks."""
    seen = given.screened((station,))
    return station_table(seen.where(seen.is_usable), (station,))


def _sides(given: Given, ask: BetweenAsk) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids of the stations on either side; refuses one that is named twice, under whatever name."""
    sides = []
    for text in (ask.inlets, ask.outlets):
        names = [name.strip() for name in text.replace("，", ",").split(",") if name.strip()]
        if not names:
            raise InputError(
                "--between", "no station is named on one side", "write --between IN OUT, several with commas"
            )
        sides.append(tuple(given.station(name, where="--between") for name in names))
    every = [*sides[0], *sides[1]]
    twice = next((name for k, name in enumerate(every) if name in every[:k]), None)
    if twice is not None:
        what = f"'{twice}' is named twice, under one name or two"
        raise InputError("--between", what, "name every station once, where water enters or where it leaves")
    return sides[0], sides[1]


def _water(given: Given) -> tuple[Network, BalancedFlow]:
    if given.network is None:
        what = "the project has no network, so no load can be known"
        raise InputError(
            "--between", what, "write network and flow under [files]; readings alone have no load"
        )
    flow = given.flow()
    if flow is None:
        what = "the stations have no flow, so no load can be known"
        raise InputError("--between", what, 'write flow = "flow.csv" under [files]')
    return given.network, flow


def _determinands(tables: dict[str, StationTable], asked: Sequence[str]) -> tuple[str, ...]:
    """Return the determinands to balance: those asked for, else all that keep mass and that every station reads."""
    every = [set(table.determinands) for table in tables.values()]
    shared = set.intersection(*every)
    for name in asked:
        if name not in shared:
            lacking = next(station for station, table in tables.items() if name not in table.determinands)
            raise InputError(
                f"station {lacking}", f"there is no reading of {name}", "leave it out, or import its readings"
            )
    found = asked or sorted(
        name for name in shared if determinand(name).is_traceable and determinand(name).unit == LOADED
    )
    if not found:
        what = "the stations share no determinand that keeps its mass"
        raise InputError("--between", what, "import readings of the same determinands on both sides")
    return tuple(found)


def _cut(
    given: Given, flow: BalancedFlow, *, ask: BetweenAsk, now: datetime, tables: dict[str, StationTable]
) -> tuple[int, int]:
    """Return the first bin of the flow in the window and the one after its last."""
    zone = given.zone
    times = [table.time for table in tables.values()]
    first = max(flow.start, *(time[0] for time in times))
    last = min(flow.start + np.timedelta64(int(flow.edges[-1]), "s"), *(time[-1] for time in times))
    if first >= last:
        span = f"{clocked(first, zone)} is later than {clocked(last, zone)}"
        what = f"flow and readings of all stations share no time: the last to begin at {span}"
        raise InputError("--between", what, "give flow and readings of one time")
    clock = [str(time) for time in local(np.array([first, last]), zone)]
    begin, end = window(ask.since or clock[0], ask.until or clock[1], zone=zone, now=now)
    edges = flow.start + np.round(flow.edges).astype("timedelta64[s]")
    at, after = int(np.searchsorted(edges, begin)), int(np.searchsorted(edges, end, side="right")) - 1
    if edges[at if at < len(edges) else -1] > end or after <= at:
        what = f"the flow covers {clocked(edges[0], zone)} to {clocked(edges[-1], zone)}, not the window"
        raise InputError("--since", what, "ask about a window that the flow covers")
    return at, after


def _balance(town: _Town, name: str, *, zone: tzinfo, rng: np.random.Generator) -> Balance:
    """Return the balance of one determinand; refuses a station with too few readings of it, or a window too short."""
    first, end = town.cut
    edges = town.flow.edges[first : end + 1]
    start = town.flow.start
    inside = [start + np.timedelta64(round(float(edge)), "s") for edge in (edges[0], edges[-1])]
    crossings = []
    for k, place in enumerate([*town.places[0], *town.places[1]]):
        table = town.tables[place.id]
        good = np.isfinite(table.shown(name))
        count = int((good & (table.time >= inside[0]) & (table.time <= inside[1])).sum())
        if count < FEWEST:
            span = f"between {clocked(inside[0], zone)} and {clocked(inside[1], zone)}"
            what = f"{name} has {count} readings that can be {span}"
            remedy = f"at least {FEWEST} are needed: ask about a longer window, or leave the determinand out"
            raise InputError(f"station {place.id}", what, remedy)
        inward = town.region.inward[k] if k < len(town.places[0]) else -town.region.inward[k]
        discharge = inward * discharge_at(town.network, town.flow, station=place)[1][first:end]
        crossings.append(Crossing(place.id, discharge, table.time[good], table.shown(name)[good]))
    ins = len(town.places[0])
    volume = town.region.volume(town.flow)[first : end + 1]
    found = balance_between(
        name, (crossings[:ins], crossings[ins:]), start=start, edges=edges, volume=volume, rng=rng
    )
    if found.blocks < FEWEST_BLOCKS:
        what = f"the window holds {found.blocks} blocks of {found.block_s / 3600.0:.0f} h, too few to tell an error"
        raise InputError("--since", what, f"ask about at least {FEWEST_BLOCKS} of them")
    return found


def _travel(network: Network, flow: BalancedFlow, *, places: list[list[Station]]) -> tuple[float, float]:
    """Return the shortest and the longest time from an inlet to an outlet that its water reaches [h], NaN where none does."""
    hours = [
        found[inlet.id]
        for outlet in places[1]
        if (found := travel_hours(network, flow, to=outlet))
        for inlet in places[0]
        if inlet.id in found
    ]
    return (min(hours), max(hours)) if hours else (float("nan"), float("nan"))
