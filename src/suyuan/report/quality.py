"""What quality control found, for people: reasons in words, the table of the terminal, and the files of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from suyuan.clock import dated, iso, stamped
from suyuan.io.atomic import result_folder
from suyuan.observations import FAIL, GOOD, SUSPECT, Observations
from suyuan.plot import flagged_readings
from suyuan.qc import CHECKS, NOT_EVALUATED, Alarm, Screening
from suyuan.report.figures import Lang, inline, standalone, svg
from suyuan.report.page import shipped, template
from suyuan.report.words import Words
from suyuan.substances import determinands

if TYPE_CHECKING:
    from rich.table import Table

NAMES = {
    "gross range": Words("超出物理可能", "gross range"),
    "repetition": Words("重复上报", "repetition"),
    "future": Words("时间在未来", "future"),
    "climate": Words("超出地表水常见范围", "climate"),
    "dry probe": Words("探头离水", "dry probe"),
    "spike": Words("尖峰", "spike"),
    "offset": Words("台阶偏移", "offset"),
    "drift": Words("漂移", "drift"),
    "rate": Words("变化过快", "rate"),
    "flat line": Words("卡值", "flat line"),
    "attenuated": Words("信号衰减", "attenuated"),
    "noisy": Words("噪声过大", "noisy"),
    "relation": Words("指标间矛盾", "relation"),
    "saturation": Words("溶解氧过饱和", "saturation"),
    "neighbours": Words("与邻站不符", "neighbours"),
    "copied": Words("数据块重复", "copied"),
}
"""What each check is called."""

REASONS = {
    "gross range": Words(
        "读数 {measured} {unit}，水中不可能（界限 {limit}）",
        "reads {measured} {unit}, which water cannot (bound {limit})",
    ),
    "repetition": Words("同一时间不止一个读数", "more than one reading of the same time"),
    "future": Words(
        "读数时间晚于现在：时钟或时区有误", "taken later than now: a clock or a time zone is wrong"
    ),
    "climate": Words(
        "读数 {measured} {unit}，地表水很少超过 {limit}",
        "reads {measured} {unit}; surface water hardly passes {limit}",
    ),
    "dry probe": Words(
        "读数 {measured} {unit}，低于 {limit}：探头不在水中",
        "reads {measured} {unit}, below {limit}: the probe is not in water",
    ),
    "spike": Words(
        "单个读数跳变 {measured} {unit} 后即返回（判据 {limit}）",
        "jumps by {measured} {unit} and back at once (from {limit} on)",
    ),
    "offset": Words(
        "跳变 {measured} {unit}，{n} 个读数后跳回（判据 {limit}）",
        "jumps by {measured} {unit} and back after {n} readings (from {limit} on)",
    ),
    "drift": Words(
        "缓慢偏离后一次跳回 {measured} {unit}（判据 {limit}）",
        "drifts away and jumps back by {measured} {unit} (from {limit} on)",
    ),
    "rate": Words(
        "相邻读数相差 {measured} {unit}（判据 {limit}）",
        "moves by {measured} {unit} between neighbours (from {limit} on)",
    ),
    "flat line": Words(
        "{measured} 小时不变；本站此时段一般至多 {limit} 小时",
        "does not change for {measured} h; here it may for {limit} h",
    ),
    "attenuated": Words(
        "变幅仅 {measured} {unit}（平静时也有 {limit} 的十倍）",
        "moves within {measured} {unit} only (calm days: ten times {limit})",
    ),
    "noisy": Words(
        "上下跳动为水平的 {measured} 倍（本站判据 {limit}）",
        "jumps to and fro by {measured} of its level (here from {limit} on)",
    ),
    "relation": Words(
        "{check}：部分 {measured} 大于总量允许的 {limit}",
        "{check}: the part, {measured}, exceeds what the whole allows, {limit}",
    ),
    "saturation": Words(
        "为饱和值的 {measured} 倍（判据 {limit}）", "{measured} times saturation (from {limit} on)"
    ),
    "neighbours": Words(
        "偏离其他站 {measured} {unit}（判据 {limit}）",
        "leaves the other stations by {measured} {unit} (from {limit} on)",
    ),
    "copied": Words(
        "与 {measured} 小时前的读数逐位相同", "repeats, digit by digit, what was read {measured} h before"
    ),
}
"""Why each check speaks against a reading."""

HEADINGS = (
    Words("监测点", "station"),
    Words("指标", "determinand"),
    Words("检查", "check"),
    Words("可疑", "suspect"),
    Words("无效", "fail"),
    Words("段数", "alarms"),
    Words("起", "first"),
    Words("止", "last"),
    Words("原因（最近一段）", "why (the latest)"),
)

PANELS_ON_PAGE = 44
"""Most panels of readings in the page; every station's figure is also a file of its own."""


