"""The table [sections] of suyuan.toml, and the section that a station is with it and with the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, Protocol

from suyuan.errors import InputError, nearest
from suyuan.network import Network
from suyuan.standards.scheme import Scheme
from suyuan.standards.section import Section, items_of, target_of

KEYS = ("water_type", "target_class", "selection", "items", "names")
"""The keys of [sections."NAME"]."""


class Report(Protocol):
    """Notes a fault of the settings on the line where `key` stands."""

    def __call__(self, key: str, what: str, *, remedy: str) -> None:
        """Note one fault."""


def flag(table: Any, name: str, *, key: str, fault: Report) -> bool | None:
    """Return whether a key of the table `name` is true, False where it is left out; reported and None where it is neither."""
    value = table.get(key, False) if isinstance(table, dict) else False
    if isinstance(value, bool):
        return value
    what = f"{key} in [{name}] is {value!r}, neither true nor false"
    fault(key, what, remedy=f"write {key} = true, or leave it out")
    return None


def sections_in(table: Any, fault: Report, *, scheme: Scheme) -> tuple[Section, ...]:
    """Return the sections that the table [sections] describes, and report what is wrong with it.

    Where it says no `water_type` that is '' until `section_of` has asked the network.
    """
    if not isinstance(table, dict):
        fault("sections", "'sections' is not a table", remedy='write [sections."NAME"] on a line of its own')
        return ()
    found = []
    for station, given in table.items():
        if not isinstance(given, dict):
            remedy = f'write [sections."{station}"] on a line of its own'
            fault(station, f"'{station}' in [sections] is not a table", remedy=remedy)
            continue
        section = _section(station, given, fault=fault, scheme=scheme)
        if section is not None:
            found.append(section)
    _doubled(found, fault)
    return tuple(found)


def section_of(
    station: str, sections: Sequence[Section], *, network: Network | None, scheme: Scheme
) -> Section:
    """Return a station as a section, from [sections] and the network, which must not contradict each other.

    A name that [sections] lists as another name of a section means that section, and so do id and name of a station in
    the network where either is in [sections]. A station that neither knows is one on the first type of water of the
    scheme (a river) without a target; that its water was assumed goes with it.
    """
    own = next((s for s in sections if station == s.station or station in s.other_names), None)
    if network is None:
        return _settled(own or Section(station, ""), scheme)
    known = network.station(own.station if own else station)
    own = _entry_of({known.id, known.name, own.station if own else station} - {""}, sections)
    drawn = Section(known.id, known.water_type, known.target_class)
    if known.name:
        drawn = replace(drawn, other_names=(known.name,))
    if own is None:
        return _settled(drawn, scheme)
    for word in ("water_type", "target_class"):
        ours, theirs = getattr(own, word), getattr(drawn, word)
        if ours and theirs and ours != theirs:
            what = f"{word} of '{station}' is {ours} in [sections] and {theirs} in the network"
            raise InputError("suyuan.toml", what, "keep one of them")
    names = tuple(dict.fromkeys((*own.other_names, *drawn.other_names)))
    both = replace(
        own,
        station=known.id,
        water_type=own.water_type or drawn.water_type,
        target_class=own.target_class or drawn.target_class,
        other_names=names,
    )
    return _settled(both, scheme)


def _entry_of(names: Set[str], sections: Sequence[Section]) -> Section | None:
    """Return the section of [sections] that goes by one of the names of a station, None where none does."""
    found = [s for s in sections if names & {s.station, *s.other_names}]
    if len(found) > 1:
        what = f"[sections] has one station twice, as {' and '.join(repr(s.station) for s in found)}"
        raise InputError("suyuan.toml", what, "keep one of them")
    return found[0] if found else None


def _settled(section: Section, scheme: Scheme) -> Section:
    """Return a section on the first type of water of the scheme (a river) where none is stated, marked as assumed."""
    if section.water_type:
        return section
    return replace(section, water_type=scheme.water_types[0], is_water_assumed=True)


def _section(station: str, given: Mapping[str, Any], *, fault: Report, scheme: Scheme) -> Section | None:
    for key in given:
        if key not in KEYS:
            fault(key, f"'{key}' in [sections.\"{station}\"] is not known", remedy=nearest(key, KEYS))
    lists = {}
    for key in ("items", "names"):
        value = given.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            fault(key, f"{key} of section '{station}' is {value!r}", remedy=f'write {key} = ["...", "..."]')
            return None
        lists[key] = tuple(value)
    texts = {
        key: given.get(key, default)
        for key, default in (("water_type", ""), ("target_class", ""), ("selection", ""))
    }
    for key, value in texts.items():
        if not isinstance(value, str):
            fault(key, f"{key} of section '{station}' is {value!r}", remedy=f"write {key} in quotes")
            return None
    section = Section(station, **texts, extra_items=lists["items"], other_names=lists["names"])
    try:
        items_of(_settled(section, scheme), scheme)
        target_of(section, scheme)
    except InputError as error:
        fault(station, f"section '{station}': {error.faults[0].what}", remedy=error.faults[0].remedy)
        return None
    return section


def _doubled(sections: Sequence[Section], fault: Report) -> None:
    """Report a name that two sections claim: their readings would be mixed."""
    owner: dict[str, str] = {}
    for section in sections:
        for name in (section.station, *section.other_names):
            if name in owner and owner[name] != section.station:
                what = f"'{name}' is a name of the sections '{owner[name]}' and '{section.station}'"
                fault(name, what, remedy="leave it to one of them")
            owner.setdefault(name, section.station)
