"""Why, in words: what speaks for the leading suspicion and against it, and which reading would overturn it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from typing import NamedTuple

import numpy as np

from suyuan.network import Network
from suyuan.plot import local, percent
from suyuan.report.words import Words
from suyuan.tracing.reasons import Contest, Delay, Overturn, Speech, Suspicion, spells
from suyuan.tracing.result import Trace

MOST_FOR, MOST_AGAINST = 3, 2
"""Speeches that are put in words, the weightiest of either side."""

WORTH_WORDS = 0.1
"""Log ratio from which a speech is."""

WORTH_DELAY_H = 1.0
"""Hours from which a delay that an explanation needs is worth saying."""

NO_ODDS = 1e6
"""Beyond this odds are not given as a number: nobody can know them so well."""


class ContestWords(NamedTuple):
    """Everything said of one contest: whose it is, the sum, both sides, delays, and what would overturn it."""

    title: Words
    total: Words
    parts: Words
    pro: tuple[Words, ...]
    contra: tuple[Words, ...]
    delays: tuple[Words, ...]
    overturn: Words


def why_words(trace: Trace, network: Network, *, zone: tzinfo) -> tuple[ContestWords, ...]:
    """Return why the leading suspicion is believed, one entry for each rival."""
    return tuple(contest_words(contest, network, zone=zone) for contest in trace.why)


def contest_words(contest: Contest, network: Network, *, zone: tzinfo) -> ContestWords:
    """Return one contest in words, times on the clock of `zone`."""
    one, rival = suspicion_words(contest.one), suspicion_words(contest.rival)
    loud = [s for s in spells(contest) if abs(s.log_ratio) >= WORTH_WORDS]
    pro = [s for s in loud if s.log_ratio > 0.0][:MOST_FOR]
    contra = [s for s in loud if s.log_ratio < 0.0][:MOST_AGAINST]
    p, q = percent(contest.one.probability), percent(contest.rival.probability)
    delays = {d: None for d in (*contest.one.delays, *contest.rival.delays) if abs(d.hours) >= WORTH_DELAY_H}
    return ContestWords(
        Words(f"{one.zh}（{p}）与 {rival.zh}（{q}）相比", f"{one.en} ({p}) against {rival.en} ({q})"),
        _total(contest, one, rival=rival),
        _parts(contest),
        tuple(_speech(s, contest, network=network, zone=zone) for s in pro),
        tuple(_speech(s, contest, network=network, zone=zone) for s in contra),
        tuple(_delay(d, network) for d in delays),
        _overturn(contest, network, zone=zone),
    )


def suspicion_words(suspicion: Suspicion) -> Words:
    """Return a suspicion by its ids.

    >>> suspicion_words(Suspicion(("O3", "reach:R7"), 0.4)).en
    'O3 and reach:R7 together'
    """
    ids = suspicion.candidates
    if not ids:
        return Words("没有人排放", "nobody")
    if len(ids) == 1:
        return Words(ids[0], ids[0])
    return Words(" 与 ".join(ids) + " 同时排放", " and ".join(ids) + " together")


def _total(contest: Contest, one: Words, *, rival: Words) -> Words:
    """Return how much more probable one is than its rival."""
    if contest.rival.probability < contest.one.probability / NO_ODDS:
        return Words(
            f"{one.zh} 的概率是 {rival.zh} 的一百万倍以上。",
            f"{one.en} is more than a million times as probable as {rival.en}.",
        )
    times = (
        f"{np.exp(contest.log_odds):.2g}" if contest.log_odds < 4.6 else f"{np.exp(contest.log_odds):,.0f}"
    )
    return Words(
        f"{one.zh} 的概率是 {rival.zh} 的 {times} 倍。",
        f"{one.en} is {times} times as probable as {rival.en}.",
    )


def _parts(contest: Contest) -> Words:
    """Return the sum: readings, water, what was thought before, and the rest."""
    readings, water, prior, others, total = (
        f"{x:+.1f}"
        for x in (contest.readings, contest.water, contest.prior, contest.others, contest.log_odds)
    )
    zh = f"对数比 {total} = 读数 {readings}，水质与强度 {water}，看读数之前的判断 {prior}，其他排放过程与流场 {others}。"
    en = (
        f"Log ratio {total} = readings {readings}, mix and strength of the water {water}, "
        f"what was thought before any reading {prior}, other release histories and flows {others}."
    )
    if contest.tempering < 1.05:
        return Words(zh, en)
    by = f"{contest.tempering:.1f}"
    if not contest.rival.candidates:
        return Words(
            zh + f"各指标的背景会一起变化，证据已除以 {by}。",
            f"{en} Backgrounds of several substances move together, so the evidence was divided by {by}.",
        )
    return Words(
        zh + f"各流场成员的说法不一，证据已除以 {by}。",
        f"{en} Flow members disagree, so the evidence was divided by {by}.",
    )


def _speech(speech: Speech, contest: Contest, *, network: Network, zone: tzinfo) -> Words:
    """Return what the readings of some hours say: as measured, and as either side expected them."""
    one, rival = suspicion_words(contest.one), suspicion_words(contest.rival)
    observed, mine, theirs = numbers((speech.observed, speech.expected, speech.rival_expected))
    name, when = _place(speech.station, network), _span(speech.since, speech.until, zone)
    return Words(
        f"{name} 的 {speech.determinand}，{when}（{speech.log_ratio:+.1f}）：平均实测 {observed} {speech.unit}；"
        f"按此前读数推算，若为 {one.zh} 应为 {mine}，若为 {rival.zh} 应为 {theirs}。",
        f"{speech.determinand} at {name}, {when} ({speech.log_ratio:+.1f}): measured {observed} {speech.unit} in the mean; "
        f"by what was read before, {mine} was expected if {one.en}, {theirs} if {rival.en}.",
    )


def _delay(delay: Delay, network: Network) -> Words:
    """Return how much earlier or later than the flow says a plume would have to pass."""
    hours, sd, name = f"{abs(delay.hours):.1f}", f"{delay.sd_hours:.1f}", _place(delay.station, network)
    zh, en = ("晚", "later") if delay.hours > 0.0 else ("早", "earlier")
    return Words(
        f"若为 {delay.candidate}，其污水团经过 {name} 的时间须比流场所说的{zh} {hours} 小时（所计误差 {sd} 小时）。",
        f"If it was {delay.candidate}, its plume must pass {name} {hours} h {en} than the flow says "
        f"(the error reckoned with is {sd} h).",
    )


def _overturn(contest: Contest, network: Network, *, zone: tzinfo) -> Words:
    """Return which single reading would have changed the order."""
    found = contest.overturn
    behind = suspicion_words(contest.rival if contest.log_odds >= 0.0 else contest.one)
    if found is None:
        return Words(
            f"没有哪一个读数取另一个可信的值就能使 {behind.zh} 领先。",
            f"No single reading, had it been any other plausible value, would put {behind.en} first.",
        )
    value, observed, expected = numbers((found.value, found.observed, found.expected))
    name, (when, _) = _place(found.station, network), _clock(found.time, found.time, zone)
    side = {"or less": Words("或更低", " or less"), "or more": Words("或更高", " or more")}.get(
        found.side, Words("左右", " or so")
    )
    measured = _measured(found, observed)
    return Words(
        f"若 {name} 在 {when} 的 {found.determinand} 是 {value} {found.unit} {side.zh}，"
        f"{behind.zh} 就会领先（{measured.zh}；其余读数使人预期 {expected}，相差 {found.surprise:.1f} 个标准差）。",
        f"A reading of {found.determinand} of {value} {found.unit}{side.en} at {name} at {when} would put {behind.en} first "
        f"({measured.en}; all other readings let {expected} expect, {found.surprise:.1f} standard deviations away).",
    )


def _measured(found: Overturn, observed: str) -> Words:
    if found.is_below:
        return Words("实测低于检出限", "it was below detection")
    return Words(f"实测 {observed}", f"{observed} was measured")


def numbers(values: Iterable[float]) -> tuple[str, ...]:
    """Return numbers to as many digits as tell them apart, at least two of the largest and no more than four.

    >>> numbers((2.184, 2.163, 2.23)), numbers((412.0, 380.0))
    (('2.18', '2.16', '2.23'), ('412', '380'))
    """
    given = tuple(values)
    largest = max((abs(v) for v in given), default=0.0)
    magnitude = int(np.floor(np.log10(largest))) if largest > 0.0 else 0
    for digits in (2, 3, 4):
        after = max(digits - 1 - magnitude, 0)
        texts = tuple(f"{v:.{after}f}" for v in given)
        if len(set(texts)) == len(texts):
            break
    return texts


def _place(station: str, network: Network) -> str:
    return network.station(station).name or station


def _span(since: np.datetime64, until: np.datetime64, zone: tzinfo) -> str:
    first, last = _clock(since, until, zone)
    if since == until:
        return first
    return f"{first}–{last[6:]}" if first[:5] == last[:5] else f"{first} – {last}"


def _clock(since: np.datetime64, until: np.datetime64, zone: tzinfo) -> tuple[str, str]:
    """Return both instants as month-day hour:minute on the clock of `zone`."""
    first, last = (str(t)[5:16].replace("T", " ") for t in local(np.array([since, until]), zone))
    return first, last
