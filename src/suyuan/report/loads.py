"""What is said of loads over years: headline, table and notes, in Chinese and English."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from suyuan.loads import Loads
from suyuan.loads.periods import Change, PeriodLoad
from suyuan.loads.record import Bounded
from suyuan.report.figures import Lang
from suyuan.report.section import HANDS_OFF
from suyuan.report.words import Words
from suyuan.report.words_table import words_table
from suyuan.substances import determinand

if TYPE_CHECKING:
    from rich.table import Table

LONG_GAP = 366
"""Days without a reading from which it is said that estimates there lean on other years."""

UNSAMPLED = 0.1
"""A share of the load on days with more flow than any reading, from which it is said."""

SPARSE = 20.0
"""Days between readings (median) from which it is said that intervals of years may be too narrow."""

MANY_CENSORED = 0.1
"""A share of readings not known from which their bias is not told: those that are known are the high ones."""

LARGE_BIAS = 10.0
"""Bias of the load at the readings [%] from which it is doubted (Hirsch, 2014, J. Am. Water Resour. Assoc. 50, 1290)."""

HEADINGS = (
    Words("年", "year"),
    Words("读数", "readings"),
    Words("流量 m3/s", "flow m3/s"),
    Words("平均浓度 mg/L（95 %）", "concentration mg/L (95 %)"),
    Words("平均通量 kg/d（95 %）", "load kg/d (95 %)"),
    Words("流量归一化浓度 mg/L（95 %）", "flow-normalised mg/L (95 %)"),
    Words("流量归一化通量 kg/d（95 %）", "flow-normalised kg/d (95 %)"),
)

_QUANTITIES = {"concentration": Words("浓度", "concentration"), "load": Words("通量", "load")}
_DIRECTIONS = {
    "rising": Words("上升", "it rises"),
    "falling": Words("下降", "it falls"),
    "unclear": Words("看不出升降", "no clear change"),
    "short": Words("不足五年，不判断升降", "too short to tell a direction (under five years)"),
}


@dataclass(frozen=True)
class LoadsInfo:
    """What loads do not know themselves: names, when it was made, the language, days with readings but no discharge."""

    project: str
    station: str
    determinand: str
    made: datetime
    lang: Lang = "zh"
    readings_without_discharge: int = 0
    is_invented: bool = False

    @property
    def named(self) -> Words:
        """The determinand in words."""
        known = determinand(self.determinand)
        return Words(f"{known.name_zh}（{known.id}）", f"{known.name} ({known.id})")


def figure(value: float) -> str:
    """Return a number to three digits, without an exponent.

    >>> figure(0.012345), figure(98765.4), figure(2.0)
    ('0.0123', '98,800', '2.00')
    """
    rounded = float(f"{value:.3g}")
    decimals = 2 - int(np.floor(np.log10(abs(rounded)))) if rounded else 0
    return f"{rounded:,.{max(decimals, 0)}f}"


def bounded(value: Bounded) -> str:
    """Return a value with its interval.

    >>> bounded(Bounded(1.0, 0.5, 2.0))
    '1.00 (0.500–2.00)'
    """
    return f"{figure(value.value)} ({figure(value.low)}–{figure(value.high)})"


def loads_headline(loads: Loads, info: LoadsInfo) -> Words:
    """Return the trend in a sentence; where none can be told, the last whole year's load."""
    name = Words(f"{info.station} {info.named.zh}", f"{info.station}, {info.named.en}")
    if loads.trend:
        parts = [change_words(change) for change in loads.trend]
        first, last = loads.trend[0].first, loads.trend[0].last
        return Words(
            f"{name.zh}，{first} 至 {last} 年，去除流量影响后：{'；'.join(part.zh for part in parts)}。",
            f"{name.en}, {first} to {last}, with the effect of flow taken out: {'; '.join(part.en for part in parts)}.",
        )
    year = next((one for one in reversed(loads.years) if one.is_whole), loads.years[-1])
    return Words(
        f"{name.zh}，{year.label} 年平均通量 {bounded(year.load)} kg/d，平均浓度 {bounded(year.concentration)} mg/L。",
        f"{name.en}: mean load in {year.label} {bounded(year.load)} kg/d, mean concentration "
        f"{bounded(year.concentration)} mg/L.",
    )


def change_words(change: Change) -> Words:
    """Return one change in words: how much, how sure, and which way."""
    value, low, high = (f"{part:+.0f}".replace("-", "−") for part in change.percent)
    quantity, direction = _QUANTITIES[change.quantity], _DIRECTIONS[change.direction]
    return Words(
        f"{quantity.zh}变化 {value} %（95 % 区间 {low} 至 {high} %），{direction.zh}",
        f"{quantity.en} {value} % (95 % interval {low} to {high} %), {direction.en}",
    )


