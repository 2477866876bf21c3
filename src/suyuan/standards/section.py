"""Sections: stations that are assessed, with what the assessment must know of them."""

from __future__ import annotations

from dataclasses import dataclass

from suyuan.errors import InputError, nearest
from suyuan.standards.scheme import Item, Scheme
from suyuan.substances import determinand


@dataclass(frozen=True)
class Section:
    """A station that is assessed (断面). `target_class` is '' where none is set; `other_names` are names of the same
    station.

    `water_type` decides which limits hold (river or lake); where nobody stated it, `is_water_assumed`. `selection` says
    which items, the first of the scheme if ''; `extra_items` are the X of 9+X.
    """

    station: str
    water_type: str = "river"
    target_class: str = ""
    selection: str = ""
    extra_items: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()
    is_water_assumed: bool = False


def items_of(section: Section, scheme: Scheme) -> tuple[Item, ...]:
    """Return the items that are judged at a section: those of its selection with limits for its water, and its
    extra ones.

    >>> from suyuan.standards.scheme import scheme
    >>> [item.id for item in items_of(Section("S1", selection="9+X", extra_items=("氟化物",)), scheme())]
    ['pH', 'DO', 'CODMn', 'NH3-N', 'TP', 'fluoride']
    """
    if section.water_type not in scheme.water_types:
        what = f"'{section.water_type}' is not a type of water of {scheme.id}"
        raise InputError(
            f"section {section.station}", what, nearest(section.water_type, list(scheme.water_types))
        )
    chosen = [scheme.item(name) for name in scheme.selection(section.selection).items]
    for name in section.extra_items:
        extra = scheme.item(name)
        if section.water_type not in extra.limits:
            what = f"{determinand(name).id} has no limit for {section.water_type} in {scheme.id}"
            raise InputError(f"section {section.station}", what, "take it out of the items of the section")
        if extra not in chosen:
            chosen.append(extra)
    return tuple(item for item in chosen if section.water_type in item.limits)


def target_of(section: Section, scheme: Scheme) -> int | None:
    """Return the index of a section's target class, None where none is set; a class without limits is none to reach
    for.
    """
    if not section.target_class:
        return None
    found = scheme.class_index(section.target_class)
    if found == len(scheme.classes) - 1:
        what = f"the target class '{section.target_class}' has no limits"
        known = ", ".join(grade.id for grade in scheme.classes[:-1])
        raise InputError(f"section {section.station}", what, f"write one of: {known}")
    return found