@dataclass(frozen=True)
class QualityInfo:
    """What a screening does not know itself: project, zone, names of stations, when it was made, language, whether
    all is invented."""

    project: str
    zone: tzinfo
    stations: dict[str, str]
    made: datetime
    lang: Lang = "zh"
    is_invented: bool = False


def reason(alarm: Alarm, observations: Observations) -> Words:
    """Return in words why a check speaks against readings, with the number that decided and its limit."""
    known = determinands().get(str(observations.determinand[alarm.rows[0]]))
    filled = {
        "measured": f"{alarm.measured:.4g}",
        "limit": f"{alarm.limit:.3g}",
        "unit": known.unit if known and known.unit != "1" else "",
        "n": str(len(alarm.rows)),
        "check": alarm.check,
    }
    said = REASONS[_kind(alarm)]
    return Words(*(text.format(**filled).replace("  ", " ").replace(" ,", ",") for text in said))


def _kind(alarm: Alarm) -> str:
    return alarm.check if alarm.check in NAMES else "relation"


@dataclass(frozen=True)
class Counts:
    """How many of the readings shown are suspect, fail, or were not judged by their shape (too short a series, `>`, or another
    reading of the same time); `suspect_by_source` and `fail_by_source` are those of them that only the source's own
    marks say so of, and no check."""

    readings: int
    suspect: int
    fail: int
    suspect_by_source: int
    fail_by_source: int
    not_judged: int

    @classmethod
    def of(cls, seen: Screening, shown: NDArray[np.int64]) -> Counts:
        """Return the counts of these rows."""
        worst, checks = seen.observations.flag[shown], seen.flags[shown]
        unjudged = (seen.by_check("spike")[shown] == NOT_EVALUATED) & np.isin(worst, (GOOD, SUSPECT))
        flagged = [worst == flag for flag in (SUSPECT, FAIL)]
        by_source = [
            is_flag & ~(checks == f).any(axis=1) for f, is_flag in zip((SUSPECT, FAIL), flagged, strict=True)
        ]
        return cls(len(shown), *(int(which.sum()) for which in (*flagged, *by_source, unjudged)))


def quality_headline(counts: Counts) -> Words:
    """Return in one sentence how many of the readings shown are suspect or fail, and by whom.

    >>> quality_headline(Counts(900, 496, 2, suspect_by_source=455, fail_by_source=0, not_judged=0)).en.split(";")[0]
    'Of 900 readings 496 are suspect (41 by checks, 455 by marks of the source) and 2 fail'
    """
    n = counts.not_judged
    few = Words(
        f"另有 {n} 个读数无法判断形状（序列太短、超量程或同一时间重复）。" if n else "",
        f" The shape of {n:,} was not judged: too short a series, a `>`, or another reading of the same time."
        if n
        else "",
    )
    suspect = _by_whom(counts.suspect, counts.suspect_by_source)
    fail = _by_whom(counts.fail, counts.fail_by_source)
    return Words(
        f"{counts.readings} 个读数中 {counts.suspect} 个可疑{suspect.zh}，{counts.fail} 个无效{fail.zh}；"
        f"没有删除任何读数，溯源仍采用可疑读数。{few.zh}",
        f"Of {counts.readings:,} readings {counts.suspect:,} are suspect{suspect.en} and {counts.fail:,} fail{fail.en}; "
        f"none is deleted, and tracing still uses what is suspect.{few.en}",
    )


