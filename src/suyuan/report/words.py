"""What the report says, in Chinese and English: probabilities in words, headlines, names of candidates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

import numpy as np

from suyuan.clock import undated
from suyuan.network import Network
from suyuan.plot import percent
from suyuan.tracing.result import Candidate, Finding, Interval, TimeInterval, Trace


class Words(NamedTuple):
    """The same thing said in both languages."""

    zh: str
    en: str


LIKELIHOOD = (
    (0.99, Words("几乎可以肯定", "virtually certain")),
    (0.90, Words("很可能", "very likely")),
    (0.66, Words("较可能", "likely")),
    (0.33, Words("约一半可能", "about as likely as not")),
    (0.10, Words("不太可能", "unlikely")),
    (0.01, Words("很不可能", "very unlikely")),
    (0.00, Words("几乎不可能", "exceptionally unlikely")),
)
"""Least probability of each word, after Mastrandrea et al. (2010), IPCC note on uncertainties, table 1."""

MOST_FACTOR = 1e6
"""Bayes factors beyond this say no more than "more": no model of a river is that good."""

KINDS = {
    "industrial": Words("工业", "industrial"),
    "domestic": Words("生活", "domestic"),
    "storm": Words("雨水", "storm"),
    "agricultural": Words("农业", "agricultural"),
    "aquaculture": Words("水产养殖", "aquaculture"),
    "other": Words("其他", "other"),
}


GOING_ON = Words("截至时段末（仍在排放）", " until the end of the window (still going on)")

GIVEN_ONE = Words("90 % 可信集以确有一处排放为前提", "90 % set: given that one source released")


def likelihood(probability: float) -> Words:
    """Return a probability in words.

    >>> likelihood(0.93).en, likelihood(0.5).zh
    ('very likely', '约一半可能')
    """
    return next(words for least, words in LIKELIHOOD if probability >= least)


def candidate_words(candidate: Candidate, network: Network) -> Words:
    """Return what a candidate is called in a sentence."""
    if candidate.kind == "reach":
        name = network.reach(candidate.reach).name or candidate.reach
        return Words(f"河段 {name} 上的名录外污染源", f"an unlisted source on reach {name}")
    if candidate.kind == "boundary":
        node = candidate.id.removeprefix("boundary:")
        return Words(f"边界 {node} 的来水", f"the water entering at boundary {node}")
    name = f"{candidate.id} {candidate.name}".strip()
    return Words(f"排口 {name}", f"outfall {name}")


def place_words(candidate: Candidate, network: Network) -> Words:
    """Return where a candidate lies: reach and chainage, and the kind of outfall."""
    if candidate.kind == "boundary":
        return Words("网络边界", "edge of the network")
    name = network.reach(candidate.reach).name or candidate.reach
    if candidate.kind == "reach":
        return Words(
            f"{name} 全段 {network.reach(candidate.reach).length_m:.0f} m",
            f"{name}, anywhere on its {network.reach(candidate.reach).length_m:.0f} m",
        )
    kind = next((KINDS[o.kind] for o in network.outfalls if o.id == candidate.id), KINDS["other"])
    at = f"{name} + {candidate.chainage_m:.0f} m"
    return Words(f"{at}，{kind.zh}", f"{at}, {kind.en}")


def headline(trace: Trace, network: Network, *, zone: tzinfo) -> Words:
    """Return the one sentence an inspector reads first: who or nobody, how sure, when and how much."""
    nobody = trace.no_source_probability
    if nobody >= 0.5 or not trace.findings:
        sure, p, unseen = likelihood(nobody), percent(nobody), _unseen(trace)
        return Words(
            f"读数中未见排放迹象（{sure.zh}，{p}）：背景变化即可解释读数。{unseen.zh}",
            f"No release shows in these readings ({sure.en}, {p}): background alone explains them.{unseen.en}",
        )
    top = trace.findings[0]
    likely = [finding for finding in trace.findings if finding.probability >= 0.5]
    if len(likely) > 1:
        return _several(likely, trace, network=network, zone=zone)
    who, sure, p = (
        candidate_words(top.candidate, network),
        likelihood(top.probability),
        percent(top.probability),
    )
    detail = _detail(top, trace, zone=zone)
    if top.probability >= 0.5:
        return Words(
            f"{sure.zh}（{p}）是{who.zh} 排放的{detail.zh}。",
            f"It is {sure.en} ({p}) that the release came from {who.en}{detail.en}.",
        )
    n = len(trace.credible_set)
    return Words(
        f"尚不能定论：概率最高的是{who.zh}（{p}）；若确有一处排放，90 % 可信集含 {n} 个候选，请先采样再下结论。",
        f"Not settled: the most probable is {who.en} ({p}); given that one source released, the 90 % "
        f"set holds {n} candidates. "
        "Sample before concluding.",
    )


def shares(trace: Trace) -> tuple[tuple[Words, float], ...]:
    """Return the probability of each kind of answer: listed outfall, unlisted, boundary, nobody."""
    kinds = (
        ("outfall", Words("名录内排口", "a listed outfall")),
        ("reach", Words("名录外污染源", "an unlisted source")),
        ("boundary", Words("边界来水（上游）", "entered at a boundary (upstream)")),
    )
    found = [
        (words, sum(f.probability for f in trace.findings if f.candidate.kind == kind))
        for kind, words in kinds
    ]
    return (
        *((words, min(p, 1.0 - trace.no_source_probability)) for words, p in found),
        (Words("未见异常排放", "nobody"), trace.no_source_probability),
    )


def prior_words(trace: Trace) -> Words:
    """Return what was believed of nobody before the readings, and by how much they changed it."""
    before, factor = percent(trace.prior_nobody), trace.bayes_factor
    if not np.isfinite(factor) or factor > MOST_FACTOR:
        times = Words("一百万倍以上", "more than a million times")
    elif factor < 1.0 / MOST_FACTOR:
        times = Words("不到百万分之一", "less than a millionth")
    else:
        times = Words(f" {_rounded(factor)} 倍", f"{_rounded(factor)} times")
    return Words(
        f"看读数之前，未见异常排放（无人排放，或排放了也看不见）的概率取为 {before}。"
        f"读数使“有人排放”的几率变为原来的{times.zh}（贝叶斯因子，与先验无关）。",
        f"Before any reading, nobody (or nothing that could show) was given {before}. The readings multiply the odds that "
        f"somebody released by {times.en} (Bayes factor, whatever was believed before).",
    )


def mass_unit(trace: Trace) -> str:
    """Return the unit of `mass_kg` as a reader should see it."""
    return "kg" if trace.unit == "mg/L" else f"10³ ({trace.unit})·m³"


def mass_words(mass: Interval | None) -> str:
    """Return a mass and, on a second line, its 90 % interval.

    >>> mass_words(Interval(903.0, 1912.0, 3340.0))
    '1,900\\n(900–3,300)'
    """
    if mass is None:
        return ""
    return f"{_rounded(mass.q50)}\n({_rounded(mass.q05)}–{_rounded(mass.q95)})"


def start_words(start: TimeInterval | None, zone: tzinfo) -> str:
    """Return a start and, on a second line, its 90 % interval in local time, month-day hour:minute."""
    if start is None:
        return ""
    low, middle, high = undated(np.array([start.q05, start.q50, start.q95]), zone)
    return f"{middle}\n({low} – {high})"


def _several(found: Sequence[Finding], trace: Trace, *, network: Network, zone: tzinfo) -> Words:
    """Return the headline where more than one candidate is more likely than not to have released."""
    zh, en = [], []
    for finding in found:
        who, sure, p = (
            candidate_words(finding.candidate, network),
            likelihood(finding.probability),
            percent(finding.probability),
        )
        detail = _detail(finding, trace, zone=zone)
        zh.append(f"{who.zh}（{sure.zh}，{p}）{detail.zh}")
        en.append(f"{who.en} ({sure.en}, {p}){detail.en}")
    named = {finding.candidate.id for finding in found}
    both = max((p for a, b, p in trace.pairs if {a, b} <= named), default=0.0)
    return Words(
        f"多处排放：{'；'.join(zh)}。两处同时排放的概率：{percent(both)}。",
        f"More than one source: {'; and '.join(en)}. That two of them released: {percent(both)}.",
    )


def _unseen(trace: Trace) -> Words:
    """Return in how many of all candidates' hours a test release would have stayed unseen; nothing where in none."""
    if not trace.blind_spots:
        return Words("", "")
    blind = sum(spot.unseen_share for spot in trace.blind_spots)
    share = percent(blind / max(len(trace.findings), len(trace.blind_spots)))
    mass = f"{max(spot.test_mass_kg for spot in trace.blind_spots):.3g} {mass_unit(trace)}"
    return Words(
        f"但若在 1 小时内排放 {mass}，全部候选的时段中有 {share} 读数看不出来（见盲区）。",
        f" A release of {mass} within one hour would have stayed unseen in {share} of all candidates' hours (blind spots).",
    )


def _detail(finding: Finding, trace: Trace, *, zone: tzinfo) -> Words:
    if finding.start is None or finding.mass_kg is None:
        return Words("", "")
    first, last = undated(np.array([finding.start.q05, finding.start.q95]), zone)
    mass = f"{_rounded(finding.mass_kg.q50)} {mass_unit(trace)}"
    within = f"{_rounded(finding.mass_kg.q05)}–{_rounded(finding.mass_kg.q95)}"
    until = GOING_ON if finding.is_going_on else Words("", "")
    return Words(
        f"，始于 {first} 至 {last} 之间，{until.zh}{trace.determinand} 约 {mass}（{within}）",
        f", beginning between {first} and {last}, about {mass} of {trace.determinand} ({within}){until.en}",
    )


def _rounded(value: float) -> str:
    """Return two significant digits: more would claim a precision that the interval denies."""
    if value == 0.0 or not np.isfinite(value):
        return "0"
    digits = 1 - int(np.floor(np.log10(abs(value))))
    return f"{round(value, digits):,.{max(digits, 0)}f}"
