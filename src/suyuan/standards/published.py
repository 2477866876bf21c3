"""Classes that others published, beside those of the realtime mode: how often they agree, and why they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from suyuan.errors import InputError
from suyuan.standards.realtime import NOT_JUDGED, Array, Classes, Realtime, classes_of
from suyuan.standards.scheme import Item

Cause = Literal["other water", "last digit", "reading before", "one item", "not known"]

FEWEST_ROWS = 30
"""Fewer published classes than this do not say which limits were used."""


@dataclass(frozen=True)
class Miss:
    """A row whose published class is not ours, with the cause and the item it lies with ('' where none is singled out).

    *other water*: the published class is that of the limits of another type of water. *last digit*: a value lies at a limit as
    it is shown, and with less than half a last digit more or less the published class comes out: it was made from more digits.
    *reading before*: it is the class of the reading before: the class shown had not yet followed the values. *one item*: it
    comes out without one item, which was missing when it was made, or was corrected afterwards. Else *not known*. The first
    that holds is given.
    """

    row: int
    published: int
    ours: int
    cause: Cause
    item: str = ""


def misses(found: Realtime, published: Classes, *, fits: str = "") -> tuple[Miss, ...]:
    """Return the rows where the published class (time,) is not ours, each with its cause; NOT_JUDGED rows are passed over.

    `fits` is the type of water whose limits explain the published classes (`water_type_of_classes`), where it is another.
    """
    _same_length(found, published)
    ours = found.class_index
    rows = np.flatnonzero((published != NOT_JUDGED) & (published != ours))
    is_other = np.zeros(len(ours), bool)
    if fits and fits != found.section.water_type:
        is_other = _all_classes(found)[fits] == published
    return tuple(
        Miss(int(row), int(published[row]), int(ours[row]), "other water")
        if is_other[row]
        else _explained(found, published, ours=ours, row=int(row))
        for row in rows
    )


def agreement(found: Realtime, published: Classes) -> float:
    """Return the share of rows with a published class that is ours; NaN without any."""
    _same_length(found, published)
    has = published != NOT_JUDGED
    return float((found.class_index[has] == published[has]).mean()) if has.any() else float("nan")


def water_type_of_classes(found: Realtime, published: Classes) -> str:
    """Return the type of water whose limits explain the published classes best; '' where too few rows say anything.

    A lake station may be classed by the limits of rivers: then this is not the section's own `water_type`.
    """
    _same_length(found, published)
    has = published != NOT_JUDGED
    if has.sum() < FEWEST_ROWS:
        return ""
    shares = {
        water: float((ours[has] == published[has]).mean()) for water, ours in _all_classes(found).items()
    }
    best = max(shares, key=lambda water: shares[water])
    is_clear = all(shares[best] > share + 0.05 for water, share in shares.items() if water != best)
    return best if is_clear else ""


def _all_classes(found: Realtime) -> dict[str, Classes]:
    """Return the class of each time by the limits of each type of water."""
    classes = {}
    for water in found.scheme.water_types:
        items = [item for item in found.items if water in item.limits]
        columns = [found.items.index(item) for item in items]
        each = classes_of(found.value[:, columns], items, water_type=water)
        classes[water] = np.asarray(each.max(axis=1, initial=NOT_JUDGED), np.int64)
    return classes


def _same_length(found: Realtime, published: Classes) -> None:
    if len(published) != len(found.time):
        what = f"there are {len(published)} published classes for {len(found.time)} times"
        raise InputError("published classes", what, "give one for every time, -1 where none was published")


def _explained(found: Realtime, published: Classes, *, ours: Classes, row: int) -> Miss:
    said, own = int(published[row]), int(ours[row])
    value = found.value[row]
    for column, item in enumerate(found.items):
        if said in _with_last_digit(value, found, column=column):
            return Miss(row, said, own, "last digit", item.id)
    if row > 0 and ours[row - 1] == said:
        return Miss(row, said, own, "reading before")
    for column, item in enumerate(found.items):
        others = np.delete(found.item_class[row], column)
        if np.isfinite(value[column]) and others.max(initial=NOT_JUDGED) == said:
            return Miss(row, said, own, "one item", item.id)
    return Miss(row, said, own, "not known")


def _with_last_digit(value: Array, found: Realtime, *, column: int) -> list[int]:
    """Return the classes of a row when one value is half a last shown digit higher or lower."""
    return [
        int(classes_of(moved[None, :], found.items, water_type=found.section.water_type).max())
        for moved in _moved(value, found.items, column=column)
    ]


def _moved(value: Array, items: Sequence[Item], *, column: int) -> list[Array]:
    half = 0.5 * 10.0 ** -items[column].shown_decimals
    moved = []
    for step in (-half, half):
        other = value.copy()
        other[column] += step * (1.0 - 1e-6)
        moved.append(other)
    return moved