def year_rows(loads: Loads) -> list[tuple[Words, ...]]:
    """Return the cells of every year, those that are not whole marked."""
    rows = []
    for year in loads.years:
        mark = Words("", "") if year.is_whole else Words(f"（{year.days} 天）", f" ({year.days} d)")
        cells = (
            figure(year.discharge),
            *(bounded(one) for one in (year.concentration, year.load)),
            *(bounded(one) for one in (year.normalised_concentration, year.normalised_load)),
        )
        rows.append(
            (
                Words(year.label + mark.zh, year.label + mark.en),
                _readings_cell(year),
                *(Words(cell, cell) for cell in cells),
            )
        )
    return rows


def _readings_cell(year: PeriodLoad) -> Words:
    """Return how many readings a year has, and in which quarters it has none."""
    if not year.unread or not year.readings:
        return Words(str(year.readings), str(year.readings))
    zh, en = "、".join(str(q) for q in year.unread), " ".join(f"Q{q}" for q in year.unread)
    return Words(f"{year.readings}（第 {zh} 季度无）", f"{year.readings} (none in {en})")


def years_table(loads: Loads, lang: Lang) -> Table:
    """Return the years as a table for the terminal."""
    return words_table(HEADINGS, year_rows(loads), lang=lang, right=range(1, len(HEADINGS)))


def loads_notes(loads: Loads, info: LoadsInfo) -> list[Words]:
    """Return what must be known of the estimates."""
    return [
        *_method_words(loads),
        _readings_words(loads, info),
        *_trend_words(loads),
        *_gap_words(loads),
        *_unsampled_words(loads),
        _fit_words(loads),
        Words(
            "流量归一化：每一天取历年同日流量的平均，去掉年际丰枯；前提是流量本身没有趋势（如无新建闸坝、调水）。",
            "Flow-normalised: each day averaged over the flows of that date in all years, wet and dry years taken out; it "
            "assumes that flow itself has no trend (no new gates, dams or transfers).",
        ),
        HANDS_OFF,
    ]


def _method_words(loads: Loads) -> list[Words]:
    method = Words(
        "方法：时间、流量、季节加权回归（WRTDS，Hirsch 等 2010），低于检出限的读数按似然计。",
        "Method: weighted regressions on time, discharge and season (WRTDS, Hirsch et al. 2010), readings below detection "
        "by their likelihood.",
    )
    if loads.rating is not None:
        number = loads.rating.number
        method = Words(
            f"方法：通量率定曲线，LOADEST 模型 {number}，校正最大似然（AMLE，Cohn 等 1992），低于检出限的读数按似然计。",
            f"Method: rating curve of the load, LOADEST model {number}, by adjusted maximum likelihood (AMLE, Cohn et al. 1992), "
            "readings below detection by their likelihood.",
        )
    intervals = Words(
        "有读数的日子以读数为准，其余日子由前后读数的偏差修正。区间来自各读数的影响（200 天内相关）和未知的每日误差；"
        "回归形式不对时偏窄。",
        "Days with readings are as read; what readings differ from the regression is carried to the days around them. Intervals "
        "come from the influence of each reading (dependent within 200 days) and from days not read; they are too narrow "
        "where the form of the regression is wrong.",
    )
    spacing = float(np.median(np.diff(loads.samples.date).astype(float)))
    if spacing < SPARSE or not loads.may_not_last:
        return [method, intervals]
    sparse = Words(
        f"读数间隔约 {spacing:.0f} 天，看不出误差持续多久："
        "两种可能都算、取较宽的；若误差不持续，年通量的区间仍偏窄（检验中 95 % 区间含真值 90 %）。",
        f"Readings are some {spacing:.0f} days apart and do not show how long errors last: the wider of both cases is taken. "
        "Where errors do not last, intervals of a year's load are still narrow (in tests those of 95 % held the truth in 90 %).",
    )
    return [method, intervals, sparse]


def _readings_words(loads: Loads, info: LoadsInfo) -> Words:
    n, below = len(loads.samples), int((loads.samples.low == 0.0).sum())
    days, without = len(loads.daily), info.readings_without_discharge
    missing = int((loads.daily.date[-1] - loads.daily.date[0]).astype(int)) + 1 - days
    return Words(
        f"{n} 天有读数（其中 {below} 天低于检出限），{days} 天有流量；缺流量 {missing} 天"
        + (f"，{without} 天的读数因缺流量未用。" if without else "。"),
        f"{n} days with readings ({below} below detection), {days} with discharge; {missing} days between lack it"
        + (f", and {without} days of readings could not be used for that." if without else "."),
    )


