"""What a sample would tell about who did it, before it is taken.

A scenario is one thing that may have happened; scenarios with the same label name the same culprits. A sample's outcome has
a known chance under every scenario. What it tells is the expected rise of the log probability of the true label, which is
the mutual information between label and outcome (Lindley, 1956; Cover & Thomas, 2006, eq. 2.28). Samples already chosen
split what may be believed by their outcomes, so that the next one is judged by what it adds (Golovin & Krause, 2011).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from suyuan.errors import InputError

Array = NDArray[np.float64]
Index = NDArray[np.int64]

NAT = 1.0 / np.log(2.0)
"""Bits in a nat."""

MOST_BELIEFS = 48
"""Outcomes of the samples chosen so far that are followed; more are thinned to so many equally likely ones."""

OPTIONS_AT_ONCE = 1_000

DRAWS = 192
"""Concentrations that stand for all a laboratory may find, drawn for each belief."""


@dataclass(frozen=True)
class Hypotheses:
    """What may have happened: `label` (scenario,) rows of `names`, `weight` (scenario,) sums to 1.

    Where `is_sampled`, the scenarios are draws of many that could have been drawn. Then each is judged by the others, the
    average of all of them standing in for itself; else a sample would seem to recognise the very draws it was tried on.
    """

    names: tuple[str, ...]
    label: Index
    weight: Array
    is_sampled: bool = False

    def __post_init__(self) -> None:
        if len(self.label) != len(self.weight) or not len(self.label):
            what = f"{len(self.label)} labels for {len(self.weight)} weights"
            raise InputError("hypotheses", what, "give every scenario a label and a weight, one at least")
        if self.label.min() < 0 or self.label.max() >= len(self.names):
            what = f"label {int(self.label.max())} where there are {len(self.names)} names"
            raise InputError("hypotheses", what, "labels are rows of names, from 0")
        if not np.isclose(self.weight.sum(), 1.0) or self.weight.min() < 0.0:
            what = f"weights from {self.weight.min():.3g} that sum to {self.weight.sum():.6g}"
            raise InputError("hypotheses", what, "give weights of 0 or more that sum to 1")

    def membership(self) -> Array:
        """Return 1 where a scenario has a label, (scenario, label)."""
        return np.eye(len(self.names))[self.label]


@dataclass(frozen=True)
class Beliefs:
    """What will be believed, one row for each outcome of the samples chosen: `chance` (belief,), `weight`
    (belief, scenario), rows sum to 1."""

    chance: Array
    weight: Array

    @classmethod
    def before(cls, hypotheses: Hypotheses) -> Beliefs:
        """Return the one belief before any sample."""
        return cls(np.ones(1), hypotheses.weight[None, :].copy())

    def thinned(self, most: int = MOST_BELIEFS) -> Beliefs:
        """Return at most `most` beliefs, equally likely ones chosen evenly where there are more."""
        if len(self.chance) <= most:
            return self
        at = systematic(self.chance, most)
        return Beliefs(np.full(most, 1.0 / most), self.weight[at])

    def probabilities(self, hypotheses: Hypotheses) -> Array:
        """Return the probability of each label, (belief, label)."""
        return np.asarray(self.weight @ hypotheses.membership())


class Outcome(Protocol):
    """What a sample may show: how much it tells [bits], and what will be believed once it is known."""

    def gain(self, beliefs: Beliefs, hypotheses: Hypotheses) -> float:
        """Return the expected information about the label [bits]."""
        ...

    def split(self, beliefs: Beliefs) -> Beliefs:
        """Return the beliefs after every outcome."""
        ...


@dataclass(frozen=True)
class YesNo:
    """A kit that says yes or no: `chance` (scenario,) of a yes."""

    chance: Array

    def gain(self, beliefs: Beliefs, hypotheses: Hypotheses) -> float:
        """Return the expected information about the label [bits]."""
        return float(yes_no_gains(self.chance[None, :], beliefs, hypotheses=hypotheses)[0])

    def split(self, beliefs: Beliefs) -> Beliefs:
        """Return the beliefs after a yes and after a no."""
        both = [_updated(beliefs, chance) for chance in (self.chance, 1.0 - self.chance)]
        return Beliefs(*(np.concatenate([getattr(b, name) for b in both]) for name in ("chance", "weight")))


@dataclass(frozen=True)
class Reading:
    """Concentrations: `mean` and `sd` (scenario, determinand) of what will be read under each scenario.

    `noise` (draw, determinand) are standard normal numbers; the same for all samples, so that these are compared on the
    same luck.
    """

    mean: Array
    sd: Array
    noise: Array

    def gain(self, beliefs: Beliefs, hypotheses: Hypotheses) -> float:
        """Return the expected information about the label [bits], from drawn concentrations."""
        total = 0.0
        each = max(8, len(self.noise) // len(beliefs.chance))
        for chance, weight in zip(beliefs.chance, beliefs.weight, strict=True):
            drawn, density = self._drawn(weight, each)
            total += chance * _gain_of_draws(drawn, density, weight=weight, hypotheses=hypotheses)
        return float(max(0.0, total) * NAT)

    def split(self, beliefs: Beliefs) -> Beliefs:
        """Return the beliefs after concentrations drawn for each belief."""
        each = max(2, MOST_BELIEFS // len(beliefs.chance))
        chances, weights = [], []
        for chance, weight in zip(beliefs.chance, beliefs.weight, strict=True):
            _, density = self._drawn(weight, each)
            posterior = density * weight
            weights.append(posterior / posterior.sum(axis=1, keepdims=True))
            chances.append(np.full(each, chance / each))
        return Beliefs(np.concatenate(chances), np.concatenate(weights))

    def _drawn(self, weight: Array, count: int) -> tuple[Index, Array]:
        """Return the scenarios that `count` readings come from, and the densities of the readings (draw, scenario)."""
        drawn = systematic(weight, count)
        read = self.mean[drawn] + self.sd[drawn] * self.noise[:count]
        precision = self.sd**-2
        square = (
            read**2 @ precision.T
            - 2.0 * read @ (self.mean * precision).T
            + (self.mean**2 * precision - np.log(precision)).sum(axis=1)
        )
        return drawn, np.exp(-0.5 * (square - square.min(axis=1, keepdims=True)))


def kit_chance(
    concentration: Array, *, limit: float, sd: Array | float, false_positive: float, false_negative: float
) -> Array:
    """Return the chance of a yes where the water holds this concentration, known to `sd`; any shape.

    `concentration`, `sd` (its standard error, of a shape that fits) and `limit` [g/m3]; the kit says yes from `limit` on, up to
    shares of false answers from 0 to 1. Raises InputError where these sum to 1 or more.

    >>> float(kit_chance(np.array(np.inf), limit=1.0, sd=0.1, false_positive=0.03, false_negative=0.05))
    0.95
    """
    if not (0.0 <= false_positive < 1.0 - false_negative <= 1.0):
        what = f"false positives {false_positive} and false negatives {false_negative}"
        raise InputError("kit", what, "give shares from 0 to 1 that sum to less than 1")
    above = ndtr((concentration - limit) / np.maximum(sd, 1e-12))
    return np.asarray(false_positive + (1.0 - false_positive - false_negative) * above)


def yes_no_gains(chance: Array, beliefs: Beliefs, *, hypotheses: Hypotheses) -> Array:
    """Return the expected information about the label [bits] of many kits, (option,); `chance` (option, scenario)."""
    parts = [
        _yes_no_gains(chance[first : first + OPTIONS_AT_ONCE], beliefs, hypotheses=hypotheses)
        for first in range(0, len(chance), OPTIONS_AT_ONCE)
    ]
    return np.concatenate([np.empty(0), *parts])


def _yes_no_gains(chance: Array, beliefs: Beliefs, *, hypotheses: Hypotheses) -> Array:
    gains = np.zeros(len(chance))
    named = hypotheses.membership()
    for share, weight in zip(beliefs.chance, beliefs.weight, strict=True):
        mass = weight @ named
        for said in (chance, 1.0 - chance):
            joint = (said * weight) @ named
            gain = _log_gain(
                joint[:, hypotheses.label],
                joint.sum(axis=1)[:, None],
                own=said * weight,
                mass=mass[hypotheses.label],
                weight=weight if hypotheses.is_sampled else None,
            )
            gains += share * (said * gain) @ weight
    return np.asarray(np.maximum(gains, 0.0) * NAT)


def entropy(probability: Array) -> float:
    """Return the entropy of probabilities [bits].

    >>> entropy(np.array([0.5, 0.25, 0.25]))
    1.5
    """
    some = probability[probability > 0.0]
    return float(-(some * np.log2(some)).sum())


def systematic(weight: Array, count: int) -> Index:
    """Return `count` rows chosen evenly in proportion to `weight`, in order.

    >>> systematic(np.array([0.5, 0.25, 0.25]), 4).tolist()
    [0, 0, 1, 2]
    """
    edges = np.cumsum(weight)
    at = (np.arange(count) + 0.5) / count * edges[-1]
    return np.asarray(np.minimum(np.searchsorted(edges, at), len(weight) - 1), np.int64)


def surest(beliefs: Beliefs, hypotheses: Hypotheses) -> float:
    """Return the expected probability of the leading label once the outcomes are known."""
    return float(beliefs.chance @ beliefs.probabilities(hypotheses).max(axis=1))


def learned(beliefs: Beliefs, outcome: Outcome, *, hypotheses: Hypotheses) -> tuple[float, Beliefs]:
    """Return what one more sample tells [bits] and the beliefs after it."""
    return outcome.gain(beliefs, hypotheses), outcome.split(beliefs).thinned()


def _updated(beliefs: Beliefs, likelihood: Array) -> Beliefs:
    joint = beliefs.weight * likelihood
    chance = joint.sum(axis=1)
    return Beliefs(beliefs.chance * chance, joint / np.maximum(chance, 1e-300)[:, None])


def _gain_of_draws(drawn: Index, density: Array, *, weight: Array, hypotheses: Hypotheses) -> float:
    """Return the mean rise of the log probability of the true label over drawn readings [nats]."""
    named, label = hypotheses.membership(), hypotheses.label[drawn]
    joint = (density * weight) @ named
    rows = np.arange(len(drawn))
    gain = _log_gain(
        joint[rows, label],
        joint.sum(axis=1),
        own=density[rows, drawn] * weight[drawn],
        mass=(weight @ named)[label],
        weight=weight[drawn] if hypotheses.is_sampled else None,
    )
    return float(gain.mean())


def _log_gain(of_label: Array, of_all: Array, *, own: Array, mass: Array, weight: Array | None) -> Array:
    """Return log p(outcome | label) - log p(outcome) for outcomes that come from one scenario of the label.

    `of_label` and `of_all` are probabilities joint with the label, and with any; `own` is the scenario's part in both, `mass`
    the probability of the label. With a `weight`, the scenario's part is replaced by what all others predict.
    """
    if weight is not None:
        others = (of_all - own) / np.maximum(1.0 - weight, 1e-12)
        of_label, of_all = of_label - own + weight * others, others
    floor = 1e-30
    return np.asarray(
        np.log(np.maximum(of_label, floor) / np.maximum(mass, floor)) - np.log(np.maximum(of_all, floor))
    )


def hypotheses_of(labels: Sequence[str], weight: Array | None = None, *, is_sampled: bool) -> Hypotheses:
    """Return hypotheses from the label of each scenario; equally likely where no `weight` is given.

    >>> hypotheses_of(["O1", "O2", "O1", "nobody"], is_sampled=True).names
    ('O1', 'O2', 'nobody')
    """
    names = tuple(dict.fromkeys(labels))
    row = {name: i for i, name in enumerate(names)}
    shares = np.full(len(labels), 1.0 / max(1, len(labels))) if weight is None else weight
    return Hypotheses(names, np.array([row[x] for x in labels], np.int64), shares, is_sampled)
