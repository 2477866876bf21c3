"""How good the forecasts of the past were beside persistence, damped persistence and climatology."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.outlook.rolled import Rolled
from suyuan.outlook.simple import simple_of
from suyuan.outlook.spread import at_least, members_of
from suyuan.scoring import coverage, crps_members, crps_normal, skill

Array = NDArray[np.float64]

FEWEST_SCORED = 30
"""Forecasts that came due before anything is said of skill."""

BEYOND_CHANCE = 1.645
"""Standard errors by which a forecast must beat a rival to be said to have skill: chance does so once in twenty."""

RIVALS = ("persistence", "damped", "climatology")


@dataclass(frozen=True)
class Skill:
    """Skill of the forecasts of one horizon on the station's own past, each made from the days before alone.

    `against` gives 1 - (RMSE / RMSE of the rival)^2 by rival, on the scale of the forecast, `doubt` the standard error of
    that (errors of overlapping horizons are not independent); `crps` 1 - CRPS / CRPS of damped
    persistence with normal errors; `covered_80` and `covered_90` the shares of days inside the intervals. NaN where none
    could be scored.
    """

    horizon: int
    days: int
    against: dict[str, float]
    doubt: dict[str, float]
    crps: float
    covered_80: float
    covered_90: float

    @property
    def best_rival(self) -> str:
        """The simple forecast that is hardest to beat; '' where too few days were scored."""
        return "" if self.days < FEWEST_SCORED else min(self.against, key=lambda name: self.against[name])

    @property
    def has_skill(self) -> bool:
        """Whether the forecasts beat each of the three simple ones beyond chance."""
        return self.days >= FEWEST_SCORED and all(
            self.against[name] > BEYOND_CHANCE * self.doubt[name] for name in RIVALS
        )


def skill_of(rolled: Rolled, horizon: int) -> Skill:
    """Return the skill of one horizon over all forecasts whose day came."""
    came, rivals, members, sd = _cases(rolled, horizon)
    none = float("nan")
    if len(came) == 0:
        nothing = dict.fromkeys(RIVALS, none)
        return Skill(horizon, 0, nothing, nothing, none, none, none)
    point = members[:, 0]
    against, doubt = {}, {}
    for name, rival in zip(RIVALS, rivals, strict=True):
        ours, theirs = (point - came) ** 2, (rival - came) ** 2
        against[name] = skill(float(ours.mean()), float(theirs.mean()))
        independent = max(len(came) / horizon, 1.0)
        doubt[name] = float((theirs - ours).std() / np.sqrt(independent) / max(theirs.mean(), 1e-300))
    spread = members[:, 1:]
    low, high = (np.quantile(spread, q, axis=1) for q in ((0.1, 0.05), (0.9, 0.95)))
    reference = float(crps_normal(came, rivals[1], sd=sd).mean())
    return Skill(
        horizon,
        len(came),
        against,
        doubt,
        skill(float(crps_members(came, spread).mean()), reference),
        coverage(came, low[0], high=high[0]),
        coverage(came, low[1], high=high[1]),
    )


def _cases(rolled: Rolled, horizon: int) -> tuple[Array, Array, Array, Array]:
    """Return what came (case,), the rivals (3, case), our point and members (case, 1 + member), and the rival's sd (case,)."""
    daily, k = rolled.daily, horizon - 1
    level, came = daily.level, rolled.came[:, k]
    found: list[tuple[Array, Array, Array, Array]] = []
    for number, refit in enumerate(rolled.refits):
        rows = np.flatnonzero((rolled.row_refit == number) & np.isfinite(level) & np.isfinite(came))
        if len(rows) == 0:
            continue
        floor = daily.until(daily.days[max(refit.start - 1, 0)]).floor_level
        simple = simple_of(level, daily.days, learnt=refit.start, horizon=horizon)
        errors = members_of(rolled.known_errors(refit.start - 1)[:, k])
        mean, sd = rolled.mean[rows, k, None], rolled.sd[rows, k, None]
        ours = np.hstack([at_least(mean, sd, floor=floor), np.maximum(mean + sd * errors, floor)])
        rivals = np.stack([simple.persistence[rows], simple.damped[rows], simple.climatology[rows]])
        found.append((came[rows], rivals, ours, np.full(len(rows), simple.damped_sd)))
    if not found:
        return np.empty(0), np.empty((3, 0)), np.empty((0, 2)), np.empty(0)
    parts = list(zip(*found, strict=True))
    return tuple(np.concatenate(part, axis=axis) for part, axis in zip(parts, (0, 1, 0, 0), strict=True))  # type: ignore[return-value]
