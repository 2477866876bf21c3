"""What is said of a budget and of forecasts: headlines, tables, notes, in Chinese and English."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np

from suyuan.clock import clocked
from suyuan.outlook.budget import Budget, ItemBudget
from suyuan.outlook.forecast import Ahead, Forecast
from suyuan.outlook.skilled import FEWEST_SCORED
from suyuan.plot import percent
from suyuan.report.figures import Lang
from suyuan.report.section import HANDS_OFF
from suyuan.report.section_notes import note_sentence
from suyuan.report.words import Words, likelihood
from suyuan.report.words_table import words_table
from suyuan.substances import determinands

if TYPE_CHECKING:
    from rich.table import Table

RIVALS = {
    "persistence": Words("持续性", "persistence"),
    "damped": Words("阻尼持续性", "damped persistence"),
    "climatology": Words("气候态", "climatology"),
}
BUDGET_HEADINGS = (
    Words("指标", "item"),
    Words("限值", "limit"),
    Words("至今均值", "mean so far"),
    Words("读数", "readings"),
    Words("预计月均（90 %）", "month's mean (90 %)"),
    Words("月末超过目标的概率", "chance to miss the target"),
    Words("余下预计", "rest expected"),
    Words("余下允许", "rest may be"),
    Words("余下余量（负为不足）", "room of the rest (- is lack)"),
    Words("允许/预计通量 kg/d", "may carry / expected, kg/d"),
    Words("以往误差：本法/至今均值", "past error: ours / mean so far"),
)
FORECAST_HEADINGS = (
    Words("日", "day"),
    Words("点预报（据此评技巧）", "point (its skill is given)"),
    Words("中位数", "median"),
    Words("80 % 区间", "80 % interval"),
    Words("90 % 区间", "90 % interval"),
    Words("超过目标类别限值的概率", "chance beyond the target's limit"),
)
SKILL_HEADINGS = (
    Words("提前天数", "days ahead"),
    Words("检验次数", "forecasts scored"),
    *(Words(f"对{words.zh}", f"vs {words.en}") for words in RIVALS.values()),
    Words("CRPS 对阻尼持续性", "CRPS vs damped"),
    Words("80 %/90 % 区间实含", "80 % / 90 % held"),
    Words("结论", "verdict"),
)
NO_SKILL = Words("无技巧", "no skill")
SKILL_MEANS = Words(
    "技巧 = 1 − 均方误差之比（浓度按对数）；1 为完美，0 为不优于对照，负数为更差。"
    "每次预报只用当时以前的读数；读数是否存疑由全部记录判断。",
    "Skill is 1 less the ratio of mean squared errors (of logarithms for concentrations): 1 is perfect, 0 no better, negative "
    "worse. Each forecast was made from readings before it; which readings are faults was judged with the whole record.",
)
DAILY_MEANS = Words(
    "预报的是日均值，既非实时评价也非月度评价。",
    "Forecast are daily means: neither realtime classes nor an assessment.",
)


def budget_headline(budget: Budget) -> Words:
    """Return what an inspector reads first: will the month end well, and which item is most doubtful."""
    worst, month, name = budget.worst, budget.month, budget.section.station
    assert worst is not None
    sure, p, one = likelihood(budget.probability), percent(budget.probability), percent(worst.probability)
    target, short = budget.section.target_class, ", ".join(budget.short)
    together = Words(
        f"各指标合计，不含数据太短的 {short}" if short else "各指标合计",
        f"items together, but not {short}: too short a past" if short else "all items together",
    )
    return Words(
        f"{name} {month.label}（截至 {month.today}，还有 {month.days_left} 天）：月末超过目标 {target} 的概率为 {p}（{sure.zh}，"
        f"{together.zh}）；最可能超过的指标是 {worst.item.id}，{one}。",
        f"{name}, {month.label} (until {month.today}, {month.days_left} days left): it is {sure.en} ({p}, {together.en}) "
        f"that the month ends above the target {target}; the most doubtful item is {worst.item.id}, {one}.",
    )


def assumed_words(assumed: np.datetime64 | None, zone: tzinfo) -> tuple[Words, ...]:
    """Return which moment was taken as now where none was asked for, none where one was."""
    if assumed is None:
        return ()
    when = clocked(assumed, zone)
    return (
        Words(
            f"未指定 --at，以最后一条读数所在日 {when} 为准。",
            f"No --at was given: as of {when}, the day of the last reading.",
        ),
    )


def budget_rows(budget: Budget) -> list[tuple[Words, ...]]:
    """Return a row an item, the most doubtful first."""
    return [_budget_row(one) for one in sorted(budget.items, key=lambda one: -one.probability)]


def budget_words(budget: Budget) -> tuple[Words, ...]:
    """Return what must be known with a budget, what it would take first."""
    said = [take_words(one) for one in budget.items if one.probability >= 0.05]
    if budget.missing:
        named = ", ".join(budget.missing)
        said.append(Words(f"本月没有读数的指标：{named}。", f"Items without readings this month: {named}."))
    return (*said, *(note_sentence(note) for note in budget.notes), HANDS_OFF)


def take_words(one: ItemBudget) -> Words:
    """Return what it would take that an item ends the month within its limit."""
    name, (low, high) = one.item.id, one.allowed
    if one.is_lost:
        return Words(
            f"{name}：余下的日子无论如何也不能使月均达标（须优于记录中任何一天或仪器下限）。",
            f"{name}: nothing that this record has seen and the instrument can show keeps its limit in the rest of the month.",
        )
    bounds = _bounds(one)
    if one.item.statistic == "hydrogen_mean":
        return Words(
            f"{name}：余下均值须在 {bounds} 之间。", f"{name}: the rest must average within {bounds}."
        )
    change, kg = one.change, _loads(one)
    zh, en = ("不高于", "at most") if high is not None else ("不低于", "at least")
    value = _number(high if high is not None else low or 0.0)
    if change is None:
        return Words(f"{name}：余下均值须{zh} {value}。", f"{name}: the rest must average {en} {value}.")
    if change <= 0.0:
        return Words(
            f"{name}：余下均值{zh} {value} 即可，比预计的宽裕 {-change:.0%}{_kg(kg).zh}。",
            f"{name}: the rest must average {en} {value}; what is expected leaves room of {-change:.0%}{_kg(kg).en}.",
        )
    verb = Words("降低", "less") if high is not None else Words("升高", "more")
    return Words(
        f"{name}：余下均值须{zh} {value}，即比预计的{verb.zh} {change:.0%}{_kg(kg).zh}。",
        f"{name}: the rest must average {en} {value}, {change:.0%} {verb.en} than expected{_kg(kg).en}.",
    )


def budget_table(budget: Budget, lang: Lang) -> Table:
    """Return the items of a budget as a table for the terminal."""
    return words_table(BUDGET_HEADINGS, budget_rows(budget), lang=lang, right=range(1, len(BUDGET_HEADINGS)))


def forecast_title(found: Forecast) -> Words:
    """Return what is forecast, in which unit, from when."""
    known = determinands()[found.determinand]
    unit = "" if known.unit == "1" else f", {known.unit}"
    return Words(
        f"{known.name_zh} {found.determinand}{unit}（据 {found.made_from} 及以前 {found.learnt} 天的读数）",
        f"{known.name}, {found.determinand}{unit} (from readings until {found.made_from}, {found.learnt} days)",
    )


def forecast_rows(found: Forecast) -> list[tuple[Words, ...]]:
    """Return a row a day ahead."""
    return [_forecast_row(one) for one in found.ahead]


def skill_rows(found: Forecast) -> list[tuple[Words, ...]]:
    """Return a row a horizon: skill against each simple forecast, or that there is none."""
    return [_skill_row(one) for one in found.ahead]


def forecast_table(found: Forecast, lang: Lang) -> Table:
    """Return the days ahead as a table for the terminal."""
    return words_table(
        FORECAST_HEADINGS, forecast_rows(found), lang=lang, right=range(1, len(FORECAST_HEADINGS))
    )


def skill_table(found: Forecast, lang: Lang) -> Table:
    """Return the skill as a table for the terminal."""
    return words_table(SKILL_HEADINGS, skill_rows(found), lang=lang, right=range(1, len(SKILL_HEADINGS)))


def verdict(one: Ahead) -> Words:
    """Return whether a horizon has skill: against the hardest simple forecast, "no skill" where there is none."""
    if one.skill.days < FEWEST_SCORED:
        return Words(
            f"检验不足（少于 {FEWEST_SCORED} 次）", f"not known (fewer than {FEWEST_SCORED} forecasts scored)"
        )
    if one.skill.has_skill:
        return Words("有技巧", "skill")
    rival = RIVALS[one.skill.best_rival]
    return Words(
        f"{NO_SKILL.zh}（并不可靠地优于{rival.zh}）", f"{NO_SKILL.en} ({rival.en} is as good, but for chance)"
    )


def short_words(short: Sequence[str]) -> tuple[Words, ...]:
    """Return a sentence on determinands with too short a past or without recent readings, none where all could be forecast."""
    if not short:
        return ()
    named = ", ".join(short)
    return (
        Words(
            f"过去的读数太少或近日没有读数、不作预报：{named}。",
            f"Too short a past or no recent readings, not forecast: {named}.",
        ),
    )


def _budget_row(one: ItemBudget) -> tuple[Words, ...]:
    low, middle, high = one.month
    change = one.change
    score = one.score
    past = f"{score.ours:.1%} / {score.so_far:.1%} ({score.months})" if score.months else "-"
    kg = _loads(one)
    lost = Words("已不可能", "lost")
    cells = [
        one.item.id,
        _limit(one),
        str(_number(float(one.so_far.value))),
        str(one.so_far.count),
        f"{_number(middle)} ({_number(low)}–{_number(high)})",
        percent(one.probability),
        _number(one.rest[1]),
    ]
    may = lost if one.is_lost else Words(_bounds(one), _bounds(one))
    rest = [
        "-" if change is None else _room(change),
        "-" if kg is None else f"{kg[0]} / {kg[1]}",
        past,
    ]
    return (*(Words(c, c) for c in cells), may, *(Words(c, c) for c in rest))


def _room(change: float) -> str:
    """Return the room that the rest has before the limit, negative where it lacks; beyond its double it is not worth a number.

    >>> _room(0.29), _room(-1.7)
    ('-29%', '> +100%')
    """
    return f"{-change:+.0%}" if change >= -1.0 else "> +100%"


def _limit(one: ItemBudget) -> str:
    low, high = one.limit
    if low is not None and high is not None:
        return f"{low}–{high}"
    return f"≥ {low}" if high is None else f"≤ {high}"


def _bounds(one: ItemBudget) -> str:
    low, high = one.allowed
    if low is not None and high is not None:
        return f"{_number(low)}–{_number(high)}"
    if low is None and high is None:
        return "any"
    return f"≥ {_number(low)}" if low is not None else f"≤ {_number(high or 0.0)}"


def _loads(one: ItemBudget) -> tuple[str, str] | None:
    """Return kg/d that the rest may carry and is expected to, None without flow."""
    high = one.allowed[1]
    may = None if high is None else one.load(max(high, 0.0))
    expected = one.load(one.rest[1])
    return None if may is None or expected is None else (_number(may), _number(expected))


def _kg(kg: tuple[str, str] | None) -> Words:
    if kg is None:
        return Words("", "")
    return Words(f"（通量至多 {kg[0]} kg/d，预计 {kg[1]}）", f" (at most {kg[0]} kg/d; {kg[1]} expected)")


def _forecast_row(one: Ahead) -> tuple[Words, ...]:
    low90, low80, middle, high80, high90 = (_number(value) for value in one.quantiles)
    beyond = "-" if one.beyond is None else percent(one.beyond)
    cells = (str(one.day), _number(one.point), middle, f"{low80}–{high80}", f"{low90}–{high90}", beyond)
    return tuple(Words(cell, cell) for cell in cells)


def _skill_row(one: Ahead) -> tuple[Words, ...]:
    skill = one.skill
    values = [_skill(skill.against[name]) for name in RIVALS]
    held = "-" if skill.days == 0 else f"{skill.covered_80:.0%} / {skill.covered_90:.0%}"
    cells = [str(skill.horizon), str(skill.days), *values, _skill(skill.crps), held]
    return (*(Words(cell, cell) for cell in cells), verdict(one))


def _skill(value: float) -> str:
    return f"{value:+.2f}" if np.isfinite(value) else "-"


def _number(value: float) -> str:
    """Return a number with three significant digits, without an exponent.

    >>> _number(0.04567), _number(7.0), _number(19077900.0)
    ('0.0457', '7', '19,100,000')
    """
    if abs(value) >= 1000.0:
        digits = len(str(int(abs(value)))) - 3
        return f"{round(value, -digits):,.0f}"
    return f"{float(f'{value:.3g}'):.10f}".rstrip("0").rstrip(".")