def _by_whom(flagged: int, by_source: int) -> Words:
    """Return how many are flagged by checks and how many by the source alone; nothing where the source marked none."""
    if not by_source:
        return Words("", "")
    checks = flagged - by_source
    return Words(
        f"（检查判定 {checks} 个，数据来源自带标记 {by_source} 个）",
        f" ({checks:,} by checks, {by_source:,} by marks of the source)",
    )


def summary(
    seen: Screening, alarms: Sequence[Alarm], *, shown: NDArray[np.int64], info: QualityInfo
) -> list[dict[str, Any]]:
    """Return one row for each station, determinand and check that found something: how much, when, and why.

    Only rows that are `shown` count, and alarms that hold one of them.
    """
    groups: dict[tuple[str, str, str], list[Alarm]] = {}
    given = seen.given
    is_shown = np.zeros(len(given), bool)
    is_shown[shown] = True
    for alarm in alarms:
        for name in np.unique(given.determinand[alarm.rows[is_shown[alarm.rows]]]).tolist():
            groups.setdefault((str(given.station[alarm.rows[0]]), name, _kind(alarm)), []).append(alarm)
    rows = []
    for (station, name, check), found in sorted(
        groups.items(), key=lambda item: (item[0][:2], CHECKS.index(item[0][2]))
    ):
        touched = np.unique(np.concatenate([alarm.rows for alarm in found]))
        touched = touched[is_shown[touched] & (given.determinand[touched] == name)]
        time, flags = given.time[touched], seen.flags[touched, CHECKS.index(check)]
        latest = max(found, key=lambda alarm: int(given.time[alarm.rows].max().astype(np.int64)))
        rows.append(
            {
                "station": station,
                "name": info.stations.get(station, "") or station,
                "determinand": name,
                "check": check,
                "suspect": int((flags == SUSPECT).sum()),
                "fail": int((flags == FAIL).sum()),
                "alarms": len(found),
                "first": time.min(),
                "last": time.max(),
                "reason": reason(latest, given),
            }
        )
    return rows


