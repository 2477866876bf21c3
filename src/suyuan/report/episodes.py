"""What is said of episodes: headline, tables, page; with how many of them chance would make."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.clock import dated, iso
from suyuan.episodes import HIGH, LEAST_READINGS, LOW, Episode, Watched
from suyuan.plot.episodes import episode_series
from suyuan.report.explain import shown, unit_of
from suyuan.report.explain_page import Block, rendered, written
from suyuan.report.figures import inline, svg
from suyuan.report.section_page import PageInfo
from suyuan.report.words import Words

HEADINGS = (
    Words("监测点", "station"),
    Words("指标", "determinand"),
    Words("开始", "start"),
    Words("结束", "end"),
    Words("小时", "hours"),
    Words("峰值", "peak"),
    Words("基线", "baseline"),
    Words("超出量", "above it"),
    Words("读数", "readings"),
)
RATE_HEADINGS = (
    Words("监测点", "station"),
    Words("指标", "determinand"),
    Words("过程数", "episodes"),
    Words("月数", "months"),
    Words("每月", "a month"),
    Words("误报（每月，倒置实测）", "false alarms a month, measured upside down"),
)
COLUMNS = (
    *("station", "determinand", "unit", "start", "end", "hours", "peak_time", "peak", "baseline", "score"),
    *("size_unit_hours", "size_kg", "readings", "suspect", "trace"),
)

SHOWN = 30
"""Episodes listed on the terminal and the page; the table has all."""

PANELS = 12
"""Series drawn on the page, those with the largest episodes."""


@dataclass(frozen=True)
class Found:
    """An episode, its mass [kg] where flow is known, and the command that traces it ('' where it cannot be traced)."""

    episode: Episode
    mass_kg: float | None
    command: str


@dataclass(frozen=True)
class EpisodesInfo:
    """What episodes do not know themselves: what stations are called, and the series that had too few readings."""

    names: Mapping[str, str]
    left_out: tuple[str, ...] = ()


def write_episodes(
    found: tuple[Sequence[Found], Sequence[Watched]],
    info: EpisodesInfo,
    *,
    zone: tzinfo,
    page: PageInfo,
    whole: Mapping[str, Any],
    out: Path,
) -> tuple[Path, ...]:
    """Write episodes into the folder `out` and return the files, the page first; `whole` is what goes to the JSON."""
    texts = {
        "episodes.html": episodes_page(*found, info=info, zone=zone, page=page),
        "episodes.json": json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False),
        "episodes.csv": episodes_csv(found[0], zone),
    }
    return written(texts, out)


def episodes_headline(found: Sequence[Found], watched: Sequence[Watched]) -> Words:
    """Return how many episodes there are, and how many of them chance would make."""
    months = sum(one.months for one in watched)
    every, false = sum(len(one.episodes) for one in watched), sum(one.false_alarms for one in watched)
    rate, own = false / max(months, 1e-9), every / max(months, 1e-9)
    count = f"{len(found)} episode{'' if len(found) == 1 else 's'}"
    return Words(
        f"{len(watched)} 个序列、{months:.0f} 个站月的读数：列出 {len(found)} 个超基线过程。全部读数每个序列每月 {own:.2f} 个；"
        f"把读数倒过来用同样办法找到 {rate:.2f} 个，这就是误报的多少。",
        f"{count} listed, from {len(watched)} series and {months:.0f} station-months. In all readings there are "
        f"{own:.2f} a month and series; upside down the same search finds {rate:.2f}, which is how many are false alarms.",
    )


def episode_rows(found: Sequence[Found], info: EpisodesInfo, *, zone: tzinfo) -> list[tuple[Words, ...]]:
    """Return the first SHOWN episodes, a row each."""
    rows = []
    for one in found[:SHOWN]:
        e = one.episode
        level, unit = max(abs(e.peak), abs(e.baseline)), unit_of(e.determinand)
        start, end = dated(np.array([e.start, e.end]), zone)
        size = f"{e.size:.3g}{unit}·h" if one.mass_kg is None else f"{one.mass_kg:,.3g} kg"
        counts = f"{e.readings}" if not e.suspect else f"{e.readings} ({e.suspect} ?)"
        cells = (
            *(info.names.get(e.station, e.station), e.determinand, start, end, f"{e.hours:.0f}"),
            *(f"{shown(e.peak, level)}{unit}", shown(e.baseline, level), size, counts),
        )
        rows.append(tuple(Words(cell, cell) for cell in cells))
    return rows


def commands(found: Sequence[Found]) -> tuple[str, ...]:
    """Return the commands that trace the first SHOWN episodes, each once."""
    return tuple(dict.fromkeys(one.command for one in found[:SHOWN] if one.command))


def rate_rows(watched: Sequence[Watched], info: EpisodesInfo) -> list[tuple[Words, ...]]:
    """Return how many episodes and false alarms each series has, a row each."""
    rows = []
    for one in watched:
        cells = (
            *(
                info.names.get(one.station, one.station),
                one.determinand,
                str(len(one.episodes)),
                f"{one.months:.1f}",
            ),
            *(f"{len(one.episodes) / max(one.months, 1e-9):.2f}", f"{one.false_alarm_rate:.2f}"),
        )
        rows.append(tuple(Words(cell, cell) for cell in cells))
    return rows


def episode_notes(found: Sequence[Found], info: EpisodesInfo) -> list[Words]:
    """Return what must be known with episodes."""
    said = [
        Words(
            f"过程：读数超出基线（两周滑动中位数加日变化）{LOW:.0f} 个稳健标准差起止，至少达到 {HIGH:.0f} 个，"
            f"至少 {LEAST_READINGS} 个读数；溶解氧和透明度看低于基线的。",
            f"An episode begins and ends {LOW:.0f} robust standard deviations above the baseline (running median of two weeks, "
            f"and the course of the day), reaches {HIGH:.0f}, and holds {LEAST_READINGS} readings or more; of oxygen and "
            "transparency what lies below counts.",
        ),
        Words(
            "误报率在本站读数上实测：上下倒置后找到的数目；雨水稀释、藻类增氧等真实的反向变化也会算进去，因此偏大。",
            "False alarms are measured on the station's own record, turned upside down; true swings the other way (rain that "
            "dilutes, algae that make oxygen) count among them, so the rate is rather too high.",
        ),
    ]
    if any(one.episode.suspect for one in found):
        said.append(
            Words(
                "“?” 前是被质控标记的读数：可能是陡峰，也可能是仪器故障。",
                "A number before ? counts flagged readings: a sharp peak, or a fault.",
            )
        )
    if info.left_out:
        names = ", ".join(info.left_out[:12]) + (" ..." if len(info.left_out) > 12 else "")
        said.append(Words(f"读数太少、没有查找的：{names}。", f"Too few readings to look: {names}."))
    if not any(one.command for one in found):
        said.append(
            Words(
                "项目没有流量，不能溯源；有了河网和流量再用 suyuan trace。",
                "The project has no flow, so nothing can be traced yet.",
            )
        )
    return said


def episodes_page(
    found: Sequence[Found], watched: Sequence[Watched], *, info: EpisodesInfo, zone: tzinfo, page: PageInfo
) -> str:
    """Return the page of episodes, readable offline, in both languages."""
    keys = list(dict.fromkeys((one.episode.station, one.episode.determinand) for one in found))[:PANELS]
    drawn = [one for key in keys for one in watched if (one.station, one.determinand) == key]
    alt = Words("读数、基线和过程", "readings, baseline and episodes")
    blocks = [
        Block(Words("过程", "Episodes"), headings=HEADINGS, rows=episode_rows(found, info, zone=zone)),
        Block(
            Words("读数和基线", "Readings and baseline"),
            figure=inline(svg(episode_series(drawn, zone=zone), "episodes"), alt=alt) if drawn else "",
        ),
        Block(
            Words("溯源命令", "Commands that trace them"),
            says=tuple(Words(command, command) for command in commands(found)),
        ),
        Block(Words("误报率", "False alarms"), headings=RATE_HEADINGS, rows=rate_rows(watched, info)),
    ]
    return rendered(
        [block for block in blocks if block.says or block.rows or block.figure],
        page.project,
        title=Words("超基线过程", "Episodes"),
        headline=episodes_headline(found, watched),
        notes=episode_notes(found, info),
        page=page,
    )


def episodes_csv(found: Sequence[Found], zone: tzinfo) -> str:
    """Return every episode listed, a row each."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in found:
        e = one.episode
        times = (iso(e.start, zone), iso(e.end, zone))
        numbers = (f"{v:.6g}" for v in (e.peak, e.baseline, e.score, e.size))
        mass = "" if one.mass_kg is None else f"{one.mass_kg:.6g}"
        unit = unit_of(e.determinand).strip()
        writer.writerow(
            [
                e.station,
                e.determinand,
                unit,
                *times,
                f"{e.hours:g}",
                iso(e.peak_time, zone),
                *numbers,
                mass,
                e.readings,
                e.suspect,
                one.command,
            ]
        )
    return sheet.getvalue()
