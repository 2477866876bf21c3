"""Rating curves of load: the nine regressions of LOADEST on flow, time and season, and the one that tells most.

Runkel, Crawford and Cohn (2004), Load Estimator (LOADEST), USGS Techniques and Methods 4-A5, table 7 and equations 2 to 6.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.loads.adjusted import Adjusted, fit_adjusted
from suyuan.loads.record import KG_PER_DAY, Samples

Array = NDArray[np.float64]

MODELS: dict[int, tuple[str, ...]] = {
    1: ("lnQ",),
    2: ("lnQ", "lnQ2"),
    3: ("lnQ", "t"),
    4: ("lnQ", "season"),
    5: ("lnQ", "lnQ2", "t"),
    6: ("lnQ", "lnQ2", "season"),
    7: ("lnQ", "t", "season"),
    8: ("lnQ", "lnQ2", "t", "season"),
    9: ("lnQ", "lnQ2", "t", "t2", "season"),
}
"""Terms of each model beside the constant; season is a sine and a cosine of the year."""

LEAST = 12
"""Readings at least, as in LOADEST."""

KNOWN_EACH = 3
"""Readings above the detection limit for each coefficient, at least (LOADEST warns below that)."""

MOST_CENSORED = 0.8
"""A greater share of readings below detection says too little of flow and time (LOADEST warns from there)."""

TREND_YEARS, SEASON_YEARS = 2.0, 1.0
"""Years that readings must span for a term in time, and for a season."""

SEASON_PARTS = 4
"""Twelfths of the year in which readings must lie for a season."""

MOST_CONDITION = 100.0
"""Condition number of the regressors, each scaled to length 1, above which readings do not determine them."""


@dataclass(frozen=True)
class Rating:
    """A fitted rating curve: model `number`, what ln Q and years are centred on, and the regression of ln load [kg/d]."""

    number: int
    flow_centre: float
    time_centre: float
    fit: Adjusted

    @property
    def has_trend(self) -> bool:
        """Whether the model has a term in time."""
        return "t" in MODELS[self.number]

    def design(self, log_q: Array, year: Array) -> Array:
        """Return the regressors of days, (day, p)."""
        return design_of(self.number, log_q - self.flow_centre, years=(year, self.time_centre))


def centre_of(x: Array) -> float:
    """Return the centre about which x and x^2 are uncorrelated (Cohn et al., 1992, equation 7).

    >>> centre_of(np.array([0.0, 1.0, 2.0]))
    1.0
    """
    from_mean = x - x.mean()
    square = (from_mean**2).sum()
    return float(x.mean() + ((from_mean**3).sum() / (2.0 * square) if square > 0.0 else 0.0))


def design_of(number: int, log_q: Array, *, years: tuple[Array, float]) -> Array:
    """Return the regressors of a model (day, p): `log_q` is centred, `years` holds decimal years and their centre."""
    year, centre = years
    angle = 2.0 * np.pi * year
    t = year - centre
    columns = {
        "lnQ": (log_q,),
        "lnQ2": (log_q**2,),
        "t": (t,),
        "t2": (t**2,),
        "season": (np.sin(angle), np.cos(angle)),
    }
    terms = [column for name in MODELS[number] for column in columns[name]]
    return np.column_stack([np.ones(len(log_q)), *terms])


def fit_rating(samples: Samples, number: int = 0) -> Rating:
    """Return a model fitted to readings; that with the least AIC of those that the readings can tell if `number` is 0."""
    require_readings(samples)
    if number:
        return _fit(number, samples)
    fits = []
    for one in MODELS:
        if _can_tell(one, samples):
            with suppress(InputError):  # readings do not determine this model; a simpler one may be
                fits.append(_fit(one, samples))
    return min(fits, key=lambda rating: rating.fit.aic) if fits else _fit(1, samples)


def require_readings(samples: Samples) -> None:
    """Raise InputError where readings are too few, too many of them below detection, or all at one flow."""
    n, known = len(samples), int(samples.is_known.sum())
    needed = max(LEAST, KNOWN_EACH * 2)
    if n < needed:
        what = f"{n} days with a reading and a discharge"
        raise InputError("readings", what, f"a rating curve needs {needed} at least")
    if known < KNOWN_EACH * 2 or n - known > MOST_CENSORED * n:
        what = f"{n - known} of {n} readings are below detection or above range"
        remedy = (
            f"{MOST_CENSORED:.0%} at most can be: use a more sensitive method of analysis, or a longer record"
        )
        raise InputError("readings", what, remedy)
    if not np.ptp(samples.log_q) > 0.0:
        what = f"all readings are of days with {np.exp(samples.log_q[0]):.3g} m3/s"
        raise InputError("readings", what, "give readings of low and high flow")


def _can_tell(number: int, samples: Samples) -> bool:
    terms = MODELS[number]
    size = len(design_of(number, samples.log_q[:1], years=(samples.year[:1], 0.0))[0])
    years, parts = float(np.ptp(samples.year)), len(np.unique(np.floor(samples.year % 1.0 * 12.0)))
    return (
        int(samples.is_known.sum()) >= KNOWN_EACH * size
        and ("t" not in terms or years >= TREND_YEARS)
        and ("season" not in terms or (years >= SEASON_YEARS and parts >= SEASON_PARTS))
    )


def _fit(number: int, samples: Samples) -> Rating:
    flow, time = centre_of(samples.log_q), centre_of(samples.year)
    design = design_of(number, samples.log_q - flow, years=(samples.year, time))
    length = np.linalg.norm(design, axis=0)
    if not (length.all() and np.linalg.cond(design / length) <= MOST_CONDITION):
        what = (
            f"{len(samples)} readings do not determine the {design.shape[1]} coefficients of model {number}"
        )
        raise InputError(
            "readings",
            what,
            "give readings of more flows, seasons or years, or choose a model with fewer terms",
        )
    to_load = samples.log_q + np.log(KG_PER_DAY)
    logs = samples.logs
    limit = limits_in_force(samples) + to_load
    return Rating(
        number,
        flow,
        time,
        fit_adjusted(design, log_low=logs[2] + to_load, log_high=logs[3] + to_load, log_limit=limit),
    )


def limits_in_force(samples: Samples) -> Array:
    """Return the ln of the detection limit that was in force for each reading [ln g/m3], (reading,); -inf where none was.

    For a reading below detection its own. Others are not written down with theirs: the usual (median) limit of the record is
    assumed, or the greatest that the reading does not lie below.
    """
    is_below = samples.low == 0.0
    limits = np.unique(samples.high[is_below])
    if not len(limits):
        return np.full(len(samples), -np.inf)
    usual = np.quantile(samples.high[is_below], 0.5, method="lower")
    allowed = limits[limits <= usual]
    at = np.searchsorted(allowed, samples.high, side="right")
    with np.errstate(divide="ignore"):
        others = np.log(np.concatenate([[0.0], allowed]))[at]
        return np.where(is_below, np.log(samples.high), others)
