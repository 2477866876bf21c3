"""The report page: one self-contained file for an inspector, in Chinese and English, on screen and paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from suyuan.clock import dated
from suyuan.flow import BalancedFlow, WaterBalance
from suyuan.network import Network
from suyuan.plot import WORTH_SHOWING, percent
from suyuan.report.figures import Lang, inline
from suyuan.report.statements import assumption_words, note_words
from suyuan.report.why import why_words
from suyuan.report.words import (
    LIKELIHOOD,
    Words,
    candidate_words,
    headline,
    mass_unit,
    mass_words,
    place_words,
    prior_words,
    shares,
    start_words,
)
from suyuan.tracing.result import BlindSpot, Finding, Trace

if TYPE_CHECKING:
    from jinja2 import Template

BLIND_ROWS = 30
"""Most candidates in the figure of blind hours, the blindest first; the others are named."""

PANELS_ON_PAGE = 24
"""Most panels of readings in the page; every station's figure is also a file of its own."""


@dataclass(frozen=True)
class RunInfo:
    """What was run, when, by what: everything in the report that the trace itself does not know.

    `since` and `until` are datetime64[s] in UTC; `zone` is the project's, in which all times are written. `readings` were
    used, averaged to `means`. `made` is the time of the run with its offset. `is_invented` puts a warning on top of the page.
    `members` are the names of the flow members, where they were given.
    """

    project: str
    seed: int
    seconds: float
    since: np.datetime64
    until: np.datetime64
    zone: tzinfo
    stations: tuple[str, ...]
    determinands: tuple[str, ...]
    readings: int
    means: int
    versions: tuple[tuple[str, str], ...]
    made: datetime
    lang: Lang = "zh"
    is_invented: bool = False
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """The figures of a report as SVG, each drawn once; '' where there is nothing to show.

    `readings` are by station, `panels` says how many panels each of them has.
    """

    network: str
    releases: str
    readings: Mapping[str, str]
    panels: Mapping[str, int]
    blind: str
    moved: str = ""
    why: str = ""


def page(trace: Trace, network: Network, *, flow: BalancedFlow, run: RunInfo, drawn: Drawn) -> str:
    """Return the report as one HTML text that needs nothing else: style, figures, language toggle inside."""
    return template("page.html").render(
        run=run,
        run_determinand=trace.determinand,
        style=shipped("page.css"),
        window=_window(run),
        zone_name=str(run.zone),
        stations=[network.station(s).name or s for s in run.stations],
        headline=headline(trace, network, zone=run.zone),
        shares=[{"words": words, "p": p, "label": percent(p)} for words, p in shares(trace)],
        ranking=[
            _row(rank, f, trace=trace, network=network, zone=run.zone)
            for rank, f in enumerate(shown(trace), 1)
        ],
        rest=_rest(trace),
        nobody=trace.no_source_probability,
        prior=prior_words(trace),
        nobody_label=percent(trace.no_source_probability),
        mass_unit=mass_unit(trace),
        pairs=[(a, b, percent(p)) for a, b, p in trace.pairs if p >= WORTH_SHOWING],
        notes=[note_words(note) for note in trace.notes],
        outside=[f"{name} {share:.0%}" for name, share in trace.outside if np.isfinite(share)],
        why=why_words(trace, network, zone=run.zone),
        figures=_figures(drawn, network),
        left_out=len(drawn.readings) - len(_on_page(drawn)),
        blind=_blind(trace),
        balance=_balance(flow.balance),
        assumptions=[assumption_words(a) for a in trace.assumptions],
        scale=LIKELIHOOD,
        made=run.made.isoformat(sep=" ", timespec="minutes"),
        members=f"{trace.members} ({trace.effective_members:.1f})",
    )


def shown(trace: Trace) -> tuple[Finding, ...]:
    """Return the findings that a ranking lists: all worth showing and the whole 90 % set."""
    return tuple(
        f for f in trace.findings if f.probability >= WORTH_SHOWING or f.candidate.id in trace.credible_set
    )


def partly_blind(trace: Trace) -> tuple[BlindSpot, ...]:
    """Return the blind spots that are unseen in some hours or in part but not throughout, the blindest first."""
    spots = [s for s in trace.blind_spots if 0.0 < s.unseen_share < 1.0]
    return tuple(sorted(spots, key=lambda s: (-s.unseen_share, s.candidate)))


