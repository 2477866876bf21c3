"""Water that enters along a reach or is taken out along it: a step on concentrations before advection, and one after.

A reach obeys dV/dt = Qs - Qe + q. Within a step advection moves the water with Qs and Qe alone; half of q dt enters before
it and half after (Strang, 1968), spread evenly over the reach's cells. What is taken out takes its concentration along. A
reach that is small beside q dt, such as a sewer that is flushed, gets more of it before, and gives more of it after, so that
it never holds less than half of what it held.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import uncounted_kernel
from suyuan.transport.geometry import Geometry
from suyuan.transport.lanes import LANES, load, plus_times, store, times
from suyuan.transport.water import Water

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Laterals(NamedTuple):
    """What enters along reaches in some steps.

    Lateral l enters the cells `begin[l]` to `end[l]`. Per (step, lateral) [m3]: what enters `early`, before advection, and
    `late`, after it (negative: is taken out), and what the reach holds as the step begins (`first`) and ends (`last`).
    """

    begin: Index
    end: Index
    early: Array
    late: Array
    first: Array
    last: Array


@uncounted_kernel
def parted(entered: float, first: float, last: float) -> tuple[float, float]:
    """Return the parts of what enters along a reach in a step [m3], before and after advection.

    `first` and `last` [m3] is what the reach holds as the step begins and ends.

    >>> parted(8.0, 100.0, 100.0), parted(8.0, 1.0, 1.0), parted(-8.0, 1.0, 1.0)
    ((4.0, 4.0), (7.5, 0.5), (-0.5, -7.5))
    """
    if entered > 0.0:
        late = min(0.5 * entered, 0.5 * last)
        return entered - late, late
    early = max(0.5 * entered, -0.5 * first)
    return early, entered - early


def laterals_in(geometry: Geometry, water: Water, *, steps: slice) -> Laterals:
    """Return what enters along reaches in these steps."""
    reach, b = geometry.laterals, water.bin[steps]
    begin = geometry.reach_first[reach]
    if not len(reach):
        none = np.zeros((0, 0))
        return Laterals(begin, begin, none, none, none, none)
    held, change = water.volume[b][:, reach], (water.volume[b + 1] - water.volume[b])[:, reach]
    first, last = held + change * water.begin[steps, None], held + change * water.end[steps, None]
    entered = water.lateral[b][:, reach] * water.length[steps, None]
    late = np.where(entered > 0.0, np.minimum(0.5 * entered, 0.5 * last), 0.0)
    early = np.maximum(0.5 * entered, -0.5 * first)
    early = np.where(entered > 0.0, entered - late, early)
    return Laterals(begin, begin + geometry.reach_cells[reach], early, entered - early, first, last)


@uncounted_kernel
def enter_early(laterals: Laterals, s: int, at: int, outside: Array, value: Array, left: Array) -> None:
    """Let in and take out what comes before advection: the concentrations `value` (row, column) change in place.

    `outside` (entry, column) [g/m3] is the concentration of what comes, from row `at` on; what is taken out is added to
    `left` (entry, column) [g], from the same row on.
    """
    for i in range(laterals.early.shape[1]):
        entered, held = laterals.early[s, i], laterals.first[s, i]
        cells = laterals.end[i] - laterals.begin[i]
        share = entered / (held + entered)
        for c in range(laterals.begin[i], laterals.end[i]):
            for k in range(0, value.shape[1], LANES):
                own = load(value, c, k)
                if entered > 0.0:
                    mixed = plus_times(times(1.0 - share, own), share, load(outside, at + i, k))
                    store(value, c, k, mixed)
                else:
                    store(left, at + i, k, plus_times(load(left, at + i, k), -entered / cells, own))


@uncounted_kernel
def enter_late(laterals: Laterals, s: int, at: int, outside: Array, value: Array, left: Array) -> None:
    """Let in and take out what comes after advection: the masses `value` (row, column) [g] change in place.

    `outside` and `left` as for `enter_early`.
    """
    for i in range(laterals.late.shape[1]):
        entered, held = laterals.late[s, i], laterals.last[s, i]
        each, gone = entered / (laterals.end[i] - laterals.begin[i]), -entered / (held - entered)
        for c in range(laterals.begin[i], laterals.end[i]):
            for k in range(0, value.shape[1], LANES):
                own = load(value, c, k)
                if entered > 0.0:
                    store(value, c, k, plus_times(own, each, load(outside, at + i, k)))
                else:
                    store(left, at + i, k, plus_times(load(left, at + i, k), gone, own))
                    store(value, c, k, times(1.0 - gone, own))


@uncounted_kernel
def owe_late(laterals: Laterals, s: int, at: int, value: Array, outside: Array) -> None:
    """Do the transpose of `enter_late`: `value` (row, column) are sensitivities to masses, `outside` to concentrations."""
    for i in range(laterals.late.shape[1]):
        entered, held = laterals.late[s, i], laterals.last[s, i]
        each, gone = entered / (laterals.end[i] - laterals.begin[i]), -entered / (held - entered)
        for c in range(laterals.begin[i], laterals.end[i]):
            for k in range(0, value.shape[1], LANES):
                own = load(value, c, k)
                if entered > 0.0:
                    store(outside, at + i, k, plus_times(load(outside, at + i, k), each, own))
                else:
                    store(value, c, k, times(1.0 - gone, own))


@uncounted_kernel
def owe_early(laterals: Laterals, s: int, at: int, value: Array, outside: Array) -> None:
    """Do the transpose of `enter_early`: `value` (row, column) and `outside` are sensitivities to concentrations."""
    for i in range(laterals.early.shape[1]):
        entered, held = laterals.early[s, i], laterals.first[s, i]
        share = entered / (held + entered)
        if entered > 0.0:
            for c in range(laterals.begin[i], laterals.end[i]):
                for k in range(0, value.shape[1], LANES):
                    own = load(value, c, k)
                    store(outside, at + i, k, plus_times(load(outside, at + i, k), share, own))
                    store(value, c, k, times(1.0 - share, own))
