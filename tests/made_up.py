"""A made-up trace on a made-up network, for tests of what is shown; no number comes from readings."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from suyuan.flow import BalancedFlow, FlowField, balanced
from suyuan.network import Network, Node, Outfall, Reach, Station
from suyuan.report import PlanInfo, RunInfo
from suyuan.tracing.advice import Advice, Stop
from suyuan.tracing.places import Place
from suyuan.tracing.reasons import Contest, Delay, Overturn, Speech, Suspicion
from suyuan.tracing.result import BlindSpot, Candidate, Finding, Fit, Interval, TimeInterval, Trace
from suyuan.tracing.statements import Assumption, Note

START = np.datetime64("2024-07-19T16:00:00")
BINS = 96
CHINA = ZoneInfo("Asia/Shanghai")


def network() -> Network:
    nodes = (
        Node("B1", "boundary", point=(0.0, 0.0)),
        Node("B2", "boundary", point=(1500.0, 1500.0)),
        Node("J", point=(2000.0, 200.0)),
        Node("L", "outlet", point=(5000.0, 0.0)),
    )
    reaches = (
        Reach(
            "R1",
            "B1",
            "J",
            2200.0,
            name="新河 New Canal",
            line=((0.0, 0.0), (1000.0, 300.0), (2000.0, 200.0)),
        ),
        Reach("R2", "B2", "J", 1500.0, kind="storm_sewer", line=((1500.0, 1500.0), (2000.0, 200.0))),
        Reach("R3", "J", "L", 3100.0, line=((2000.0, 200.0), (3500.0, -200.0), (5000.0, 0.0))),
    )
    outfalls = (
        Outfall("O1", "R1", 700.0, kind="industrial", name="染厂<b>&Co</b>"),
        Outfall("O2", "R2", 400.0, kind="domestic"),
        Outfall("O3", "R3", 800.0, kind="storm", name="$x_1$ 雨水口"),
    )
    stations = (
        Station("S1", "R3", 2000.0, name="姚巷 Yaoxiang", target_class="III"),
        Station("S2", "R1", 1800.0),
    )
    return Network(nodes, reaches, outfalls, stations, crs="EPSG:4549")


def flow() -> BalancedFlow:
    hours = np.arange(BINS)
    q = 5.0 + 8.0 * np.sin(2.0 * np.pi * hours / 12.0)
    discharge = np.column_stack([q, np.full(BINS, 0.2), q + 0.2])
    volume = np.tile([44000.0, 900.0, 62000.0], (BINS, 1))
    edges = 3600.0 * np.arange(BINS + 1)
    return balanced(FlowField(START, edges, ("R1", "R2", "R3"), discharge, discharge, volume), network())


def _fit(station: str, determinand: str, unit: str, level: float) -> Fit:
    hours = np.arange(BINS)
    expected = level * (1.0 + 0.8 * np.exp(-(((hours - 50.0) / 8.0) ** 2)))
    observed = expected * (1.0 + 0.05 * np.cos(hours * 7.0))
    background = np.full(BINS, level)
    below, used = hours % 31 == 5, hours % 17 != 3
    fitted = np.array([0.9 * expected, expected, 1.1 * expected])
    time = START + hours * np.timedelta64(3600, "s")
    return Fit(station, determinand, unit, time, np.zeros(BINS), observed, used, below, background, fitted)


def _finding(candidate: Candidate, probability: float, mass: float) -> Finding:
    hours = np.arange(BINS)
    release = (
        mass * np.array([0.5, 1.0, 1.8])[:, None] * np.exp(-(((hours - 30.0) / 5.0) ** 2)) * (hours > 22)
    )
    start = TimeInterval(*(START + np.timedelta64(h * 3600, "s") for h in (20, 23, 26)))
    return Finding(candidate, probability, Interval(0.5 * mass, mass, 1.8 * mass), start, release)


def contests(top: float, rival: float, nobody: float) -> tuple[Contest, ...]:
    """O1 against O2, told apart by S2 on its own reach and contradicted by S1; and against nobody."""

    def speech(station: str, hour: int, log_ratio: float, expected: float) -> Speech:
        since = START + np.timedelta64(hour, "h")
        until = since + np.timedelta64(4, "h")
        return Speech(station, "NH3-N", "mg/L", since, until, log_ratio, 1.43, expected, 0.81)

    one = Suspicion(
        ("O1",), top, ("industrial",), (Delay("O1", "S1", -3.2, 1.1), Delay("O1", "S2", 0.2, 0.6))
    )
    time = START + np.timedelta64(30, "h")
    overturn = Overturn("S2", "NH3-N", "mg/L", time, time, 1.43, False, 0.4, "or less", 1.51, 2.6)
    said = (speech("S1", 24, -0.8, 1.02), speech("S1", 30, 0.02, 1.0), speech("S2", 24, 4.1, 1.39))
    odds = (float(np.log(max(top, 1e-300) / max(p, 1e-300))) for p in (rival, nobody))
    return (
        Contest(
            one, Suspicion(("O2",), rival, ("domestic",)), next(odds), said, 0.3, -0.5, 0.1, 3.4, overturn
        ),
        Contest(one, Suspicion((), nobody), next(odds), (speech("S2", 24, 9.0, 1.39),), -2.0, -3.0, 1.0, 1.5),
    )


def trace(top: float = 0.83, nobody: float = 0.01, unit: str = "mg/L") -> Trace:
    rest = 1.0 - top - nobody
    findings = (
        _finding(Candidate("O1", "outfall", "R1", 700.0, "染厂<b>&Co</b>"), top, 1912.0),
        _finding(Candidate("O2", "outfall", "R2", 400.0), 0.5 * rest, 812.0),
        _finding(Candidate("reach:R1", "reach", "R1", float("nan")), 0.3 * rest, 2100.0),
        _finding(Candidate("boundary:B1", "boundary", "", float("nan")), 0.19 * rest, 2500.0),
        Finding(Candidate("O3", "outfall", "R3", 800.0, "$x_1$ 雨水口"), 0.01 * rest),
    )
    blind = (
        BlindSpot("O1", 50.0, np.where(np.arange(BINS) % 12 < 3, 1.0, 0.0)),
        BlindSpot("O3", 50.0, np.ones(BINS)),
        BlindSpot("reach:R1", 50.0, np.full(BINS, 0.25)),
    )
    return Trace(
        determinand="NH3-N",
        unit=unit,
        start=START,
        edges=3600.0 * np.arange(BINS + 1),
        findings=tuple(sorted(findings, key=lambda f: -f.probability)),
        no_source_probability=nobody,
        credible_set=("O1", "O2"),
        fits=(
            _fit("S1", "NH3-N", "mg/L", 0.8),
            _fit("S1", "EC", "uS/cm", 450.0),
            _fit("S2", "NH3-N", "mg/L", 0.7),
        ),
        blind_spots=blind,
        members=8,
        effective_members=5.2,
        assumptions=(
            Assumption("nobody", {"share": "0.10"}),
            Assumption("readings", {"determinand": "EC", "noise": "2.1%", "decay": "0", "count": "96"}),
        ),
        notes=(Note("two sources"),),
        why=contests(top, 0.5 * rest, nobody),
    )


def run(lang: str = "zh") -> RunInfo:
    return RunInfo(
        project="wujin",
        seed=7,
        seconds=3.21,
        since=START,
        until=START + np.timedelta64(BINS * 3600, "s"),
        zone=CHINA,
        stations=("S1", "S2"),
        determinands=("NH3-N", "EC"),
        readings=3 * BINS,
        means=2 * BINS,
        versions=(("suyuan", "0.1.0"), ("numpy", "2.1")),
        made=datetime(2024, 7, 24, 1, 2, tzinfo=UTC).astimezone(CHINA),
        lang="zh" if lang == "zh" else "en",
    )


def advice() -> Advice:
    """One kit at 10:00 above S1, which would tell O1 from O2."""
    now = START + np.timedelta64(60, "h")
    nothing = float("nan")
    stop = Stop(
        crew=1,
        number=1,
        place=Place("R3+400", "open", "R3", 400.0),
        time=now + np.timedelta64(2, "h"),
        known_at=now + np.timedelta64(2, "h"),
        method="kit",
        gain=0.7,
        cost=80.0,
        chance_yes=0.6,
        expected=(nothing, nothing, nothing),
        if_high=("O1", 0.9),
        if_low=("O2", 0.7),
    )
    return Advice(
        question="who",
        now=now,
        until=now + np.timedelta64(24, "h"),
        determinand="NH3-N",
        unit="mg/L",
        kit_limit=1.1,
        stops=(stop,),
        leading=("O1", 0.6),
        unsure=1.0,
        unsure_after=0.3,
        surest_after=0.85,
        cost=80.0,
    )


def plan(lang: str = "zh") -> PlanInfo:
    return PlanInfo("wujin", CHINA, run().made, 7, lang="zh" if lang == "zh" else "en")
