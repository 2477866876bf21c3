"""What is said of a section: headline, tables and notes of an assessment and of realtime classes, in Chinese and
English.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np

from suyuan.clock import dated
from suyuan.report.figures import Lang
from suyuan.report.section_notes import WATERS, note_sentence
from suyuan.report.words import Words
from suyuan.report.words_table import words_table
from suyuan.standards.assessment import Assessment, Judged, water_assumed
from suyuan.standards.lakes import Trophic, algal_grades
from suyuan.standards.published import Miss
from suyuan.standards.realtime import NOT_JUDGED, Classes, Realtime
from suyuan.standards.record import Record
from suyuan.standards.rivers import River
from suyuan.standards.scheme import Scheme
from suyuan.standards.trend import Trend
from suyuan.substances import determinands

if TYPE_CHECKING:
    from rich.table import Table

HANDS_OFF = Words(
    "本结果只用于了解水质。任何结论都不得作为干预采样、取水口或监测时间的理由；这样做是造假。",
    "This is for knowing the water. Nothing here is a reason to touch sampling, intake or timing; doing so is fraud.",
)

SHOWN = 24
"""The last so many realtime readings are listed."""

ITEM_HEADINGS = (
    Words("指标", "item"),
    Words("评价值", "value"),
    Words("单位", "unit"),
    Words("类别", "class"),
    Words("超标倍数", "exceedance"),
    Words("达标", "target"),
    Words("读数", "readings"),
    Words("低于检出限", "below detection"),
    Words("未采用", "left out"),
)
MONTH_HEADINGS = (
    Words("月份", "month"),
    Words("类别", "class"),
    Words("水质状况", "grade"),
    Words("达标", "target"),
    Words("定类指标", "deciding"),
    Words("主要污染指标", "main pollutants"),
)
_REALTIME_HEADINGS = (
    Words("时间", "time"),
    Words("类别", "class"),
    Words("定类指标", "deciding"),
    Words("公布类别", "published"),
)
_YES, _NO = Words("是", "yes"), Words("否", "no")

_CAUSES = {
    "other water": Words("公布类别用了另一类水体的限值", "published by the limits of another water"),
    "last digit": Words(
        "数值在限值上，类别由更多位数得出", "at a limit; classed from more digits than are shown"
    ),
    "reading before": Words("公布的仍是前一时次的类别", "still the class of the reading before"),
    "one item": Words("某项未参与或后来修正", "one item missing or corrected afterwards"),
    "not known": Words("不明", "not known"),
}


def section_headline(record: Record) -> Words:
    """Return what an inspector reads first: class, grade, target, what decides, what pollutes."""
    whole = record.whole
    name, water = (
        whole.section.station,
        _water_words(whole.section.water_type),
    )
    if whole.class_index is None:
        return Words(
            f"{name}（{water.zh}）{whole.period}：没有可评价的读数。",
            f"{name} ({water.en}), {whole.period}: nothing to judge.",
        )
    grade = whole.scheme.classes[whole.class_index]
    zh = f"{name}（{water.zh}）{whole.period}：{grade.label}，{grade.words_zh}"
    en = f"{name} ({water.en}), {whole.period}: class {class_en(whole.scheme, whole.class_index)}, {grade.words}"
    if whole.is_met is not None:
        target = whole.section.target_class
        zh += f"；目标 {target}，{'达标' if whole.is_met else '不达标'}"
        en += f"; target {target}, {'met' if whole.is_met else 'not met'}"
    if whole.deciding:
        zh += f"；定类指标 {'、'.join(whole.deciding)}"
        en += f"; decided by {', '.join(whole.deciding)}"
    if whole.main_pollutants:
        factors = {one.item.id: _times(one) for one in whole.judged}
        zh += "；主要污染指标 " + "、".join(
            f"{i}{f'（{factors[i]}）' if factors[i] else ''}" for i in whole.main_pollutants
        )
        en += "; main pollutants " + ", ".join(
            f"{i}{f' ({factors[i]})' if factors[i] else ''}" for i in whole.main_pollutants
        )
    if len(record.months) > 1 and not np.isnan(record.compliance_rate):
        lacks = _lacking(record.lacking_items, Words("个月", "months"))
        zh += f"；逐月达标率 {record.compliance_rate:.0%}{lacks.zh}"
        en += f"; compliance rate of the months {record.compliance_rate:.0%}{lacks.en}"
    return Words(zh + "。", en + ".")


def _lacking(count: int, of: Words) -> Words:
    """Return, beside a compliance rate, how many of its months or times lack items that others have."""
    if not count:
        return Words("", "")
    return Words(
        f"（其中 {count} {of.zh}缺其他时候有的指标）",
        f" ({count} of the {of.en} lack items that others have)",
    )


def item_rows(whole: Assessment) -> list[tuple[Words, ...]]:
    """Return the judged items, then those beside them, a row each."""
    rows = [_item_row(one, whole.scheme, is_beside=False) for one in whole.judged]
    return rows + [_item_row(one, whole.scheme, is_beside=True) for one in whole.beside]


def month_rows(record: Record) -> list[tuple[Words, ...]]:
    """Return a row a month."""
    return [_month_row(month) for month in record.months]


def items_table(whole: Assessment, lang: Lang) -> Table:
    """Return the items of an assessment as a table for the terminal."""
    return words_table(ITEM_HEADINGS, item_rows(whole), lang=lang, right={1, 4, 6, 7, 8})


def months_table(record: Record, lang: Lang) -> Table:
    """Return the months of a record as a table for the terminal."""
    return words_table(MONTH_HEADINGS, month_rows(record), lang=lang, right=set())


def record_words(record: Record) -> list[Words]:
    """Return what else is said of a record: trends, trophic level, algae, notes, the scheme, and hands off."""
    said = [
        _trend_words(name, line, of=record.trend_of) for name, line in record.trends.items() if line.level
    ]
    if record.trophic is not None:
        said.append(_trophic_words(record.trophic))
    if sum(record.algal_counts):
        said.append(_algae_words(record.algal_counts))
    said += [note_sentence(note) for note in record.whole.notes]
    return [*said, _scheme_words(record.whole.scheme, record.whole.mode), HANDS_OFF]


def river_words(river: River) -> Words:
    """Return the grade of a river or lake in a sentence, and what must be known with it."""
    counts = ", ".join(f"{name} {count}" for name, count in river.counts.items() if count)
    how = (
        Words("按断面类别比例", "by the shares of classes")
        if river.by_mean is None
        else Words("按各指标断面均值", "by the means of the sections")
    )
    mains = "、".join(river.main_pollutants)
    water = _water_words(river.sections[0].section.water_type)
    notes = [note_sentence(note) for note in river.notes]
    return Words(
        f"{water.zh}（{len(river.sections)} 个断面，{counts}）：{river.grade.words_zh}（{how.zh}）"
        + (f"；主要污染指标 {mains}。" if mains else "。")
        + "".join(note.zh for note in notes),
        f"{water.en} ({len(river.sections)} sections: {counts}): {river.grade.words} ({how.en})"
        + (f"; main pollutants {mains.replace('、', ', ')}." if mains else ".")
        + "".join(f" {note.en}" for note in notes),
    )


def realtime_headline(found: Realtime) -> Words:
    """Return how many readings were of which class, and the share that reached the target."""
    name, water = found.section.station, _water_words(found.section.water_type)
    judged = int((found.class_index != NOT_JUDGED).sum())
    if not judged:
        return Words(
            f"{name}（{water.zh}）：该时段没有读数。", f"{name} ({water.en}): no reading in this period."
        )
    pairs = [(found.scheme.classes[i], n) for i, n in enumerate(found.counts.values()) if n]
    zh = "、".join(f"{grade.label} {n}" for grade, n in pairs)
    en = ", ".join(f"{grade.id} {n}" for grade, n in pairs)
    rate = found.compliance_rate
    target = found.section.target_class
    lacks = _lacking(found.lacking_items, Words("个时次", "readings"))
    over = (
        Words("", "")
        if np.isnan(rate)
        else Words(f"；达到 {target} 的占 {rate:.1%}{lacks.zh}", f"; {rate:.1%} reach {target}{lacks.en}")
    )
    return Words(
        f"{name}（{water.zh}）实时类别，{judged} 个时次：{zh}{over.zh}。",
        f"{name} ({water.en}), realtime classes of {judged} readings: {en}{over.en}.",
    )


def realtime_table(found: Realtime, published: Classes, *, zone: tzinfo, lang: Lang) -> Table:
    """Return the last realtime classes beside the published ones."""
    first = max(0, len(found.time) - SHOWN)
    rows = []
    for row, time in enumerate(dated(found.time[first:], zone), start=first):
        ours, theirs = found.class_index[row], published[row]
        cells = (
            time,
            _class_words(found.scheme, int(ours)),
            ", ".join(found.deciding(row)),
            _class_words(found.scheme, int(theirs)),
        )
        rows.append(tuple(cell if isinstance(cell, Words) else Words(cell, cell) for cell in cells))
    return words_table(_REALTIME_HEADINGS, rows, lang=lang, right=set())


def published_words(found: Realtime, missed: Sequence[Miss], *, agreement: float, fits: str) -> list[Words]:
    """Return how far published classes agree, why not, and whether they were made with the limits of another water."""
    said = [note_sentence(note) for note in water_assumed(found.section)]
    if not np.isnan(agreement):
        causes = [(cause, sum(m.cause == cause for m in missed)) for cause in _CAUSES]
        zh = "；".join(f"{_CAUSES[c].zh} {n}" for c, n in causes if n)
        en = "; ".join(f"{_CAUSES[c].en}: {n}" for c, n in causes if n)
        said.append(
            Words(
                f"与公布类别一致 {agreement:.2%}"
                + (f"，不一致 {len(missed)} 次：{zh}。" if missed else "。"),
                f"published classes agree in {agreement:.2%}"
                + (f"; {len(missed)} do not: {en}." if missed else "."),
            )
        )
    if fits and fits != found.section.water_type:
        ours, theirs = _water_words(found.section.water_type), _water_words(fits)
        said.append(
            Words(
                f"公布类别用的是{theirs.zh}限值，而本断面按{ours.zh}评价。",
                f"The published classes were made with the limits of a {theirs.en}; this section is judged as a {ours.en}.",
            )
        )
    return [*said, _scheme_words(found.scheme, found.mode), HANDS_OFF]


def class_en(scheme: Scheme, index: int) -> str:
    """Return a class for English readers: worse than V, not VI.

    >>> from suyuan.standards import scheme
    >>> class_en(scheme(), 5), class_en(scheme(), 1)
    ('worse than V', 'II')
    """
    return (
        f"worse than {scheme.classes[-2].id}"
        if index == len(scheme.classes) - 1
        else scheme.classes[index].id
    )


def _water_words(water_type: str) -> Words:
    """Return a type of water in words; one of a scheme's own is called as it is there."""
    return WATERS.get(water_type, Words(water_type, water_type))


