"""Makes one case: a world, SWMM's truth, the wrong flow, the noisy readings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.worlds.draw import draw_network
from benchmarks.worlds.flows import ReachFlow, reach_flow
from benchmarks.worlds.release import LEAST_RISE, Culprit, draw_culprits, most_rate
from benchmarks.worlds.style import (
    DECAY_RANGE,
    DETECTION,
    DETERMINANDS,
    FAMILIES,
    FLOW_HOUR,
    LAST_HOUR,
    NOISE,
    STYLES,
    WINDOW_HOUR,
)
from benchmarks.worlds.swmm import Run, node_at, simulate
from benchmarks.worlds.weather import Array, draw_weather, mistaken
from suyuan.network import Network, Station

FLOW_LOG_SD = 0.12
CALM = "FROUDE"
"""How SWMM limits flow in the truth; what the tracer is given may slosh (Style.limiter)."""

MOST_CREATED = 0.03
"""Share of a release that SWMM may create before a draw is thrown away."""

Reading = tuple[int, str, str, float, str]


@dataclass(frozen=True)
class Case:
    """A case as drawn: what the tracer gets, and what is true.

    `rates` (source,) [g/s of NH3-N] while releasing; `rises` the peak of NH3-N [mg/L] by source and station;
    `readings` hold (hour, station, determinand, value, qualifier).
    """

    seed: tuple[int, int]
    family: str
    network: Network
    given: ReachFlow
    true: ReachFlow
    run: Run
    decay: Array
    culprits: tuple[Culprit, ...]
    rates: tuple[float, ...]
    rises: tuple[dict[str, float], ...]
    readings: tuple[Reading, ...]

    def concentration(self, node: str) -> NDArray[np.float64]:
        """Return the true concentrations (determinand, hour of the window + 1) at one of SWMM's nodes."""
        return mixed(self.run, node, culprits=self.culprits, rates=self.rates)


def make_case(index: int, *, seed: int, family: str | None = None, style: str = "given") -> Case:
    """Return case `index` of this seed; a draw whose release cannot be noticed is drawn again."""
    chosen = family or FAMILIES[index % len(FAMILIES)]
    for attempt in range(20):
        rng = np.random.default_rng([seed, index, attempt])
        network = draw_network(STYLES[style], chosen, rng=rng, name=f"{index:04d}")
        case = _attempt(network, chosen, rng=rng, seed=(seed, index), limiter=STYLES[style].limiter)
        if case:
            return case
    raise RuntimeError(
        f"case {index} of seed {seed}: no noticeable {chosen} release in 20 draws; take another seed"
    )


def _attempt(
    network: Network, family: str, *, rng: np.random.Generator, seed: tuple[int, int], limiter: str
) -> Case | None:
    weather = draw_weather(network, family, rng=rng)
    wrong = mistaken(weather, rng, share=FLOW_LOG_SD * (2.0 if family == "poorflow" else 1.0))
    given = reach_flow(network, wrong, run=simulate(network, wrong, limiter=limiter))
    try:
        culprits = draw_culprits(network, given, family=family, rng=rng)
    except LookupError:
        return None
    decay = np.array([rng.uniform(*DECAY_RANGE[d]) for d in DETERMINANDS])
    run = simulate(network, weather, limiter=CALM, releases=[c.release for c in culprits], decay=decay)
    true = reach_flow(network, weather, run=run)
    if not _keeps_mass(network, run, flow=true, culprits=culprits, family=family):
        return None
    rates = tuple(_rate(network, run, flow=true, source=k, culprit=c) for k, c in enumerate(culprits))
    rises = tuple(_rises(network, run, source=k, rate=rate) for k, rate in enumerate(rates))
    if any(r["section"] < LEAST_RISE for r in rises):
        return None
    readings = tuple(_readings(network, run, culprits=culprits, rates=rates, family=family, rng=rng))
    return Case(seed, family, network, given, true, run, decay, culprits, rates, rises, readings)


