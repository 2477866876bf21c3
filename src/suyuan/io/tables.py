"""Tables from CSV, Parquet and workbooks: columns by any of their names, cells as text, rows with their line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import Fault, InputError
from suyuan.io.files import read_text, require_file
from suyuan.io.sheets import sheet_rows

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 20
"""Distinct wrong values named per column; the rest are counted."""

_UNNAMED = "\0"
"""Begins the names given to columns without one, which spreadsheets leave behind and nobody reads."""

_NO_NUMBER = {"", "-", "--", "---", "*", "/", "na", "n/a", "nan", "null", "none", "缺测", "无"}
"""How missing numbers are written, in lower case."""


@dataclass(frozen=True)
class Column:
    """A column that a table may have, by its name or any alias (any case)."""

    name: str
    aliases: tuple[str, ...] = ()
    is_required: bool = True


@dataclass(frozen=True)
class Table:
    """Cells as read. `row` (row,) is the line in the file (Parquet: the row); `extra` columns have no use."""

    source: str
    columns: Mapping[str, pd.Series[Any]]
    row: NDArray[np.int64]
    extra: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.row)

    def text(self, name: str) -> pd.Series[str]:
        """Return a column as text without blanks around it; '' where a cell or the column is missing."""
        import pandas as pd

        if name not in self.columns:
            return pd.Series([""] * len(self), dtype="str")
        cells = self.columns[name]
        if pd.api.types.is_float_dtype(cells.dtype):  # an id column with a gap: 12.0 is '12'
            cells = cells.map(_number_text)
        return cells.astype("str").fillna("").str.strip()

    def numbers(self, name: str) -> tuple[NDArray[np.float64], list[Fault]]:
        """Return a column as numbers, NaN where nothing is written, and a fault for every other cell."""
        import pandas as pd

        if name in self.columns and pd.api.types.is_numeric_dtype(self.columns[name].dtype):
            return self.columns[name].to_numpy(dtype=float, na_value=np.nan), []
        text = self.text(name)
        value = pd.to_numeric(text, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        wrong = ~np.isfinite(value) & ~is_no_number(text)
        remedy = "write a number with a decimal point, or nothing where there is none"
        return value, self.faults(wrong, text, say=lambda cell: (f"{name} '{cell}' is not a number", remedy))

    def faults(
        self, wrong: NDArray[np.bool_], cells: pd.Series[str], *, say: Callable[[str], tuple[str, str]]
    ) -> list[Fault]:
        """Return one fault for each distinct wrong cell: what `say` says of it, its first row, how often."""
        import pandas as pd

        if not wrong.any():
            return []
        rows = pd.Series(self.row[wrong])
        first = rows.groupby(cells[wrong].to_numpy(), sort=False).agg(["min", "size"])
        faults = []
        for cell, (row, count) in zip(first.index[:_SHOWN], first.to_numpy()[:_SHOWN], strict=True):
            what, remedy = say(str(cell))
            times = f" (and in {count - 1:,} more rows)" if count > 1 else ""
            faults.append(Fault(self.source, int(row), what + times, remedy))
        if len(first) > _SHOWN:
            rest = first["size"].iloc[_SHOWN:].sum()
            what = f"{rest:,} more rows have {len(first) - _SHOWN:,} other values with the same fault"
            faults.append(Fault(self.source, int(first["min"].iloc[_SHOWN]), what, faults[-1].remedy))
        return faults


def _number_text(value: float) -> str:
    """Return a number as the text it was before a gap in its column made it a float; '' for the gap.

    >>> _number_text(3202811001.0), _number_text(12.5), _number_text(float("nan"))
    ('3202811001', '12.5', '')
    """
    if np.isnan(value):
        return ""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.15g}"


def is_no_number(text: pd.Series[str]) -> NDArray[np.bool_]:
    """Return where a cell says that there is no number: nothing, '--', 'NA', '缺测' ..."""
    return np.asarray(text.str.lower().isin(_NO_NUMBER), dtype=bool)


def read_table(path: str | Path, columns: Sequence[Column]) -> Table:
    """Return the table in a CSV (.csv, .txt, .tsv), Parquet or workbook file, its columns under the names asked for.

    Lines before the header that begin with # are comments. Raises InputError with every missing, doubled, or
    probably misspelt column and every row with too many or too few cells.
    """
    return fitted(read_cells(path), columns)


def read_cells(path: str | Path) -> Table:
    """Return the table in a file as it is, under its own headers; of a workbook (.xlsx, .xls, .ods) its first sheet."""
    path = require_file(path)
    readers = {".csv": _read_csv, ".txt": _read_csv, ".tsv": _read_csv, ".parquet": _read_parquet}
    readers |= dict.fromkeys((".xlsx", ".xls", ".ods"), _read_sheet)
    if path.suffix.lower() not in readers:
        what = f"'{path.suffix}' is not a kind of table"
        raise InputError(path.name, what, f"save it as one of: {', '.join(readers)}")
    return readers[path.suffix.lower()](path)


def _read_sheet(path: Path) -> Table:
    import pandas as pd

    rows = sheet_rows(path)
    start = next((i for i, row in enumerate(rows) if sum(cell != "" for cell in row) > 1), len(rows))
    if start == len(rows):
        raise InputError(path.name, "there is no header row", "name the columns in the first row")
    names = [name.strip() or f"{_UNNAMED}{i}" for i, name in enumerate(rows[start])]
    _require_once(names, path.name, row=start + 1)
    filled = [(i, row) for i, row in enumerate(rows[start + 1 :], start=start + 2) if any(row)]
    columns = {
        name: pd.Series([row[i] for _, row in filled], dtype="str")
        for i, name in enumerate(names)
        if not name.startswith(_UNNAMED)
    }
    return Table(path.name, columns, np.array([i for i, _ in filled], dtype=np.int64))


def _require_once(names: Sequence[str], source: str, *, row: int) -> None:
    """Raise InputError where a header stands twice."""
    twice = {name for name in names if name and names.count(name) > 1}
    if twice:
        what = f"the column '{min(twice)}' is there twice"
        raise InputError(source, what, "keep one", row=row)


def _read_parquet(path: Path) -> Table:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        frame = pq.read_table(path).to_pandas()
    except (pa.ArrowException, OSError) as error:
        what = f"cannot be read as Parquet, it may be half-written ({str(error).splitlines()[0]})"
        raise InputError(path.name, what, "export it again") from error
    frame = frame.reset_index(drop=frame.index.name is None)
    return Table(path.name, {str(c): frame[c] for c in frame.columns}, np.arange(1, len(frame) + 1))


def _read_csv(path: Path) -> Table:
    lines = read_text(path).split("\n")
    start = next(
        (i for i, line in enumerate(lines) if line.strip() and not line.lstrip('"').startswith("#")),
        len(lines),
    )
    if start == len(lines):
        raise InputError(path.name, "there is no header line", "name the columns in the first line")
    delimiter = max(",;\t", key=lines[start].count)
    names = [name.strip() for name in next(csv.reader([lines[start]], delimiter=delimiter))]
    _require_once(names, path.name, row=start + 1)
    names = [name or f"{_UNNAMED}{i}" for i, name in enumerate(names)]
    frame, row, faults = _cells(lines, start, names=names, delimiter=delimiter, source=path.name)
    if faults:
        raise InputError.of(faults)
    filled = np.zeros(len(frame), bool)
    for name in names:
        filled |= (frame[name] != "").to_numpy(dtype=bool)
    kept = frame if filled.all() else frame[filled].reset_index(drop=True)  # spreadsheets leave rows of ,,,
    return Table(path.name, {n: kept[n] for n in names if not n.startswith(_UNNAMED)}, row[filled])


def _cells(
    lines: list[str], start: int, *, names: list[str], delimiter: str, source: str
) -> tuple[pd.DataFrame, NDArray[np.int64], list[Fault]]:
    """Return the cells below the header as text, the line of each row, and rows of the wrong length."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.csv as pa_csv  # type: ignore[import-untyped]

    ragged: list[Any] = []

    def skip(row: Any) -> str:
        ragged.append(row)
        return "skip"

    body = [(i, line) for i, line in enumerate(lines[start + 1 :], start=start + 2) if line.strip()]
    texts = {name: pa.string() for name in names}
    line_of = np.array([i for i, _ in body], dtype=np.int64)
    unclosed = [i for i, line in body if '"' in line and line.count('"') % 2]
    faults = [
        Fault(source, i, "a quotation mark is not closed", "close or delete it") for i in unclosed[:_SHOWN]
    ]
    if not body or faults:
        return pd.DataFrame({name: pd.Series([], dtype="str") for name in names}), line_of[:0], faults
    table = pa_csv.read_csv(
        io.BytesIO("\n".join(line for _, line in body).encode()),
        read_options=pa_csv.ReadOptions(use_threads=False, column_names=names),
        parse_options=pa_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=skip),
        convert_options=pa_csv.ConvertOptions(column_types=texts, strings_can_be_null=False),
    )
    for bad in ragged:
        what = f"the row '{bad.text[:60]}' has {bad.actual_columns} cells where the header has {len(names)}"
        faults.append(Fault(source, int(line_of[bad.number - 1]), what, f"give it {len(names)} cells"))
    return table.to_pandas(), np.delete(line_of, [bad.number - 1 for bad in ragged]), faults