def _class_words(scheme: Scheme, index: int) -> Words:
    return (
        Words("", "") if index == NOT_JUDGED else Words(scheme.classes[index].label, class_en(scheme, index))
    )


def _times(one: Judged) -> str:
    return "" if one.exceedance_factor is None else f"{float(one.exceedance_factor):.2f}"


def _met(is_met: bool | None) -> Words:
    return Words("", "") if is_met is None else (_YES if is_met else _NO)


def _item_row(one: Judged, scheme: Scheme, *, is_beside: bool) -> tuple[Words, ...]:
    known = determinands()[one.item.determinand]
    mark = Words("（不参评）", " (beside)") if is_beside else Words("", "")
    unit = "" if known.unit == "1" else known.unit
    label = _class_words(scheme, one.class_index)
    counts = (one.mean.count, one.mean.below or "", one.mean.left_out or "")
    cells: tuple[str | Words, ...] = (
        str(one.value),
        unit,
        label,
        _times(one),
        Words("", "") if is_beside else _met(one.is_met),
        *map(str, counts),
    )
    rest = (cell if isinstance(cell, Words) else Words(cell, cell) for cell in cells)
    return (Words(f"{one.item.id} {known.name_zh}{mark.zh}", f"{one.item.id}{mark.en}"), *rest)


