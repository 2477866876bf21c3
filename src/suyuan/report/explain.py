"""What is said of why a section moved: one sentence, the parts, the two waters, what would have been; both languages."""

from __future__ import annotations

from datetime import tzinfo

import numpy as np

from suyuan.clock import dated
from suyuan.explain.explanation import Change, Explanation, Instead, Part, Periods
from suyuan.explain.mixing import Follower, Mixing
from suyuan.report.explain_words import PARTS, note_sentence
from suyuan.report.words import Words
from suyuan.substances import determinands

PART_HEADINGS = (
    Words("原因", "cause"),
    Words("变化", "change"),
    Words("90 % 区间", "90 % band"),
    Words("占比", "share"),
    Words("若无此因", "without it"),
    Words("说明", "remark"),
)
MIXING_HEADINGS = (
    Words("指标", "determinand"),
    Words("水一", "first water"),
    Words("水二", "second water"),
    Words("混合可解释", "told by mixing"),
    Words("随混合变化", "goes with it"),
)
CHANGE_HEADINGS = (
    Words("指标", "determinand"),
    Words("先", "before"),
    Words("后", "after"),
    Words("变化", "change"),
    Words("主要原因", "mostly"),
    Words("读数", "readings"),
)
INSTEAD = {
    "rain": Words("假如没有下雨", "Had it not rained"),
    "mixing": Words("假如两种水的比例和先前一样", "Had the shares of the two waters been as before"),
    "upstream": Words("假如上游来水和先前一样", "Had the water from upstream been as before"),
    "flow": Words("假如流量和降雨和先前一样", "Had flow and rain been as before"),
    "release": Words("假如已溯源的排口没有排放", "Had the traced outfalls released nothing"),
}

LINKED = 0.01
"""Probability by chance below which the mixture is said to go with the flow."""

LIKELY = 0.5
"""Probability from which a traced outfall is named in the sentence; all are named in the table."""

WORTH = 0.15
"""Share of all parts from which one is named in the sentence."""


def shown(value: float, level: float) -> str:
    """Return a number with three digits of the level beside which it stands.

    >>> shown(0.01234, 4.56), shown(-0.5, 0.9)
    ('0.01', '-0.500')
    """
    digits = (
        2 if level <= 0.0 or not np.isfinite(level) else int(np.clip(2 - np.floor(np.log10(level)), 0, 6))
    )
    return f"{value:.{digits}f}"


def signed(value: float, level: float) -> str:
    """Return a change with its sign.

    >>> signed(0.2, 4.56)
    '+0.20'
    """
    text = shown(value, level)
    return text if text.startswith("-") else f"+{text}"


def unit_of(determinand: str) -> str:
    """Return the unit as it stands behind a number, with a blank, '' for numbers without one."""
    unit = determinands()[determinand].unit
    return "" if unit == "1" else f" {unit}"


def explain_headline(found: Explanation, name: str, *, zone: tzinfo) -> Words:
    """Return the one sentence: what moved by how much, why, what is left, and what does not go with it."""
    change = found.leading
    moved = _moved_words(change, found.periods, zone=zone)
    causes = [_cause(change, code, mixing=found.mixing) for code in _leading_parts(change)]
    rest = change.part("unexplained")
    level, unit = _level(change), unit_of(change.determinand)
    band = _signed_band(rest, level)
    left = Words(
        f"未能解释 {signed(rest.value, level)}{unit}（90 %：{band}）",
        f"{signed(rest.value, level)}{unit} remain unexplained (90 %: {band})",
    )
    stranger = _stranger(found)
    nothing = Words("没有一项原因可以确认", "no cause can be confirmed")
    zh = "；".join(one.zh for one in causes) or nothing.zh
    en = "; ".join(one.en for one in causes) or nothing.en
    return Words(
        f"{name}，{moved.zh}：{zh}；{left.zh}。{stranger.zh}",
        f"{name}, {moved.en}: {en}; {left.en}.{stranger.en}",
    )


def _signed_band(part: Part, level: float) -> str:
    """Return a 90 % band, a dash where there is none."""
    return f"{signed(part.low, level)} .. {signed(part.high, level)}" if np.isfinite(part.low) else "–"


def _level(change: Change) -> float:
    return max(abs(change.before), abs(change.after))


def _leading_parts(change: Change) -> list[str]:
    """Return the parts that are named in the sentence, the largest first: those whose band leaves no doubt of their sign."""
    total = sum(abs(part.value) for part in change.parts)
    sure = [p for p in change.parts if p.code != "unexplained" and p.is_possible and p.low * p.high > 0.0]
    large = [p for p in sure if abs(p.value) >= WORTH * total]
    return [p.code for p in sorted(large, key=lambda p: -abs(p.value))[:3]]