def fitted(table: Table, columns: Sequence[Column]) -> Table:
    """Return the table with its columns under the names asked for, or raise InputError."""
    known = {alias.lower(): column.name for column in columns for alias in (column.name, *column.aliases)}
    found: dict[str, str] = {}
    faults = []
    for header in table.columns:
        name = known.get(header.lower().strip("\ufeff "))
        if name in found:
            what = f"the columns '{found[name]}' and '{header}' both mean {name}"
            faults.append(Fault(table.source, 0, what, "keep one of them"))
        elif name:
            found[name] = header
    extra = tuple(header for header in table.columns if header not in found.values())
    faults += _missing(table.source, columns, found=found, extra=extra)
    if faults:
        raise InputError.of(faults)
    cells = {name: table.columns[header] for name, header in found.items()}
    return Table(table.source, cells, table.row, extra)


def _missing(
    source: str, columns: Sequence[Column], *, found: Iterable[str], extra: Sequence[str]
) -> Iterable[Fault]:
    """Yield a fault for every missing column that is required and every unknown one that resembles one."""
    absent = [column for column in columns if column.name not in set(found)]
    for column in absent:
        if column.is_required:
            names = " or ".join((column.name, *column.aliases[:2]))
            close = get_close_matches(column.name, extra, n=1)
            remedy = f"is it '{close[0]}'? Name it {names}" if close else f"add it, named {names}"
            yield Fault(source, 0, f"the column '{column.name}' is missing", remedy)
        else:
            for name in get_close_matches(column.name, extra):
                remedy = f"did you mean '{column.name}'? Rename it, or give it a name that is not so near"
                yield Fault(source, 0, f"the column '{name}' is not known", remedy)