def _month_row(month: Assessment) -> tuple[Words, ...]:
    named = Words(month.period, month.period)
    if month.class_index is None:
        return (named, Words("无读数", "no readings"), *[Words("", "")] * 4)
    grade = month.scheme.classes[month.class_index]
    deciding, mains = (", ".join(names) for names in (month.deciding, month.main_pollutants))
    return (
        named,
        _class_words(month.scheme, month.class_index),
        Words(grade.words_zh, grade.words),
        _met(month.is_met),
        Words(deciding, deciding),
        Words(mains, mains),
    )


def _trend_words(name: str, line: Trend, *, of: str) -> Words:
    over = (
        Words("年均值", "yearly means")
        if of == "years"
        else Words("月均值（未去除季节）", "monthly means (season not taken out)")
    )
    zh, en = ("上升", "rising") if line.direction == "rising" else ("下降", "falling")
    numbers = f"rs = {line.rho:.2f}, n = {line.periods}, {line.level}"
    return Words(
        f"{name} {over.zh}显著{zh}（{numbers}，单侧）。", f"{name}: {over.en} {en} ({numbers}, one-sided)."
    )


def _trophic_words(lake: Trophic) -> Words:
    lacks = ", ".join(lake.missing)
    return Words(
        f"综合营养状态指数 {lake.index:.1f}，{lake.state.words_zh}"
        + (f"（缺 {lacks}，非规定算法）。" if lacks else "。"),
        f"trophic level index {lake.index:.1f}, {lake.state.words}"
        + (f" (without {lacks}: not the official index)." if lacks else "."),
    )


def _algae_words(counts: Sequence[int]) -> Words:
    pairs = [(grade, n) for grade, n in zip(algal_grades(), counts, strict=True) if n]
    zh = "、".join(f"{grade.words_zh} {n}" for grade, n in pairs)
    en = ", ".join(f"{grade.words} {n}" for grade, n in pairs)
    return Words(
        f"藻密度读数分级：{zh}（HJ 1098-2020，经转引）。",
        f"algal density readings: {en} (HJ 1098-2020, as quoted).",
    )


def _scheme_words(scheme: Scheme, mode: str) -> Words:
    how = (
        Words("评价模式（修约后的均值）", "assessment mode (rounded means)")
        if mode == "assessment"
        else Words("实时模式（不修约）", "realtime mode (unrounded)")
    )
    return Words(f"{how.zh}；{scheme.version}。", f"{how.en}; {scheme.version}.")
