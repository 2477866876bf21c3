"""The files of a budget (budget.html, budget.json) and of forecasts (forecast.html, forecast.json)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suyuan.io.atomic import result_folder
from suyuan.outlook.budget import Budget
from suyuan.outlook.forecast import Forecast
from suyuan.outlook.rolled import Rolled
from suyuan.plot import forecast_fans, month_fans
from suyuan.report.figures import inline, svg
from suyuan.report.outlook import (
    BUDGET_HEADINGS,
    DAILY_MEANS,
    FORECAST_HEADINGS,
    SKILL_HEADINGS,
    SKILL_MEANS,
    budget_headline,
    budget_rows,
    budget_words,
    forecast_rows,
    forecast_title,
    short_words,
    skill_rows,
)
from suyuan.report.page import shipped, template
from suyuan.report.section import HANDS_OFF
from suyuan.report.section_page import PageInfo
from suyuan.report.words import Words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MONTH = Words(
    "黑点为日均值；蓝带为余下各日的 80 % 和 90 % 区间；红线为目标类别限值；菱形为预计月均值及其 90 % 区间。",
    "Dots are daily means; the fan holds 80 and 90 % of what the days left may be; red is the limit of the target class; the "
    "diamond is where the mean of the month may end, with its 90 % interval.",
)
_AHEAD = Words(
    "黑点为日均值；蓝带为 80 % 和 90 % 区间；红线为目标类别限值（离得远的不画）。",
    "Dots are daily means; the fan holds 80 and 90 %; red is the limit of the target class (not drawn where far off).",
)

_Table = tuple[Words, tuple[Words, ...], list[tuple[Words, ...]]]


def write_budget(
    budget: Budget,
    rolled: dict[str, Rolled],
    *,
    assumed: Sequence[Words],
    page: PageInfo,
    whole: Mapping[str, Any],
    out: Path,
) -> tuple[Path, ...]:
    """Write the page and the JSON of a budget into the folder `out` and return them, the page first."""
    said = {
        "assumed": assumed,
        "title": Words("本月收支", "Budget of the month"),
        "station": budget.section.station,
        "period": f"{budget.month.label}, {budget.month.today}",
        "headline": budget_headline(budget),
        "caption": _MONTH,
        "tables": [(Words("各指标", "Items"), BUDGET_HEADINGS, budget_rows(budget))],
        "notes": budget_words(budget),
    }
    html = _page(said, month_fans(budget, rolled), page=page)
    return _written({"budget.html": html, "budget.json": _json(whole)}, out)


def write_forecasts(
    found: Sequence[Forecast],
    *,
    short: Sequence[str],
    assumed: Sequence[Words],
    page: PageInfo,
    whole: Mapping[str, Any],
    out: Path,
) -> tuple[Path, ...]:
    """Write the page and the JSON of forecasts into the folder `out` and return them, the page first."""
    tables: list[_Table] = []
    for one in found:
        title, skill = forecast_title(one), Words("以往技巧", "skill on the past")
        tables.append((title, FORECAST_HEADINGS, forecast_rows(one)))
        name = Words(f"{one.determinand} {skill.zh}", f"{one.determinand}, {skill.en}")
        tables.append((name, SKILL_HEADINGS, skill_rows(one)))
    said = {
        "assumed": assumed,
        "title": Words("日均值预报", "Forecast of daily means"),
        "station": found[0].station,
        "period": str(max(one.made_from for one in found)),
        "headline": None,
        "caption": _AHEAD,
        "tables": tables,
        "notes": (*short_words(short), SKILL_MEANS, DAILY_MEANS, HANDS_OFF),
    }
    html = _page(said, forecast_fans(found), page=page)
    return _written({"forecast.html": html, "forecast.json": _json(whole)}, out)


def _page(said: Mapping[str, Any], figure: Figure, *, page: PageInfo) -> str:
    return template("outlook.html").render(
        **said,
        lang=page.lang,
        project=page.project,
        is_invented=page.is_invented,
        style=shipped("page.css"),
        figure=inline(svg(figure, "outlook"), alt=said["title"]),
        made=page.made.isoformat(sep=" ", timespec="minutes"),
    )


def _json(whole: Mapping[str, Any]) -> str:
    return json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False)


def _written(texts: Mapping[str, str], out: Path) -> tuple[Path, ...]:
    with result_folder(out) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8", newline="\n")
    return tuple(out / name for name in texts)
