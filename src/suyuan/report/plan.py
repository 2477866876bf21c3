"""The files of a sampling plan: next.json, next.csv, a table of samples to fill in, next.svg and next.html."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suyuan.clock import iso, undated
from suyuan.flow import BalancedFlow
from suyuan.io.atomic import result_folder
from suyuan.network import Network
from suyuan.plot import percent, plan_map
from suyuan.report.figures import Lang, inline, standalone, svg
from suyuan.report.page import shipped, template
from suyuan.report.results import without_nan
from suyuan.report.statements import assumption_words, note_words
from suyuan.report.words import Words
from suyuan.tracing.advice import Advice, Stop

if TYPE_CHECKING:
    from rich.table import Table

SHEET = ("time", "station", "determinand", "value", "unit", "qualifier", "sample_id")
"""Columns of the table of samples to fill in."""

METHOD_WORDS = {
    "kit": Words("快检试剂盒（是/否）", "kit, yes or no"),
    "strip": Words("试纸（浓度）", "strip, concentration"),
    "grab": Words("采样送实验室", "grab sample to the laboratory"),
}


@dataclass(frozen=True)
class PlanInfo:
    """What a plan does not know itself: project, its zone, when it was made, seed, language, whether all is invented."""

    project: str
    zone: tzinfo
    made: datetime
    seed: int
    lang: Lang = "zh"
    is_invented: bool = False


def write_advice(
    advice: Advice, network: Network, *, flow: BalancedFlow, plan: PlanInfo, out: Path
) -> tuple[Path, ...]:
    """Write the plan into the folder `out` and return its files, next.html first; samples already written there stay."""
    drawn = svg(plan_map(advice, network, flow=flow), "plan")
    sheet = sheet_name(out)
    texts = {
        "next.html": _page(advice, network, plan=plan, drawn=drawn, sheet=sheet),
        "next.json": json.dumps(advice_dict(advice, plan), ensure_ascii=False, indent=1, allow_nan=False),
        "next.csv": plan_csv(advice, plan.zone),
        sheet: samples_csv(advice, plan.zone),
        "next.svg": standalone(drawn, lang=plan.lang),
    }
    with result_folder(out) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8-sig" if name.endswith(".csv") else "utf-8", newline="\n")
    return tuple(out / name for name in texts)


def sheet_name(out: Path) -> str:
    """Return the name of the table to fill in: samples.csv, or the first of samples-2.csv ... that holds nobody's samples."""
    names = ("samples.csv", *(f"samples-{k}.csv" for k in range(2, 10_000)))
    return next(name for name in names if not (out / name).exists() or _is_blank(out / name))


def _is_blank(path: Path) -> bool:
    """Return whether a table is as it was written: nothing filled in, nothing else changed that can be seen."""
    try:
        rows = csv.DictReader(path.read_text("utf-8-sig").splitlines())
        if tuple(rows.fieldnames or ()) != SHEET:
            return False
        return not any((row["value"] or row["qualifier"] or "").strip() for row in rows)
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


def advice_dict(advice: Advice, plan: PlanInfo) -> dict[str, Any]:
    """Return what next.json holds, times in the project's zone."""
    whole = advice.to_dict()
    for entry, stop in zip(whole["stops"], advice.stops, strict=True):
        entry["time"], entry["known_at"] = iso(stop.time, plan.zone), iso(stop.known_at, plan.zone)
    whole["now"], whole["until"] = iso(advice.now, plan.zone), iso(advice.until, plan.zone)
    about = {"project": plan.project, "invented": plan.is_invented, "seed": plan.seed}
    clean: dict[str, Any] = without_nan({**about, **whole})
    return clean


def plan_csv(advice: Advice, zone: tzinfo) -> str:
    """Return the stops as CSV, one row each; times with their offset."""
    rows = [
        {**row, "time": iso(stop.time, zone), "known_at": iso(stop.known_at, zone)}
        for row, stop in zip(advice.to_dict()["stops"], advice.stops, strict=True)
    ]
    names = list(rows[0]) if rows else ["crew", "stop", "time", "station", "method"]
    return _csv(names, [[without_nan(row[name]) for name in names] for row in rows])


def samples_csv(advice: Advice, zone: tzinfo) -> str:
    """Return a table of readings to fill in: every sample of water with its place as station, values empty.

    Kits at the mouths of outfalls are left out: what an outfall lets out is not what the river holds. A kit's answer is
    written `<` or `>` and its limit.
    """
    rows = []
    for stop in (s for s in advice.stops if s.place.kind != "mouth"):
        wanted = advice.substances if stop.method == "grab" else ((advice.determinand, advice.unit),)
        head, name = [iso(stop.time, zone), stop.place.id], f"{stop.crew}.{stop.number}"
        rows += [[*head, substance, "", unit, "", name] for substance, unit in wanted]
    return _csv(list(SHEET), rows)