def _trend_words(loads: Loads) -> list[Words]:
    if loads.trend:
        return []
    if loads.rating is not None and not loads.rating.has_trend:
        return [
            Words(
                "所选模型没有时间项（按 AIC，读数不支持趋势，或不足两年），不判断趋势。",
                "The chosen model has no term in time (by AIC the readings do not speak for a trend, or span less than two "
                "years): no trend is told.",
            )
        ]
    return [Words("整年不足两个，不判断趋势。", "There are not two whole years: no trend is told.")]


def _gap_words(loads: Loads) -> list[Words]:
    ends, notes = loads.daily.date[[0, -1]], []
    date = np.concatenate([ends[:1], loads.samples.date, ends[1:]])
    days = np.diff(date).astype(int)
    if days.max() >= LONG_GAP:
        g = int(days.argmax())
        notes.append(
            Words(
                f"{date[g]} 至 {date[g + 1]} 之间没有读数：这段估计只靠其他年份。",
                f"No readings between {date[g]} and {date[g + 1]}: estimates there lean on other years alone.",
            )
        )
    month = loads.samples.date.astype("datetime64[M]").astype(int) % 12
    read = set((month // 3 + 1).tolist())
    never = {quarter for year in loads.years for quarter in year.unread} - read
    if never:
        zh, en = "、".join(map(str, sorted(never))), ", ".join(f"Q{q}" for q in sorted(never))
        notes.append(
            Words(
                f"历年第 {zh} 季度都没有读数：这些季节的估计是由其他季节外推的，区间不包括这一误差。",
                f"No year has a reading in {en}: what stands for these seasons is extrapolated from the others, and intervals do "
                "not hold that error.",
            )
        )
    elif any(year.unread for year in loads.years):
        notes.append(
            Words(
                "年表中注明了没有读数的季度：那里的估计靠其他年份同一季节的读数。",
                "The table of years names quarters without readings: estimates there lean on that season of other years.",
            )
        )
    if loads.days_left_out:
        notes.append(
            Words(
                f"首个读数之前和最后读数之后的年份不估计：{loads.days_left_out} 天流量未用。",
                f"Years before the first reading and after the last are not estimated: {loads.days_left_out} days of "
                "discharge are left out.",
            )
        )
    return notes


def _unsampled_words(loads: Loads) -> list[Words]:
    most = float(np.exp(loads.samples.log_q.max()))
    beyond = loads.daily.discharge > most
    share = float(loads.load[beyond].sum() / loads.load.sum())
    if share < UNSAMPLED:
        return []
    return [
        Words(
            f"{share:.0%} 的通量出现在流量超过 {figure(most)} m3/s 的日子，而这样的流量从未有读数：是外推，请在高流量时采样。",
            f"{share:.0%} of the load passed on days with more than {figure(most)} m3/s, where no reading was ever taken: "
            "that is extrapolated; sample high flows.",
        )
    ]


def _fit_words(loads: Loads) -> Words:
    fit = loads.fit
    how = Words("（每个读数由其余读数估计）", " (each reading estimated from the others)")
    how = how if loads.rating is None else Words("", "")
    unknown = 1.0 - float(loads.samples.is_known.mean())
    if unknown > MANY_CENSORED:
        return Words(
            f"与读数比较{how.zh}：对数标准差 {fit.log_sd:.2f}；{unknown:.0%} 的读数未定量，"
            "已定量的偏高，故不给出通量偏差和效率系数。",
            f"Against readings{how.en}: log residual sd {fit.log_sd:.2f}; {unknown:.0%} of the readings are not quantified and "
            "those that are lie high, so no bias of the load or efficiency is told.",
        )
    doubt = abs(fit.bias_percent) > LARGE_BIAS
    return Words(
        f"与读数比较{how.zh}：对数标准差 {fit.log_sd:.2f}，通量偏差 {fit.bias_percent:+.1f} %，效率系数 {fit.efficiency:.2f}"
        + ("。偏差较大，请换一种方法比较。" if doubt else "。"),
        f"Against readings{how.en}: log residual sd {fit.log_sd:.2f}, bias of the load {fit.bias_percent:+.1f} %, efficiency "
        f"{fit.efficiency:.2f}" + (". The bias is large: compare with the other method." if doubt else "."),
    )
