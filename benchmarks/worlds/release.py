"""Chooses who releases, when and with what water, so that the section can notice it."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from benchmarks.worlds.draw import chainage, pieces
from benchmarks.worlds.flows import ReachFlow
from benchmarks.worlds.style import DETERMINANDS, KINDS, LAST_HOUR, LIBRARY, LIBRARY_LOG_SD, WINDOW_HOUR
from benchmarks.worlds.swmm import Release, node_at
from suyuan.network import Network

Hours = tuple[tuple[float, float], ...]

LEAST_RISE, MOST_MASS_KG = 0.12, 4500.0
"""A release must raise the section's NH3-N by this much [mg/L], and may not be heavier than this."""

MOST_SEWER_CONCENTRATION = 15.0
"""Times the library's concentration in a sewer's own flow."""

HOPED = 1.5
"""How much more than LEAST_RISE simple dilution must promise before SWMM is asked."""


@dataclass(frozen=True)
class Culprit:
    """A true source: where, when (hours from the start of SWMM) and what its water holds.

    `ratio` is grams of each determinand per gram of NH3-N; `rise` the peak it is to cause at the
    section [mg/L NH3-N].
    """

    kind: str
    candidate: str
    reach: str
    chainage_m: float
    node: str
    water_kind: str
    shape: str
    hours: Hours
    ratio: tuple[float, ...]
    rise: float

    @property
    def release(self) -> Release:
        """The unit release that SWMM routes."""
        return Release(self.node, self.hours)

    @property
    def span_h(self) -> float:
        """Hours of release."""
        return sum(end - begin for begin, end in self.hours)


def travel_hours(network: Network, flow: ReachFlow) -> dict[str, float]:
    """Return hours from each node to the section along the mean flow; other nodes are absent."""
    section = network.stations[0]
    mean = 0.5 * (flow.discharge_start + flow.discharge_end).mean(axis=0)
    hours = flow.volume.mean(axis=0) / np.maximum(np.abs(mean), 1e-9) / 3600.0
    s = network.reach_index(section.reach)
    upper = network.reaches[s].from_node if mean[s] > 0.0 else network.reaches[s].to_node
    share = section.chainage_m / network.reaches[s].length_m
    best: dict[str, float] = {}
    heap = [(hours[s] * (share if mean[s] > 0.0 else 1.0 - share), upper)]
    while heap:
        time, node = heapq.heappop(heap)
        if node in best:
            continue
        best[node] = time
        for r, reach in enumerate(network.reaches):
            low, high = (
                (reach.to_node, reach.from_node) if mean[r] > 0.0 else (reach.from_node, reach.to_node)
            )
            if low == node and high not in best:
                heapq.heappush(heap, (time + hours[r], high))
    return best


def hours_from(network: Network, flow: ReachFlow, *, reach_id: str, chainage_m: float) -> float:
    """Return hours from a place to the section along the mean flow; infinite where none leads there."""
    r = network.reach_index(reach_id)
    reach, section = network.reaches[r], network.stations[0]
    mean = 0.5 * (flow.discharge_start[:, r] + flow.discharge_end[:, r]).mean()
    whole = flow.volume[:, r].mean() / max(abs(mean), 1e-9) / 3600.0
    ahead = reach.length_m - chainage_m if mean > 0.0 else chainage_m
    if reach_id == section.reach:
        gap = (section.chainage_m - chainage_m) * (1.0 if mean > 0.0 else -1.0)
        return whole * gap / reach.length_m if gap > 0.0 else np.inf
    low = reach.to_node if mean > 0.0 else reach.from_node
    return whole * ahead / reach.length_m + travel_hours(network, flow).get(low, np.inf)


def draw_culprits(
    network: Network, flow: ReachFlow, *, family: str, rng: np.random.Generator
) -> tuple[Culprit, ...]:
    """Return the true sources of a case, each able to reach the section well within the window."""
    wanted = {"quiet": 0, "two": 2}.get(family, 1)
    found: list[Culprit] = []
    for _ in range(400):
        if len(found) == wanted:
            return tuple(found)
        culprit, hours = _propose(network, flow, family=family, rng=rng)
        is_known = culprit.candidate in {c.candidate for c in found}
        is_timely = culprit.hours[0][0] + hours < LAST_HOUR - 36.0
        if not is_known and is_timely and _is_hopeful(network, flow, culprit=culprit):
            found.append(culprit)
    raise LookupError(f"{network.source}: no place for a {family} release reaches the section in time")