def plan_headline(advice: Advice) -> Words:
    """Return what the plan promises, in a sentence."""
    name, p = advice.leading
    now, after = percent(p), percent(advice.surest_after)
    if not advice.stops:
        return Words("没有值得去采的样。", "No sample is worth taking.")
    n = len(advice.stops)
    return Words(
        f"现在概率最高的是 {name}（{now}）；采完这 {n} 个样后，最可能者的概率预计达到 {after}。",
        f"Leading now: {name} ({now}); after these {n} samples the leading one is expected to have {after}.",
    )


def stops_table(advice: Advice, network: Network, *, zone: tzinfo) -> Table:
    """Return the stops as a table for the terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in (
        "stop",
        f"time ({zone})",
        "place",
        "method",
        "bits",
        "cost",
        "expected",
        "if yes or high",
    ):
        table.add_column(heading)
    table.add_column("if no or low")
    for stop in advice.stops:
        row = _row(stop, advice, network=network, zone=zone)
        cells = (row["number"], row["time"], row["place"].en, row["method"].en, row["gain"], row["cost"])
        table.add_row(*map(Text, (*cells, row["expected"].en, row["if_high"], row["if_low"])))
    return table


def _row(stop: Stop, advice: Advice, *, network: Network, zone: tzinfo) -> dict[str, Any]:
    return {
        "number": f"{stop.crew}.{stop.number}",
        "time": undated(np.array([stop.time]), zone)[0],
        "place": _place(stop, network),
        "method": METHOD_WORDS[stop.method],
        "gain": f"{stop.gain:.2f}",
        "cost": f"{stop.cost:,.0f}",
        "expected": expected_words(stop, advice.unit),
        "if_high": _label(stop.if_high),
        "if_low": _label(stop.if_low),
    }


def _label(leading: tuple[str, float]) -> str:
    return f"{leading[0]} {percent(leading[1])}" if leading[0] else ""


def expected_words(stop: Stop, unit: str) -> Words:
    """Return what a sample is expected to say, and how often a kit at a mouth would say yes of lawful water."""
    if np.isfinite(stop.chance_yes):
        lawful = percent(stop.chance_lawful) if np.isfinite(stop.chance_lawful) else ""
        also = Words(
            f"（合法排放时也呈阳性 {lawful}）", f" (also positive if it discharges lawfully: {lawful})"
        )
        yes = Words(f"阳性 {percent(stop.chance_yes)}", f"yes {percent(stop.chance_yes)}")
        return Words(yes.zh + also.zh, yes.en + also.en) if lawful else yes
    low, middle, high = stop.expected
    text = f"{middle:.2g} ({low:.2g}–{high:.2g}) {unit}"
    return Words(text, text)


def _place(stop: Stop, network: Network) -> Words:
    reach = network.reach(stop.place.reach)
    name = f"（{reach.name}）" if reach.name else ""
    if stop.place.kind == "mouth":
        outfall = next(o for o in network.outfalls if o.id == stop.place.id)
        named = f"{outfall.id} {outfall.name}".strip()
        return Words(f"排口 {named} 的出水", f"mouth of outfall {named}")
    if stop.place.kind == "manhole":
        return Words(f"检查井 {stop.place.id}", f"manhole {stop.place.id}")
    return Words(f"{stop.place.id}{name}", f"{stop.place.id} {reach.name}".strip())


def _page(advice: Advice, network: Network, *, plan: PlanInfo, drawn: str, sheet: str) -> str:
    now, until = undated(np.array([advice.now, advice.until]), plan.zone)
    return template("plan.html").render(
        plan=plan,
        sheet=sheet,
        style=shipped("page.css"),
        headline=plan_headline(advice),
        now=now,
        until=until,
        zone_name=str(plan.zone),
        stops=[_row(s, advice, network=network, zone=plan.zone) for s in advice.stops],
        map=inline(drawn, alt=Words("采样点地图", "Map of the stops")),
        notes=[note_words(note) for note in advice.notes],
        assumptions=[assumption_words(a) for a in advice.assumptions],
        made=plan.made.isoformat(sep=" ", timespec="minutes"),
    )


def _csv(names: list[str], rows: list[list[Any]]) -> str:
    sheet = io.StringIO()
    table = csv.writer(sheet, lineterminator="\n")
    table.writerow(names)
    table.writerows(rows)
    return sheet.getvalue()
