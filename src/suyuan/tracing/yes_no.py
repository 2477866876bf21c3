"""Who released, from readings that say only yes or no: kits, alarms, what a crew saw or smelt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError, nearest
from suyuan.tracing.yes_no_result import YesNoPosterior

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

TIE = 1e-9
"""Relative difference of probabilities, or absolute of their logarithms, below which two are equal."""


@dataclass(frozen=True)
class Kit:
    """A yes/no test: turns positive above `detects_g_m3`, and is wrong at the given rates.

    `false_positive` is how often it says yes to clean water, `false_negative` how often no to water above the limit.
    """

    detects_g_m3: float
    false_positive: float = 0.05
    false_negative: float = 0.05

    def __post_init__(self) -> None:
        rates = {"false_positive": self.false_positive, "false_negative": self.false_negative}
        for name, rate in rates.items():
            if not 0.0 < rate < 1.0:
                raise InputError(
                    "kit", f"{name} is {rate}", "give a rate between 0 and 1; no kit is never wrong"
                )
        if sum(rates.values()) >= 1.0:
            raise InputError(
                "kit", f"the rates {rates} sum to 1 or more", "then a yes speaks against; turn it round"
            )
        if not 0.0 <= self.detects_g_m3 < np.inf:
            raise InputError("kit", f"detects_g_m3 is {self.detects_g_m3}", "give the limit in g/m3 (= mg/L)")


@dataclass(frozen=True)
class YesNoReadings:
    """Yes/no readings, in any order; the same place may be read often.

    `place` names the station or node of each, `time` (reading,) [s] counts from the zero that the predictions use, and
    `is_positive` (reading,) is what was said.
    """

    place: tuple[str, ...]
    time: Array
    is_positive: Mask

    def __post_init__(self) -> None:
        sizes = (len(self.place), len(self.time), len(self.is_positive))
        if len(set(sizes)) > 1:
            raise InputError("readings", f"{sizes} places, times and answers", "give one of each per reading")
        if not np.all(np.isfinite(self.time)):
            bad = int(np.flatnonzero(~np.isfinite(self.time))[0])
            raise InputError(
                "readings", f"reading {bad} at '{self.place[bad]}' has no time", "give its time [s]"
            )

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.place)


@dataclass(frozen=True)
class YesNoPredictions:
    """What each imagined release would make of each reading, were no kit ever wrong.

    A hypothesis is a release by `candidate` from `start` (hypothesis,) [s] on, under the flow numbered `scenario`
    (hypothesis,); several may differ in size alone. `is_positive` has shape (hypothesis, reading), and
    `scenario_weight` sums to 1. A candidate without hypotheses under a flow is ruled out there.
    """

    candidate: tuple[str, ...]
    start: Array
    scenario: Index
    is_positive: Mask
    scenario_weight: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        sizes = (len(self.candidate), len(self.start), len(self.scenario), len(self.is_positive))
        if len(set(sizes)) > 1 or not self.candidate:
            raise InputError(
                "predictions",
                f"{sizes} candidates, starts, scenarios and rows",
                "give one of each per hypothesis",
            )
        weights = np.asarray(self.scenario_weight)
        if np.any(weights < 0.0) or not np.isclose(weights.sum(), 1.0):
            raise InputError(
                "predictions", f"scenario weights {weights.tolist()}", "give shares that sum to 1"
            )
        if self.scenario.min() < 0 or self.scenario.max() >= len(weights):
            raise InputError(
                "predictions",
                f"scenarios {self.scenario.min()} to {self.scenario.max()} for {len(weights)} weights",
                "number them from 0",
            )


@dataclass(frozen=True)
class YesNoPrior:
    """What is believed before any reading: `nobody` released with this probability; else one candidate did.

    `weight` is each candidate's share (any scale); equal shares if left empty.
    """

    nobody: float = 0.10
    weight: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0.0 <= self.nobody < 1.0:
            raise InputError("prior", f"nobody is {self.nobody}", "give a probability from 0 to below 1")

    def shares(self, candidates: Sequence[str]) -> Array:
        """Return the prior of each candidate, given that one of them released, (candidate,)."""
        if not self.weight:
            return np.full(len(candidates), 1.0 / len(candidates))
        for name in candidates:
            if name not in self.weight:
                raise InputError(
                    "prior", f"candidate '{name}' has no weight", nearest(name, list(self.weight))
                )
        share = np.array([self.weight[name] for name in candidates], float)
        if np.any(share < 0.0) or share.sum() <= 0.0:
            raise InputError("prior", f"weights {share.tolist()}", "give weights of 0 and more, not all 0")
        return np.asarray(share / share.sum())


DEFAULT_PRIOR = YesNoPrior()


def joined(
    predictions: Sequence[YesNoPredictions], weights: Sequence[float] | None = None
) -> YesNoPredictions:
    """Return predictions under several flows as one; `weights` are the flows' shares, equal if left out."""
    share = np.full(len(predictions), 1.0) if weights is None else np.asarray(weights, float)
    if len(share) != len(predictions):
        raise InputError(
            "predictions", f"{len(share)} weights for {len(predictions)} flows", "give one a flow"
        )
    offset = np.cumsum([0, *(len(p.scenario_weight) for p in predictions)])
    weight = np.concatenate(
        [s * np.array(p.scenario_weight) for s, p in zip(share, predictions, strict=True)]
    )
    return YesNoPredictions(
        candidate=tuple(name for p in predictions for name in p.candidate),
        start=np.concatenate([p.start for p in predictions]),
        scenario=np.concatenate([p.scenario + o for p, o in zip(predictions, offset[:-1], strict=True)]),
        is_positive=np.concatenate([p.is_positive for p in predictions]),
        scenario_weight=tuple((weight / weight.sum()).tolist()),
    )