def _moved_words(change: Change, periods: Periods, *, zone: tzinfo) -> Words:
    level, unit, name = _level(change), unit_of(change.determinand), change.determinand
    first, last = dated(np.array([periods.since, periods.until]), zone)
    before, after = shown(change.before, level), shown(change.after, level)
    by = f"{shown(abs(change.change), level)}{unit}"
    if periods.against is None:
        return Words(
            f"{first} 至 {last}，{name} 最高三分之一读数的均值比最低三分之一高 {by}（{before} 到 {after}）",
            f"{first} to {last}: {name} is {by} higher in the highest third of its readings than in the lowest ({before} to "
            f"{after})",
        )
    zh, en = ("升高", "rose") if change.change >= 0.0 else ("降低", "fell")
    since, until = dated(np.array(periods.against), zone)
    return Words(
        f"{first} 至 {last}，{name} 比 {since} 至 {until} {zh} {by}（{before} 到 {after}）",
        f"{first} to {last}: {name} {en} by {by} ({before} to {after}) against {since} to {until}",
    )


def _cause(change: Change, code: str, *, mixing: Mixing) -> Words:
    part, level = change.part(code), _level(change)
    unit, name = unit_of(change.determinand), PARTS[code]
    number = f"{signed(part.value, level)}{unit}"
    band = _signed_band(part, level)
    more = Words("", "")
    if code == "mixing":
        two = two_waters(mixing, first=change.determinand)
        more = Words(f"，{two.zh}", f", {two.en}")
    elif code == "release":
        names = _suspects(change, least=LIKELY) or _suspects(change)
        more = Words(f"，{names}", f", {names}")
    elif code == "upstream":
        more = Words(f"，{change.upstream}", f", {change.upstream}")
    return Words(
        f"{number}（90 %：{band}）是{name.zh}{more.zh}", f"{number} (90 %: {band}) by {name.en}{more.en}"
    )


def _suspects(change: Change, *, least: float = 0.0) -> str:
    """Return the traced outfalls with their probabilities, the most probable first, from `least` on."""
    pairs = zip(change.releases, change.probabilities, strict=True)
    return ", ".join(f"{name} ({probability:.0%})" for name, probability in pairs if probability >= least)


def two_waters(mixing: Mixing, *, first: str = "") -> Words:
    """Return the two waters in words: what the tracers say, and what else they hold."""
    tracer = mixing.tracers[0]
    pairs = [f"{tracer} {mixing.low[0]:.0f} / {mixing.high[0]:.0f}{unit_of(tracer)}"]
    witnesses = sorted(mixing.witnesses, key=lambda one: one.determinand != first)
    pairs += [
        f"{w.determinand} {shown(w.low, w.high)} / {shown(w.high, w.high)}{unit_of(w.determinand)}"
        for w in witnesses[:3]
    ]
    return Words(
        f"以 {tracer} 为证（水一 / 水二：{'，'.join(pairs)}）",
        f"by {tracer} (first / second water: {', '.join(pairs)})",
    )


def _stranger(found: Explanation) -> Words:
    """Return what does not go with the mixture and stays unexplained."""
    known = {change.determinand: change for change in found.changes}
    names = [name for name in found.mixing.residual if name in known]
    if not names:
        return Words("", "")
    shares = ", ".join(
        f"{name} ({one.share:.0%})" for name in names if (one := found.mixing.follower(name)) is not None
    )
    return Words(
        f"不随混合变化、另有来由的：{shares}（括号内为混合可解释的比例）。",
        f" Not of the mixture, and left over to explain otherwise: {shares} (in brackets what mixing tells of it).",
    )


def mixing_words(found: Explanation) -> Words:
    """Return what is known of the mixture in a sentence or two."""
    mixing = found.mixing
    if not mixing.is_found:
        return note_sentence(mixing.note)
    two, tracer = two_waters(mixing), mixing.tracers[0]
    bands = f"{mixing.low_band[0][0]:.0f}–{mixing.low_band[0][1]:.0f} / {mixing.high_band[0][0]:.0f}–{mixing.high_band[0][1]:.0f}"
    names = ", ".join(one.determinand for one in mixing.followers if one.follows)
    way = _reversal_words(found)
    return Words(
        f"两种水在混合，{two.zh}；{tracer} 的 90 % 区间 {bands}。随之变化：{names}。{way.zh}",
        f"Two waters mix, {two.en}; 90 % bands of {tracer}: {bands}. What goes with it: {names}.{way.en}",
    )


def _reversal_words(found: Explanation) -> Words:
    if not np.isfinite(found.reversal):
        return Words(
            "流向未知，分不清是混合还是往复。", " Which way the water ran is not known: it may come and go."
        )
    share = f"{found.reversal:.0%}"
    if found.reversal == 0.0:
        return Words("水没有倒流。", " The water did not run back.")
    if np.isfinite(found.goes_with_flow) and found.goes_with_flow < LINKED:
        return Words(
            f"{share} 的时次水在倒流，混合随流向而变（往复）。",
            f" At {share} of the times the water ran back, and the mixture goes with it: a reversal.",
        )
    return Words(
        f"{share} 的时次水在倒流，混合与流量无明显关系。",
        f" At {share} of the times the water ran back; the mixture does not go with the flow.",
    )


