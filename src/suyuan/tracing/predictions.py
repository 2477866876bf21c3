"""What a sample would find under every scenario: forward runs, one flow member at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.substances import Substance
from suyuan.tracing.places import Place
from suyuan.tracing.scenarios import Release, Scenario
from suyuan.transport.batches import Losses, overlaps
from suyuan.transport.matrix import Receptors, Source
from suyuan.transport.operator import TransportOperator
from suyuan.transport.runs import Releases, forward

Array = NDArray[np.float64]

COLUMNS_AT_ONCE = 256

Key = tuple[int, Substance, bytes]
"""What makes one column of a forward run: source, decay, history."""


@dataclass(frozen=True)
class Horizon:
    """When samples may be taken.

    `start` of the flow (UTC); from it count `edges` (bin + 1,) [s] of the releases, `now_s`, and the `time_s` (hour,) of samples.
    """

    start: np.datetime64
    edges: Array
    now_s: float
    time_s: Array

    def __post_init__(self) -> None:
        if not len(self.time_s) or float(self.time_s.min()) <= self.now_s:
            what = f"{len(self.time_s)} hours to sample at, not all after now"
            raise InputError("horizon", what, "look at least one hour ahead")

    def instant(self, time_s: float) -> np.datetime64:
        """Return the UTC time of a second of the flow, datetime64[s]."""
        instant: np.datetime64 = self.start + np.timedelta64(round(time_s), "s")
        return instant

    def receptors(self, places: Sequence[Place]) -> Receptors:
        """Return every place at every hour, place by place."""
        hours = np.array([self.instant(float(t)) for t in self.time_s])
        n = len(hours)
        return Receptors(
            station=np.repeat([p.id for p in places], n),
            reach=np.repeat([p.reach for p in places], n),
            chainage_m=np.repeat(np.array([p.chainage_m for p in places]), n),
            time=np.tile(hours, len(places)),
            duration_s=np.zeros(n * len(places)),
        )


def rises(
    scenarios: Sequence[Scenario],
    operator_of: Callable[[int], TransportOperator],
    *,
    sources: Sequence[Source],
    substances: Sequence[Substance],
    places: Sequence[Place],
    horizon: Horizon,
) -> NDArray[np.float32]:
    """Return how far each scenario lifts each substance at each place and hour, (scenario, place, hour, substance) [g/m3].

    `operator_of` a flow member is asked once for every member that holds a scenario; `places` are places in the water.
    """
    shape = (len(scenarios), len(places), len(horizon.time_s), len(substances))
    found = np.zeros(shape, np.float32)
    alike = [next(other for other in substances if other.loss == each.loss) for each in substances]
    for member in sorted({s.member for s in scenarios if s.releases}):
        own = [i for i, s in enumerate(scenarios) if s.member == member and s.releases]
        columns = _columns([scenarios[i] for i in own], alike)
        unit = _unit_rises(operator_of(member), columns, sources=sources, places=places, horizon=horizon)
        for i in own:
            for release in scenarios[i].releases:
                for d, substance in enumerate(alike):
                    peak = float(release.rate.max())
                    column = columns[_key(release, substance)]
                    found[i, ..., d] += (peak * release.ratio[d]) * unit[..., column]
    return found


def is_on(scenarios: Sequence[Scenario], outfall: str, *, horizon: Horizon) -> NDArray[np.bool_]:
    """Return whether an outfall lets out at each hour, (scenario, hour)."""
    bins = np.clip(
        np.searchsorted(horizon.edges, horizon.time_s, side="right") - 1, 0, len(horizon.edges) - 2
    )
    on = np.zeros((len(scenarios), len(bins)), bool)
    for i, scenario in enumerate(scenarios):
        for release in scenario.releases:
            if release.candidate == outfall:
                on[i] |= release.rate[bins] > 0.0
    return on


def _key(release: Release, substance: Substance) -> Key:
    return release.source, substance, (release.rate / release.rate.max()).tobytes()


def _columns(scenarios: Sequence[Scenario], substances: Sequence[Substance]) -> dict[Key, int]:
    """Return the distinct columns that these scenarios need, in order."""
    keys: dict[Key, int] = {}
    for scenario in scenarios:
        for release in scenario.releases:
            for substance in substances:
                keys.setdefault(_key(release, substance), len(keys))
    return keys


def _unit_rises(
    operator: TransportOperator,
    columns: dict[Key, int],
    *,
    sources: Sequence[Source],
    places: Sequence[Place],
    horizon: Horizon,
) -> NDArray[np.float32]:
    """Return the rise at each place and hour for a peak rate of 1 g/s, (place, hour, column)."""
    receptors = horizon.receptors(places)
    parts = []
    keys = list(columns)
    for first in range(0, len(keys), COLUMNS_AT_ONCE):
        some = keys[first : first + COLUMNS_AT_ONCE]
        used = sorted({source for source, _, _ in some})
        run = forward(
            operator,
            _releases(some, used, sources=sources, edges=horizon.edges),
            boundary=_boundaries(operator, some, sources=sources, edges=horizon.edges),
            decay_per_s=Losses(
                np.stack([each.rate_in(operator.flow.start, operator.edges) for _, each, _ in some], axis=1),
                np.array([each.settling_m_per_s for _, each, _ in some]),
            ),
            receptors=receptors,
        )
        parts.append(run.readings.astype(np.float32))
    return np.concatenate(parts, axis=1).reshape(len(places), len(horizon.time_s), -1)


def _releases(
    keys: Sequence[Key], used: Sequence[int], *, sources: Sequence[Source], edges: Array
) -> Releases:
    """Return the point releases of these columns; those at boundaries come with the inflow instead."""
    rate = np.zeros((len(edges) - 1, len(used), len(keys)))
    for column, (source, _, history) in enumerate(keys):
        if sources[source].kind != "boundary":
            rate[:, used.index(source), column] = np.frombuffer(history)
    return Releases(tuple(sources[s] for s in used), edges, rate)


def _boundaries(
    operator: TransportOperator, keys: Sequence[Key], *, sources: Sequence[Source], edges: Array
) -> Array:
    """Return the concentration of what enters at boundaries, (flow bin, boundary, column) [g/m3]."""
    flow = operator.flow
    ids, inflow = operator.entries, operator.entering
    seconds = overlaps(flow.edges, edges)
    found = np.zeros((len(flow.edges) - 1, len(ids), len(keys)))
    for column, (source, _, history) in enumerate(keys):
        if sources[source].kind == "boundary":
            b = ids.index(sources[source].node)
            rate = (seconds @ np.frombuffer(history)) / np.diff(flow.edges)
            found[:, b, column] = np.where(inflow[:, b] > 0.0, rate / np.maximum(inflow[:, b], 1e-12), 0.0)
    return found
