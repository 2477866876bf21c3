"""Schemes: classes, items with limits, and the rules of a standard, from the text of a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from suyuan.errors import Fault, InputError, nearest
from suyuan.substances import determinand

STATISTICS = ("mean", "hydrogen_mean", "median", "p10", "p90", "p95", "min", "max")
"""What of a period's readings an item judges; p10, p90, p95 are percentiles, `hydrogen_mean` is a mean of pH."""

DEFAULT = "GB3838-2002"
_SHIPPED = {DEFAULT: "gb3838_2002.toml"}
_DIRECTIONS = ("at_most", "at_least", "within")

Limit = tuple[Decimal | None, Decimal | None]
"""The lowest and highest value of a class, both included; None where there is no such bound."""


@dataclass(frozen=True)
class Document:
    """A document that a scheme rests on; `checked` says how far we read it."""

    id: str
    title: str
    issued: str
    checked: str
    says: str


@dataclass(frozen=True)
class Rule:
    """A rule in a sentence, its source, and how far it was checked (memory: by nobody)."""

    id: str
    says: str
    source: str
    checked: str
    says_zh: str = ""


@dataclass(frozen=True)
class Grade:
    """A class with its label, or a state of a river, and its words."""

    id: str
    label: str
    words: str
    words_zh: str


@dataclass(frozen=True)
class Item:
    """What is judged: a determinand by one statistic, with the limits of each class per type of water.

    `decimals` is how far an assessed value is rounded, `shown_decimals` how far published readings are.
    `best_class_also_by_saturation` is the oxygen saturation that the best class also accepts, 0 where none is.
    `is_named_first` items come first among the main pollutants.
    """

    id: str
    determinand: str
    statistic: str
    limits: Mapping[str, tuple[Limit, ...]]
    decimals: int
    shown_decimals: int
    clause: str = ""
    has_exceedance_factor: bool = True
    is_named_first: bool = False
    best_class_also_by_saturation: float = 0.0

    def class_of(self, value: Decimal, water_type: str) -> int:
        """Return the index of the best class that accepts a value in this type of water, the number of classes
        where none does.

        >>> tp = scheme().item("TP")
        >>> tp.class_of(Decimal("0.2"), "river"), tp.class_of(Decimal("0.2"), "lake"), tp.class_of(Decimal("0.21"), "lake")
        (2, 4, 5)
        """
        for i, (low, high) in enumerate(self.limits[water_type]):
            if (low is None or value >= low) and (high is None or value <= high):
                return i
        return len(self.limits[water_type])

    def exceedance_factor(self, value: Decimal, *, water_type: str, of_class: int) -> Decimal | None:
        """Return (C - S) / S against the limit S of a class; None where it is kept or the item has no such factor.

        >>> scheme().item("NH3-N").exceedance_factor(Decimal("1.35"), water_type="river", of_class=2)
        Decimal('0.35')
        """
        high = self.limits[water_type][of_class][1]
        if not self.has_exceedance_factor or not high or value <= high:
            return None
        return (value - high) / high


@dataclass(frozen=True)
class Selection:
    """Which items are judged together, and where that is said."""

    id: str
    items: tuple[str, ...]
    rule: Rule


@dataclass(frozen=True)
class RiverRow:
    """A row of the table of river grades: least share of good classes, share beyond all classes that is too many."""

    grade: Grade
    good_at_least: float
    beyond_below: float