def part_rows(change: Change, *, with_impossible: bool = True) -> list[tuple[Words, ...]]:
    """Return the parts of a change, a row each, then the sum; parts that are not possible with why, unless left out."""
    level = _level(change)
    rows = []
    for part in change.parts:
        remark = note_sentence(part.note) if not part.is_possible else _remark(change, part.code)
        if not part.is_possible:
            if with_impossible:
                rows.append((PARTS[part.code], *[Words("–", "–")] * 4, remark))
            continue
        share = part.value / change.change if change.change else float("nan")
        cells = (
            signed(part.value, level),
            _signed_band(part, level),
            f"{share:.0%}" if np.isfinite(share) else "",
            shown(part.without, level) if np.isfinite(part.without) else "",
        )
        rows.append((PARTS[part.code], *(Words(cell, cell) for cell in cells), remark))
    total = signed(change.change, level)
    sums = (Words(total, total), Words("", ""), Words("100%", "100%"), Words("", ""), Words("", ""))
    return [*rows, (Words("合计", "sum"), *sums)]


def _remark(change: Change, code: str) -> Words:
    names = {"release": _suspects(change), "upstream": change.upstream}.get(code, "")
    return Words(names, names)


def change_rows(found: Explanation) -> list[tuple[Words, ...]]:
    """Return every determinand with what it did and why, a row each."""
    rows = []
    for change in found.changes:
        level, causes = _level(change), _leading_parts(change)
        mostly = Words(
            "、".join(f"{PARTS[c].zh} {signed(change.part(c).value, level)}" for c in causes),
            ", ".join(f"{PARTS[c].en} {signed(change.part(c).value, level)}" for c in causes),
        )
        if not causes:
            mostly = PARTS["unexplained"]
        cells = (shown(change.before, level), shown(change.after, level), signed(change.change, level))
        counts = f"{change.readings[0]} / {change.readings[1]}"
        name = f"{change.determinand}{unit_of(change.determinand)}"
        rows.append((Words(name, name), *(Words(c, c) for c in cells), mostly, Words(counts, counts)))
    return rows


def mixing_rows(mixing: Mixing) -> list[tuple[Words, ...]]:
    """Return what the two waters hold: the tracers, then the others by how much of them the mixture tells."""
    rows = []
    for k, name in enumerate(mixing.tracers):
        low, high = f"{mixing.low[k]:.4g}", f"{mixing.high[k]:.4g}"
        rows.append(
            (
                Words(name, name),
                Words(low, low),
                Words(high, high),
                Words("", ""),
                Words("尺度", "the measure"),
            )
        )
    return rows + [_follower_row(one) for one in mixing.followers]


def _follower_row(one: Follower) -> tuple[Words, ...]:
    level = max(one.low, one.high)
    cells = (
        one.determinand,
        *(
            f"{shown(v, level)} ± {shown(s, level)}"
            for v, s in ((one.low, one.low_sd), (one.high, one.high_sd))
        ),
        f"{one.share:.0%}",
    )
    return (*(Words(cell, cell) for cell in cells), Words("是", "yes") if one.follows else Words("否", "no"))


def instead_words(change: Change) -> list[Words]:
    """Return what the period's mean would have been, a sentence each."""
    return [_instead_sentence(change, one) for one in change.instead if one.code in INSTEAD]


def _instead_sentence(change: Change, one: Instead) -> Words:
    level, unit = _level(change), unit_of(change.determinand)
    numbers = f"{shown(one.value, level)}{unit}"
    band = f"{shown(one.low, level)}–{shown(one.high, level)}" if np.isfinite(one.low) else "–"
    condition, was = INSTEAD[one.code], shown(change.after, level)
    cut = Words("算得为负，取零。", " What was found is below zero and cut there.")
    cut = cut if one.value == 0.0 else Words("", "")
    return Words(
        f"{condition.zh}，{change.determinand} 均值为 {numbers}（90 %：{band}），而不是 {was}。{cut.zh}",
        f"{condition.en}, the mean of {change.determinand} would be {numbers} (90 %: {band}) instead of {was}.{cut.en}",
    )


def explain_notes(found: Explanation) -> list[Words]:
    """Return what must be known with it."""
    flagged = [(c.determinand, c.flagged) for c in found.changes if c.flagged]
    said = [note_sentence(note) for note in found.notes]
    if flagged:
        names = ", ".join(f"{name} {count}" for name, count in flagged)
        said.append(
            Words(
                f"被质控标记的读数：{names}（见 suyuan qc）。",
                f"Readings flagged by quality control: {names} (see suyuan qc).",
            )
        )
    return said
