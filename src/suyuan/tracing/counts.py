"""How many released: nobody, one or two, weighed by the evidence of each, whoever they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from suyuan.tracing.prior import Prior

LEAST_TEMPERATURE = 1.5
"""Evidence about who it was never counts more than this part: what model errors are thought to be is itself a guess.

Found on rivers drawn with another transport model (docs/decisions/025-temperatures.md): the log score is best from 1.25 to 1.5.
"""

NOBODY_TEMPERATURE = 2.0
"""Nor does evidence against nobody count more than this part: what rivers do by themselves is a guess too."""

ALIKE = 0.5
"""Correlation of the backgrounds of different substances."""

COUNT_TEMPERATURE = 4.0
"""Evidence that two released rather than one counts so much less: a second plume takes up what the flow gets wrong of one.

So does evidence against two: where flow hides the second plume, or it was not found, little speaks for it. And less still in
proportion as the evidence about who it was is weakened for what flow members differ in.

Found on such rivers too: the log score of the count is flat from three to five.
"""


class Shown(NamedTuple):
    """How much of the prior shows in the readings: the share `one` of single sources, and of pairs the share `both`.

    `pairs` is the prior of the pairs of which both show, pairs of one candidate with itself among those that do not.
    """

    one: float
    both: float
    pairs: float


class Evidence(NamedTuple):
    """Log densities of the readings if nobody released, if one did and if two did, whoever they are.

    Of one and two only such as show in the readings count: the densities are means over these. -inf where nothing was found
    that explains any reading.
    """

    nobody: float
    one: float
    two: float


class Counts(NamedTuple):
    """Probabilities that sum to 1, of releases that show; `prior_nobody` is what `nobody` was before any reading."""

    nobody: float
    one: float
    two: float
    prior_nobody: float


def counted(evidence: Evidence, prior: Prior, *, shown: Shown, substances: int, temperature: float) -> Counts:
    """Return how many released; evidence for or against a second source is divided by `count_temperature(temperature)`.

    A release that shows nowhere counts as none, so a pair of which one shows counts as one. That somebody released is judged with
    the whole evidence for two: what the flow gets wrong of one plume, and a second takes up, speaks against nobody as well.
    Evidence against nobody is weakened by `discount`, evidence for nobody not at all.

    >>> even, all_show = Prior((), np.ones(0), (), (), nobody=0.2, pair=0.2), Shown(1.0, 1.0, 1.0)
    >>> found = counted(Evidence(0.0, 0.0, 0.0), even, shown=all_show, substances=1, temperature=2.0)
    >>> [round(p, 3) for p in found]
    [0.2, 0.6, 0.2, 0.2]
    """
    none, one, two = shown_priors(prior, shown)
    if not np.isfinite(evidence.one) or one <= 0.0:
        return Counts(1.0, 0.0, 0.0, none)
    log_odds, more = float(np.log(two / one)) if two > 0.0 else -np.inf, evidence.two - evidence.one
    somebody = evidence.one + float(np.log(one) + np.logaddexp(0.0, log_odds + more) - np.log1p(-none))
    log_ratio = evidence.nobody - somebody
    log_ratio /= discount(substances) if log_ratio < 0.0 else 1.0
    p_nobody = float(expit(log_ratio + logit(none)))
    p_two = float(expit(log_odds + more / count_temperature(temperature)))
    return Counts(p_nobody, (1.0 - p_nobody) * (1.0 - p_two), (1.0 - p_nobody) * p_two, none)


def shown_of(weight: NDArray[np.float64], visible: NDArray[np.float64]) -> Shown:
    """Return how much shows of candidates of this prior weight (candidate,), of which the part `visible` (candidate,) does.

    >>> Shown.__new__(Shown, *(round(share, 3) for share in shown_of(np.array([0.5, 0.5]), np.array([0.5, 0.25]))))
    Shown(one=0.75, both=0.5, pairs=0.25)
    """
    one = min(1.0, float(visible.sum()))
    pairs, every = (float(w.sum() ** 2 - (w**2).sum()) for w in (visible, weight))
    return Shown(one, min(1.0, pairs / every) if every > 0.0 else 0.0, pairs)


def shown_priors(prior: Prior, shown: Shown) -> tuple[float, float, float]:
    """Return the prior of nobody, one and two that show.

    >>> [round(p, 3) for p in shown_priors(Prior((), np.ones(0), (), (), nobody=0.1, pair=0.1), Shown(0.5, 0.25, 0.25))]
    [0.525, 0.45, 0.025]
    """
    single = 1.0 - prior.nobody - prior.pair
    one = shown.one * single + 2.0 * max(shown.one - shown.both, 0.0) * prior.pair
    two = shown.both * prior.pair
    return 1.0 - one - two, one, two


def count_temperature(temperature: float) -> float:
    """Return by how much evidence for a second source is weakened, where that about who it was is by `temperature`.

    >>> count_temperature(1.5), count_temperature(6.0)
    (4.0, 16.0)
    """
    return COUNT_TEMPERATURE * temperature / LEAST_TEMPERATURE


def discount(substances: int) -> float:
    """Return by how much evidence against nobody is weakened.

    Rain, or another source of water, lifts the backgrounds of several substances together, which are weighed as if each had
    moved by itself: of D substances with a correlation ALIKE of their backgrounds D / (1 + (D - 1) ALIKE) are independent.

    >>> discount(1), discount(3)
    (2.0, 4.0)
    """
    return NOBODY_TEMPERATURE * (1.0 + (substances - 1.0) * ALIKE)