def quality_table(rows: Sequence[dict[str, Any]], *, info: QualityInfo) -> Table:
    """Return the summary as a table for the terminal, in the project's zone."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for k, heading in enumerate(HEADINGS):
        table.add_column(heading._asdict()[info.lang], justify="right" if k in {3, 4, 5} else "left")
    for row in rows:
        first, last = dated(np.array([row["first"], row["last"]]), info.zone)
        head = (row["name"], row["determinand"], NAMES[row["check"]]._asdict()[info.lang])
        counts = tuple(str(row[key]) for key in ("suspect", "fail", "alarms"))
        table.add_row(*map(Text, (*head, *counts, first, last, row["reason"]._asdict()[info.lang])))
    return table


def quality_dict(
    seen: Screening, alarms: Sequence[Alarm], *, shown: NDArray[np.int64], info: QualityInfo
) -> dict[str, Any]:
    """Return all that `suyuan qc --json` prints: counts of the rows shown, the summary, and every alarm with its reason."""
    given = seen.given
    return {
        "project": info.project,
        "invented": info.is_invented,
        "made": info.made.isoformat(timespec="seconds"),
        **asdict(Counts.of(seen, shown)),
        "checks": list(CHECKS),
        "summary": [
            {
                **{key: row[key] for key in ("station", "determinand", "check", "suspect", "fail", "alarms")},
                "first": iso(row["first"], info.zone),
                "last": iso(row["last"], info.zone),
                "reason": row["reason"]._asdict(),
            }
            for row in summary(seen, alarms, shown=shown, info=info)
        ],
        "alarms": [_alarm_dict(alarm, given, zone=info.zone) for alarm in alarms],
    }


def _alarm_dict(alarm: Alarm, given: Observations, *, zone: tzinfo) -> dict[str, Any]:
    time = given.time[alarm.rows]
    return {
        "station": str(given.station[alarm.rows[0]]),
        "determinand": sorted(set(given.determinand[alarm.rows].tolist())),
        "check": alarm.check,
        "flag": alarm.flag,
        "first": iso(time.min(), zone),
        "last": iso(time.max(), zone),
        "readings": len(alarm.rows),
        "measured": _number(alarm.measured),
        "limit": _number(alarm.limit),
        "reason": reason(alarm, given)._asdict(),
    }


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def write_quality(
    seen: Screening,
    alarms: Sequence[Alarm],
    *,
    shown: NDArray[np.int64],
    info: QualityInfo,
    is_parquet: bool,
    out: Path,
) -> tuple[Path, ...]:
    """Write qc.html, qc.json, the table of flags and a figure for each station into `out`; return the files, the page first.

    The table has a row for every reading shown, flagged or not: `flag` is the worst, then a column for each check.
    """
    readings = seen.observations.where(shown)
    drawn = {
        station: svg(flagged_readings(readings.where(readings.station == station), zone=info.zone), f"qc{k}")
        for k, station in enumerate(dict.fromkeys(readings.station.tolist()))
    }
    whole = quality_dict(seen, alarms, shown=shown, info=info)
    texts = {
        "qc.html": _page(seen, alarms, shown=shown, info=info, drawn=drawn),
        "qc.json": json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False),
        **{
            f"figures/qc-{_plain(name)}.svg": standalone(text, lang=info.lang) for name, text in drawn.items()
        },
    }
    table = "flags.parquet" if is_parquet else "flags.csv"
    frame = seen.to_frame().iloc[shown].reset_index(drop=True)
    units = {name: known.unit for name, known in determinands().items()}
    frame.insert(4, "unit", [units.get(name, "") for name in readings.determinand])
    with result_folder(out) as folder:
        (folder / "figures").mkdir()
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8", newline="\n")
        if is_parquet:
            frame.to_parquet(folder / table, index=False)
        else:
            frame["time"] = stamped(readings.time, info.zone)
            frame.to_csv(folder / table, index=False, lineterminator="\n", encoding="utf-8-sig")
    names = ["qc.html", "qc.json", table, *(name for name in texts if name.startswith("figures/"))]
    return tuple(out / name for name in names)


def _plain(station: str) -> str:
    """Return a station's id as part of a file name."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in station)


def _page(
    seen: Screening,
    alarms: Sequence[Alarm],
    *,
    shown: NDArray[np.int64],
    info: QualityInfo,
    drawn: dict[str, str],
) -> str:
    readings, panels, figures = seen.observations.where(shown), 0, []
    for station, text in drawn.items():
        panels += len(set(readings.determinand[readings.station == station].tolist()))
        if panels <= PANELS_ON_PAGE:
            name = info.stations.get(station, "") or station
            alt = Words(f"{name} 的读数与标记", f"Readings at {name} with their flags")
            figures.append({"station": name, "svg": inline(text, alt=alt)})
    rows = summary(seen, alarms, shown=shown, info=info)
    for row in rows:
        row["first"], row["last"] = dated(np.array([row["first"], row["last"]]), info.zone)
        row["check"] = NAMES[row["check"]]
    return template("quality.html").render(
        info=info,
        style=Markup(shipped("page.css")),
        headline=quality_headline(Counts.of(seen, shown)),
        window=" - ".join(dated(np.array([readings.time.min(), readings.time.max()]), info.zone)),
        zone_name=str(info.zone),
        headings=HEADINGS,
        rows=rows,
        figures=figures,
        left_out=len(drawn) - len(figures),
        made=info.made.isoformat(sep=" ", timespec="minutes"),
    )
