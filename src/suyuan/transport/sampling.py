"""Where and when readings are taken, as entries that kernels can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.network import Network
from suyuan.observations import Observations
from suyuan.transport.matrix import Means, Receptors
from suyuan.transport.operator import TransportOperator

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Key = tuple[str, int, float]
"""Station, end in seconds since 1970, and duration [s]: what tells one part of a reading from another."""

PART_S = 3.0 * 3600.0
"""A composite sample is followed back in parts no longer than this: decay, background and model error count at their hours."""


@dataclass(frozen=True)
class Samples:
    """Readings as a list of what they see.

    In order of `edge`: `weight` [1/m3] times the mass in `cell` at that edge. `latest` (receptor,) is the
    last edge a reading sees. All others have shape (entry,).
    """

    edge: Index
    cell: Index
    receptor: Index
    weight: Array
    latest: Index

    def of(self, receptors: Index) -> Samples:
        """Return the entries of some readings, renumbered in the given order."""
        position = np.full(len(self.latest), -1, np.int64)
        position[receptors] = np.arange(len(receptors))
        keep = position[self.receptor] >= 0
        return Samples(
            self.edge[keep],
            self.cell[keep],
            position[self.receptor[keep]],
            self.weight[keep],
            self.latest[receptors],
        )

    def between(self, first: int, last: int, *, with_last: bool) -> tuple[Index, Index, Index, Array]:
        """Return (edge_first, cell, receptor, weight) of the edges `first` to `last`, the last one only
        `with_last`."""
        edges = np.arange(first, last + 2)
        at = np.searchsorted(self.edge, edges)
        if not with_last:
            at[-1] = at[-2]
        part = slice(int(at[0]), int(at[-1]))
        return (at - at[0]).astype(np.int64), self.cell[part], self.receptor[part], self.weight[part]


def no_samples() -> Samples:
    """Return the samples of a run that nobody reads."""
    none = np.zeros(0, np.int64)
    return Samples(none, none, none, np.zeros(0), none)


def receptors_of(network: Network, observations: Observations) -> tuple[Receptors, Means]:
    """Return each place and time of reading once, and what every row of the observations is the mean of.

    A composite sample of more than PART_S is the mean of parts that are not longer, weighed by their lengths: it saw what
    passed the station, evenly, until its `time`.
    """
    parts = _parts_of(observations)
    first: dict[Key, int] = {}
    index = np.array([first.setdefault(key, len(first)) for key in parts.keys], np.int64)
    rows = np.zeros(len(first), np.int64)
    rows[index[::-1]] = np.arange(len(index))[::-1]
    stations = {name: network.station(name) for name in np.unique(observations.station).tolist()}
    placed = [stations[name] for name, _, _ in first]
    receptors = Receptors(
        station=np.array([s.id for s in placed], np.str_),
        reach=np.array([s.reach for s in placed], np.str_),
        chainage_m=np.array([s.chainage_m for s in placed], float),
        time=parts.time[rows],
        duration_s=parts.duration_s[rows],
    )
    shape = len(observations), len(first)
    return receptors, Means.built(parts.reading, index, share=parts.share, shape=shape)


def means_of(receptors: Receptors, observations: Observations) -> Means:
    """Return what every row of the observations is the mean of; a row of which any part is no receptor has none."""
    place = {
        key: i
        for i, key in enumerate(_keys(receptors.station, receptors.time, duration_s=receptors.duration_s))
    }
    parts = _parts_of(observations)
    index = np.array([place.get(key, -1) for key in parts.keys], np.int64)
    lacking = np.bincount(parts.reading, weights=index < 0, minlength=len(observations))
    held = lacking[parts.reading] == 0
    shape = len(observations), len(receptors)
    return Means.built(parts.reading[held], index[held], share=parts.share[held], shape=shape)


class _Parts(NamedTuple):
    """Parts of readings, in the order of readings and then of time, arrays (part,): whose, until when, how long, what share."""

    reading: Index
    time: NDArray[np.datetime64]
    duration_s: Array
    share: Array
    keys: list[Key]


def _parts_of(observations: Observations) -> _Parts:
    """Return the parts of every reading, cut at whole seconds: itself, unless it was drawn over more than PART_S."""
    count = np.maximum(np.ceil(observations.duration_s / PART_S), 1.0).astype(np.int64)
    reading = np.repeat(np.arange(len(count)), count)
    later = np.repeat(np.cumsum(count), count) - 1 - np.arange(len(reading))
    whole, parts = observations.duration_s[reading], count[reading]
    until = np.round(whole * later / parts)
    since = np.where(later == parts - 1, whole, np.round(whole * (later + 1) / parts))
    time = observations.time[reading].astype("datetime64[s]") - until.astype("timedelta64[s]")
    duration = since - until
    share = np.where(parts > 1, duration / np.where(parts > 1, whole, 1.0), 1.0)
    keys = _keys(observations.station[reading], time, duration_s=duration)
    return _Parts(reading, time, duration, share, keys)


def _keys(station: NDArray[np.str_], time: NDArray[np.datetime64], *, duration_s: Array) -> list[Key]:
    seconds = time.astype("datetime64[s]").astype(np.int64)
    return list(zip(station.tolist(), seconds.tolist(), duration_s.tolist(), strict=True))


def samples_of(operator: TransportOperator, receptors: Receptors) -> Samples:
    """Return what readings see: concentration linear in space between cell centres and in time between step
    edges."""
    until = (receptors.time - operator.flow.start) / np.timedelta64(1, "s")
    since = until - receptors.duration_s
    _refuse_outside(operator, receptors, since=since, until=until)
    places = {
        key: operator.geometry.place(operator.network, reach_id=key[0], chainage_m=key[1])
        for key in set(zip(receptors.reach.tolist(), receptors.chainage_m.tolist(), strict=True))
    }
    entries: list[tuple[int, int, int, float]] = []
    for o in range(len(receptors)):
        cells, shares = places[str(receptors.reach[o]), float(receptors.chainage_m[o])]
        for at, of_time in _time_weights(operator.edges, since=float(since[o]), until=float(until[o])):
            entries += [
                (at, c, o, of_time * w) for c, w in zip(cells, shares, strict=True) if of_time * w != 0.0
            ]
    entries.sort()
    edge, cell, receptor = (np.array([entry[i] for entry in entries], np.int64) for i in range(3))
    weight = np.array([entry[3] for entry in entries])
    for at in np.unique(edge).tolist():
        weight[edge == at] /= operator.volume_at(at)[cell[edge == at]]
    latest = np.zeros(len(receptors), np.int64)
    np.maximum.at(latest, receptor, edge)
    return Samples(edge, cell, receptor, weight, latest)


def _time_weights(edges: Array, *, since: float, until: float) -> list[tuple[int, float]]:
    """Return the edges of steps and their weights that make the mean over [since, until] of what is linear
    between edges."""
    low = min(max(int(np.searchsorted(edges, since, side="right")) - 1, 0), len(edges) - 2)
    high = min(max(int(np.searchsorted(edges, until, side="left")) - 1, low), len(edges) - 2)
    weights = dict.fromkeys(range(low, high + 2), 0.0)
    for n in range(low, high + 1):
        length = edges[n + 1] - edges[n]
        a, b = max(since, edges[n]), min(until, edges[n + 1])
        share = (b - a) / (until - since) if until > since else 1.0
        late = (0.5 * (a + b) - edges[n]) / length
        weights[n] += share * (1.0 - late)
        weights[n + 1] += share * late
    return list(weights.items())


def _refuse_outside(operator: TransportOperator, receptors: Receptors, *, since: Array, until: Array) -> None:
    """Refuse receptors that the flow does not cover; how many readings hang on them is not known here."""
    bad = np.flatnonzero((since < operator.edges[0] - 0.5) | (until > operator.edges[-1] + 0.5))
    if len(bad):
        o = int(bad[0])
        over = f" (mean over {receptors.duration_s[o] / 3600.0:.3g} h)" if receptors.duration_s[o] else ""
        what = (
            f"the flow runs from {operator.flow.start} by {operator.edges[-1] / 3600:.4g} h and does not cover "
            f"{len(bad)} of the {len(receptors)} places and times of readings, parts of composite samples counted each, "
            f"first at station '{receptors.station[o]}' at {receptors.time[o]}{over}"
        )
        raise InputError(
            "transport", what, "extend the flow or drop those readings with select(since=..., until=...)"
        )
