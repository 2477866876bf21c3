"""Realtime mode: the class of each reading as it stands, unrounded, in the few items that are read every few hours.

The other mode is `suyuan.standards.assessment`. They share limits and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.observations import FAIL, MISSING, Observations
from suyuan.standards.scheme import Item, Scheme, scheme
from suyuan.standards.section import Section, items_of, target_of

Array = NDArray[np.float64]
Classes = NDArray[np.int64]

NOT_JUDGED = -1
_DUST = 1e-9
"""Relative slack of a comparison: what a change of unit leaves behind, far below any digit that is published."""


@dataclass(frozen=True)
class Realtime:
    """Classes of a section at each time: `item_class` (time, item) and `class_index` (time,), NOT_JUDGED where
    nothing was read.

    `time` is datetime64[s] in UTC; `value` (time, item) are the readings, NaN where missing.
    """

    section: Section
    scheme: Scheme
    items: tuple[Item, ...]
    time: NDArray[np.datetime64]
    value: Array
    item_class: Classes

    mode = "realtime"

    @property
    def class_index(self) -> Classes:
        """The worst class among the items read at each time, (time,)."""
        return np.asarray(self.item_class.max(axis=1, initial=NOT_JUDGED), np.int64)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many times were of each class."""
        return {g.id: int((self.class_index == i).sum()) for i, g in enumerate(self.scheme.classes)}

    @property
    def compliance_rate(self) -> float:
        """The share of times with a class that reach the target; NaN without a target or a class."""
        target = target_of(self.section, self.scheme)
        judged = self.class_index[self.class_index != NOT_JUDGED]
        return float("nan") if target is None or not len(judged) else float((judged <= target).mean())

    @property
    def lacking_items(self) -> int:
        """How many times with a class lack an item that another time has: their class may be too good."""
        read = np.isfinite(self.value[self.class_index != NOT_JUDGED])
        return int((read != read.any(axis=0)).any(axis=1).sum()) if len(read) else 0

    def deciding(self, row: int) -> tuple[str, ...]:
        """Return the items whose class is that of the section at one time; none at the best class."""
        worst = self.class_index[row]
        return tuple(i.id for i, c in zip(self.items, self.item_class[row], strict=True) if 0 < c == worst)


def classify(
    observations: Observations,
    section: Section,
    *,
    scheme: Scheme = scheme(),  # noqa: B008  (frozen, read once)
    since: np.datetime64 | None = None,
    until: np.datetime64 | None = None,
) -> Realtime:
    """Return the class of each time at which a section was read (realtime mode): unrounded readings, the selection
    `realtime`.

    Readings flagged fail do not count; suspect ones do, as the national system classes rows under maintenance too.
    A reading below detection is classed by its limit. Of several readings of an item at one time the last given
    counts.

    >>> time = np.array(["2024-07-01T00", "2024-07-01T04"], dtype="datetime64[s]")
    >>> text, station, name = np.full(2, ""), np.full(2, "S1"), np.full(2, "TP")
    >>> given = Observations(time, station, name, np.array([0.2, 0.201]), text, np.ones(2, np.int8), np.zeros(2), text)
    >>> found = classify(given, Section("S1", "river", "III"))
    >>> found.class_index.tolist(), found.compliance_rate
    ([2, 3], 0.5)
    """
    names = (section.station, *section.other_names)
    own = observations.select(stations=names, since=since, until=until)
    own = own.where(np.isfinite(own.value) & (own.flag != FAIL) & (own.flag != MISSING))
    chosen = items_of(Section(section.station, section.water_type, selection=_selection(scheme)), scheme)
    own = own.where(np.isin(own.determinand, [item.determinand for item in chosen]))
    time, row = np.unique(own.time, return_inverse=True)
    value = np.full((len(time), len(chosen)), np.nan)
    for column, item in enumerate(chosen):
        here = own.determinand == item.determinand
        value[row[here], column] = own.value[here]
    item_class = classes_of(value, chosen, water_type=section.water_type)
    return Realtime(section, scheme, chosen, time, value, item_class)


def _selection(scheme: Scheme) -> str:
    """Return the selection that realtime readings are judged by; a scheme without one is judged by its first."""
    return "realtime" if "realtime" in scheme.selections else ""


def classes_of(value: Array, items: Sequence[Item], *, water_type: str) -> Classes:
    """Return the class (time, item) of unrounded values (time, item); NOT_JUDGED where a value is NaN.

    >>> classes_of(np.array([[7.5], [7.49], [1.99]]), [scheme().item("DO")], water_type="river").ravel().tolist()
    [0, 1, 5]
    """
    if value.shape[1] != len(items):
        what = f"there are {value.shape[1]} columns of values for {len(items)} items"
        raise InputError("classes_of", what, "give a column for every item")
    found = np.full(value.shape, NOT_JUDGED, np.int64)
    for column, item in enumerate(items):
        found[:, column] = _classes(value[:, column], item, water_type=water_type)
    return found


def _classes(value: Array, item: Item, *, water_type: str) -> Classes:
    limits = item.limits[water_type]
    found = np.full(len(value), len(limits), np.int64)
    for i, (low, high) in reversed(list(enumerate(limits))):
        least = -np.inf if low is None else float(low)
        most = np.inf if high is None else float(high)
        within = (value >= least - _DUST * abs(least)) if low is not None else np.ones(len(value), bool)
        if high is not None:
            within &= value <= most + _DUST * abs(most)
        found[within] = i
    return np.where(np.isnan(value), NOT_JUDGED, found)