@dataclass(frozen=True)
class Scheme:
    """A standard as data. `classes` run from best to worst; the last is beyond all limits."""

    id: str
    name: str
    name_zh: str
    version: str
    classes: tuple[Grade, ...]
    items: tuple[Item, ...]
    water_types: tuple[str, ...]
    selections: Mapping[str, Selection]
    rules: tuple[Rule, ...]
    documents: tuple[Document, ...]
    exceedance_class: int
    few_sections: int
    waters_by_means: tuple[str, ...]
    river_rows: tuple[RiverRow, ...]

    def item(self, name: str) -> Item:
        """Return the item of this id or determinand.

        >>> scheme().item("氨氮").decimals
        2
        """
        known = {item.id: item for item in self.items}
        if name in known:
            return known[name]
        found = determinand(name).id
        if found not in known:
            raise InputError(self.id, f"'{found}' is not judged by this scheme", nearest(found, list(known)))
        return known[found]

    def selection(self, name: str) -> Selection:
        """Return the selection of this name (21, 9+X, realtime), the first of the scheme for ''."""
        if not name:
            return next(iter(self.selections.values()))
        if name not in self.selections:
            what = f"'{name}' is not a selection of items"
            raise InputError(self.id, what, nearest(name, list(self.selections)))
        return self.selections[name]

    def class_index(self, written: str) -> int:
        """Return the index of a class however it is written: III, Ⅲ, Ⅲ类, 3, class 3, 劣Ⅴ.

        >>> scheme().class_index("Ⅲ类"), scheme().class_index("劣Ⅴ")
        (2, 5)
        """
        plain = _plain_class(written)
        for i, grade in enumerate(self.classes):
            if plain in (_plain_class(grade.id), _plain_class(grade.label), str(i + 1)):
                return i
        what = f"'{written}' is not a class of {self.id}"
        raise InputError("target class", what, f"write one of: {', '.join(g.id for g in self.classes)}")


@cache
def scheme(name: str = DEFAULT) -> Scheme:
    """Return a shipped scheme.

    >>> scheme().item("TP").limits["lake"][2]
    (None, Decimal('0.05'))
    """
    if name not in _SHIPPED:
        raise InputError("scheme", f"'{name}' is not shipped", nearest(name, list(_SHIPPED)))
    text = files("suyuan.standards").joinpath(_SHIPPED[name]).read_text("utf-8")
    return scheme_of(text, source=_SHIPPED[name])


def scheme_of(text: str, *, source: str = "scheme") -> Scheme:
    """Return the scheme that a TOML text describes; raises InputError with every fault of its items.

    The form is that of `gb3838_2002.toml`, which is shipped. Numbers become decimals, never floats.
    """
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise InputError(source, str(error), "see docs/standards.md for the form of a scheme") from error
    missing = [key for key in ("id", "version", "class", "item") if not data.get(key)]
    if missing:
        raise InputError(
            source, f"the scheme has no {missing[0]}", "see docs/standards.md for the form of a scheme"
        )
    classes = tuple(_grade(row) for row in data["class"])
    water_types = tuple(data.get("water_types", ("river",)))
    items, faults = [], list[Fault]()
    for row in data["item"]:
        try:
            items.append(_item(row, water_types, count=len(classes) - 1))
        except InputError as error:
            faults += [Fault(source, 0, f.what, f.remedy) for f in error.faults]
    if faults:
        raise InputError.of(faults)
    return Scheme(
        id=data["id"],
        name=data.get("name", data["id"]),
        name_zh=data.get("name_zh", data.get("name", data["id"])),
        version=data["version"],
        classes=classes,
        items=tuple(items),
        water_types=water_types,
        selections=_selections(data, items, source=source),
        rules=tuple(_rule(row) for row in data.get("rule", ())),
        documents=tuple(map(_document, data.get("document", ()))),
        exceedance_class=_exceedance_class(data, classes, source=source),
        few_sections=data.get("few_sections", 1),
        waters_by_means=tuple(data.get("waters_by_means", ())),
        river_rows=tuple(map(_river_row, data.get("river_grade", ()))),
    )


def _exceedance_class(data: Mapping[str, Any], classes: tuple[Grade, ...], *, source: str) -> int:
    named = data.get("exceedance_class", classes[0].id)
    ids = [grade.id for grade in classes[:-1]]
    if named not in ids:
        raise InputError(
            source, f"exceedance_class '{named}' is not a class with limits", nearest(named, ids)
        )
    return ids.index(named)