def log_likelihood(is_positive: Mask, readings: YesNoReadings, *, kit: Kit) -> Array:
    """Return the logarithm of the probability of the readings under each hypothesis, (hypothesis,).

    `is_positive` (hypothesis, reading) is what each predicts. Readings err independently of each other: the
    assumption that hurts most. With equal rates p this is (1 - p)^match p^(n - match).

    >>> readings = YesNoReadings(("a", "b"), np.zeros(2), np.array([True, False]))
    >>> log_likelihood(np.array([[True, False], [True, True]]), readings, kit=Kit(1.0, 0.1, 0.2)).round(4)
    array([-0.3285, -1.8326])
    """
    if is_positive.shape[-1] != len(readings):
        what = f"predictions of {is_positive.shape[-1]} readings for {len(readings)} readings"
        raise InputError("readings", what, "predict the readings that are judged, in their order")
    yes = readings.is_positive
    rightly = np.count_nonzero(is_positive[:, yes], axis=1)
    wrongly = np.count_nonzero(is_positive[:, ~yes], axis=1)
    ayes = int(yes.sum())
    noes = len(readings) - ayes
    said_yes = rightly * np.log1p(-kit.false_negative) + (ayes - rightly) * np.log(kit.false_positive)
    said_no = wrongly * np.log(kit.false_negative) + (noes - wrongly) * np.log1p(-kit.false_positive)
    return np.asarray(said_yes + said_no, float)


def name_sources(
    predictions: YesNoPredictions,
    readings: YesNoReadings,
    *,
    kit: Kit,
    over_starts: Literal["sum", "profile"] = "sum",
    prior: YesNoPrior = DEFAULT_PRIOR,
    credible: float = 0.90,
) -> YesNoPosterior:
    """Return who most likely released, with probabilities, "nobody" among them.

    With `sum` every start of a candidate counts, equally likely beforehand, so that one that fits by a single lucky
    start is believed less. With `profile` each candidate is judged by its best start, as the Bayesian mode of EPA's
    Water Security Toolkit does (with `YesNoPrior(nobody=0)`). Flows are averaged by weight. One source at most.

    >>> readings = YesNoReadings(("low", "side"), np.array([60.0, 60.0]), np.array([True, False]))
    >>> reach = np.array([[True, False], [False, False], [False, True]])
    >>> predictions = YesNoPredictions(("A", "A", "B"), np.array([0.0, 30.0, 0.0]), np.zeros(3, int), reach)
    >>> found = name_sources(predictions, readings, kit=Kit(1.0, 0.1, 0.1), prior=YesNoPrior(nobody=0.0))
    >>> dict(zip(found.candidate, found.probability.round(3).tolist()))  # (0.81 + 0.09) / 2 against 0.01
    {'A': 0.978, 'B': 0.022}
    """
    if over_starts not in {"sum", "profile"}:
        raise InputError("over_starts", f"'{over_starts}' is not known", "give 'sum' or 'profile'")
    names, owner = _named(predictions.candidate)
    loglik = log_likelihood(predictions.is_positive, readings, kit=kit)
    clean = float(log_likelihood(np.zeros((1, len(readings)), bool), readings, kit=kit)[0])
    top = max(float(loglik.max()), clean)
    weight = np.exp(loglik - top) * _start_weights(predictions, owner)
    evidence = (
        _profile(predictions, owner, likelihood=np.exp(loglik - top), count=len(names))
        if over_starts == "profile"
        else np.asarray(np.bincount(owner, weights=weight, minlength=len(names)), float)
    )
    joint = (1.0 - prior.nobody) * prior.shares(names) * evidence
    silent = prior.nobody * np.exp(clean - top)
    probability = joint / (joint.sum() + silent)
    order = _ranked(probability)
    best = _best_starts(predictions, owner, loglik=loglik, count=len(names))
    reached = np.bincount(owner, weights=predictions.is_positive.any(axis=1), minlength=len(names))
    return YesNoPosterior(
        candidate=tuple(names[i] for i in order),
        probability=probability[order],
        start=_start_quantiles(predictions.start, owner, weight=weight, count=len(names))[:, order],
        best_start=best[:, order],
        log_likelihood=_highest(loglik, owner, count=len(names))[order],
        readings=len(readings),
        no_source_probability=float(silent / (joint.sum() + silent)),
        credible_set=_credible_set([names[i] for i in order], probability[order], share=credible),
        credible=credible,
        blind=tuple(name for name, count in zip(names, reached, strict=True) if count == 0),
    )


