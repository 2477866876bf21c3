"""Flow members that were given: samples of a flow, or runs of a hydraulic model, and the errors that they do not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.flow import BalancedFlow
from suyuan.network import Network
from suyuan.tracing.members import FlowErrors, FlowMember, slowed

Array = NDArray[np.float64]

FLOWING = 1e-3
"""Reaches whose mean discharge is less than this share of the largest stand, and tell nothing of travel times."""

WORTH_NAMING = 0.02
"""Nor is it said of reaches with less than this share of the largest discharge that the members differ there."""


@dataclass(frozen=True)
class Spread:
    """How far flows differ, as log standard deviations.

    `discharge` (reach,) of the mean size of the discharge, NaN where water stands in any of them. `travel_common` and
    `travel_reach` (reach,) of travel times, as far as the water held in the reaches makes them differ: what is common to all
    reaches, and each reach's own.
    """

    discharge: Array
    travel_common: float
    travel_reach: Array


def spread_of(network: Network, flows: Sequence[BalancedFlow], *, weight: Array | None = None) -> Spread:
    """Return how far these flows differ, each counted with its `weight` (flow,), all alike without.

    A reach holds V at a mean discharge of size q, its travel time is V / q. Only the lesser of the spreads of V and of V / q
    counts as one of travel times: where a higher discharge fills the reach, V differs and V / q hardly, and where only the
    discharge differs, the error of V at a discharge, which is what a gauge cannot tell, is not in the flows.
    """
    held = np.array([flow.volume.mean(axis=0) for flow in flows])
    size = np.array([np.abs(0.5 * (f.discharge_start + f.discharge_end)).mean(axis=0) for f in flows])
    flowing = (size > FLOWING * size.max()).all(axis=0)
    log_size = np.log(np.where(flowing, size, 1.0))
    length = np.array([reach.length_m for reach in network.reaches]) * flowing
    share = np.full(len(flows), 1.0 / len(flows)) if weight is None else weight / weight.sum()
    common, own = np.inf, np.full(held.shape[1], np.inf)
    for log in (np.log(held), np.log(held) - log_size):
        mean = log @ length / max(float(length.sum()), 1e-300)
        common = min(common, float(_variance(mean, share)))
        own = np.minimum(own, _variance(log - mean[:, None], share))
    discharge = np.where(flowing, np.sqrt(_variance(log_size, share)), np.nan)
    return Spread(discharge, float(np.sqrt(common)), np.where(flowing, np.sqrt(own), 0.0))


def given_members(
    network: Network,
    flows: Sequence[BalancedFlow],
    *,
    rng: np.random.Generator,
    errors: FlowErrors | None = None,
) -> tuple[FlowMember, ...]:
    """Return one flow member for each flow that was given, the first as it is, with what the others lack drawn.

    Given flows hold the errors of inflows and splits, so none are drawn. They hold those of travel times as far as they differ
    in them (`spread_of`): drawn is the rest up to `errors`, so that both together err by that much, and nothing where they
    differ by more. None holds the error of dispersion, which is drawn. The assumption that hurts most: the flows given
    differ from each other as the true one does from them.
    """
    errors = errors or FlowErrors()
    spread = spread_of(network, flows)
    common = _missing(errors.travel_common, spread.travel_common)
    reach = _missing(errors.travel_reach, spread.travel_reach)
    members = [FlowMember(flows[0], 1.0)]
    for flow in flows[1:]:
        travel = np.exp(common * rng.standard_normal() + reach * rng.standard_normal(len(network.reaches)))
        dispersion = float(np.exp(errors.dispersion * rng.standard_normal()))
        members.append(FlowMember(replace(flow, volume=slowed(flow, travel)), dispersion))
    return tuple(members)


def middle_of(flows: Sequence[BalancedFlow]) -> int:
    """Return which of the flows is nearest to their mean: in discharges and volumes, each reach in proportion to its own."""
    distance = np.zeros(len(flows))
    for name in ("discharge_start", "discharge_end", "volume"):
        mean = sum(getattr(flow, name) for flow in flows) / len(flows)
        scale = np.sqrt((mean**2).mean(axis=0)) + 1e-12
        distance += [float((((getattr(flow, name) - mean) / scale) ** 2).mean()) for flow in flows]
    return int(np.argmin(distance))


def where_they_differ(
    network: Network, flows: Sequence[BalancedFlow], *, weight: Array, count: int = 3
) -> tuple[tuple[str, float, float], ...]:
    """Return the reaches whose discharge differs most between the flows: id, and spread before and after the readings.

    Spreads are log standard deviations of the mean discharge; `weight` (flow,) is what the readings left of each flow.
    """
    before = spread_of(network, flows).discharge
    after = spread_of(network, flows, weight=weight).discharge
    size = np.mean([np.abs(flow.discharge_start).mean(axis=0) for flow in flows], axis=0)
    known = np.where(np.isfinite(before) & (size > WORTH_NAMING * size.max()), before, -1.0)
    leading = [r for r in np.argsort(-known, kind="stable")[:count] if known[r] > 0.0]
    return tuple((network.reaches[r].id, float(before[r]), float(after[r])) for r in leading)


def _missing(wanted: float, held: float | Array) -> Array:
    """Return the standard deviation that is to be added to what is held already to get the one wanted, 0 at least."""
    return np.asarray(np.sqrt(np.maximum(wanted**2 - np.square(held), 0.0)))


def _variance(values: Array, share: Array) -> Array:
    """Return the variance along the first axis, (flow, ...), each flow with its share."""
    mean = np.tensordot(share, values, axes=1)
    return np.asarray(np.tensordot(share, (values - mean) ** 2, axes=1))
