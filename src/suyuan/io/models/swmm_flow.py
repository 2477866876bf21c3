"""From the results of SWMM 5 to a network and its flow: what stands in which reach, and what enters from outside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import cast

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError, nearest
from suyuan.flow import LEAST_VOLUME_PER_METRE, FlowField
from suyuan.io.models.swmm_inp import Inp
from suyuan.io.models.swmm_network import Sewers, parts_of
from suyuan.io.models.swmm_out import FLOW_UNITS, FOOT, Results
from suyuan.io.models.swmm_stores import Ends, manhole_water, node_shares, upstream_share
from suyuan.io.models.swmm_water import Binned
from suyuan.io.times import utc_of_datetime
from suyuan.network import Network, Node, NodeKind, Structure

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_LAKE_M3 = 1.0
"""A storage that holds this much at its fullest is a lake, a mixed tank; else it is a wide manhole."""

_EMPTY_M3 = 1e-3

STEADY, KINEMATIC = ("STEADY", "SF"), ("KINWAVE", "KW")
_DEFAULT_SURFACE_M2 = 12.566 * FOOT**2
_LEAST_FLOW = 1e-9


@dataclass(frozen=True)
class Water:
    """What all links and nodes of a model do, in its order.

    `discharge_start` and `discharge_end` (bin, link) [m3/s], `volume` (bin + 1, link) [m3] with what nodes hold, `outside`
    (bin, node) [m3/s]; `is_lake` (node,) says which storages stay mixed tanks; `ran_dry` conduits fall below the least volume.
    """

    steps: Binned
    discharge_start: Array
    discharge_end: Array
    volume: Array
    outside: Array
    is_lake: Mask
    ran_dry: int


def water_of(inp: Inp, sewers: Sewers, *, results: Results, steps: Binned) -> Water:
    """Return discharge at both ends of every link, so that what SWMM stores in links and nodes is stored in reaches.

    SWMM gives a link one discharge: in the dynamic wave that at its middle, so each end has its half's change of volume more or
    less; in the kinematic wave that at its end. Steady flow stores nothing: links keep their mean volume. A link that runs dry
    holds the least volume of closure more, all the time: lifted only while it is dry, it would miss part of what fills it.
    """
    ends, seconds = _ends(sewers, results), np.diff(steps.edges)[:, None]
    routing = inp.option("FLOW_ROUTING", "KINWAVE")
    if routing in STEADY:
        steps = replace(steps, volume=np.broadcast_to(steps.volume.mean(axis=0), steps.volume.shape))
    share = np.ones(1) if routing in KINEMATIC else upstream_share(ends, steps.stage)
    towards_begin = np.broadcast_to(share * steps.volume, steps.volume.shape)
    if routing in STEADY:
        towards_begin = 0.5 * steps.volume
    outside = _outside(sewers, steps)
    is_lake = _is(sewers, "STORAGE") & (steps.held.max(axis=0) >= LEAST_LAKE_M3)
    in_nodes = np.where(_is(sewers, "STORAGE") & ~is_lake, steps.held, 0.0)
    if routing not in (*STEADY, *KINEMATIC):
        manholes = manhole_water(ends, steps, towards_begin=towards_begin, area_m2=_surface(inp, sewers))
        in_nodes += np.where(_is(sewers, "JUNC"), manholes, 0.0)
    at_begin, at_end = node_shares(ends, steps.discharge, nodes=len(sewers.nodes))
    first = towards_begin + at_begin * in_nodes[:, ends.begin]
    last = steps.volume - towards_begin + at_end * in_nodes[:, ends.end]
    least = LEAST_VOLUME_PER_METRE * np.array([reach.length_m for reach in sewers.reaches])
    _refuse_negative(steps.volume, sewers, source=inp.source)
    never_dry = np.maximum(least - (first + last).min(axis=0), 0.0)
    return Water(
        steps,
        steps.discharge + np.diff(first, axis=0) / seconds,
        steps.discharge - np.diff(last, axis=0) / seconds,
        first + last + never_dry,
        outside,
        is_lake,
        int((ends.is_conduit & (never_dry > 0.0)).sum()),
    )


def _refuse_negative(volume: Array, sewers: Sewers, *, source: str) -> None:
    """Raise InputError where a link holds less than no water, `volume` (instant, link) [m3], beyond rounding of float32."""
    wrong = np.argwhere(volume < -1e-6 * max(float(np.abs(volume).max(initial=0.0)), 1e-3))
    if len(wrong):
        instant, link = map(int, wrong[0])
        what = f"the volume of link '{sewers.reaches[link].id}' is {volume[instant, link]:.4g} m3 in report {instant + 1}"
        raise InputError(source, what, "a volume cannot be negative; run the model again")


def taken_part(sewers: Sewers, water: Water, *, part: str) -> Mask:
    """Return which nodes (node,) are taken: the largest part that hangs together, or that with the node or link `part`.

    A part in which no water can enter or leave is not taken for the largest.
    """
    _, of_node = parts_of(sewers)
    names = list(sewers.nodes)
    if part:
        ends = {reach.id: reach.from_node for reach in sewers.reaches}
        node = part if part in sewers.nodes else ends.get(part)
        if node is None:
            what = f"'{part}', whose part is asked for, is neither a node nor a link of the model"
            raise InputError(sewers.source, what, nearest(part, [*names, *ends]))
        return np.asarray(of_node == of_node[names.index(node)])
    position = {name: i for i, name in enumerate(names)}
    links = np.bincount([of_node[position[r.from_node]] for r in sewers.reaches], minlength=of_node.max() + 1)
    is_open = _is(sewers, "OUTFALL") | water.is_lake | _takes_water(water)
    alive = np.bincount(of_node[is_open], minlength=len(links)) > 0
    return np.asarray(of_node == np.argmax(np.where(alive, links, links / (1.0 + links.sum()))))


def drawn(sewers: Sewers, water: Water, *, kept: Mask, zone: tzinfo) -> tuple[Network, FlowField]:
    """Return the network of the nodes that are `kept` (node,), and its flow."""
    names = list(sewers.nodes)
    position = {name: i for i, name in enumerate(names)}
    link = np.array([kept[position[r.from_node]] for r in sewers.reaches])
    is_lake, takes = water.is_lake & kept, _takes_water(water) & ~_is(sewers, "OUTFALL") & kept
    kinds = np.select([_is(sewers, "OUTFALL"), is_lake, takes], ["outlet", "lake", "boundary"], "junction")
    first = np.where(is_lake, np.maximum(water.steps.held[0], _EMPTY_M3), 0.0)
    nodes = tuple(
        Node(name, cast(NodeKind, str(kinds[i])), float(first[i]), point=sewers.points.get(name))
        for i, name in enumerate(names)
        if kept[i]
    )
    reaches = tuple(r for r, is_kept in zip(sewers.reaches, link, strict=True) if is_kept)
    structures = tuple(
        Structure(r.id, r.id, sewers.structures[r.id]) for r in reaches if r.id in sewers.structures
    )
    network = Network(nodes, reaches, structures=structures, source=sewers.source)
    flow = FlowField(
        utc_of_datetime(water.steps.start.astype("datetime64[s]").item(), zone),
        water.steps.edges,
        tuple(r.id for r in reaches),
        water.discharge_start[:, link],
        water.discharge_end[:, link],
        water.volume[:, link],
        tuple(name for i, name in enumerate(names) if takes[i]),
        water.outside[:, takes],
        sewers.source,
        lakes=tuple(name for i, name in enumerate(names) if is_lake[i]),
        lake_volume=water.steps.held[:, is_lake],
    )
    return network, flow


def _ends(sewers: Sewers, results: Results) -> Ends:
    position = {name: i for i, name in enumerate(sewers.nodes)}
    return Ends(
        np.array([position[r.from_node] for r in sewers.reaches]),
        np.array([position[r.to_node] for r in sewers.reaches]),
        results.offset.astype(float),
        results.full_depth.astype(float),
        np.array([r.id not in sewers.structures for r in sewers.reaches]),
        np.array([r.kind in ("canal", "river") for r in sewers.reaches]),
    )


def _outside(sewers: Sewers, steps: Binned) -> Array:
    """Return what enters each node from outside (bin, node) [m3/s]: runoff and inflows, less what floods.

    Water that ponds over a junction is outside too until it runs back.
    """
    ponding = np.diff(steps.held, axis=0) / np.diff(steps.edges)[:, None]
    is_ponded = np.array([name in sewers.ponded for name in sewers.nodes])
    return np.asarray(steps.lateral - np.where(is_ponded, ponding, steps.overflow))


def _is(sewers: Sewers, section: str) -> Mask:
    return np.array([kind == section for kind in sewers.nodes.values()])


def _takes_water(water: Water) -> Mask:
    """Return which nodes (node,) water enters from outside, or leaves to it."""
    return np.asarray(np.abs(water.outside).max(axis=0) > _LEAST_FLOW)


def _surface(inp: Inp, sewers: Sewers) -> float:
    """Return the least surface of a node [m2]; SWMM takes 0 as its default of 12.566 square feet."""
    said = inp.option("MIN_SURFAREA", "0")
    unit = FOOT**2 if FLOW_UNITS.index(sewers.unit) < 3 else 1.0
    return float(said) * unit or _DEFAULT_SURFACE_M2
