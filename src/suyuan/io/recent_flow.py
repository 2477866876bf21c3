"""Discharge at a station in the days before a moment, from what a project has: a flow file, a table of discharge, or readings."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import local
from suyuan.flow import FlowField
from suyuan.io.discharge import DISCHARGE, read_discharge, under_names
from suyuan.io.flow import read_flow
from suyuan.io.flow_members import read_flow_members
from suyuan.io.project import Project
from suyuan.network import Network
from suyuan.observations import Observations

Array = NDArray[np.float64]

FLOW_DAYS = 7
"""Days of discharge that are averaged, up to the moment."""

LEAST_ONWARD = 0.5
"""Share of the water moved that must get on for a load at the mean discharge to mean anything."""


class Discharges(NamedTuple):
    """Discharge [m3/s] of a station: `start` (bin,) on the wall clock, `value` (bin,) as its reach is drawn, `weight` (bin,)."""

    start: NDArray[np.datetime64]
    value: Array
    weight: Array


class RecentFlow(NamedTuple):
    """The mean `discharge` [m3/s] of FLOW_DAYS, negative against the drawn direction. NaN where there is none; `lacks` is then
    no_flow (nothing is known), flow_not_recent (nothing of these days), flow_still (water stands) or flow_to_and_fro (too
    little of it gets on), else ''.
    """

    discharge: float
    lacks: str


def recent_flow(
    project: Project,
    network: Network | None,
    *,
    readings: Observations,
    names: Collection[str],
    at: np.datetime64,
) -> RecentFlow:
    """Return the discharge before a moment [UTC] at the station that goes by `names`, the id first; `readings` are its own.

    The flow is asked first, or the mean of its members where only these are named, then the table of discharge, then readings.
    """
    zone, files = project.zone, project.files
    if network is not None and (files.flow is not None or files.flow_members):
        edges, value = _modelled(project, network, reach=network.station(next(iter(names))).reach)
        begin = np.maximum(edges[:-1], at - np.timedelta64(FLOW_DAYS, "D") + np.timedelta64(1, "s"))
        lasts = (np.minimum(edges[1:], at + np.timedelta64(1, "s")) - begin) / np.timedelta64(1, "s")
        given = Discharges(
            local(np.where(lasts > 0.0, begin, edges[:-1]), zone), value, np.maximum(lasts, 0.0)
        )
    elif files.discharge is not None:
        days = under_names(read_discharge(files.discharge, zone), names)
        over = days.date + np.timedelta64(1, "D") <= local(np.array([at]), zone)[0] + np.timedelta64(1, "s")
        given = Discharges(days.date[over], days.value[over], np.ones(int(over.sum())))
    else:
        own = readings.where((readings.determinand == DISCHARGE) & readings.is_usable)
        given = Discharges(local(own.time, zone), own.value, np.ones(len(own)))
    return mean_of_days(given, until=local(np.array([at]), zone)[0])


def _modelled(project: Project, network: Network, *, reach: str) -> tuple[NDArray[np.datetime64], Array]:
    """Return the edges of the bins of a project's flow [UTC] and the discharge in the middle of a reach (bin,) [m3/s].

    Without a flow it is the mean of the members.
    """
    files, zone = project.files, project.zone
    flows: Iterable[FlowField] = (
        [read_flow(files.flow, timezone=zone, network=network)]
        if files.flow is not None
        else read_flow_members(files.flow_members, timezone=zone, network=network)
    )
    found = []
    for flow in flows:
        column = flow.reaches.index(reach)
        found.append((flow.discharge_start[:, column] + flow.discharge_end[:, column]) / 2.0)
    edges = flow.start + np.round(flow.edges).astype("timedelta64[s]")
    return edges, np.asarray(np.mean(found, axis=0))


def mean_of_days(given: Discharges, *, until: np.datetime64) -> RecentFlow:
    """Return the mean of the FLOW_DAYS before a moment on the wall clock, if that is how water gets on.

    >>> start = np.arange("2024-08-01", "2024-08-05", dtype="datetime64[D]")
    >>> tide = Discharges(start, np.array([4.0, -2.0, 4.0, -2.0]), np.ones(4))  # 1 of 3 m3/s gets on
    >>> mean_of_days(tide, until=np.datetime64("2024-08-05T00:00:00")).lacks
    'flow_to_and_fro'
    """
    none = float("nan")
    if len(given.start) == 0:
        return RecentFlow(none, "no_flow")
    recent = (given.start <= until) & (given.start > until - np.timedelta64(FLOW_DAYS, "D"))
    if not recent.any():
        return RecentFlow(none, "flow_not_recent")
    net = float(np.average(given.value[recent], weights=given.weight[recent]))
    moved = float(np.average(np.abs(given.value[recent]), weights=given.weight[recent]))
    if moved == 0.0:
        return RecentFlow(none, "flow_still")
    return RecentFlow(net, "") if abs(net) >= LEAST_ONWARD * moved else RecentFlow(none, "flow_to_and_fro")
