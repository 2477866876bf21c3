"""Flow members: what the flow and the mixing may have been, since the given flow is never quite right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from suyuan.altered_flow import Circulations, altered, circulations_of, with_lateral
from suyuan.flow import BalancedFlow, incidence
from suyuan.network import Network
from suyuan.transport.operator import Mixing
from suyuan.transport.storage import TransientStorage, has_storage

Array = NDArray[np.float64]

STILL = 1e-4
"""Discharges below this share of the highest (root mean square of a reach) count as no larger than it when splits change."""

LEAST_SPLIT = 0.01
"""Where splits are held to be known, arms still give way in proportion to their discharge when inflows change."""


@dataclass(frozen=True)
class StillWater:
    """What is believed of still water beside the channel where nobody measured it: two log-normal numbers a network.

    `area_ratio` As / A and `exchange_per_s` [1/s] are medians, the others log standard deviations; sources in decision 033.
    Part of it lies in the cross-section that is given (bays, banks), the rest beyond (the bed): a share uniform from 0 to 1.
    `reaches` are ids; empty for all canals and rivers without a structure.
    """

    area_ratio: float = 0.2
    area_ratio_sd: float = 0.8
    exchange_per_s: float = 1e-4
    exchange_sd: float = 1.2
    reaches: tuple[str, ...] = ()


@dataclass(frozen=True)
class FlowErrors:
    """Log standard deviations of what the given flow gets wrong.

    `travel_common` and `travel_reach`: travel times of the whole network and of each reach. `inflow`: mean inflow of each
    boundary, and along each reach. `split`: the discharge of each arm between the places where waters divide, as far as
    continuity leaves it free (decision 017). `dispersion`: the mixing length. Defaults: about 0.15 in all for travel times, as
    tracer tests in rivers of known width and depth show (Jobson, 1996, gives the scatter of such relations); in loops more, as
    splits change them too.

    `loop` is no log but a share: what goes round where splits are free, of what an arm would carry at the speed of the waters it
    joins. It turns slow arms between quick ones round, which no factor does (decision 032).
    """

    travel_common: float = 0.10
    travel_reach: float = 0.12
    inflow: float = 0.12
    split: float = 0.3
    loop: float = 0.15
    dispersion: float = 0.5


@dataclass(frozen=True)
class FlowMember:
    """One possible flow, closed exactly, how matter spreads in it, and the factor on dispersion that goes with it."""

    flow: BalancedFlow
    dispersion_factor: float
    mixing: Mixing = field(default_factory=Mixing)


def flow_members(
    network: Network,
    flow: BalancedFlow,
    *,
    count: int,
    rng: np.random.Generator,
    errors: FlowErrors | None = None,
) -> tuple[FlowMember, ...]:
    """Return `count` flow members, the given flow first, the others drawn with these errors.

    Travel times change through the water held in each reach, which leaves discharges and their balance as they are; inflows
    and withdrawals change by one factor a boundary and a reach, and the discharges below follow; where waters divide, the
    shares change.
    """
    errors = errors or FlowErrors()
    free = circulations_of(network)
    drawn = (_drawn(network, flow, errors=errors, free=free, rng=rng) for _ in range(count - 1))
    return (FlowMember(flow, 1.0), *drawn)


def with_still_water(
    network: Network, members: Sequence[FlowMember], *, still: StillWater | None, rng: np.random.Generator
) -> tuple[FlowMember, ...]:
    """Return the members, all but the first with still water of their own; as they are where `still` is None.

    What of it lies in the given cross-section leaves the channel so much less. A cloud then takes between as long as before and
    1 + ratio times as long, 0.11 (log) longer on average. Widths stay: what settles sinks too fast by the same. The numbers
    come from a generator of their own: those that `rng` draws next are the same with and without.
    """
    if still is None:
        return tuple(members)
    is_open, own = has_storage(network, still.reaches), rng.spawn(1)[0]
    found = [members[0]]
    for member in members[1:]:
        ratio = still.area_ratio * np.exp(still.area_ratio_sd * own.standard_normal())
        exchange = still.exchange_per_s * np.exp(still.exchange_sd * own.standard_normal())
        channel = np.where(is_open, 1.0 / (1.0 + ratio * own.uniform()), 1.0)
        flow = replace(member.flow, volume=slowed(member.flow, channel))
        storage = TransientStorage(float(ratio), float(exchange), still.reaches)
        found.append(replace(member, flow=flow, mixing=replace(member.mixing, storage=storage)))
    return tuple(found)


def _drawn(
    network: Network,
    flow: BalancedFlow,
    *,
    errors: FlowErrors,
    free: Circulations,
    rng: np.random.Generator,
) -> FlowMember:
    common = errors.travel_common * rng.standard_normal()
    travel = np.exp(common + errors.travel_reach * rng.standard_normal(len(network.reaches)))
    factor = np.exp(errors.inflow * rng.standard_normal(len(network.nodes)))
    dispersion = float(np.exp(errors.dispersion * rng.standard_normal()))
    wanted, spread = _splits(network, flow, errors=errors, free=free, rng=rng)
    is_boundary = np.array([node.kind == "boundary" for node in network.nodes])
    external = flow.external * np.where(is_boundary, factor, 1.0)
    if flow.lateral.any():
        along = np.exp(errors.inflow * rng.standard_normal(len(network.reaches)))
        flow = with_lateral(flow, network, lateral=flow.lateral * along)
    changed = altered(flow, network, external=external, wanted=wanted, spread=spread, circulations=free)
    return FlowMember(replace(changed, volume=slowed(flow, travel)), dispersion)


def slowed(flow: BalancedFlow, factor: Array) -> Array:
    """Return the volumes (bin + 1, reach) [m3] with which water travels `factor` (reach,) times as long, on average."""
    more = np.maximum((factor - 1.0) * flow.volume.mean(axis=0), -0.7 * flow.volume.min(axis=0))
    return np.asarray(flow.volume + more)


def _splits(
    network: Network, flow: BalancedFlow, *, errors: FlowErrors, free: Circulations, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return the discharges drawn for each arm by itself and their standard deviations, (bin, reach) [m3/s] each."""
    arms = int(free.arm.max()) + 1
    given = 0.5 * (flow.discharge_start + flow.discharge_end)
    factor = np.exp(errors.split * rng.standard_normal(arms))[free.arm]
    still = STILL * float(np.sqrt(np.mean(given**2, axis=0).max(initial=0.0))) + 1e-12
    round_ = np.where(
        np.abs(given) > still, errors.loop * _carried_at_speed(network, flow, arm=free.arm), 0.0
    )
    wanted = factor * given + rng.standard_normal(arms)[free.arm] * round_
    return wanted, np.hypot(max(errors.split, LEAST_SPLIT) * (np.abs(given) + still), round_)


def _carried_at_speed(network: Network, flow: BalancedFlow, *, arm: NDArray[np.int64]) -> Array:
    """Return what each reach would carry at the speed of the reaches that meet at the nodes of its arm, (reach,) [m3/s].

    The speed is the root mean square over time and over those reaches, each weighted by its cross-section; none is left to an
    arm with a structure on it, which works by rules and not by levels.
    """
    leaving, entering = incidence(network)
    length = np.array([reach.length_m for reach in network.reaches])
    section = flow.volume.mean(axis=0) / length
    square = np.mean((0.5 * (flow.discharge_start + flow.discharge_end)) ** 2, axis=0) / section**2
    ends = leaving + entering
    of_arm = sparse.csr_matrix((np.ones(len(arm)), (np.arange(len(arm)), arm)))
    ruled = np.array([network.reach_index(structure.reach) for structure in network.structures], int)
    meets = ((of_arm.T @ ends.T @ ends) > 0).astype(float)
    wide = section.copy()
    wide[ruled] = 0.0  # what rushes through a gate says nothing of the canals beside it
    speed = np.sqrt((meets @ (wide * square)) / np.maximum(meets @ wide, 1e-300))
    speed[arm[ruled]] = 0.0
    return np.asarray(speed[arm] * section)
