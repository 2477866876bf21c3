"""What is said of what enters and leaves a town: headline, tables, page and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.clock import dated, iso
from suyuan.explain.balance import Balance, Passed
from suyuan.plot.loads import loads_past
from suyuan.report.explain import shown, signed
from suyuan.report.explain_page import Block, rendered, written
from suyuan.report.figures import inline, svg
from suyuan.report.results import without_nan
from suyuan.report.section_page import PageInfo
from suyuan.report.words import Words

HEADINGS = (
    Words("指标", "determinand"),
    Words("进 kg/d", "in, kg/d"),
    Words("出 kg/d", "out, kg/d"),
    Words("蓄存变化 kg/d", "stored, kg/d"),
    Words("净 kg/d", "net, kg/d"),
    Words("净值为正的概率", "P(net > 0)"),
    Words("1 % 偏差", "1 % of bias"),
)
STATION_HEADINGS = (
    Words("监测点", "station"),
    Words("", ""),
    Words("指标", "determinand"),
    Words("通量 kg/d", "load, kg/d"),
    Words("流量 m3/s", "discharge, m3/s"),
    Words("读数", "readings"),
    Words("空缺", "in gaps"),
)
COLUMNS = (
    "determinand",
    "side",
    "station",
    "load_kg_d",
    "low",
    "high",
    "discharge_m3_s",
    "readings",
    "gap_share",
)


@dataclass(frozen=True)
class BetweenInfo:
    """What balances do not know themselves: what the stations are called, the shortest and longest travel time [h] (NaN where
    no water of an inlet comes to an outlet), the mean volume between [m3], nodes where other water comes and goes, stations
    that water can pass around, suspect readings used by determinand."""

    inlets: tuple[str, ...]
    outlets: tuple[str, ...]
    travel: tuple[float, float]
    volume: float
    others: tuple[str, ...] = ()
    bypassed: tuple[str, ...] = ()
    suspect: Mapping[str, int] = field(default_factory=dict)


def write_between(
    balances: Sequence[Balance],
    info: BetweenInfo,
    *,
    zone: tzinfo,
    page: PageInfo,
    whole: Mapping[str, Any],
    out: Path,
) -> tuple[Path, ...]:
    """Write balances into the folder `out` and return the files, the page first; `whole` is what goes to the JSON."""
    texts = {
        "between.html": between_page(balances, info, zone=zone, page=page),
        "between.json": json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False),
        "loads.csv": loads_csv(balances),
    }
    return written(texts, out)


def between_headline(balances: Sequence[Balance], info: BetweenInfo, *, zone: tzinfo) -> Words:
    """Return the one sentence: over which time the town adds or keeps how much of what."""
    first = balances[0]
    ends = first.start + np.round(first.edges[[0, -1]]).astype("timedelta64[s]")
    since, until = dated(ends, zone)
    said = [_net_words(one) for one in balances]
    ins, outs = (Words("、".join(names), ", ".join(names)) for names in (info.inlets, info.outlets))
    return Words(
        f"{since} 至 {until}，{ins.zh}（进）与 {outs.zh}（出）之间：{'；'.join(one.zh for one in said)}。",
        f"{since} to {until}, between {ins.en} (in) and {outs.en} (out): {'; '.join(one.en for one in said)}.",
    )


def _net_words(one: Balance) -> Words:
    value, low, high = one.net
    level = max(abs(low), abs(high))
    band = f"{shown(low, level)} .. {shown(high, level)}"
    name = one.determinand
    if low > 0.0:
        return Words(
            f"{name} 净增 {shown(value, level)} kg/d（90 %：{band}）",
            f"{shown(value, level)} kg/d of {name} are added (90 %: {band})",
        )
    if high < 0.0:
        return Words(
            f"{name} 净减 {shown(-value, level)} kg/d（90 %：净值 {band}）",
            f"{shown(-value, level)} kg/d of {name} stay or break down (90 % of the net: {band})",
        )
    return Words(
        f"{name} 净值 {signed(value, level)} kg/d，正负未定（90 %：{band}）",
        f"net {signed(value, level)} kg/d of {name}, which could be either way (90 %: {band})",
    )


def balance_rows(balances: Sequence[Balance]) -> list[tuple[Words, ...]]:
    """Return a row a determinand."""
    rows = []
    for one in balances:
        level = max(abs(one.entering[0]), abs(one.leaving[0]))
        cells = (
            one.determinand,
            *(
                f"{shown(v, level)} ({shown(a, level)} .. {shown(b, level)})"
                for v, a, b in (one.entering, one.leaving)
            ),
            *(
                f"{signed(v, level)} ({signed(a, level)} .. {signed(b, level)})"
                for v, a, b in (one.stored, one.net)
            ),
            f"{one.probability:.0%}",
            f"± {shown(one.per_cent, level)}",
        )
        rows.append(tuple(Words(cell, cell) for cell in cells))
    return rows


def station_rows(balances: Sequence[Balance]) -> list[tuple[Words, ...]]:
    """Return a row a determinand and station."""
    rows = []
    for one in balances:
        for side, passed in ((Words("进", "in"), one.inlets), (Words("出", "out"), one.outlets)):
            rows += [_station_row(one.determinand, side, place=place) for place in passed]
    return rows


def _station_row(name: str, side: Words, *, place: Passed) -> tuple[Words, ...]:
    level = abs(place.load)
    cells = (
        f"{shown(place.load, level)} ({shown(place.low, level)} .. {shown(place.high, level)})",
        f"{place.discharge:.3g}",
        str(place.readings),
        f"{place.gap_share:.0%}",
    )
    return (
        Words(place.station, place.station),
        side,
        Words(name, name),
        *(Words(cell, cell) for cell in cells),
    )


def between_notes(balances: Sequence[Balance], info: BetweenInfo) -> list[Words]:
    """Return what must be known with balances."""
    first = balances[0]
    said = [_travel_words(info), _water_words(first)]
    if info.others:
        names = ", ".join(info.others)
        said.append(
            Words(
                f"中间另有来水或去水的节点：{names}；它们带来或带走的都算在净值里。",
                f"Water also comes and goes between at {names}; what it brings or takes is in the net load.",
            )
        )
    if info.bypassed:
        names = ", ".join(info.bypassed)
        said.append(
            Words(
                f"水可以绕过监测点 {names}：绕过的不在收支里。",
                f"Water can pass around {names}; what does is not in the balance.",
            )
        )
    blocks = Words(
        f"{first.blocks} 个 {first.block_s / 3600.0:.0f} 小时的时段",
        f"{first.blocks} blocks of {first.block_s / 3600.0:.0f} h",
    )
    said.append(
        Words(
            f"区间含采样误差（重抽 {blocks.zh}）和中间存水的误差；流量或仪器若偏 1 %，净值随之改变表中“1 % 偏差”那么多。",
            f"Bands hold the error of sampling ({blocks.en} resampled) and of what is stored, no bias;"
            " one per cent of bias of a discharge or an analyser moves the net by what the last column says.",
        )
    )
    flagged = ", ".join(f"{name} {count}" for name, count in info.suspect.items() if count)
    if flagged:
        said.append(
            Words(
                f"用到的可疑读数：{flagged}；可能是真的陡峰，因此不去掉（见 suyuan qc）。",
                f"Suspect readings that were used: {flagged}; they may be true peaks and stay in (see suyuan qc).",
            )
        )
    return said


def _travel_words(info: BetweenInfo) -> Words:
    least, most = info.travel
    volume = f"{info.volume:,.0f} m3"
    if not np.isfinite(least):
        return Words(
            f"中间存水 {volume}；平均流向下，进口的水不到出口。",
            f"{volume} of water lie between; on average no water of an inlet reaches an outlet.",
        )
    hours = f"{least:.1f}" if most - least < 0.1 else f"{least:.1f}–{most:.1f}"
    return Words(
        f"中间存水 {volume}，流经约 {hours} 小时（水量除以流量）；蓄存变化已计入，因此两端不必错时。",
        f"{volume} of water lie between, passed in about {hours} h (volume over discharge); what they store is counted, so both "
        "ends are taken at the same time.",
    )


def _water_words(one: Balance) -> Words:
    value = f"{one.water:+.3g} m3/s"
    return Words(
        f"水量：出减进减蓄存为 {value}。",
        f"Water: what leaves less what enters, storage counted, is {value}.",
    )


def between_page(balances: Sequence[Balance], info: BetweenInfo, *, zone: tzinfo, page: PageInfo) -> str:
    """Return the page of balances, readable offline, in both languages."""
    alt = Words("进出通量", "loads in and out")
    blocks = [
        Block(
            Words("收支", "Balance"),
            headings=HEADINGS,
            rows=balance_rows(balances),
            figure=inline(svg(loads_past(balances, zone=zone), "loads"), alt=alt),
        ),
        Block(Words("各监测点", "Stations"), headings=STATION_HEADINGS, rows=station_rows(balances)),
    ]
    name = f"{', '.join(info.inlets)} → {', '.join(info.outlets)}"
    return rendered(
        blocks,
        name,
        title=Words("进出通量收支", "What enters and leaves"),
        headline=between_headline(balances, info, zone=zone),
        notes=between_notes(balances, info),
        page=page,
    )


def loads_csv(balances: Sequence[Balance]) -> str:
    """Return the load past every station, a row a determinand and station, and the net load."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in balances:
        for side, passed in (("in", one.inlets), ("out", one.outlets)):
            for p in passed:
                numbers = (p.load, p.low, p.high, p.discharge)
                writer.writerow(
                    [
                        one.determinand,
                        side,
                        p.station,
                        *(f"{v:.6g}" for v in numbers),
                        p.readings,
                        f"{p.gap_share:.4f}",
                    ]
                )
        writer.writerow([one.determinand, "stored", "", *(f"{v:.6g}" for v in one.stored), "", "", ""])
        writer.writerow(
            [one.determinand, "net", "", *(f"{v:.6g}" for v in one.net), f"{one.water:.6g}", "", ""]
        )
    return sheet.getvalue()


