"""The files of loads: loads.html, loads.json, loads.csv."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from suyuan.io.atomic import result_folder
from suyuan.loads import Loads
from suyuan.loads.periods import QUANTITIES, PeriodLoad
from suyuan.loads.rating import Rating
from suyuan.plot import concentration_over_time, surface_of, yearly_means
from suyuan.report.figures import inline, svg
from suyuan.report.loads import HEADINGS, LoadsInfo, loads_headline, loads_notes, year_rows
from suyuan.report.page import shipped, template
from suyuan.report.words import Words

UNITS = {
    "concentration": "mg_l",
    "load": "kg_d",
    "normalised_concentration": "mg_l",
    "normalised_load": "kg_d",
}
"""The unit of each quantity, as it stands in column names."""


def write_loads(loads: Loads, info: LoadsInfo, *, out: Path) -> tuple[Path, ...]:
    """Write loads into the folder `out` and return its files, the page first."""
    texts = {
        "loads.html": loads_page(loads, info),
        "loads.json": json.dumps(loads_dict(loads, info), ensure_ascii=False, indent=1, allow_nan=False),
        "loads.csv": loads_csv(loads),
    }
    with result_folder(out) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8-sig" if name.endswith(".csv") else "utf-8", newline="\n")
    return tuple(out / name for name in texts)


def loads_dict(loads: Loads, info: LoadsInfo) -> dict[str, Any]:
    """Return plain numbers and texts, for JSON: years, months, trend, fit; concentrations in mg/L, loads in kg/d."""
    return {
        "project": info.project,
        "invented": info.is_invented,
        "station": info.station,
        "determinand": info.determinand,
        "method": loads.method,
        "model": _model(loads.rating),
        "readings": len(loads.samples),
        "below_detection": int((loads.samples.low == 0.0).sum()),
        "days": len(loads.daily),
        "trend": [
            {
                "quantity": f"normalised_{one.quantity}",
                "first": one.first,
                "last": one.last,
                "percent": list(one.percent),
                "chance_of_rise": one.chance_of_rise,
                "direction": one.direction,
            }
            for one in loads.trend
        ],
        "fit": {
            "log_sd": loads.fit.log_sd,
            "bias_percent": loads.fit.bias_percent,
            "efficiency": _plain(loads.fit.efficiency),
        },
        "years": [_period(one) for one in loads.years],
        "months": [_period(one) for one in loads.months],
    }


def _model(rating: Rating | None) -> dict[str, Any] | None:
    if rating is None:
        return None
    fit = rating.fit
    return {
        "number": rating.number,
        "flow_centre": rating.flow_centre,
        "time_centre": rating.time_centre,
        "coefficients": fit.adjusted.tolist(),
        "standard_errors": fit.standard_errors.tolist(),
        "variance": fit.variance,
        "aic": fit.aic,
    }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _period(one: PeriodLoad) -> dict[str, Any]:
    bounds = {name: list(getattr(one, name)) for name in QUANTITIES}
    head = {"period": one.label, "days": one.days, "is_whole": one.is_whole, "readings": one.readings}
    return {**head, "quarters_without_readings": list(one.unread), "discharge": one.discharge, **bounds}


def loads_csv(loads: Loads) -> str:
    """Return every year and every month, a row each."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    columns = [f"{name}_{UNITS[name]}{end}" for name in QUANTITIES for end in ("", "_low95", "_high95")]
    writer.writerow(["period", "days", "is_whole", "readings", "discharge_m3_s", *columns])
    for one in (*loads.years, *loads.months):
        numbers = [f"{value:.6g}" for name in QUANTITIES for value in getattr(one, name)]
        writer.writerow([one.label, one.days, one.is_whole, one.readings, f"{one.discharge:.6g}", *numbers])
    return sheet.getvalue()


def loads_page(loads: Loads, info: LoadsInfo) -> str:
    """Return the page of loads, readable offline, in both languages."""
    drawn = (
        (
            Words("浓度与每日估计", "Concentration and the estimate of every day"),
            concentration_over_time(loads),
            Words(
                "红点为读数，灰线为每日估计，蓝线为各年流量归一化浓度。",
                "Red: readings; grey: estimate of each day; blue: yearly flow-normalised concentration.",
            ),
        ),
        (
            Words("各年通量与浓度", "Load and concentration of each year"),
            yearly_means(loads),
            Words(
                "点为当年估计及其 95 % 区间；蓝线去掉了年际丰枯，带为其 95 % 区间。",
                "Dots: what passed in the year, with its 95 % interval; blue: wet and dry years taken out.",
            ),
        ),
        _surface_figure(loads),
    )
    figures = [
        (name, inline(svg(drawing, f"loads{i}"), alt=name), caption)
        for i, (name, drawing, caption) in enumerate(drawn)
    ]
    return template("loads.html").render(
        lang=info.lang,
        project=info.project,
        is_invented=info.is_invented,
        station=info.station,
        named=info.named,
        period=f"{loads.daily.date[0]}..{loads.daily.date[-1]}",
        style=shipped("page.css"),
        headline=loads_headline(loads, info),
        headings=HEADINGS,
        rows=year_rows(loads),
        figures=figures,
        notes=loads_notes(loads, info),
        made=info.made.isoformat(sep=" ", timespec="minutes"),
    )


def _surface_figure(loads: Loads) -> tuple[Words, Any, Words]:
    if loads.surface is None:
        name = Words("浓度与流量", "Concentration and discharge")
        caption = Words("红点为读数，灰点为每日估计。", "Red: readings; grey: estimate of each day.")
    else:
        name = Words("浓度随时间和流量的变化", "Concentration over time and discharge")
        caption = Words(
            "颜色为某日某流量下的平均浓度；黑线之间是该月份历年流量的 5 % 至 95 %，线外是外推；红点是有读数的日子。",
            "Colour: mean concentration at a flow and time; between the black lines lie 5 to 95 % of the discharges of that "
            "month, beyond them it is extrapolated; red: days with readings.",
        )
    return name, surface_of(loads), caption
