"""The files of an assessment: assessment.html, assessment.json, assessment.csv."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from suyuan.io.atomic import result_folder
from suyuan.plot import class_calendar
from suyuan.report.figures import Lang, inline, svg
from suyuan.report.page import shipped, template
from suyuan.report.section import (
    ITEM_HEADINGS,
    MONTH_HEADINGS,
    item_rows,
    month_rows,
    record_words,
    river_words,
    section_headline,
)
from suyuan.report.words import Words
from suyuan.standards.record import Record
from suyuan.standards.rivers import River

COLUMNS = (
    "period",
    "item",
    "statistic",
    "value",
    "class",
    "exceedance_factor",
    "is_met",
    "readings",
    "below_detection",
)


@dataclass(frozen=True)
class PageInfo:
    """What an assessment does not know itself: project, when the page was made, its language, whether all is invented."""

    project: str
    made: datetime
    lang: Lang = "zh"
    is_invented: bool = False


def write_assessment(
    record: Record, river: River | None, *, page: PageInfo, whole: Mapping[str, Any], out: Path
) -> tuple[Path, ...]:
    """Write an assessment into the folder `out` and return its files, the page first; `whole` is what goes to the
    JSON.
    """
    texts = {
        "assessment.html": section_page(record, river, page=page),
        "assessment.json": json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False),
        "assessment.csv": section_csv(record),
    }
    with result_folder(out) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8-sig" if name.endswith(".csv") else "utf-8", newline="\n")
    return tuple(out / name for name in texts)


def section_csv(record: Record) -> str:
    """Return every item of every month, and of the whole period where that is another, a row each."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(COLUMNS)
    periods = record.months if len(record.months) == 1 else (*record.months, record.whole)
    for period in periods:
        for item in period.to_dict()["items"]:
            known = {**item, "period": period.period, "value": item["written"]}
            writer.writerow(["" if known[name] is None else known[name] for name in COLUMNS])
    return sheet.getvalue()


def section_page(record: Record, river: River | None, *, page: PageInfo) -> str:
    """Return the page of an assessment, readable offline, in both languages."""
    tables: list[tuple[Words, tuple[Words, ...], list[tuple[Words, ...]]]] = [
        (Words("各指标", "Items"), ITEM_HEADINGS, item_rows(record.whole))
    ]
    if len(record.months) > 1:
        tables.append((Words("逐月", "Months"), MONTH_HEADINGS, month_rows(record)))
    has_class = any(month.class_index is not None for month in record.months)
    alt = Words("逐月各指标类别", "class of each item by month")
    return template("section.html").render(
        lang=page.lang,
        project=page.project,
        is_invented=page.is_invented,
        station=record.section.station,
        period=record.whole.period,
        style=shipped("page.css"),
        headline=section_headline(record),
        river=None if river is None else river_words(river),
        tables=tables,
        calendar=inline(svg(class_calendar(record), "calendar"), alt=alt) if has_class else "",
        notes=record_words(record),
        documents=record.whole.scheme.documents,
        rules=record.whole.scheme.rules,
        made=page.made.isoformat(sep=" ", timespec="minutes"),
    )
