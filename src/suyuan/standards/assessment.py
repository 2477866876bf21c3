"""Assessment mode: the class of a section over a period, from means that are rounded as the rules say.

The other mode is `suyuan.standards.realtime`. They share limits and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from suyuan.observations import GOOD, SUSPECT, Observations
from suyuan.standards.means import decimals_of, statistic_of
from suyuan.standards.rounding import rounded
from suyuan.standards.scheme import Item, Scheme, scheme
from suyuan.standards.section import Section, items_of, target_of

FEW_READINGS = 60
"""A month with fewer readings of an item says so: a third of six a day. A working figure; the official one is not
known to us.
"""

NOTHING_JUDGED = "nothing_judged"

MOST_NAMED = 3
"""Main pollutants are the first three (环办〔2011〕22号)."""


@dataclass(frozen=True)
class Mean:
    """One value of a period: `value` before rounding, of `count` readings, `below` of them below detection.

    `left_out` readings were flagged; `above` were beyond the range of the instrument, so that the value is a least one.
    """

    value: Decimal
    count: int
    below: int = 0
    above: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class Judged:
    """An item with its value, rounded, and what follows: the index of its class, the exceedance factor, the target.

    `exceedance_factor` counts from the scheme's exceedance class, `over_target` from the section's target; None
    where kept or where the item has no factor. `is_met` is None without a target.
    """

    item: Item
    mean: Mean
    value: Decimal
    class_index: int
    exceedance_factor: Decimal | None
    over_target: Decimal | None
    is_met: bool | None


@dataclass(frozen=True)
class Note:
    """Something that must be known with a result: a code, and what its sentence is filled with."""

    code: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assessment:
    """The class of a section over a period [since, until), by rounded means: the single worst item decides.

    `beside` are items with limits that the selection leaves out (TN at lakes); `missing` are items of it without
    readings. `class_index` is None where nothing could be judged.
    """

    section: Section
    scheme: Scheme
    period: str
    since: np.datetime64
    until: np.datetime64
    judged: tuple[Judged, ...]
    beside: tuple[Judged, ...]
    missing: tuple[str, ...]
    notes: tuple[Note, ...]

    mode = "assessment"

    @property
    def class_index(self) -> int | None:
        """The index of the worst class among the judged items."""
        return max((one.class_index for one in self.judged), default=None)

    @property
    def deciding(self) -> tuple[str, ...]:
        """The items whose class is that of the section; none where the best class is reached."""
        return tuple(one.item.id for one in self.judged if 0 < one.class_index == self.class_index)

    @property
    def is_met(self) -> bool | None:
        """Whether the target class is reached; None without a target or without readings."""
        known = [one.is_met for one in self.judged if one.is_met is not None]
        return all(known) if known else None

    @property
    def main_pollutants(self) -> tuple[str, ...]:
        """Up to three items beyond the exceedance class: those named first before others, then by class, then by
        factor.
        """
        over = [one for one in self.judged if one.class_index > self.scheme.exceedance_class]
        order = sorted(over, key=_severity)
        return tuple(one.item.id for one in order[:MOST_NAMED])

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        grade = None if self.class_index is None else self.scheme.classes[self.class_index]
        return {
            "mode": self.mode,
            "station": self.section.station,
            "water_type": self.section.water_type,
            "period": self.period,
            "since": f"{self.since}Z",
            "until": f"{self.until}Z",
            "class": grade and grade.id,
            "grade": grade and grade.words,
            "grade_zh": grade and grade.words_zh,
            "target_class": self.section.target_class or None,
            "is_met": self.is_met,
            "deciding": list(self.deciding),
            "main_pollutants": list(self.main_pollutants),
            "items": [_judged_dict(one, self.scheme) for one in self.judged],
            "beside": [_judged_dict(one, self.scheme) for one in self.beside],
            "missing": list(self.missing),
            "notes": [{"code": note.code, "values": list(note.values)} for note in self.notes],
            "scheme": self.scheme.id,
            "version": self.scheme.version,
        }


def item_means(
    observations: Observations, items: Sequence[Item], *, uses_suspect: bool = False
) -> dict[str, Mean]:
    """Return the value of each item that has readings here, by its id, in decimal arithmetic and before rounding.

    Readings flagged suspect (maintenance) are left out unless `uses_suspect`; those flagged fail never count. Below
    detection counts as half the limit (环办监测函〔2020〕82号, item 7). All readings must be of one station.
    """
    worst = SUSPECT if uses_suspect else GOOD
    found = {}
    for item in items:
        own = observations.where(observations.determinand == item.determinand)
        own = own.where(np.isfinite(own.value))
        used = own.where(own.flag <= worst)
        if len(used):
            value = statistic_of(decimals_of(used.value, used.qualifier), item.statistic)
            below, above = (int((used.qualifier == sign).sum()) for sign in "<>")
            found[item.id] = Mean(value, len(used), below, above, len(own) - len(used))
    return found


def mean_of_means(
    parts: Sequence[Mapping[str, Mean]], items: Sequence[Item], *, weights: Sequence[Decimal] = ()
) -> dict[str, Mean]:
    """Return the value of each item over several months or sections, each of which counts once, whatever its readings, or
    by its weight.
    """
    found = {}
    for item in items:
        own = [part[item.id] for part in parts if item.id in part]
        if own:
            shares = [w for part, w in zip(parts, weights, strict=True) if item.id in part] if weights else ()
            value = statistic_of([mean.value for mean in own], item.statistic, weights=shares)
            counts = (
                sum(getattr(mean, name) for mean in own) for name in ("count", "below", "above", "left_out")
            )
            found[item.id] = Mean(value, *counts)
    return found


def assess(
    observations: Observations,
    section: Section,
    *,
    since: np.datetime64,
    until: np.datetime64,
    scheme: Scheme = scheme(),  # noqa: B008  (frozen, read once)
    uses_suspect: bool = False,
) -> Assessment:
    """Return the class of a section over [since, until) from rounded means (assessment mode).

    Only readings of the section's station or its other names count. A mean of 0.145 mg/L rounds half to even to
    0.14 and is class I:

    >>> time = np.array(["2024-07-01T00", "2024-07-01T04"], dtype="datetime64[s]")
    >>> text, station, name = np.full(2, ""), np.full(2, "S1"), np.full(2, "NH3-N")
    >>> given = Observations(time, station, name, np.array([0.14, 0.15]), text, np.ones(2, np.int8), np.zeros(2), text)
    >>> july = assess(given, Section("S1"), since=np.datetime64("2024-07-01"), until=np.datetime64("2024-08-01"))
    >>> str(july.judged[0].value), july.scheme.classes[july.class_index].id
    ('0.14', 'I')
    """
    own = readings_of(observations, section)
    own = own.where((own.time >= since) & (own.time < until))
    means = item_means(own, _with_beside(section, scheme), uses_suspect=uses_suspect)
    return judge(means, section, scheme=scheme, since=since, until=until)


def judge(
    means: Mapping[str, Mean],
    section: Section,
    *,
    scheme: Scheme,
    since: np.datetime64,
    until: np.datetime64,
    period: str = "",
) -> Assessment:
    """Return the assessment that values of a period amount to: each rounded, classed, and held against limit and
    target.
    """
    items = items_of(section, scheme)
    judged = tuple(
        _judged(item, means[item.id], section=section, scheme=scheme) for item in items if item.id in means
    )
    others = [item for item in _with_beside(section, scheme) if item not in items and item.id in means]
    beside = tuple(_judged(item, means[item.id], section=section, scheme=scheme) for item in others)
    missing = tuple(item.id for item in items if item.id not in means)
    named = period or f"{since}/{until}"
    found = Assessment(section, scheme, named, since, until, judged, beside, missing, ())
    return Assessment(section, scheme, named, since, until, judged, beside, missing, _notes(found))


def called(found: Assessment, label: str) -> Assessment:
    """Return an assessment whose period has a name, in what it says too."""
    notes = (replace(n, values=(n.values[0], label)) if n.code == NOTHING_JUDGED else n for n in found.notes)
    return replace(found, period=label, notes=tuple(notes))


def readings_of(observations: Observations, section: Section) -> Observations:
    """Return the readings of a section, under any of its names."""
    return observations.select(stations=(section.station, *section.other_names))


def _with_beside(section: Section, scheme: Scheme) -> tuple[Item, ...]:
    """Return all items with limits for this water: those judged, and those told beside them."""
    judged = items_of(section, scheme)
    return (
        *judged,
        *(item for item in scheme.items if section.water_type in item.limits and item not in judged),
    )


def _judged(item: Item, mean: Mean, *, section: Section, scheme: Scheme) -> Judged:
    value = rounded(mean.value, item.decimals)
    index = item.class_of(value, section.water_type)
    target = target_of(section, scheme)
    factors = [
        None
        if of_class is None
        else item.exceedance_factor(value, water_type=section.water_type, of_class=of_class)
        for of_class in (scheme.exceedance_class, target)
    ]
    return Judged(
        item, mean, value, index, factors[0], factors[1], None if target is None else index <= target
    )


def _severity(one: Judged) -> tuple[bool, int, Decimal]:
    """Return what main pollutants are ordered by; an item without a factor comes behind those of its class that
    have one.
    """
    return (not one.item.is_named_first, -one.class_index, -(one.exceedance_factor or Decimal(0)))


def _notes(found: Assessment) -> tuple[Note, ...]:
    notes: list[Note] = []
    notes += water_assumed(found.section)
    if not found.judged:
        return (*notes, Note(NOTHING_JUDGED, (found.section.station, found.period)))
    if not found.section.target_class:
        notes.append(Note("no_target", (found.section.station,)))
    days = int((found.until - found.since) / np.timedelta64(1, "D"))
    few = [one for one in found.judged if one.mean.count < min(FEW_READINGS, 2 * days)]
    if few:
        named = ", ".join(f"{one.item.id} {one.mean.count}" for one in few)
        notes.append(Note("few_readings", (named,)))
    if found.missing:
        notes.append(Note("missing_items", (", ".join(found.missing),)))
    left_out = sum(one.mean.left_out for one in (*found.judged, *found.beside))
    if left_out:
        notes.append(Note("left_out", (str(left_out),)))
    above = [one.item.id for one in found.judged if one.mean.above]
    if above:
        notes.append(Note("above_range", (", ".join(above),)))
    if found.main_pollutants:
        notes += unverified(found.scheme, "main_pollutants")
    return tuple(notes)


def water_assumed(section: Section) -> tuple[Note, ...]:
    """Return a note where nobody stated the type of water of a section."""
    return (Note("water_assumed", (section.station, section.water_type)),) if section.is_water_assumed else ()


def unverified(scheme: Scheme, name: str) -> tuple[Note, ...]:
    """Return a note where a rule that was used is known from memory only."""
    return tuple(
        Note("unverified", (rule.says, rule.says_zh))
        for rule in scheme.rules
        if rule.id == name and rule.checked == "memory"
    )


def _judged_dict(one: Judged, scheme: Scheme) -> dict[str, Any]:
    return {
        "item": one.item.id,
        "statistic": one.item.statistic,
        "value": float(one.value),
        "written": str(one.value),
        "unrounded": float(one.mean.value),
        "class": scheme.classes[one.class_index].id,
        "exceedance_factor": None if one.exceedance_factor is None else float(one.exceedance_factor),
        "over_target": None if one.over_target is None else float(one.over_target),
        "is_met": one.is_met,
        "readings": one.mean.count,
        "below_detection": one.mean.below,
        "left_out": one.mean.left_out,
    }