def _named(candidate: Sequence[str]) -> tuple[list[str], Index]:
    """Return the candidates in the order of their first hypothesis, and which of them owns each hypothesis."""
    first = {name: i for i, name in enumerate(dict.fromkeys(candidate))}
    return list(first), np.array([first[name] for name in candidate], np.intp)


def _start_weights(predictions: YesNoPredictions, owner: Index) -> Array:
    """Return the prior of each hypothesis given its candidate: the flow's weight, shared by its starts alike."""
    cell = owner * len(predictions.scenario_weight) + predictions.scenario
    flow = np.asarray(predictions.scenario_weight)[predictions.scenario]
    return np.asarray(flow / np.bincount(cell)[cell])


def _profile(predictions: YesNoPredictions, owner: Index, *, likelihood: Array, count: int) -> Array:
    """Return the likelihood of each candidate's best start, averaged over the flows, (candidate,)."""
    best = np.zeros((count, len(predictions.scenario_weight)))
    np.maximum.at(best, (owner, predictions.scenario), likelihood)
    return np.asarray(best @ np.asarray(predictions.scenario_weight))


def _highest(loglik: Array, owner: Index, *, count: int) -> Array:
    highest = np.full(count, -np.inf)
    np.maximum.at(highest, owner, loglik)
    return highest


def _best_starts(predictions: YesNoPredictions, owner: Index, *, loglik: Array, count: int) -> Array:
    """Return the first and the last of the starts that fit best, (2, candidate) [s]."""
    is_best = loglik >= _highest(loglik, owner, count=count)[owner] - TIE
    best = np.stack([np.full(count, np.inf), np.full(count, -np.inf)])
    np.minimum.at(best[0], owner[is_best], predictions.start[is_best])
    np.maximum.at(best[1], owner[is_best], predictions.start[is_best])
    return best


def _start_quantiles(start: Array, owner: Index, *, weight: Array, count: int) -> Array:
    """Return the 5, 50 and 95 % of each candidate's start, given that it released, (3, candidate) [s].

    NaN where the weight of all its starts vanishes.
    """
    found = np.full((3, count), np.nan)
    order = np.lexsort((start, owner))
    bounds = np.searchsorted(owner[order], np.arange(count + 1))
    for i, (low, high) in enumerate(pairwise(bounds)):
        mine = order[low:high]
        share = np.cumsum(weight[mine])
        if share[-1] > 0.0:
            at = np.searchsorted(share, np.array([0.05, 0.5, 0.95]) * share[-1])
            found[:, i] = start[mine][np.minimum(at, len(mine) - 1)]
    return found


def _ranked(probability: Array) -> Index:
    """Return the order from the most probable down; what is equal but for rounding stays in the order given."""
    order = np.argsort(-probability, kind="stable")
    fallen = np.diff(probability[order]) < -TIE * probability[order][:-1]
    return np.asarray(order[np.lexsort((order, np.concatenate([[0], np.cumsum(fallen)])))], np.intp)


def _credible_set(names: Sequence[str], probability: Array, *, share: float) -> tuple[str, ...]:
    """Return the fewest leading candidates that hold the source with `share`, given that there is one, ties whole."""
    held, last, total = 0.0, 0.0, float(probability.sum())
    for count, p in enumerate(probability.tolist()):
        if held >= share * total * (1.0 - TIE) and p < last * (1.0 - TIE):
            return tuple(names[:count])
        held, last = held + p, p
    return tuple(names) if total > 0.0 else ()
