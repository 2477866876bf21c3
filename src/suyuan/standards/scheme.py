"""Schemes: classes, items with limits, and the rules of a standard, from the text of a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from importlib.resources import files
from typing import Any, TypeVar

from suyuan.errors import Fault, InputError, nearest
from suyuan.substances import determinand

STATISTICS = ("mean", "hydrogen_mean", "median", "p10", "p90", "p95", "min", "max")
"""What of a period's readings an item judges; p10, p90, p95 are percentiles, `hydrogen_mean` is a mean of pH."""

DEFAULT = "GB3838-2002"
_SHIPPED = {DEFAULT: "gb3838_2002.toml"}
_DIRECTIONS = ("at_most", "at_least", "within")
_FORM = "see docs/standards.md for the form of a scheme"
_FORMS = {
    str: "a text in quotes",
    int: "a whole number",
    bool: "true or false",
    list: "a list: [...]",
    dict: "a table, such as { any = [...] }",
}

T = TypeVar("T")

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
    """Return the scheme that a TOML text describes; raises InputError with the file, the entry and the key.

    The form is that of `gb3838_2002.toml`, which is shipped. Numbers become decimals, never floats.
    """
    try:
        return _scheme(tomllib.loads(text, parse_float=Decimal))
    except tomllib.TOMLDecodeError as error:
        raise InputError(source, str(error), _FORM) from error
    except InputError as error:
        raise InputError.of(Fault(source, 0, f.what, f.remedy) for f in error.faults) from error


def _scheme(data: Mapping[str, Any]) -> Scheme:
    missing = [key for key in ("id", "version", "class", "item") if not data.get(key)]
    if missing:
        raise InputError("scheme", f"the scheme has no {missing[0]}", _FORM)
    named = _said(data, "id", form=str, entry="the scheme")
    classes = tuple(_each(data, "class", read=partial(_grade, key="id")))
    water_types = _said(data, "water_types", form=list, entry="the scheme", default=["river"])
    if not water_types or not all(isinstance(water, str) for water in water_types):
        raise InputError("scheme", f"water_types is {water_types!r}", 'write water_types = ["river", "lake"]')
    items = _each(data, "item", read=partial(_item, water_types=water_types, count=len(classes) - 1))
    name = _said(data, "name", form=str, entry="the scheme", default=named)
    return Scheme(
        id=named,
        name=name,
        name_zh=_said(data, "name_zh", form=str, entry="the scheme", default=name),
        version=_said(data, "version", form=str, entry="the scheme"),
        classes=classes,
        items=tuple(items),
        water_types=tuple(water_types),
        selections=_selections(data, [item.id for item in items]),
        rules=tuple(_each(data, "rule", read=_rule)),
        documents=tuple(_each(data, "document", read=_document)),
        exceedance_class=_exceedance_class(data, classes),
        few_sections=_said(data, "few_sections", form=int, entry="the scheme", default=1),
        waters_by_means=tuple(_said(data, "waters_by_means", form=list, entry="the scheme", default=[])),
        river_rows=tuple(_each(data, "river_grade", read=_river_row)),
    )


def _said(row: Mapping[str, Any], key: str, *, form: type, entry: str, default: Any = None) -> Any:
    """Return what an entry says under a key; raises InputError where that is of another form, or nothing that must be there.

    A `Decimal` is any number.
    """
    value = row.get(key, default)
    if value is None:
        raise InputError("scheme", f"{entry} has no {key}", f"write {key}; {_FORM}")
    if form is Decimal:
        return _number(value, f"{key} of {entry}")
    if not isinstance(value, form) or (isinstance(value, bool) and form is not bool):
        raise InputError("scheme", f"{key} of {entry} is {value!r}", f"write {_FORMS[form]}; {_FORM}")
    return value


