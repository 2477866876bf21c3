"""The text of a SWMM 5 `.inp`: its sections, options and what it says of outside files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from suyuan.errors import Fault, InputError
from suyuan.io.files import read_bytes, read_text

SECTIONS = (
    *("TITLE", "OPTION", "FILE", "RAINGAGE", "TEMPERATURE", "EVAP", "SUBCATCHMENT", "SUBAREA", "INFIL"),
    *("AQUIFER", "GROUNDWATER", "SNOWPACK", "JUNC", "OUTFALL", "STORAGE", "DIVIDER", "CONDUIT", "PUMP"),
    *("ORIFICE", "WEIR", "OUTLET", "XSECT", "TRANSECT", "LOSS", "CONTROL", "POLLUT", "LANDUSE", "BUILDUP"),
    *("WASHOFF", "COVERAGE", "INFLOW", "DWF", "PATTERN", "RDII", "HYDROGRAPH", "LOADING", "TREATMENT"),
    *("CURVE", "TIMESERIES", "REPORT", "COORDINATE", "VERTICES", "POLYGON", "LABEL", "SYMBOL", "BACKDROP"),
    *("TAG", "PROFILE", "MAP", "LID_CONTROL", "LID_USAGE", "GWF", "ADJUSTMENT", "EVENT", "STREET"),
    *("INLET_USAGE", "INLET"),
)
"""Sections by the beginning of their name, as SWMM itself knows them (text.h of SWMM 5.2.4)."""

_TOKEN = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclass(frozen=True)
class Row:
    """One line with data: its number in the file and its cells, quotes taken off, comments left out."""

    line: int
    cells: tuple[str, ...]

    def cell(self, position: int, default: str = "") -> str:
        """Return the cell at a position, `default` where the line is shorter."""
        return self.cells[position] if position < len(self.cells) else default


@dataclass(frozen=True)
class Inp:
    """A `.inp` as text: `sections` by the names in SECTIONS, `unknown` the headers that SWMM does not know, `lines` as read.

    `encoding` is that of the file, in which SWMM writes ids to the `.out`.
    """

    path: Path
    encoding: str
    lines: tuple[str, ...]
    sections: dict[str, tuple[Row, ...]]
    unknown: tuple[str, ...]

    @property
    def source(self) -> str:
        """The file's name, for messages."""
        return self.path.name

    def rows(self, section: str) -> tuple[Row, ...]:
        """Return the lines of a section, none where it is missing."""
        return self.sections.get(section, ())

    def option(self, name: str, default: str) -> str:
        """Return an option in capitals; SWMM's own `default` where the file lacks it."""
        found = [row.cell(1) for row in self.rows("OPTION") if row.cell(0).upper() == name]
        return (found[-1] if found else default).upper()

    def is_averaged(self) -> bool:
        """Return whether results are means over the report step, not values at its end."""
        return self.reported("AVERAGES") == "YES"

    def reported(self, name: str) -> str:
        """Return what the section REPORT says under a name, in capitals; '' where nothing."""
        found = [row.cell(1) for row in self.rows("REPORT") if row.cell(0).upper() == name]
        return found[-1].upper() if found else ""


def read_inp(path: Path) -> Inp:
    """Return the text of a `.inp` in UTF-8, with or without BOM, or in GB 18030.

    Raises InputError for a file without any section of SWMM's.
    """
    text = read_text(path)
    if "\0" in text:
        raise InputError(path.name, "is no text: it holds null bytes", "give SWMM's .inp, saved as UTF-8")
    lines = tuple(text.split("\n"))
    sections: dict[str, list[Row]] = {}
    unknown, section = [], ""
    for number, line in enumerate(lines, start=1):
        cells = cells_of(line)
        if cells and cells[0].startswith("["):
            header = header_of(line)
            section = section_of(header)
            sections.setdefault(section, [])
            unknown += [] if section else [header]
        elif cells:
            sections.setdefault(section, []).append(Row(number, cells))
    sections.pop("", None)
    if not sections:
        what = "has no section of a SWMM 5 input file, such as [CONDUITS]"
        raise InputError(path.name, what, "give the .inp that SWMM saves")
    return Inp(
        path, _encoding(path), lines, {name: tuple(rows) for name, rows in sections.items()}, tuple(unknown)
    )


def cells_of(line: str) -> tuple[str, ...]:
    """Return the cells of a line without its comment.

    >>> cells_of('G1 "rain of 2024.dat"  MM ; from the airport')
    ('G1', 'rain of 2024.dat', 'MM')
    """
    found = _TOKEN.finditer(line.partition(";")[0])
    return tuple(match[1] if match[1] is not None else match[2] for match in found)


def header_of(line: str) -> str:
    """Return the name in the brackets of a line that begins a section.

    >>> header_of("  [Conduits] ; pipes")
    'Conduits'
    """
    return line.strip().partition("]")[0].strip("[ ")


def section_of(header: str) -> str:
    """Return the name in SECTIONS of a header, '' for one that SWMM does not know.

    >>> section_of("Conduits"), section_of("SEWERS")
    ('CONDUIT', '')
    """
    return next((name for name in SECTIONS if header.upper().startswith(name)), "")


def likely(header: str) -> str:
    """Return the section a misspelled header may have meant, '' for none."""
    close = difflib.get_close_matches(header.upper(), [f"{name}S" for name in SECTIONS], n=1, cutoff=0.75)
    return close[0] if close else ""


def number(row: Row, position: int, *, what: str, source: str, default: str = "") -> float:
    """Return a cell as a number; raises InputError, naming the line, where it is none."""
    cell = row.cell(position, default)
    try:
        return float(cell)
    except ValueError:
        said = f"'{cell}' is no number" if cell else "is missing"
        raise InputError(
            source, f"the {what} of '{row.cell(0)}' {said}", "correct it in SWMM", row=row.line
        ) from None


def by_id(rows: Sequence[Row], *, what: str, source: str) -> dict[str, Row]:
    """Return rows by their first cell; raises InputError where an id is there twice."""
    found: dict[str, Row] = {}
    faults = []
    for row in rows:
        if row.cell(0) in found:
            said = f"{what} '{row.cell(0)}' is also in row {found[row.cell(0)].line}"
            faults.append(Fault(source, row.line, said, "SWMM takes every id once; rename one of them"))
        found.setdefault(row.cell(0), row)
    if faults:
        raise InputError.of(faults)
    return found


def outside_files(inp: Inp) -> Iterator[tuple[int, str]]:
    """Yield line number and name of every outside file that a run of the model reads."""
    if inp.option("IGNORE_RAINFALL", "NO") != "YES":
        yield from _after(inp.rows("RAINGAGE"), "FILE")
    yield from _after(inp.rows("TIMESERIES"), "FILE")
    yield from _after(inp.rows("TEMPERATURE"), "FILE")
    yield from ((r.line, r.cell(2)) for r in inp.rows("FILE") if r.cell(0).upper() == "USE" and r.cell(2))


def _after(rows: Sequence[Row], word: str) -> Iterator[tuple[int, str]]:
    for row in rows:
        at = next((i for i, cell in enumerate(row.cells) if cell.upper() == word), -1)
        if at >= 0 and row.cell(at + 1):
            yield row.line, row.cell(at + 1)


def _encoding(path: Path) -> str:
    try:
        read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"
