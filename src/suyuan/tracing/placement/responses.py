"""What a test release anywhere does to readings everywhere: when it is first seen, and how likely it shows at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from suyuan.errors import InputError
from suyuan.flow import BalancedFlow
from suyuan.network import Network, Station
from suyuan.tracing.blind import TEST_HOURS
from suyuan.tracing.library import Strength
from suyuan.tracing.placement.worth import SeenAndApart
from suyuan.tracing.prior import Prior, candidate_sources
from suyuan.transport.batches import overlaps
from suyuan.transport.matrix import Receptors, Source
from suyuan.transport.operator import TransportOperator
from suyuan.transport.runs import Releases, forward

Array = NDArray[np.float64]

HOUR_S = 3600.0

SEEN_AT = 3.0
"""A release counts as seen where it lifts any reading by this many standard deviations of its noise."""

HELD_BYTES = 60_000_000
"""Memory for the readings of all places and hours, of as many sources as are followed together."""

SOURCE_SPACING_M = 1000.0
"""Distance between the points at which an unlisted source is imagined: about that of the places that are tried."""


@dataclass(frozen=True)
class TrialRelease:
    """The release that is imagined everywhere, and what counts as seeing it.

    It is what tracing expects a priori: its median raises a river of `discharge` [m3/s] by twice the background, and its log
    has standard deviation `log_sd`. It lasts `hours` and is looked for in readings every hour until `horizon_h` after its
    begin. It is seen from a rise of `seen_at` times `noise_share` of the background. Background and release scale
    together, so neither needs to be known in mg/L. `decay_per_s` is that of the determinand that is traced.
    """

    discharge: float
    hours: float = TEST_HOURS
    horizon_h: float = 48.0
    log_sd: float = Strength(0.0).log_sd
    seen_at: float = SEEN_AT
    noise_share: float = 0.10
    decay_per_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse releases that nobody could see anywhere."""
        for name in ("discharge", "hours", "horizon_h", "log_sd", "seen_at", "noise_share"):
            value = getattr(self, name)
            if not value > 0.0:
                what = f"{name} of the test release is {value:g}"
                remedy = "the flow must move, and all of these be above 0"
                raise InputError("placement", what, remedy)

    @property
    def rate(self) -> float:
        """The median rate in units of the least rise that is seen: detections x m3/s.

        >>> round(TrialRelease(discharge=3.0).rate, 6)
        20.0
        """
        return 2.0 * self.discharge / (self.seen_at * self.noise_share)


class Sight(NamedTuple):
    """What one flow and hour show of every source: `hours` to the first reading above detection, `shows` the chance that a
    release of unsure size rises above detection at all, both (source, place)."""

    hours: Array
    shows: Array


def usual_discharge(network: Network, flow: BalancedFlow) -> float:
    """Return the discharge that a release is sized for [m3/s]: the median of where stations stand, mean of |q| over time.

    Without stations it is the median over the length of all reaches.
    """
    mean = np.abs(0.5 * (flow.discharge_start + flow.discharge_end)).mean(axis=0)
    if network.stations:
        return float(np.median([mean[network.reach_index(s.reach)] for s in network.stations]))
    length = np.array([reach.length_m for reach in network.reaches])
    order = np.argsort(mean)
    half = np.searchsorted(np.cumsum(length[order]), 0.5 * length.sum())
    return float(mean[order][half])


def imagined_sources(network: Network) -> tuple[Source, ...]:
    """Return the places to imagine a release at: those of tracing, with fewer points on a reach."""
    found: list[Source] = []
    points: dict[str, list[Source]] = {}
    for source in candidate_sources(network):
        if source.kind == "reach":
            points.setdefault(source.reach, []).append(source)
        else:
            found.append(source)
    for reach, every in points.items():
        count = min(len(every), max(1, round(network.reach(reach).length_m / SOURCE_SPACING_M)))
        found += [every[int((i + 0.5) / count * len(every))] for i in range(count)]
    return tuple(found)


def release_bins(
    flow: BalancedFlow, test: TrialRelease, *, count: int, rng: np.random.Generator
) -> tuple[int, ...]:
    """Return `count` bins of the flow in which a test release begins, one drawn from each equal part of the flow.

    Drawn and not spaced evenly, so that they fall on all hours of day and tide. Raises InputError where the flow is
    shorter than the horizon.
    """
    last = float(flow.edges[-1]) - test.horizon_h * HOUR_S
    if last < 0.0:
        lasts = f"the flow lasts {flow.edges[-1] / HOUR_S:.4g} h"
        what = f"{lasts}, less than the {test.horizon_h:.4g} h in which a release is looked for"
        raise InputError("placement", what, "extend the flow, or shorten the horizon")
    drawn = (np.arange(count) + rng.random(count)) / count * last
    bins = np.searchsorted(flow.edges, drawn + 1e-6, side="right") - 1
    return tuple(np.maximum(bins, 0).tolist())


