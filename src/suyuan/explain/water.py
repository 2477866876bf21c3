"""What the water of a network does at a station: discharge, travel from stations above, what traced releases add."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from suyuan.flow import BalancedFlow
from suyuan.network import Network, Station
from suyuan.transport.matrix import Receptors, Source
from suyuan.transport.operator import compile_operator
from suyuan.transport.source_receptor import source_receptor_matrix

Array = NDArray[np.float64]
Times = NDArray[np.datetime64]

STANDING = 1e-6
"""Mean discharge [m3/s] below which water stands and brings nothing from one station to the next."""

HOUR_S = 3600.0
"""Length of the bins in which a trace gives releases [s]."""

RAIN_LASTS_S = 86400.0
"""Time after which rain counts for 1/e: streets and fields of a lowland district drain within days."""

RAIN_KNOWN_S = 3.0 * RAIN_LASTS_S
"""A row without a number hides the rain for so long: by then 5 % of it would still count."""


def discharge_at(network: Network, flow: BalancedFlow, *, station: Station) -> tuple[Times, Array]:
    """Return the middles of the bins (bin,) [UTC] and the discharge there (bin,) [m3/s], positive along the drawn reach.

    Between the ends of the reach it changes in proportion to the chainage.
    """
    r = network.reach_index(station.reach)
    along = station.chainage_m / network.reaches[r].length_m
    value = (1.0 - along) * flow.discharge_start[:, r] + along * flow.discharge_end[:, r]
    middle = 0.5 * (flow.edges[1:] + flow.edges[:-1])
    return flow.start + np.round(middle).astype("timedelta64[s]"), np.asarray(value)


def wetness(time: Times, of_time: Times, *, rain_mm: Array) -> Array:
    """Return the rain [mm] that fell before each time (time,), counted less by e with every RAIN_LASTS_S.

    `of_time` is in order; a row whose rain is NaN makes the RAIN_KNOWN_S after it unknown.

    >>> noon = np.array(["2024-07-20T12", "2024-07-21T12"], "datetime64[s]")
    >>> wetness(noon, noon[:1], rain_mm=np.array([10.0])).round(2).tolist()
    [10.0, 3.68]
    """
    fell, at = _seconds(of_time, of_time[0]), _seconds(time, of_time[0])
    kept = np.exp(-np.diff(fell, prepend=fell[0]) / RAIN_LASTS_S)
    left, total = np.empty(len(fell)), 0.0
    for k, (share, mm) in enumerate(zip(kept, np.nan_to_num(rain_mm), strict=True)):
        left[k] = total = total * share + mm
    last = np.searchsorted(fell, at, side="right") - 1
    since = at - fell[np.maximum(last, 0)]
    found = np.where(last >= 0, left[last] * np.exp(-np.maximum(since, 0.0) / RAIN_LASTS_S), 0.0)
    blank = np.append(-np.inf, fell[np.isnan(rain_mm)])
    unknown = at - blank[np.searchsorted(blank, at, side="right") - 1] < RAIN_KNOWN_S
    return np.where(unknown, np.nan, found)


def travel_hours(network: Network, flow: BalancedFlow, *, to: Station) -> dict[str, float]:
    """Return the hours that water takes from every other station to this one, those from which it does not come left out.

    Reaches are passed in volume over discharge, both their means over the flow; a reach runs the way of its mean discharge.
    The assumption that hurts most: the water runs as it does on average.
    """
    discharge = 0.5 * (flow.discharge_start + flow.discharge_end).mean(axis=0)
    hours = flow.volume.mean(axis=0) / np.maximum(np.abs(discharge), STANDING) / 3600.0
    node = {n.id: k for k, n in enumerate(network.nodes)}
    ends = [(node[r.from_node], node[r.to_node]) for r in network.reaches]
    runs = [(a, b) if q >= 0.0 else (b, a) for (a, b), q in zip(ends, discharge, strict=True)]
    moving = np.abs(discharge) > STANDING
    links = [(a, b, h) for (a, b), h, m in zip(runs, hours, moving, strict=True) if m]
    shape = (len(node), len(node))
    least: dict[tuple[int, int], float] = {}
    for a, b, h in links:
        least[a, b] = min(h, least.get((a, b), np.inf))
    pairs = list(least)
    graph = sparse.csr_array(
        (list(least.values()), ([a for a, _ in pairs], [b for _, b in pairs])), shape=shape
    )
    between = dijkstra(graph)
    return _travel(network, discharge, hours=hours, runs=runs, between=between, to=to)


def _travel(
    network: Network,
    discharge: Array,
    *,
    hours: Array,
    runs: list[tuple[int, int]],
    between: Array,
    to: Station,
) -> dict[str, float]:
    def passed(station: Station) -> tuple[int, float]:
        """Return the reach of a station and the share of it that water has passed on getting there."""
        r = network.reach_index(station.reach)
        share = station.chainage_m / network.reaches[r].length_m
        return r, share if discharge[r] >= 0.0 else 1.0 - share

    here, share = passed(to)
    found = {}
    for station in network.stations:
        r, begun = passed(station)
        if station.id == to.id or abs(discharge[r]) <= STANDING or abs(discharge[here]) <= STANDING:
            continue
        if r == here and begun < share:
            found[station.id] = float((share - begun) * hours[r])
            continue
        way = between[runs[r][1], runs[here][0]]
        if np.isfinite(way):
            found[station.id] = float((1.0 - begun) * hours[r] + way + share * hours[here])
    return found


def added_by(
    network: Network,
    flow: BalancedFlow,
    *,
    station: Station,
    time: Times,
    releases: Mapping[str, tuple[Times, Array]],
) -> dict[str, Array]:
    """Return what releases of outfalls add at a station at `time` (time,) [unit of the determinand].

    `releases` gives of each outfall the starts of hours, whatever the bins of the flow, and the release [g/s] in them.
    Nothing decays on the way. Times outside of the flow get 0.
    """
    outfalls = {o.id: o for o in network.outfalls}
    names = [name for name in releases if name in outfalls]
    covered = (time >= flow.start) & (time <= flow.start + np.timedelta64(round(float(flow.edges[-1])), "s"))
    added = {name: np.zeros(len(time)) for name in names}
    if not names or not covered.any():
        return added
    when = time[covered]
    receptors = Receptors(
        np.full(len(when), station.id),
        np.full(len(when), station.reach),
        np.full(len(when), station.chainage_m),
        when,
        np.zeros(len(when)),
    )
    sources = [Source(name, "outfall", outfalls[name].reach, outfalls[name].chainage_m) for name in names]
    begins = {name: _seconds(releases[name][0], flow.start) for name in names}
    edges = np.unique(np.concatenate([part for at in begins.values() for part in (at, at + HOUR_S)]))
    matrix = source_receptor_matrix(compile_operator(network, flow), receptors, sources=sources, edges=edges)
    for s, name in enumerate(names):
        history = _in_bins(begins[name], edges, release=releases[name][1])
        added[name][covered] = matrix.values[:, s, :].astype(float) @ history
    return added


def _seconds(time: Times, start: np.datetime64) -> Array:
    return np.asarray((time - start) / np.timedelta64(1, "s"), float)


def _in_bins(begins: Array, edges: Array, *, release: Array) -> Array:
    """Return the release [g/s] in each bin of `edges` (bin,), given that in the hours that begin at `begins` (hour,)."""
    order = np.argsort(begins)
    at = np.searchsorted(begins[order], edges[:-1], side="right") - 1
    known = order[np.maximum(at, 0)]
    inside = (at >= 0) & (edges[:-1] < begins[known] + HOUR_S)
    return np.where(inside, release[known], 0.0)
