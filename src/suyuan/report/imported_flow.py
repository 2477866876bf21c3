"""What is said of an imported flow: form, counts, period, how far it was from closing, and what was not taken over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from suyuan.balance import REFUSED_CORRECTION, REFUSED_RESIDUAL
from suyuan.clock import clocked, dated
from suyuan.errors import counted
from suyuan.io.atomic import result_folder
from suyuan.io.import_flow import ImportedFlow
from suyuan.io.models.notes import listed
from suyuan.plot.closure_map import closure_histogram, closure_map
from suyuan.report.figures import Lang, inline, svg
from suyuan.report.model_notes import model_note_words
from suyuan.report.page import shipped, template
from suyuan.report.words import Words
from suyuan.report.words_table import words_table

if TYPE_CHECKING:
    from rich.table import Table

PAGE, PICTURE = "closure.html", "closure.png"

HEADINGS = (
    Words("河段", "reach"),
    Words("流量 m3/s", "discharge m3/s"),
    Words("最大修正 m3/s", "largest change m3/s"),
    Words("占流量", "of discharge"),
    Words("时间", "when"),
    Words("均方根修正 m3/s", "rms change m3/s"),
    Words("占流量", "of discharge"),
)

SHOWN = {"terminal": 5, "page": 15}

_NOTES = {
    "part_of_window": Words(
        "水流只覆盖溯源时段的一部分：{0}", "the flow covers the window in part only: {0}"
    ),
    "part_of_readings": Words(
        "水流只覆盖监测数据的一部分：{0}", "the flow covers the readings in part only: {0}"
    ),
    "unchanged": Words("{0} 中的水流与此相同，未改动", "{0} holds the same flow; nothing was changed"),
    "former": Words(
        "原有文件保存为 {0}：把它复制回来即可撤销", "the former file is kept as {0}: copy it back to undo"
    ),
    "draw": Words(
        "下一步：在 QGIS 中向 {0} 的图层 outfalls 和 stations 补充排口和监测点，在 suyuan.toml 中写明监测数据，"
        "再运行 suyuan check",
        "next: draw outfalls and stations into their layers of {0} in QGIS, name the readings in suyuan.toml, run 'suyuan check'",
    ),
    "name_flow": Words(
        '请在 suyuan.toml 的 [files] 中写 flow = "{0}"', 'write flow = "{0}" under [files] in suyuan.toml'
    ),
    "name_network": Words(
        '请在 suyuan.toml 的 [files] 中写 network = "{0}"',
        'write network = "{0}" under [files] in suyuan.toml',
    ),
}


def imported_headline(done: ImportedFlow) -> Words:
    """Return in a sentence what was read: form, counts, period, length of the bins, units."""
    network, flow = done.model.network, done.model.flow
    kinds = [node.kind for node in network.nodes]
    period = f"{clocked(flow.start, done.zone)} – {clocked(flow.until, done.zone)}"
    bins, minutes = len(flow.edges) - 1, float(np.median(np.diff(flow.edges))) / 60.0
    counts = (len(network.reaches), len(network.nodes), len(network.structures), kinds.count("lake"))
    return Words(
        f"{done.source}（{done.model.form}）：{counts[0]:,} 个河段，{counts[1]:,} 个节点，{counts[2]} 个闸泵堰，"
        f"{counts[3]} 个湖库；{period}，{bins:,} 个时段，每段 {minutes:g} 分钟；流量 m3/s，水量 m3。",
        f"{done.source} ({done.model.form}): {counted(counts[0], 'reach')}, {counted(counts[1], 'node')}, "
        f"{counted(counts[2], 'structure')}, {counted(counts[3], 'lake')}; {period}, {counted(bins, 'bin')} of "
        f"{minutes:g} min; discharge in m3/s, volume in m3.",
    )


def closure_words(done: ImportedFlow) -> list[Words]:
    """Return how far the flow was from closing before and after, where most, and from where on it would be refused."""
    report = done.closed.balance
    worst = int(np.argmax(report.node_residual))
    at = f"{report.nodes[worst]}（{report.node_residual[worst]:.2g} / {report.node_through[worst]:.2g} m3/s）"
    place = (
        f"{report.nodes[worst]} ({report.node_residual[worst]:.2g} of {report.node_through[worst]:.2g} m3/s)"
    )
    said = [
        Words(
            f"水量平衡：闭合前各节点误差合计为过流量的 {report.residual_share:.2%}，最大在 {at}；河段内误差 "
            f"{report.reach_share:.2%}；闭合后 {report.residual_after:.0e}。",
            f"Water balance: before closure nodes miss {report.residual_share:.2%} of the through-flow in sum, most at {place}, "
            f"reaches {report.reach_share:.2%}; after closure {report.residual_after:.0e}.",
        ),
        Words(
            f"超过 {REFUSED_RESIDUAL:.0%}，或主要河段的流量需修正 {REFUSED_CORRECTION:.0%} 以上时，拒绝导入。",
            f"Refused beyond {REFUSED_RESIDUAL:.0%}, or where the flow of a main reach would be changed by more than "
            f"{REFUSED_CORRECTION:.0%}.",
        ),
    ]
    if report.dry:
        named = listed(report.dry)
        said.append(
            Words(
                f"曾干涸的河段（留有一层水膜）{len(report.dry)} 个：{named}",
                f"Ran dry and keep a film of water: {counted(len(report.dry), 'reach')}, {named}",
            )
        )
    return said


def flow_notes(done: ImportedFlow) -> list[Words]:
    """Return what could not be taken over from the model, and what became of the project's files."""
    model = [model_note_words(note) for note in done.model.notes]
    return model + [
        Words(_NOTES[code].zh.format(text), _NOTES[code].en.format(text)) for code, text in done.notes
    ]


