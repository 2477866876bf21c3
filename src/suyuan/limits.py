"""What a run leaves out, and what it refuses before the long work begins."""

from __future__ import annotations

from datetime import tzinfo

import numpy as np

from suyuan.clock import iso
from suyuan.errors import InputError
from suyuan.flow import BalancedFlow
from suyuan.io.project import SETTINGS
from suyuan.network import Network
from suyuan.observations import Observations
from suyuan.substances import Substance
from suyuan.tracing.readings import blocks_of
from suyuan.tracing.statements import Note
from suyuan.transport.sampling import receptors_of

MOST_HOURS, MOST_RECEPTORS = 1500, 6000
"""Longest window [h], and most times and places of readings in it: memory grows with the square of both, to about 4 GB."""


def window_before(
    now: np.datetime64 | None, given: tuple[np.datetime64, np.datetime64], *, zone: tzinfo
) -> tuple[np.datetime64, np.datetime64]:
    """Return the given window, cut off at `now` where there is one."""
    since, until = given
    if now is None:
        return given
    if now <= since:
        what = f"now is {iso(now, zone)}, not after the begin of the window at {iso(since, zone)}"
        raise InputError("--now", what, "give --now a later time")
    return since, min(until, now)


def refuse_empty(
    everything: Observations,
    chosen: Observations,
    *,
    window: tuple[np.datetime64, np.datetime64],
    zone: tzinfo,
) -> None:
    """Refuse to trace where no reading was chosen."""
    if len(chosen) == 0:
        first, last = (iso(time, zone) for time in window)
        what = f"no reading lies between {first} and {last} at the stations asked for"
        held = f"{iso(everything.time.min(), zone)} to {iso(everything.time.max(), zone)}"
        remedy = f"readings run from {held}; widen the window or name other stations"
        raise InputError(everything.source, what, remedy)


def refuse_uncovered(flow: BalancedFlow, observations: Observations, *, zone: tzinfo) -> None:
    """Refuse to follow back usable readings that lie outside the flow, composite samples with any of their hours."""
    seen = observations.where(observations.is_usable)
    until = (seen.time - flow.start) / np.timedelta64(1, "s")
    out = np.flatnonzero((until - seen.duration_s < flow.edges[0] - 0.5) | (until > flow.edges[-1] + 0.5))
    if not len(out):
        return
    o = out[np.argmin(seen.time[out])]
    last = flow.start + np.timedelta64(round(float(flow.edges[-1])), "s")
    hours = f" (composite sample of {seen.duration_s[o] / 3600.0:.3g} h)" if seen.duration_s[o] else ""
    what = (
        f"the flow runs from {iso(flow.start, zone)} to {iso(last, zone)} and does not cover {len(out):,} of the "
        f"{len(seen):,} readings, first {seen.determinand[o]} at '{seen.station[o]}' at {iso(seen.time[o], zone)}{hours}"
    )
    remedy = (
        f"extend the flow, write since and until in {SETTINGS} so that it covers them, or correct composite_h"
    )
    raise InputError(observations.source, what, remedy)


def refuse_unweighable(
    network: Network,
    observations: Observations,
    *,
    substances: tuple[Substance, ...],
    window: tuple[np.datetime64, np.datetime64],
) -> None:
    """Refuse now what could not be weighed later."""
    receptors, _ = receptors_of(network, observations.where(observations.is_usable))
    _refuse_too_much(len(receptors), window, source=observations.source)
    blocks_of(observations, receptors, substances=substances)


def _refuse_too_much(receptors: int, window: tuple[np.datetime64, np.datetime64], *, source: str) -> None:
    """Refuse a window whose matrices would not fit into the memory of a usual computer."""
    hours = int(np.ceil((window[1] - window[0]) / np.timedelta64(3600, "s")))
    if hours > MOST_HOURS:
        what = f"the window is {hours:,} hours long, more than the {MOST_HOURS:,} that fit into memory"
        raise InputError(source, what, "set since and until closer about the episode")
    if receptors > MOST_RECEPTORS:
        held = f"{MOST_RECEPTORS:,} that fit into memory"
        what = f"readings at {receptors:,} times and places lie in the window, more than the {held}"
        raise InputError(source, what, "shorten the window, or name fewer stations with --station")


def left_outside(
    known: Observations, window: tuple[np.datetime64, np.datetime64], *, zone: tzinfo
) -> tuple[Note, ...]:
    """Return a note that says how many of the readings lie outside the window, if any do: samples taken later would be lost."""
    time = known.time[known.is_usable]
    before, after = int((time < window[0]).sum()), int((time > window[1]).sum())
    if not before + after:
        return ()
    first, last = (iso(t, zone) for t in window)
    gaps = {"count": before + after, "first": first, "last": last, "before": before, "after": after}
    return (Note("outside the window", {name: str(gap) for name, gap in gaps.items()}),)