def most_rate(network: Network, flow: ReachFlow, *, culprit: Culprit) -> float:
    """Return the strongest release that is believable there [g/s of NH3-N]."""
    r = network.reach_index(culprit.reach)
    most = MOST_MASS_KG / (3.6 * culprit.span_h)
    if network.reaches[r].kind == "storm_sewer":
        spans = [
            flow.discharge_end[int(a) - LAST_HOUR : int(b) - LAST_HOUR or None, r] for a, b in culprit.hours
        ]
        most = min(
            most,
            MOST_SEWER_CONCENTRATION * LIBRARY[culprit.water_kind][0] * float(np.concatenate(spans).min()),
        )
    return most


def _is_hopeful(network: Network, flow: ReachFlow, *, culprit: Culprit) -> bool:
    section = network.reach_index(network.stations[0].reach)
    through = np.abs(flow.discharge_start[:, section]).mean()
    return bool(most_rate(network, flow, culprit=culprit) / through > HOPED * LEAST_RISE)


def _propose(
    network: Network, flow: ReachFlow, *, family: str, rng: np.random.Generator
) -> tuple[Culprit, float]:
    kind, candidate, reach, at, water = _place(network, family, rng=rng)
    shape, hours = _draw_shape(rng)
    mixed = np.array(LIBRARY[water]) * np.exp(np.array(LIBRARY_LOG_SD) * rng.normal(size=len(DETERMINANDS)))
    node = node_at(network.reach(reach), at)
    ratio = tuple(float(x) for x in mixed / mixed[0])
    rise = float(rng.uniform(0.3, 2.0))
    culprit = Culprit(kind, candidate, reach, at, node, water, shape, hours, ratio, rise)
    return culprit, hours_from(network, flow, reach_id=reach, chainage_m=at)


def _place(network: Network, family: str, *, rng: np.random.Generator) -> tuple[str, str, str, float, str]:
    """Return kind, candidate, reach, chainage and kind of water of a release of this family."""
    if family == "upstream":
        heads = [n.id for n in network.nodes if n.kind == "boundary" and not n.id.startswith("S")]
        node = "M0" if rng.random() < 0.5 else str(rng.choice(heads))
        reach = next(r for r in network.reaches if node in (r.from_node, r.to_node))
        at = 0.0 if reach.from_node == node else reach.length_m
        return "boundary", f"boundary:{node}", reach.id, at, str(rng.choice(KINDS))
    canal = [r for r in network.reaches if r.kind == "canal"]
    if family == "unlisted":
        taken = {(o.reach, o.chainage_m) for o in network.outfalls}
        taken |= {(s.reach, s.chainage_m) for s in network.stations}
        reach = canal[int(rng.integers(len(canal)))]
        free = [chainage(reach, c) for c in range(1, pieces(reach))]
        at = float(rng.choice([x for x in free if (reach.id, x) not in taken]))
        return "unlisted", f"reach:{reach.id}", reach.id, at, str(rng.choice(KINDS))
    if family == "sewer":
        upper = {r.id for r in network.reaches if r.kind == "storm_sewer" and r.to_node.startswith("S")}
        able = [o for o in network.outfalls if o.reach in upper]
    else:
        able = [o for o in network.outfalls if network.reach(o.reach).kind == "canal"]
    if not able:
        raise LookupError(f"{network.source}: no outfall for a {family} release")
    outfall = able[int(rng.integers(len(able)))]
    return "outfall", outfall.id, outfall.reach, outfall.chainage_m, outfall.kind


def _draw_shape(rng: np.random.Generator) -> tuple[str, Hours]:
    shape = str(rng.choice(["pulse", "nightly", "step"]))
    if shape == "step":
        return shape, ((float(WINDOW_HOUR + rng.integers(4, 72)), float(LAST_HOUR)),)
    if shape == "pulse":
        begin = float(WINDOW_HOUR + rng.integers(12, 96))
        return shape, ((begin, begin + float(rng.integers(3, 15))),)
    first, hour, span = int(rng.integers(0, 3)), int(rng.integers(20, 24)), int(rng.integers(3, 6))
    nights = [WINDOW_HOUR + 24.0 * day + hour for day in range(first, 7)]
    return shape, tuple((begin, begin + span) for begin in nights)
