"""Cross-sections of HEC-RAS: how much water lies in them below a water surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def wet_area(station: Array, elevation: Array, *, surface: Array, left: float, right: float) -> Array:
    """Return the area [m2] between the ground and `surface` (instant,) [m] from `left` to `right` [m], (instant,).

    The ground is the polyline of `station` [m] and `elevation` [m]. Low places fill whether or not water can reach them, as in
    HEC-RAS (Brunner, 2020, HEC-RAS hydraulic reference manual, chapter 2) unless a levee is given.

    >>> vee = np.array([0.0, 10.0, 20.0]), np.array([2.0, 0.0, 2.0])
    >>> wet_area(*vee, surface=np.array([1.0, 2.0, 3.0]), left=0.0, right=20.0)
    array([ 5., 20., 40.])
    """
    if not right > left:
        return np.zeros(len(surface))
    inside = (station > left) & (station < right)
    edges = np.interp([left, right], station, elevation)
    s = np.concatenate([[left], station[inside], [right]])
    z = np.concatenate([edges[:1], elevation[inside], edges[1:]])
    first, last = surface[:, None] - z[:-1], surface[:, None] - z[1:]
    low, high = np.minimum(first, last), np.maximum(first, last)
    both = 0.5 * (first + last)
    partly = 0.5 * np.maximum(high, 0.0) ** 2 / np.maximum(high - low, 1e-30)
    area: Array = np.where(low >= 0.0, both, partly) @ np.diff(s)
    return area


@dataclass(frozen=True)
class Section:
    """A cross-section in m: its ground, banks, levees (station, crest), and lengths to the next one (left, channel, right)."""

    river_station: str
    station: Array
    elevation: Array
    banks: tuple[float, float]
    levees: tuple[tuple[float, float], tuple[float, float]]
    lengths: tuple[float, float, float]

    def areas(self, surface: Array) -> Array:
        """Return the wet area left of, in and right of the channel (instant, 3) [m2] below `surface` (instant,) [m].

        Ground behind a levee is dry while the surface is below its crest.
        """
        ends = (float(self.station[0]), float(self.station[-1]))
        (left_levee, left_crest), (right_levee, right_crest) = self.levees
        has_left, has_right = np.isfinite(left_levee), np.isfinite(right_levee)
        inner = (left_levee if has_left else ends[0], right_levee if has_right else ends[1])
        left_bank, right_bank = (float(np.clip(b, *inner)) for b in self.banks)
        found = np.column_stack(
            [
                wet_area(self.station, self.elevation, surface=surface, left=a, right=b)
                for a, b in ((inner[0], left_bank), (left_bank, right_bank), (right_bank, inner[1]))
            ]
        )
        for column, a, b, crest, has in (
            (0, ends[0], inner[0], left_crest, has_left),
            (2, inner[1], ends[1], right_crest, has_right),
        ):
            if has:
                behind = wet_area(self.station, self.elevation, surface=surface, left=a, right=b)
                found[:, column] += np.where(surface > crest, behind, 0.0)
        return found


def water_between(sections: list[Section], areas: list[Array]) -> Array:
    """Return the water between neighbouring sections, (instant, section - 1) [m3]: mean area times length, part by part."""
    between = [
        (0.5 * (areas[k] + areas[k + 1])) @ np.array(sections[k].lengths) for k in range(len(sections) - 1)
    ]
    return np.column_stack(between)