def balance_dict(balances: Sequence[Balance], info: BetweenInfo, *, zone: tzinfo) -> dict[str, Any]:
    """Return balances as plain numbers, for JSON; loads in kg/d."""
    first = balances[0]
    ends = first.start + np.round(first.edges[[0, -1]]).astype("timedelta64[s]")
    whole = {
        "since": iso(ends[0], zone),
        "until": iso(ends[1], zone),
        "travel_h": list(info.travel),
        "volume_m3": info.volume,
        "other_nodes": list(info.others),
        "bypassed": list(info.bypassed),
        "suspect_readings": dict(info.suspect),
        "balances": [_one_dict(one) for one in balances],
    }
    clean: dict[str, Any] = without_nan(whole)
    return clean


def _one_dict(one: Balance) -> dict[str, Any]:
    def banded(values: tuple[float, float, float]) -> dict[str, float]:
        return dict(zip(("value", "low", "high"), values, strict=True))

    return {
        "determinand": one.determinand,
        "in": banded(one.entering),
        "out": banded(one.leaving),
        "stored": banded(one.stored),
        "net": banded(one.net),
        "probability_net_above_0": one.probability,
        "one_per_cent": one.per_cent,
        "water_m3_s": one.water,
        "blocks": one.blocks,
        "block_h": one.block_s / 3600.0,
        "inlets": [vars(p) for p in one.inlets],
        "outlets": [vars(p) for p in one.outlets],
    }
