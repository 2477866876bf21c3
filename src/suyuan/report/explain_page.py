"""The files of an explanation: explain.html, explain.json, parts.csv."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from math import isfinite
from pathlib import Path
from typing import Any

from markupsafe import Markup

from suyuan.clock import iso, stamped
from suyuan.explain.explanation import Change, Explanation
from suyuan.explain.mixing import Mixing
from suyuan.explain.notes import Note
from suyuan.io.atomic import result_folder
from suyuan.plot.waterfall import mixing_diagram, told_series, waterfall
from suyuan.report.explain import (
    CHANGE_HEADINGS,
    MIXING_HEADINGS,
    PART_HEADINGS,
    change_rows,
    explain_headline,
    explain_notes,
    instead_words,
    mixing_rows,
    mixing_words,
    part_rows,
)
from suyuan.report.explain_words import note_sentence
from suyuan.report.figures import inline, svg
from suyuan.report.page import shipped, template
from suyuan.report.results import without_nan
from suyuan.report.section_page import PageInfo
from suyuan.report.words import Words

COLUMNS = ("determinand", "part", "value", "low", "high", "without", "is_possible", "why_not")
TITLE = Words("变化原因", "Why it moved")
HANDS_OFF = Words(
    "本结果说明水为何变化，不是处罚依据，也不得作为干预采样、取水口或监测时间的理由。",
    "This says why the water moved. It is no ground for a penalty, nor a reason to touch sampling, intake or timing.",
)


@dataclass(frozen=True)
class Block:
    """One part of a page: title, sentences, figure with caption, table."""

    title: Words | None = None
    says: tuple[Words, ...] = ()
    figure: Markup | str = ""
    caption: Words | None = None
    headings: tuple[Words, ...] = ()
    rows: Sequence[tuple[Words, ...]] = ()


def write_explanation(
    found: Explanation, name: str, *, zone: tzinfo, page: PageInfo, whole: Mapping[str, Any], out: Path
) -> tuple[Path, ...]:
    """Write an explanation into the folder `out` and return its files, the page first; `whole` is what goes to the JSON."""
    texts = {
        "explain.html": explain_page(found, name, zone=zone, page=page),
        "explain.json": json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False),
        "parts.csv": parts_csv(found),
    }
    return written(texts, out)


def written(texts: Mapping[str, str], out: Path) -> tuple[Path, ...]:
    """Write texts by file name into a folder, all or none, and return the files; tables get a mark that spreadsheets need."""
    with result_folder(out) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8-sig" if name.endswith(".csv") else "utf-8", newline="\n")
    return tuple(out / name for name in texts)


def explain_page(found: Explanation, name: str, *, zone: tzinfo, page: PageInfo) -> str:
    """Return the page of an explanation, readable offline, in both languages."""
    blocks = [
        *(_change_block(change, rank) for rank, change in enumerate(found.changes)),
        Block(Words("全部指标", "All determinands"), headings=CHANGE_HEADINGS, rows=change_rows(found)),
        _mixing_block(found),
        Block(
            Words("读数和各原因的合成", "Readings beside what the drivers make"),
            figure=inline(
                svg(told_series(found.changes[:6], found, zone=zone), "series"),
                alt=Words("时间序列", "time series"),
            ),
        ),
    ]
    return rendered(
        blocks,
        name,
        title=TITLE,
        headline=explain_headline(found, name, zone=zone),
        notes=(*explain_notes(found), HANDS_OFF),
        page=page,
    )


def rendered(
    blocks: Sequence[Block],
    name: str,
    *,
    title: Words,
    headline: Words,
    notes: Sequence[Words],
    page: PageInfo,
) -> str:
    """Return a page of blocks under a title and a headline."""
    return template("explain.html").render(
        lang=page.lang,
        project=page.project,
        is_invented=page.is_invented,
        station=name,
        title=title,
        style=shipped("page.css"),
        headline=headline,
        blocks=blocks,
        notes=notes,
        made=page.made.isoformat(sep=" ", timespec="minutes"),
    )


def _change_block(change: Change, rank: int) -> Block:
    alt = Words(f"{change.determinand} 的变化瀑布图", f"waterfall of the change of {change.determinand}")
    return Block(
        Words(f"{change.determinand}：变化的各部分", f"{change.determinand}: the parts of its change"),
        says=tuple(instead_words(change)),
        figure=inline(svg(waterfall(change), f"waterfall{rank}"), alt=alt),
        caption=Words(
            "每一部分按所有去除顺序平均（Shapley），相加正好等于变化；细线为 90 % 区间。",
            "Each part is averaged over every order of removal (Shapley); they add up to the change. Thin lines: 90 % bands.",
        ),
        headings=PART_HEADINGS,
        rows=part_rows(change, with_impossible=rank == 0),
    )


def _mixing_block(found: Explanation) -> Block:
    mixing = found.mixing
    figure: Markup | str = ""
    if mixing.followers:
        alt = Words("混合图", "mixing diagram")
        figure = inline(svg(mixing_diagram(found), "mixing"), alt=alt)
    return Block(
        Words("两种水的混合", "Mixing of two waters"),
        says=(mixing_words(found),),
        figure=figure,
        caption=Words(
            "在一条直线上的指标随两种水的比例而变；不在线上的另有来由。",
            "What lies on one line goes with the shares of the two waters; what does not comes from elsewhere.",
        ),
        headings=MIXING_HEADINGS,
        rows=mixing_rows(mixing) if mixing.is_found else (),
    )


def parts_csv(found: Explanation) -> str:
    """Return every part of every change, a row each; the parts of a determinand add up to its change."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(COLUMNS)
    for change in found.changes:
        for part in change.parts:
            numbers = (part.value, part.low, part.high, part.without)
            cells = [f"{value:.10g}" if isfinite(value) else "" for value in numbers]
            why = note_sentence(part.note).en if part.note.code else ""
            writer.writerow([change.determinand, part.code, *cells, part.is_possible, why])
    return sheet.getvalue()