def _grade(row: Mapping[str, Any]) -> Grade:
    words = row.get("grade", row.get("id", ""))
    return Grade(row.get("id", words), row.get("label", row.get("id", "")), words, row.get("grade_zh", words))


def _document(row: Mapping[str, Any]) -> Document:
    title = row.get("title_zh", row.get("title", ""))
    return Document(row["id"], title, row.get("issued", ""), row["checked"], row.get("says", ""))


def _rule(row: Mapping[str, Any]) -> Rule:
    return Rule(row["id"], row["says"], row["source"], row["checked"], row.get("says_zh", row["says"]))


def _river_row(row: Mapping[str, Any]) -> RiverRow:
    return RiverRow(_grade(row), float(row.get("good_at_least", 0)), float(row.get("beyond_below", "inf")))


def _selections(data: Mapping[str, Any], items: list[Item], *, source: str) -> dict[str, Selection]:
    ids = [item.id for item in items]
    given = data.get("selection", {"all": {"items": ids, "says": "all items", "source": "", "checked": ""}})
    found = {}
    for name, row in given.items():
        for item in row["items"]:
            if item not in ids:
                what = f"selection '{name}' names the item '{item}'"
                raise InputError(source, what, nearest(item, ids))
        rule = Rule(name, row.get("says", ""), row.get("source", ""), row.get("checked", ""))
        found[name] = Selection(name, tuple(row["items"]), rule)
    return found


def _item(row: Mapping[str, Any], water_types: tuple[str, ...], *, count: int) -> Item:
    known = determinand(row["determinand"]).id
    name, statistic = row.get("id", known), row.get("statistic", "mean")
    if statistic not in STATISTICS:
        raise InputError(
            "scheme", f"item {name}: '{statistic}' is not a statistic", nearest(statistic, STATISTICS)
        )
    given = [key for key in _DIRECTIONS if key in row]
    if len(given) != 1:
        what = f"item {name} has {len(given)} of {', '.join(_DIRECTIONS)}"
        raise InputError("scheme", what, "give its limits by one of them")
    if "decimals" not in row:
        raise InputError("scheme", f"item {name} has no decimals", "say to how many its value is rounded")
    limits = _limits(row[given[0]], given[0], name=name, water_types=water_types, count=count)
    return Item(
        id=name,
        determinand=known,
        statistic=statistic,
        limits=limits,
        decimals=row["decimals"],
        shown_decimals=row.get("shown_decimals", row["decimals"]),
        clause=row.get("clause", ""),
        has_exceedance_factor=row.get("has_exceedance_factor", given[0] == "at_most"),
        is_named_first=row.get("is_named_first", False),
        best_class_also_by_saturation=float(row.get("best_class_also_by_saturation", 0)),
    )


def _limits(
    given: Mapping[str, Any], direction: str, *, name: str, water_types: tuple[str, ...], count: int
) -> dict[str, tuple[Limit, ...]]:
    found = {}
    for water in given:
        if water != "any" and water not in water_types:
            what = f"item {name} has limits for the water type '{water}'"
            raise InputError("scheme", what, nearest(water, list(water_types)))
    for water in water_types:
        row = given.get(water, given.get("any"))
        if row is None:
            continue
        if len(row) != count:
            what = f"item {name} has {len(row)} limits for {water}, where {count} classes have limits"
            raise InputError("scheme", what, "give one for every class but the last")
        found[water] = tuple(_limit(cell, direction) for cell in row)
    return found


def _limit(cell: Any, direction: str) -> Limit:
    if direction == "within":
        return Decimal(cell[0]), Decimal(cell[1])
    return (Decimal(cell), None) if direction == "at_least" else (None, Decimal(cell))


def _plain_class(text: str) -> str:
    import unicodedata

    plain = unicodedata.normalize("NFKC", text).strip().upper().replace("CLASS", "").replace("类", "").strip()
    return plain.replace("劣V", "VI")