def _number(value: Any, what: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or Decimal(value).is_nan():
        raise InputError("scheme", f"{what} is {value!r}", f"write a number without quotes; {_FORM}")
    return Decimal(value)


def _each(data: Mapping[str, Any], key: str, *, read: Callable[[Mapping[str, Any], str], T]) -> list[T]:
    """Return what `read` makes of every table under a key; raises InputError with every fault of them."""
    rows = data.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError("scheme", f"{key} is {rows!r}", f"write [[{key}]] on a line of its own; {_FORM}")
    found, faults = [], list[Fault]()
    for number, row in enumerate(rows, start=1):
        try:
            found.append(read(row, f"{key} {row.get('id') or row.get('determinand') or number}"))
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError.of(faults)
    return found


def _exceedance_class(data: Mapping[str, Any], classes: tuple[Grade, ...]) -> int:
    named = _said(data, "exceedance_class", form=str, entry="the scheme", default=classes[0].id)
    ids = [grade.id for grade in classes[:-1]]
    if named not in ids:
        raise InputError(
            "scheme", f"exceedance_class '{named}' is not a class with limits", nearest(named, ids)
        )
    return ids.index(named)


def _grade(row: Mapping[str, Any], entry: str, *, key: str) -> Grade:
    """Return a class, which must have an id, or a state of a river, which must have its words: `key` says which."""
    text = _said(row, key, form=str, entry=entry)
    named = _said(row, "id", form=str, entry=entry, default=text)
    label = _said(row, "label", form=str, entry=entry, default=row.get("id", ""))
    words = _said(row, "grade", form=str, entry=entry, default=named)
    return Grade(named, label, words, _said(row, "grade_zh", form=str, entry=entry, default=words))


def _document(row: Mapping[str, Any], entry: str) -> Document:
    named, checked = (_said(row, key, form=str, entry=entry) for key in ("id", "checked"))
    title = row.get("title_zh", row.get("title", ""))
    return Document(named, title, row.get("issued", ""), checked, row.get("says", ""))


def _rule(row: Mapping[str, Any], entry: str) -> Rule:
    named, says, source, checked = (
        _said(row, key, form=str, entry=entry) for key in ("id", "says", "source", "checked")
    )
    return Rule(named, says, source, checked, _said(row, "says_zh", form=str, entry=entry, default=says))


def _river_row(row: Mapping[str, Any], entry: str) -> RiverRow:
    good = _said(row, "good_at_least", form=Decimal, entry=entry, default=0)
    beyond = _said(row, "beyond_below", form=Decimal, entry=entry, default=Decimal("inf"))
    return RiverRow(_grade(row, entry, key="grade"), float(good), float(beyond))


def _selections(data: Mapping[str, Any], ids: list[str]) -> dict[str, Selection]:
    given = _said(data, "selection", form=dict, entry="the scheme", default={}) or {
        "all": {"items": ids, "says": "all items"}
    }
    found = {}
    for name in given:
        row = _said(given, name, form=dict, entry="selection")
        entry = f"selection '{name}'"
        items = _said(row, "items", form=list, entry=entry)
        for item in items:
            if item not in ids:
                raise InputError("scheme", f"{entry} names the item '{item}'", nearest(str(item), ids))
        rule = Rule(name, row.get("says", ""), row.get("source", ""), row.get("checked", ""))
        found[name] = Selection(name, tuple(items), rule)
    return found


def _item(row: Mapping[str, Any], entry: str, *, water_types: Sequence[str], count: int) -> Item:
    known = determinand(_said(row, "determinand", form=str, entry=entry)).id
    statistic = _said(row, "statistic", form=str, entry=entry, default="mean")
    if statistic not in STATISTICS:
        raise InputError(
            "scheme", f"{entry}: '{statistic}' is not a statistic", nearest(statistic, STATISTICS)
        )
    given = [key for key in _DIRECTIONS if key in row]
    if len(given) != 1:
        what = f"{entry} has {len(given)} of {', '.join(_DIRECTIONS)}"
        raise InputError("scheme", what, "give its limits by one of them")
    decimals = _said(row, "decimals", form=int, entry=entry)
    saturation = _said(row, "best_class_also_by_saturation", form=Decimal, entry=entry, default=0)
    by_factor = given[0] == "at_most"
    return Item(
        id=_said(row, "id", form=str, entry=entry, default=known),
        determinand=known,
        statistic=statistic,
        limits=_limits(row, given[0], entry=entry, water_types=water_types, count=count),
        decimals=decimals,
        shown_decimals=_said(row, "shown_decimals", form=int, entry=entry, default=decimals),
        clause=row.get("clause", ""),
        has_exceedance_factor=_said(row, "has_exceedance_factor", form=bool, entry=entry, default=by_factor),
        is_named_first=_said(row, "is_named_first", form=bool, entry=entry, default=False),
        best_class_also_by_saturation=float(saturation),
    )


def _limits(
    item: Mapping[str, Any], direction: str, *, entry: str, water_types: Sequence[str], count: int
) -> dict[str, tuple[Limit, ...]]:
    given = _said(item, direction, form=dict, entry=entry)
    found = {}
    for water in given:
        if water != "any" and water not in water_types:
            what = f"{entry} has limits for the water type '{water}'"
            raise InputError("scheme", what, nearest(water, list(water_types)))
    for water in water_types:
        key = water if water in given else "any"
        if key not in given:
            continue
        row = _said(given, key, form=list, entry=f"{direction} of {entry}")
        if len(row) != count:
            what = f"{entry} has {len(row)} limits for {water}, where {count} classes have limits"
            raise InputError("scheme", what, "give one for every class but the last")
        found[water] = tuple(_limit(cell, direction, what=f"a limit of {entry} for {water}") for cell in row)
    return found


def _limit(cell: Any, direction: str, *, what: str) -> Limit:
    if direction == "within":
        if not isinstance(cell, list) or len(cell) != 2:
            raise InputError("scheme", f"{what} is {cell!r}", "write the lowest and the highest: [6, 9]")
        return _number(cell[0], what), _number(cell[1], what)
    bound = _number(cell, what)
    return (bound, None) if direction == "at_least" else (None, bound)


def _plain_class(text: str) -> str:
    import unicodedata

    plain = unicodedata.normalize("NFKC", text).strip().upper().replace("CLASS", "").replace("类", "").strip()
    return plain.replace("劣V", "VI")