def explain_dict(found: Explanation, *, zone: tzinfo) -> dict[str, Any]:
    """Return an explanation as plain numbers and texts, for JSON."""
    periods, against = found.periods, found.periods.against
    whole = {
        "station": found.station,
        "since": iso(periods.since, zone),
        "until": iso(periods.until, zone),
        "against": None if against is None else [iso(time, zone) for time in against],
        "within": against is None,
        "leading": found.leading.determinand,
        "mixing": mixing_dict(found.mixing, found, zone=zone),
        "residual": list(found.mixing.residual),
        "reversal_share": found.reversal,
        "changes": [_change_dict(change) for change in found.changes],
        "notes": [_note_dict(note) for note in found.notes],
    }
    clean: dict[str, Any] = without_nan(whole)
    return clean


def _note_dict(note: Note) -> dict[str, Any]:
    said = note_sentence(note)
    return {"code": note.code, "values": list(note.values), "zh": said.zh, "en": said.en}


def mixing_dict(mixing: Mixing, found: Explanation, *, zone: tzinfo) -> dict[str, Any]:
    """Return the mixture as plain numbers: the two waters, what goes with them, the share of the second at each time."""
    waters = [
        {"tracer": name, "first": low, "first_band": list(below), "second": high, "second_band": list(above)}
        for name, low, below, high, above in zip(
            mixing.tracers, mixing.low, mixing.low_band, mixing.high, mixing.high_band, strict=True
        )
    ]
    times = stamped(found.table.time, zone)
    return {
        "found": mixing.is_found,
        "why_not": None if mixing.is_found else _note_dict(mixing.note),
        "waters": waters,
        "followers": [
            {
                "determinand": one.determinand,
                "follows": one.follows,
                "share_explained": one.share,
                "p": one.p,
                "first": one.low,
                "second": one.high,
                "first_sd": one.low_sd,
                "second_sd": one.high_sd,
                "readings": one.readings,
            }
            for one in mixing.followers
        ],
        "share_of_second": [
            {"time": str(time), "share": share, "sd": sd}
            for time, share, sd in zip(times, mixing.fraction, mixing.fraction_sd, strict=True)
            if isfinite(share)
        ],
    }


def _change_dict(change: Change) -> dict[str, Any]:
    return {
        "determinand": change.determinand,
        "before": change.before,
        "after": change.after,
        "change": change.change,
        "readings": list(change.readings),
        "flagged": change.flagged,
        "parts": [
            {
                "part": part.code,
                "possible": part.is_possible,
                "value": part.value if part.is_possible else None,
                "low": part.low,
                "high": part.high,
                "without": part.without,
                "why_not": _note_dict(part.note) if part.note.code else None,
            }
            for part in change.parts
        ],
        "instead": [
            {"code": one.code, "mean": one.value, "low": one.low, "high": one.high} for one in change.instead
        ],
        "releases": [
            {"id": name, "probability": probability}
            for name, probability in zip(change.releases, change.probabilities, strict=True)
        ],
        "upstream": change.upstream or None,
    }
