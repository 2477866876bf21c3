"""The result of tracing: who, when, how much, how sure, and what could not be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.reasons import Contest
from suyuan.tracing.statements import Assumption, Note

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
LEAST_COMPOSITE_S = 3.0 * 3600.0
"""Shorter means are shown as points: those of a sensor's readings among them."""

CandidateKind = Literal["outfall", "reach", "boundary"]


@dataclass(frozen=True)
class Candidate:
    """Somebody who may have released: a listed outfall, an unlisted source on a reach, or a boundary.

    `id` is 'O8', 'reach:R7' or 'boundary:M0'; `chainage_m` is NaN for reaches and boundaries.
    """

    id: str
    kind: CandidateKind
    reach: str
    chainage_m: float
    name: str = ""


@dataclass(frozen=True)
class Interval:
    """A median with its 90 % interval."""

    q05: float
    q50: float
    q95: float


@dataclass(frozen=True)
class TimeInterval:
    """A median time with its 90 % interval, datetime64[s] in UTC."""

    q05: np.datetime64
    q50: np.datetime64
    q95: np.datetime64


@dataclass(frozen=True)
class Finding:
    """What is believed of one candidate.

    `probability` is that this candidate released in the window (marginal: with two sources they may sum above 1).
    `mass_kg` (of the traced determinand), `start`, and `release` (3, bin) [g/s], the 5, 50 and 95 % of the release
    history, hold given that it released; None where the probability is too small to say.
    """

    candidate: Candidate
    probability: float
    mass_kg: Interval | None = None
    start: TimeInterval | None = None
    release: Array | None = None

    @property
    def is_going_on(self) -> bool:
        """Whether the release more likely than not goes on when the window ends, so that the mass is that until then."""
        return self.release is not None and bool(self.release[1, -1] > 0.01 * self.release[1].max())


@dataclass(frozen=True)
class Fit:
    """Readings of one determinand at one station beside what the posterior expects there.

    All arrays (reading,): `time` of the reading or the end of a mean over `duration_s` [s] (composite sample), `observed`,
    `is_used` (not flagged away; else nothing is expected, NaN), `is_below` (below detection),
    `background` (median without any release), and `fitted` (3, reading), the 5, 50 and 95 % of what a reading would be, noise
    included.
    """

    station: str
    determinand: str
    unit: str
    time: NDArray[np.datetime64]
    duration_s: Array
    observed: Array
    is_used: NDArray[np.bool_]
    is_below: NDArray[np.bool_]
    background: Array
    fitted: Array

    @property
    def is_composite(self) -> NDArray[np.bool_]:
        """Whether a reading is the mean of so many hours that it is to be shown as one, (reading,)."""
        return np.asarray(self.duration_s >= LEAST_COMPOSITE_S)


@dataclass(frozen=True)
class BlindSpot:
    """Hours of the window in which a test release of `test_mass_kg` in one hour would have stayed unseen everywhere.

    `unseen` (bin,) is the part of the candidate that stays unseen: 0 or 1 of an outfall or boundary, of a reach the share
    of its length.
    """

    candidate: str
    test_mass_kg: float
    unseen: Array

    @property
    def is_blind(self) -> NDArray[np.bool_]:
        """Whether any part of the candidate stays unseen, (bin,)."""
        return np.asarray(self.unseen > 0.0)

    @property
    def unseen_share(self) -> float:
        """Share of the hours, and of a reach of hours and length, that stays unseen."""
        return float(self.unseen.mean())