def _keeps_mass(
    network: Network, run: Run, *, flow: ReachFlow, culprits: tuple[Culprit, ...], family: str
) -> bool:
    """Return whether no more of any release passes the section than was let in, by a tracer without decay.

    SWMM can create mass where a node's inflow passes through nothing. Its own balance of the network tells,
    but not at a lake that flows back: there it is wrong without harm to the section.
    """
    section = network.stations[0]
    r, ec = network.reach_index(section.reach), DETERMINANDS.index("EC")
    through = 0.5 * (flow.discharge_start + flow.discharge_end)[WINDOW_HOUR - FLOW_HOUR :, r]
    for k, culprit in enumerate(culprits):
        unit = hourly(run, _node_of(network, section), substance=len(DETERMINANDS) * (k + 1) + ec)
        passed = abs(float((0.5 * (unit[1:] + unit[:-1]) * through).sum()))
        if passed > (1.0 + MOST_CREATED) * culprit.span_h:
            return False
    return family == "reversing" or max(map(abs, run.quality_error_pct)) < 100.0 * MOST_CREATED


def hourly(run: Run, node: str, *, substance: int) -> NDArray[np.float64]:
    """Return concentrations at the full hours of the window, its end included."""
    return run.concentration[WINDOW_HOUR - 1 :, run.nodes[node], substance].astype(float)


def mixed(
    run: Run, node: str, *, culprits: tuple[Culprit, ...], rates: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return background and releases together (determinand, hour of the window + 1)."""
    n = len(DETERMINANDS)
    total = np.stack([hourly(run, node, substance=d) for d in range(n)])
    for k, (culprit, rate) in enumerate(zip(culprits, rates, strict=True)):
        total += np.stack(
            [rate * culprit.ratio[d] * hourly(run, node, substance=n * (k + 1) + d) for d in range(n)]
        )
    return total


def _node_of(network: Network, station: Station) -> str:
    return node_at(network.reach(station.reach), station.chainage_m)


def _rate(network: Network, run: Run, *, flow: ReachFlow, source: int, culprit: Culprit) -> float:
    """Return the release [g/s of NH3-N] that causes the wanted rise at the section, if that is believable."""
    unit = hourly(
        run, _node_of(network, network.stations[0]), substance=len(DETERMINANDS) * (source + 1)
    ).max()
    return min(culprit.rise / max(unit, 1e-12), most_rate(network, flow, culprit=culprit))


def _rises(network: Network, run: Run, *, source: int, rate: float) -> dict[str, float]:
    substance = len(DETERMINANDS) * (source + 1)
    return {
        s.id: rate * float(hourly(run, _node_of(network, s), substance=substance).max())
        for s in network.stations
    }


def _readings(
    network: Network,
    run: Run,
    *,
    culprits: tuple[Culprit, ...],
    rates: tuple[float, ...],
    family: str,
    rng: np.random.Generator,
) -> list[Reading]:
    rows: list[Reading] = []
    measured = DETERMINANDS[:1] if family == "single" else DETERMINANDS
    for station in network.stations:
        true = mixed(run, _node_of(network, station), culprits=culprits, rates=rates)
        hours = np.arange(0, LAST_HOUR - WINDOW_HOUR + 1, 4 if family == "sparse" else 1)
        for hour in hours[_is_kept(hours, rng)]:
            for d, name in enumerate(measured):
                relative, absolute = NOISE[name]
                spread = np.hypot(relative * true[d, hour], absolute)
                value = float(true[d, hour] + spread * rng.normal())
                limit = DETECTION[name]
                rows.append((int(hour), station.id, name, max(value, limit), "<" if value < limit else ""))
    return rows


def _is_kept(hours: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which hours are read: some fail singly, and some stations lose six hours together."""
    keep = rng.random(len(hours)) > rng.uniform(0.01, 0.06)
    if rng.random() < 0.25:
        begin = rng.integers(0, hours[-1] - 6)
        keep &= (hours < begin) | (hours >= begin + 6)
    return keep
