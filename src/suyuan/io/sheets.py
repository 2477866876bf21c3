"""Workbooks: the first sheet of an .xlsx, .xls or .ods file as rows of text."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

from suyuan.errors import InputError


def sheet_rows(path: Path) -> list[list[str]]:
    """Return the cells of the first sheet as text, all rows equally long; numbers as they were typed, times in ISO 8601.

    Raises InputError where the file is no workbook, or its first sheet is empty.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
        rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, OSError) as error:
        what = f"cannot be read as a workbook ({str(error).splitlines()[0]})"
        raise InputError(path.name, what, "open and save it again, or save it as 'CSV UTF-8'") from error
    if not rows:
        raise InputError(path.name, "the first sheet is empty", "move the table to the first sheet")
    return [[_text(cell) for cell in row] for row in rows]


def _text(cell: object) -> str:
    """Return a cell as text; a number without the dust of its float.

    >>> _text(17.7), _text(6.0), _text(0.1 + 0.2), _text(datetime(2024, 7, 20, 8))
    ('17.7', '6', '0.3', '2024-07-20 08:00:00')
    """
    if isinstance(cell, bool | str):
        return str(cell).strip()
    if isinstance(cell, float):
        return f"{cell:.0f}" if cell.is_integer() else f"{cell:.15g}"
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)
