"""Why, in words: what speaks for the leading suspicion and against it, and which reading would overturn it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import NamedTuple

import numpy as np

from suyuan.clock import undated
from suyuan.network import Network
from suyuan.plot import percent
from suyuan.report.words import Words, candidate_words
from suyuan.tracing.counts import LEAST_TEMPERATURE
from suyuan.tracing.reasons import Contest, Delay, Side, Speech, Suspicion, spells
from suyuan.tracing.result import Candidate, Trace

MOST_FOR, MOST_AGAINST = 3, 2
"""Speeches that are put in words, the weightiest of either side."""

WORTH_WORDS = 0.1
"""Log ratio from which a speech is."""

WORTH_DELAY_H = 1.0
"""Hours from which a delay that an explanation needs is worth saying."""

EQUAL_ODDS, NO_ODDS = 1.15, 1e6
"""Odds below the one are called equal; beyond the other they are not given as a number: nobody can know them so well."""

CHINESE = "[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"

SIDES: dict[Side, Words] = {
    "or less": Words("或更低", "or less"),
    "or more": Words("或更高", "or more"),
    "about": Words("左右", "or so"),
}


class ContestWords(NamedTuple):
    """Everything said of one contest: whose it is, the sum, both sides, delays, and what would overturn it."""

    title: Words
    total: Words
    parts: Words
    one: Words
    rival: Words
    pro: tuple[Words, ...]
    contra: tuple[Words, ...]
    delays: tuple[Words, ...]
    overturn: Words


@dataclass(frozen=True)
class Teller:
    """Who and where things are called, and whose clock is on the wall."""

    candidates: Mapping[str, Candidate]
    network: Network
    zone: tzinfo

    def candidate(self, name: str) -> Words:
        """Return what a candidate is called: an outfall by its id, others in words."""
        found = self.candidates.get(name)
        if found is None or found.kind == "outfall":
            return Words(name, name)
        return candidate_words(found, self.network)

    def who(self, suspicion: Suspicion) -> Words:
        """Return what a suspicion is called."""
        if not suspicion.candidates:
            return Words("未见异常排放", "nobody")
        each = [self.candidate(name) for name in suspicion.candidates]
        if len(each) == 1:
            return each[0]
        return Words(
            " 与 ".join(w.zh for w in each) + " 同时排放", " and ".join(w.en for w in each) + " together"
        )

    def place(self, station: str) -> str:
        """Return the name of a station."""
        return self.network.station(station).name or station

    def clock(self, *times: np.datetime64) -> list[str]:
        """Return instants as month-day hour:minute."""
        return undated(np.array(times), self.zone)

    def span(self, since: np.datetime64, until: np.datetime64) -> str:
        """Return the hours from the first to the last reading."""
        first, last = self.clock(since, until)
        if first == last:
            return first
        return f"{first}–{last[6:]}" if first[:5] == last[:5] else f"{first} – {last}"


def why_words(trace: Trace, network: Network, *, zone: tzinfo) -> tuple[ContestWords, ...]:
    """Return why the leading suspicion is believed, one entry for each rival, times on the clock of `zone`."""
    teller = Teller({f.candidate.id: f.candidate for f in trace.findings}, network, zone)
    return tuple(_contest(contest, teller) for contest in trace.why)


def _contest(contest: Contest, teller: Teller) -> ContestWords:
    one, rival = teller.who(contest.one), teller.who(contest.rival)
    p, q = percent(contest.one.probability), percent(contest.rival.probability)
    pro, contra = loudest(contest)
    delays = {d: None for d in (*contest.one.delays, *contest.rival.delays) if abs(d.hours) >= WORTH_DELAY_H}
    return ContestWords(
        title=_said(f"{one.zh}（{p}）与 {rival.zh}（{q}）相比", f"{one.en} ({p}) against {rival.en} ({q})"),
        total=_total(contest, one, rival=rival),
        parts=_parts(contest),
        one=one,
        rival=rival,
        pro=tuple(_speech(s, contest, teller=teller) for s in pro),
        contra=tuple(_speech(s, contest, teller=teller) for s in contra),
        delays=tuple(_delay(d, teller) for d in delays),
        overturn=_overturn(contest, teller),
    )


def loudest(contest: Contest) -> tuple[list[Speech], list[Speech]]:
    """Return the weightiest speeches for the one and for its rival, of any station and determinand one at most."""
    sides: tuple[dict[tuple[str, str], Speech], dict[tuple[str, str], Speech]] = ({}, {})
    for speech in spells(contest):
        if abs(speech.log_ratio) >= WORTH_WORDS:
            sides[speech.log_ratio < 0.0].setdefault((speech.station, speech.determinand), speech)
    return list(sides[0].values())[:MOST_FOR], list(sides[1].values())[:MOST_AGAINST]


def _said(zh: str, en: str) -> Words:
    """Return a sentence in both languages, its Chinese without the blanks that are left where a Chinese name was filled in.

    >>> _said("O1 的概率高于 未见异常排放 的", "").zh
    'O1 的概率高于未见异常排放的'
    """
    return Words(re.sub(f"(?<={CHINESE}) (?={CHINESE})", "", zh), en)


def _total(contest: Contest, one: Words, *, rival: Words) -> Words:
    """Return how much more probable one is than its rival."""
    if contest.log_odds > np.log(NO_ODDS):
        return _said(
            f"{one.zh} 的概率是 {rival.zh} 的一百万倍以上。",
            f"{one.en} is more than a million times as probable as {rival.en}.",
        )
    odds = float(np.exp(contest.log_odds))
    if odds < EQUAL_ODDS:
        return _said(
            f"{one.zh} 与 {rival.zh} 的概率相差无几。", f"{one.en} and {rival.en} are about equally probable."
        )
    times = f"{odds:.1f}" if odds < 9.95 else f"{float(f'{odds:.2g}'):,.0f}"
    return _said(
        f"{one.zh} 的概率是 {rival.zh} 的 {times} 倍。",
        f"{one.en} is {times} times as probable as {rival.en}.",
    )


def _parts(contest: Contest) -> Words:
    """Return the sum: readings, water, what was thought before, and the rest."""
    readings, water, prior, others, total = map(
        signed, (contest.readings, contest.water, contest.prior, contest.others, contest.log_odds)
    )
    zh = f"对数比 {total} = 读数 {readings}，水质与强度 {water}，看读数之前的判断 {prior}，其他排放过程与流场 {others}。"
    en = (
        f"Log ratio {total} = readings {readings}, mix and strength of the water {water}, "
        f"what was thought before any reading {prior}, other release histories and flows {others}."
    )
    if contest.tempering < 1.05:
        return Words(zh, en)
    because, by = _tempered(contest), f"{contest.tempering:.1f}"
    return Words(
        f"{zh}{because.zh}，证据已除以 {by}。", f"{en} {because.en}, so the evidence was divided by {by}."
    )


def _tempered(contest: Contest) -> Words:
    """Return why the evidence was weakened."""
    if not (contest.one.candidates and contest.rival.candidates):
        return Words("各指标的背景会一起变化", "Backgrounds of several substances move together")
    if len(contest.one.candidates) != len(contest.rival.candidates):
        return Words(
            "第二个污染带会吸收流场对第一个的误差",
            "A second plume takes up what the flow gets wrong of the first",
        )
    if contest.tempering > LEAST_TEMPERATURE:
        return Words("各流场成员的说法不一", "Flow members disagree")
    return Words("模型误差有多大本身也只是估计", "How far models err is itself a guess")


def signed(value: float) -> str:
    """Return a log ratio with its sign, more exactly where it is small.

    >>> signed(7.21), signed(-0.04), signed(0.001)
    ('+7.2', '-0.04', '0')
    """
    if abs(value) < 0.005:
        return "0"
    return f"{value:+.1f}" if abs(value) >= 0.95 else f"{value:+.2f}"


def _speech(speech: Speech, contest: Contest, *, teller: Teller) -> Words:
    """Return what the readings of some hours say: as measured, and as either side expected them."""
    one, rival = _if(contest.one, teller), _if(contest.rival, teller)
    observed, mine, theirs = numbers((speech.observed, speech.expected, speech.rival_expected))
    name, when = teller.place(speech.station), teller.span(speech.since, speech.until)
    ratio = signed(speech.log_ratio)
    return _said(
        f"{name} 的 {speech.determinand}，{when}（{ratio}）：平均实测 {observed} {speech.unit}；"
        f"按此前读数推算，{one.zh} 应为 {mine}，{rival.zh} 应为 {theirs}。",
        f"{speech.determinand} at {name}, {when} ({ratio}): measured {observed} {speech.unit} in the mean; "
        f"by what was read before, {mine} was expected {one.en}, {theirs} {rival.en}.",
    )


def _if(suspicion: Suspicion, teller: Teller) -> Words:
    if not suspicion.candidates:
        return Words("若无异常排放", "if nobody released")
    who = teller.who(suspicion)
    return Words(f"若为 {who.zh}", f"if {who.en}")


def _delay(delay: Delay, teller: Teller) -> Words:
    """Return how much earlier or later than the flow says a plume would have to pass."""
    hours, sd, name = f"{abs(delay.hours):.1f}", f"{delay.sd_hours:.1f}", teller.place(delay.station)
    zh, en = ("晚", "later") if delay.hours > 0.0 else ("早", "earlier")
    who = teller.candidate(delay.candidate)
    return _said(
        f"若为 {who.zh}，其污水团经过 {name} 的时间须比流场所说的{zh} {hours} 小时（所计误差 {sd} 小时）。",
        f"If it was {who.en}, its plume must pass {name} {hours} h {en} than the flow says "
        f"(the error reckoned with is {sd} h).",
    )


def _overturn(contest: Contest, teller: Teller) -> Words:
    """Return which single reading would have changed the order."""
    found = contest.overturn
    behind = teller.who(contest.rival if contest.log_odds >= 0.0 else contest.one)
    if found is None:
        return _said(
            f"没有哪一个读数取另一个可信的值就能使 {behind.zh} 领先。",
            f"No single reading, had it been any other plausible value, would put {behind.en} first.",
        )
    value, observed, expected = numbers((found.value, found.observed, found.expected))
    name, when = teller.place(found.station), teller.span(found.since, found.time)
    side = SIDES[found.side]
    zh, en = (
        ("实测低于检出限", "it was below detection")
        if found.is_below
        else (f"实测 {observed}", f"{observed} was measured")
    )
    return _said(
        f"若 {name} 在 {when} 的 {found.determinand} 是 {value} {found.unit} {side.zh}，按现有的解释 "
        f"{behind.zh} 就会领先（{zh}；按其余读数应为 {expected}，相差 {found.surprise:.1f} 个标准差）。",
        f"A reading of {found.determinand} of {value} {found.unit} {side.en} at {name} on {when} would put {behind.en} first, "
        f"by the explanations found ({en}; all other readings let {expected} expect, "
        f"{found.surprise:.1f} standard deviations away).",
    )


def numbers(values: Iterable[float]) -> tuple[str, ...]:
    """Return numbers to as many digits as tell them apart, at least two of the largest and no more than three.

    >>> numbers((2.184, 2.163, 2.23)), numbers((412.0, 380.0))
    (('2.18', '2.16', '2.23'), ('412', '380'))
    """
    given = tuple(values)
    largest = max((abs(v) for v in given), default=0.0)
    magnitude = int(np.floor(np.log10(largest))) if largest > 0.0 else 0
    for digits in (2, 3):
        after = max(digits - 1 - magnitude, 0)
        texts = tuple(f"{v:.{after}f}" for v in given)
        if len(set(texts)) == len(texts):
            break
    return texts
