"""Flow members: what the flow and the mixing may have been, since the given flow is never quite right."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.altered_flow import Circulations, altered, circulations_of
from suyuan.flow import BalancedFlow
from suyuan.network import Network
from suyuan.transport.operator import Mixing

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FlowErrors:
    """Log standard deviations of what the given flow gets wrong.

    `travel_common` and `travel_reach`: travel times of the whole network and of each reach. `inflow`: mean inflow of each
    boundary. `split`: the discharge of each arm between the places where waters divide, as far as continuity leaves it free
    (decision 017). `dispersion`: the mixing length. Defaults: about 0.15 in all for travel times, as tracer tests in rivers of
    known width and depth show (Jobson, 1996, gives the scatter of such relations); in loops more, as splits change them too.
    """

    travel_common: float = 0.10
    travel_reach: float = 0.12
    inflow: float = 0.12
    split: float = 0.3
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
    change by one factor a boundary, and the discharges below follow; where waters divide, the shares change.
    """
    errors = errors or FlowErrors()
    free = circulations_of(network)
    drawn = (_drawn(network, flow, errors=errors, free=free, rng=rng) for _ in range(count - 1))
    return (FlowMember(flow, 1.0), *drawn)


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
    split = np.exp(errors.split * rng.standard_normal(int(free.arm.max()) + 1))
    is_boundary = np.array([node.kind == "boundary" for node in network.nodes])
    external = flow.external * np.where(is_boundary, factor, 1.0)
    changed = altered(flow, network, external=external, factor=split, circulations=free)
    more = np.maximum((travel - 1.0) * flow.volume.mean(axis=0), -0.7 * flow.volume.min(axis=0))
    return FlowMember(replace(changed, volume=flow.volume + more), dispersion)