@dataclass(frozen=True)
class Trace:
    """Who released what, when, with what probability; findings from the most probable down.

    `start` is datetime64[s] UTC and `edges` (bin + 1,) seconds from it: the bins of the release histories.
    `credible_set` is the smallest set of candidates that holds the source with 90 % probability, given that one released,
    ties kept whole.
    `pairs` holds (candidate, candidate, probability). `members` is the number of flow members and
    `effective_members` how many of them carried weight. `assumptions` are the numbers that were assumed, `notes`
    are sentences a reader must know (for example that flow members disagree).
    `outside` holds (determinand, share of readings outside the 90 % interval that the other readings foretell).
    `prior_nobody` is what `no_source_probability` was before any reading: that nobody released, or nothing that could show.
    `why` holds the leading suspicion against each of its rivals, the most probable first.
    """

    determinand: str
    unit: str
    start: np.datetime64
    edges: Array
    findings: tuple[Finding, ...]
    no_source_probability: float
    credible_set: tuple[str, ...]
    pairs: tuple[tuple[str, str, float], ...] = ()
    fits: tuple[Fit, ...] = ()
    blind_spots: tuple[BlindSpot, ...] = ()
    members: int = 1
    effective_members: float = 1.0
    assumptions: tuple[Assumption, ...] = ()
    notes: tuple[Note, ...] = ()
    prior_nobody: float = 0.10
    outside: tuple[tuple[str, float], ...] = ()
    why: tuple[Contest, ...] = ()
    member_weights: tuple[float, ...] = ()

    @property
    def bayes_factor(self) -> float:
        """How many times as likely the readings are if somebody released as if nobody did, whatever was believed before.

        The odds of somebody after the readings over the odds before; infinite where nobody is ruled out. The assumption
        that hurts most: the background moves as its model says (Kass and Raftery, 1995, eq. 1).
        """
        nobody, before = self.no_source_probability, self.prior_nobody
        if nobody <= 0.0:
            return float("inf")
        return (1.0 - nobody) / nobody * before / (1.0 - before)

    def ranking(self) -> pd.DataFrame:
        """Return one row a candidate: rank, id, kind, reach, probability, mass [kg] and start (UTC) with intervals."""
        import pandas as pd

        return pd.DataFrame([_row(rank, finding) for rank, finding in enumerate(self.findings, start=1)])

    def to_frame(self) -> pd.DataFrame:
        """Return the ranking."""
        return self.ranking()

    def to_dict(self) -> dict[str, Any]:
        """Return what `trace.json` holds: plain numbers and strings, times in UTC."""
        return {
            "determinand": self.determinand,
            "candidates": [_entry(finding) for finding in self.findings],
            "credible_set": list(self.credible_set),
            "no_source_probability": self.no_source_probability,
            "prior_nobody": self.prior_nobody,
            "bayes_factor_somebody": self.bayes_factor,
            "pairs": [{"ids": [a, b], "probability": p} for a, b, p in self.pairs],
            "blind_spots": [
                {
                    "id": spot.candidate,
                    "test_mass_kg": spot.test_mass_kg,
                    "blind_share": float(spot.is_blind.mean()),
                    "unseen_share": spot.unseen_share,
                }
                for spot in self.blind_spots
            ],
            "members": self.members,
            "effective_members": self.effective_members,
            "assumptions": {a.name: a.value for a in self.assumptions},
            "notes": [str(note) for note in self.notes],
            "outside": dict(self.outside),
            "why": [contest.to_dict() for contest in self.why],
        }

    def __str__(self) -> str:
        lines = [f"{'candidate':<16}{'P':>6}  {'mass kg (5-95 %)':<24}start (UTC, 5-95 %)"]
        for finding in self.findings[:8]:
            mass, start = finding.mass_kg, finding.start
            weight = f"{mass.q50:.3g} ({mass.q05:.3g}-{mass.q95:.3g})" if mass else ""
            begin = f"{start.q50} ({start.q05} - {start.q95})" if start else ""
            lines.append(f"{finding.candidate.id:<16}{finding.probability:6.2f}  {weight:<24}{begin}")
        lines.append(f"{'nobody':<16}{self.no_source_probability:6.2f}")
        return "\n".join(lines)


def _row(rank: int, finding: Finding) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rank": rank,
        "id": finding.candidate.id,
        "kind": finding.candidate.kind,
        "name": finding.candidate.name,
        "reach": finding.candidate.reach,
        "chainage_m": finding.candidate.chainage_m,
        "probability": finding.probability,
    }
    for q in ("q05", "q50", "q95"):
        row[f"mass_kg_{q}"] = getattr(finding.mass_kg, q, float("nan"))
        row[f"start_{q}"] = getattr(finding.start, q, np.datetime64("NaT"))
    row["is_going_on"] = finding.is_going_on
    return row


def _entry(finding: Finding) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": finding.candidate.id,
        "kind": finding.candidate.kind,
        "probability": finding.probability,
    }
    if finding.mass_kg:
        entry["mass_kg"] = {q: getattr(finding.mass_kg, q) for q in ("q05", "q50", "q95")}
        entry["is_going_on"] = finding.is_going_on
    if finding.start:
        entry["start"] = {q: f"{getattr(finding.start, q)}Z" for q in ("q05", "q50", "q95")}
    return entry
