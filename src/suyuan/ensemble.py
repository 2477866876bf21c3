"""The flows a run is made with: drawn about the one that is given, or an ensemble that is given whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from suyuan.errors import InputError
from suyuan.flow import BalancedFlow, FlowField, balanced
from suyuan.io.flow import read_flow
from suyuan.io.flow_members import (
    FlowMembers,
    closed_members,
    flow_digest,
    read_flow_members,
    used_members,
)
from suyuan.io.project import SETTINGS, Project
from suyuan.network import Network
from suyuan.tracing.given_members import given_members, middle_of, where_they_differ
from suyuan.tracing.members import FlowMember, flow_members
from suyuan.tracing.statements import Note

DRAWN = 12
"""Flow members over which the error of the flow is averaged where none are given."""

GIVEN_FLOW = "flow"
"""The name among given members of the flow that is named as such."""


_NAME_ONE = 'write flow = "file" under [files], or flow_members = "file" where there are several'


@dataclass(frozen=True)
class Water:
    """What a project gives of its flow, not closed yet: the `flow`, the `members` of an ensemble, or both."""

    flow: FlowField | None
    members: FlowMembers | None


@dataclass(frozen=True)
class Ensemble:
    """Flow members, the best guess first, and that as `flow`.

    `names` (member,) are theirs where they were given, out of `given` there were; () where they were drawn. `until` is where the
    given flow ends; members may have been run on beyond it.
    """

    flow: BalancedFlow
    members: tuple[FlowMember, ...]
    until: np.datetime64
    names: tuple[str, ...] = ()
    given: int = 0


def read_water(project: Project, network: Network) -> Water:
    """Return what the project gives of its flow; InputError where it gives neither flow nor members."""
    files, zone = project.files, project.zone
    if files.flow is None and not files.flow_members:
        raise InputError(SETTINGS, "no flow is named", _NAME_ONE)
    flow = read_flow(files.flow, timezone=zone, network=network) if files.flow else None
    members = (
        read_flow_members(files.flow_members, timezone=zone, network=network) if files.flow_members else None
    )
    return Water(flow, members)


def ensemble_of(
    water: Water,
    network: Network,
    *,
    run_on: Callable[[BalancedFlow], BalancedFlow],
    rng: np.random.Generator,
    progress: Callable[[str, float], None],
    drawn: int | None = None,
) -> Ensemble:
    """Return the members that a run is made with.

    Without given members so many are `drawn` about the flow, DRAWN if None. Given ones come in an order of their own, so that the
    answer does not hang on that in which they stand in their file; first is the given flow or else the member in their middle.
    `run_on` runs a closed flow on as far as is wanted. `progress` is told the share of the whole run.
    """
    progress("closing the water balance", 0.04)
    given, members = water.flow, water.members
    own = None if given is None else balanced(given, network)
    if given is not None and own is not None and members is None:
        flow, count = run_on(own), DRAWN if drawn is None else drawn
        return Ensemble(flow, flow_members(network, flow, count=count, rng=rng), given.until)
    if members is None:
        raise InputError(SETTINGS, "no flow is named", _NAME_ONE)
    closed = closed_members(
        members,
        network,
        like=given,
        which=used_members(members.names),
        progress=lambda share: progress("closing the water balance", 0.04 + 0.02 * share),
    )
    keys = {name: flow_digest(flow) for name, flow in closed.items()}
    same = "" if own is None else flow_digest(own)
    order = sorted(keys, key=lambda name: (keys[name], name))
    flows = {name: run_on(closed[name]) for name in order if keys[name] != same}
    first = GIVEN_FLOW if own is not None else list(flows)[middle_of(list(flows.values()))]
    best = flows.pop(first) if own is None else run_on(own)
    found = given_members(network, [best, *flows.values()], rng=rng)
    some = next(iter(closed.values()))
    until = some.start + np.timedelta64(round(float(some.edges[-1])), "s")
    return Ensemble(best, found, until, (first, *flows), len(members))


def told(ensemble: Ensemble, network: Network, *, weights: Sequence[float]) -> tuple[Note, ...]:
    """Return a note on members that were given, none on drawn ones; `weights` (member,) are what readings left of them."""
    if not ensemble.names:
        return ()
    share = np.asarray(weights) if np.sum(weights) > 0.0 else np.ones(len(ensemble.names))
    share = share / share.sum()
    leading = np.argsort(-share, kind="stable")[:3]
    differ = where_they_differ(network, [m.flow for m in ensemble.members], weight=share)
    gaps = {
        "used": f"{len(ensemble.names)}",
        "given": f"{ensemble.given}",
        "effective": f"{1.0 / float((share**2).sum()):.1f}",
        "leading": ", ".join(f"{ensemble.names[m]} {share[m]:.0%}" for m in leading),
        "reaches": ", ".join(f"{name} {before:.0%} -> {after:.0%}" for name, before, after in differ) or "-",
    }
    return (Note("given members", gaps),)