def window_of(flow: BalancedFlow, *, first: int, hours: float) -> BalancedFlow:
    """Return the flow from bin `first` on, for `hours` or a little more, lakes as full as then."""
    until = flow.edges[first] + hours * HOUR_S
    last = min(int(np.searchsorted(flow.edges, until - 1e-6)), len(flow.edges) - 1)
    bins, at_edges = slice(first, last), slice(first, last + 1)
    return replace(
        flow,
        start=flow.start + np.timedelta64(round(float(flow.edges[first])), "s"),
        edges=flow.edges[at_edges] - flow.edges[first],
        discharge_start=flow.discharge_start[bins],
        discharge_end=flow.discharge_end[bins],
        volume=flow.volume[at_edges],
        external=flow.external[bins],
        lateral=flow.lateral[bins],
        lake_volume=flow.lake_volume[at_edges],
    )


def sight_of(
    operator: TransportOperator,
    *,
    places: Sequence[Station],
    sources: Sequence[Source],
    test: TrialRelease,
) -> Sight:
    """Return what a test release at the start of the operator's flow shows of each source at each place.

    The chance that a release of log-normal size shows is that of exceeding detection at its peak.
    """
    receptors, hours = _receptors(operator, places, test=test)
    columns = max(1, HELD_BYTES // (8 * len(receptors)))
    parts = [
        _peak_and_first(operator, receptors, hours=hours, sources=sources[i : i + columns], test=test)
        for i in range(0, len(sources), columns)
    ]
    peak, first = (np.concatenate(found) for found in zip(*parts, strict=True))
    return Sight(first, ndtr(np.log(np.maximum(peak, 1e-30)) / test.log_sd))


def _peak_and_first(
    operator: TransportOperator,
    receptors: Receptors,
    *,
    hours: Array,
    sources: Sequence[Source],
    test: TrialRelease,
) -> tuple[Array, Array]:
    """Return peak [detections] and hour of the first rise above one detection, (source, place) each."""
    placed = tuple(source for source in sources if source.reach)
    columns = len(sources)
    rate = np.zeros((1, len(placed), columns))
    rate[0, np.arange(len(placed)), [i for i, s in enumerate(sources) if s.reach]] = test.rate
    run = forward(
        operator,
        Releases(placed, np.array([0.0, test.hours * HOUR_S]), rate),
        boundary=_through_boundaries(operator, sources, test=test),
        decay_per_s=np.full(columns, test.decay_per_s),
        receptors=receptors,
    )
    rise = run.readings.reshape(-1, len(hours), columns).transpose(2, 0, 1)
    is_seen = rise >= 1.0
    first = np.where(is_seen.any(axis=2), hours[is_seen.argmax(axis=2)], test.horizon_h)
    return np.maximum(rise.max(axis=2), 0.0), first


def _through_boundaries(
    operator: TransportOperator, sources: Sequence[Source], *, test: TrialRelease
) -> Array:
    """Return the concentration of what enters at boundaries, (flow bin, boundary, column) [detections].

    A release at a boundary is dissolved in the inflow while it lasts; where nothing flows in it cannot come.
    """
    ids = operator.entries
    edges = operator.flow.edges
    share = overlaps(edges, np.array([0.0, test.hours * HOUR_S])).toarray()[:, 0] / np.diff(edges)
    inflow = operator.water.outside
    found = np.zeros((len(edges) - 1, len(ids), len(sources)))
    for column, source in enumerate(sources):
        if source.kind == "boundary":
            b = ids.index(source.node)
            enters = inflow[:, b] > 0.0
            found[enters, b, column] = test.rate * share[enters] / inflow[enters, b]
    return found


def _receptors(
    operator: TransportOperator, places: Sequence[Station], *, test: TrialRelease
) -> tuple[Receptors, Array]:
    """Return hourly readings at all places, place by place, and their hours from the begin of the release."""
    hours = np.arange(1.0, min(test.horizon_h, operator.edges[-1] / HOUR_S) + 1e-9)
    times = operator.flow.start + np.round(hours * HOUR_S).astype("timedelta64[s]")
    each = len(hours)
    receptors = Receptors(
        station=np.repeat([p.id for p in places], each).astype(np.str_),
        reach=np.repeat([p.reach for p in places], each).astype(np.str_),
        chainage_m=np.repeat([p.chainage_m for p in places], each).astype(float),
        time=np.tile(times, len(places)).astype("datetime64[s]"),
        duration_s=np.zeros(each * len(places)),
    )
    return receptors, hours


def table_of(
    sights: Sequence[Sight],
    *,
    sources: Sequence[Source],
    prior: Prior,
    test: TrialRelease,
    apart_share: float,
) -> SeenAndApart:
    """Return what places are worth, from one sight a look (an hour of release in one flow member).

    The points of one candidate share its prior weight; how likely a release shows is the mean over looks.
    """
    number = {candidate.id: i for i, candidate in enumerate(prior.candidates)}
    candidate = np.array([number[source.candidate] for source in sources], np.int64)
    weight = prior.weight[candidate] / np.bincount(candidate, minlength=len(number))[candidate]
    return SeenAndApart(
        hours=np.stack([sight.hours for sight in sights]),
        shows=np.mean([sight.shows for sight in sights], axis=0),
        weight_of=weight / weight.sum(),
        candidate=candidate,
        horizon_h=test.horizon_h,
        apart_share=apart_share,
    )