def template(name: str) -> Template:
    """Return one of the pages shipped with suyuan, to be filled in; what pages share is in shared.html."""
    from jinja2 import Environment, FunctionLoader

    loader = FunctionLoader(shipped)
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True).get_template(
        name
    )


def shipped(name: str) -> Markup:
    """Return the text of a file that is shipped with the reports, for pages as it stands."""
    return Markup(files("suyuan.report").joinpath(name).read_text("utf-8"))


def _window(run: RunInfo) -> str:
    return " - ".join(dated(np.array([run.since, run.until]), run.zone))


def _row(rank: int, finding: Finding, *, trace: Trace, network: Network, zone: tzinfo) -> dict[str, Any]:
    return {
        "rank": rank,
        "who": candidate_words(finding.candidate, network),
        "place": place_words(finding.candidate, network),
        "p": finding.probability,
        "label": percent(finding.probability),
        "mass": mass_words(finding.mass_kg),
        "is_going_on": finding.is_going_on,
        "start": start_words(finding.start, zone),
        "is_in_set": finding.candidate.id in trace.credible_set,
        "is_top": rank == 1 and finding.probability >= 0.5,
    }


def _rest(trace: Trace) -> dict[str, Any] | None:
    listed = {f.candidate.id for f in shown(trace)}
    rest = [f.probability for f in trace.findings if f.candidate.id not in listed]
    return {"count": len(rest), "label": percent(sum(rest))} if rest else None


def _figures(drawn: Drawn, network: Network) -> dict[str, Any]:
    draw = {
        "map": (
            drawn.network,
            Words("河网地图与各候选的概率", "Map of the network with the probability of each candidate"),
        ),
        "releases": (
            drawn.releases,
            Words("主要候选的排放过程", "Release histories of the leading candidates"),
        ),
        "blind": (
            drawn.blind,
            Words("各候选看不见的时段", "Hours in which each candidate would stay unseen"),
        ),
        "moved": (
            drawn.moved,
            Words("答案随读数的变化", "How the answer moved as readings came"),
        ),
        "why": (
            drawn.why,
            Words("各站各时段的读数支持谁", "Whom the readings of each station and hour speak for"),
        ),
    }
    made: dict[str, Any] = {k: inline(f, alt=alt) if f else "" for k, (f, alt) in draw.items()}
    made["readings"] = []
    for station in _on_page(drawn):
        name = network.station(station).name or station
        alt = Words(f"{name} 的读数与拟合范围", f"Readings at {name} beside what was expected")
        made["readings"].append({"station": name, "svg": inline(drawn.readings[station], alt=alt)})
    return made


def _on_page(drawn: Drawn) -> list[str]:
    """Return the stations whose figures fit the page, as many whole ones as PANELS_ON_PAGE allows."""
    panels = np.cumsum(list(drawn.panels.values()))
    return [s for s, n in zip(drawn.panels, panels, strict=True) if n <= PANELS_ON_PAGE]


def _blind(trace: Trace) -> dict[str, Any]:
    partly = partly_blind(trace)
    masses = sorted({f"{spot.test_mass_kg:.3g}" for spot in trace.blind_spots})
    return {
        "count": len(trace.blind_spots),
        "mass": f"{masses[0]} - {masses[-1]}" if len(masses) > 1 else "".join(masses),
        "always": sorted(s.candidate for s in trace.blind_spots if s.unseen.min() == 1.0),
        "left_out": [s.candidate for s in partly[BLIND_ROWS:]],
    }


def _balance(balance: WaterBalance, worst: int = 8) -> dict[str, Any]:
    order = np.argsort(-balance.node_residual, kind="stable")[:worst]
    rows = [
        {
            "node": balance.nodes[n],
            "residual": f"{balance.node_residual[n]:.3g}",
            "through": f"{balance.node_through[n]:.3g}",
            "share": f"{balance.node_residual[n] / max(balance.node_through[n], 1e-12):.1%}",
        }
        for n in order
        if balance.node_residual[n] > 0.0
    ]
    shares = {"share": f"{balance.residual_share:.2%}", "reach_share": f"{balance.reach_share:.2%}"}
    return {**shares, "rows": rows, "dry": balance.dry}