def correction_rows(done: ImportedFlow, *, most: int) -> list[tuple[Words, ...]]:
    """Return the reaches with the largest changes of discharge, a row each."""
    report, flow = done.closed.balance, done.model.flow
    order = np.argsort(-report.largest, kind="stable")[:most]
    edges = np.round(flow.edges[report.largest_bin[order]]).astype("timedelta64[s]")
    when = dated(flow.start + edges, done.zone)
    return [
        tuple(
            Words(cell, cell)
            for cell in (
                report.reaches[r],
                f"{report.discharge[r]:.3g}",
                f"{report.largest[r]:.3g}",
                f"{report.largest_share[r]:.1%}",
                time,
                f"{report.correction[r]:.3g}",
                f"{report.correction_share[r]:.1%}",
            )
        )
        for r, time in zip(order, when, strict=True)
    ]


def corrections_table(done: ImportedFlow, lang: Lang) -> Table:
    """Return the largest changes as a table for the terminal."""
    rows = correction_rows(done, most=SHOWN["terminal"])
    return words_table(HEADINGS, rows, lang=lang, right=(1, 2, 3, 5, 6))


@dataclass(frozen=True)
class ClosureInfo:
    """What an import does not know itself: the project's name, when it was made, the language, whether data are invented."""

    project: str
    made: datetime
    lang: Lang = "zh"
    is_invented: bool = False


def write_closure(done: ImportedFlow, info: ClosureInfo, *, out: Path) -> tuple[Path, ...]:
    """Write the page and the picture of the closure into a folder and return both."""
    with result_folder(out) as folder:
        (folder / PAGE).write_text(closure_page(done, info), "utf-8", newline="\n")
        closure_map(done.closed, done.model.network).savefig(folder / PICTURE, dpi=140)
    return out / PAGE, out / PICTURE


def closure_page(done: ImportedFlow, info: ClosureInfo) -> str:
    """Return the page of an import, readable offline, in both languages."""
    titles = (
        Words("修正量占流量的比例", "Change as a share of discharge"),
        Words("有多少河段", "How many reaches"),
    )
    captions = (
        Words(
            "颜色为闭合时流量均方根修正占该河段流量的比例；箭头为平均流向。",
            "Colour: root mean square change of discharge at closure as a share of the reach's own; arrows: mean direction.",
        ),
        Words("横轴为修正量与流量之比（对数）。", "Across: change over discharge, on a logarithmic scale."),
    )
    drawn = (closure_map(done.closed, done.model.network), closure_histogram(done.closed.balance))
    figures = [
        (title, inline(svg(drawing, f"closure{i}"), alt=title), caption)
        for i, (title, drawing, caption) in enumerate(zip(titles, drawn, captions, strict=True))
    ]
    return template("closure.html").render(
        lang=info.lang,
        project=info.project,
        is_invented=info.is_invented,
        style=shipped("page.css"),
        headline=imported_headline(done),
        closure=closure_words(done),
        headings=HEADINGS,
        rows=correction_rows(done, most=SHOWN["page"]),
        figures=figures,
        notes=flow_notes(done),
        made=info.made.isoformat(sep=" ", timespec="minutes"),
    )
