"""N1: how many yes/no kits name the outfall, on invented trees; the product's own functions choose and update.

A tree grows from its outlet: every new reach is hung on a node drawn from those with fewer than two reaches above. Forty outfalls
lie at random places of random reaches; one of them, each as likely, discharges without pause. A kit may be used at the
lower end of any reach, between two outfalls of a reach, or at an outfall's own mouth; it says yes where the guilty outfall lies
above (or is it), with 3 % false positives and 5 % false negatives, each time anew. A search ends when the leading outfall
has a probability of 0.95; its samples are counted, and whether it named the right one.

From a fingerprint posterior: every outfall's own log-ratios of three determinands against the first are known to a library
spread; those of the guilty one's water depart from them by that spread, and Bayes' rule gives the prior of each outfall.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.next_sample import Beliefs, Hypotheses, YesNo, kit_chance, yes_no_gains

Array = NDArray[np.float64]

REACHES, OUTFALLS = 200, 40
FALSE_POSITIVE, FALSE_NEGATIVE = 0.03, 0.05
SURE = 0.95
MOST_SAMPLES = 400
BETWEEN_OUTFALLS, LIBRARY = 1.0, 0.32
"""Log standard deviations: of outfalls' ratios among each other, and of a water about its library's ratio. The second is
set so that the fingerprint alone puts the right outfall first in 67 % of cases and among the first three in 92 %."""


@dataclass(frozen=True)
class Tree:
    """`sees` (place, outfall): which outfalls lie above each place; `is_mouth` (place,) whether it is an outfall's own mouth;
    `distance` (outfall,) reaches to the outlet; `reach` (outfall,); `below` (reach,) the reach below, -1 at the outlet."""

    sees: NDArray[np.bool_]
    is_mouth: NDArray[np.bool_]
    distance: Array
    reach: NDArray[np.int64]
    below: NDArray[np.int64]
    end: NDArray[np.int64]


def draw_tree(rng: np.random.Generator) -> Tree:
    below = np.full(REACHES, -1)
    open_places = [0, 0]
    for reach in range(1, REACHES):
        below[reach] = open_places.pop(int(rng.integers(len(open_places))))
        open_places += [reach, reach]
    reach = rng.integers(0, REACHES, OUTFALLS)
    along = rng.random(OUTFALLS)  # share of the reach from its upper end
    is_above = np.zeros((REACHES, REACHES), bool)  # [a, b]: b is a or lies above it
    depth = np.zeros(REACHES)
    for r in range(REACHES):
        at = r
        while at >= 0:
            is_above[at, r] = True
            at, depth[r] = below[at], depth[r] + 1
    ends = is_above[:, reach]
    within = [_between(o, reach, along, above=ends) for o in range(OUTFALLS)]
    mouths = np.eye(OUTFALLS, dtype=bool)
    sees = np.concatenate([ends, np.array(within), mouths])
    return Tree(
        sees,
        np.arange(len(sees)) >= REACHES + OUTFALLS,
        depth[reach] - along,
        reach,
        below,
        np.arange(REACHES),
    )


def _between(o: int, reach: Array, along: Array, *, above: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what a place just above outfall `o` sees: all above its reach's lower end but what lies further down."""
    seen = above[int(reach[o])].copy()
    seen[(reach == reach[o]) & (along >= along[o])] = False
    return seen


Choice = Callable[[Tree, Array, Array], int]
"""Tree, probability of each outfall, chance of yes (place, outfall) -> place."""


def by_information(_: Tree, probability: Array, chance: Array) -> int:
    """The product: the place whose kit tells most about who."""
    names = tuple(map(str, range(OUTFALLS)))
    hypotheses = Hypotheses(names, np.arange(OUTFALLS), probability)
    return int(np.argmax(yes_no_gains(chance, Beliefs.before(hypotheses), hypotheses=hypotheses)))


def by_halves(tree: Tree, probability: Array, _: Array) -> int:
    """Walking by halves: of the outfalls still suspected, half should lie above the place."""
    suspected = _suspected(probability)
    above, count = (tree.sees & suspected).sum(axis=1), suspected.sum()
    if count == 1:
        return int(np.argmax(tree.is_mouth & tree.sees[:, np.argmax(suspected)]))
    splits = (above > 0) & (above < count)
    return int(np.argmin(np.where(splits, np.abs(above - 0.5 * count) + 1e-3 * tree.is_mouth, np.inf)))


def along_branches(tree: Tree, probability: Array, chance: Array) -> int:
    """Walking the branches: up from the lowest place that has all suspects above, try the branch with most of them."""
    suspected = _suspected(probability)
    above = (tree.sees[:REACHES] & suspected).sum(axis=1)
    if suspected.sum() == 1:
        return int(np.argmax(tree.is_mouth & tree.sees[:, np.argmax(suspected)]))
    lowest = max((r for r in range(REACHES) if above[r] == suspected.sum()), default=0)
    branches = [r for r in range(REACHES) if tree.below[r] == lowest and above[r] > 0]
    if not branches:  # all on one reach: between them
        return by_halves(tree, probability, chance)
    return max(branches, key=lambda r: above[r])


def nearest_first(tree: Tree, probability: Array, _: Array) -> int:
    """Mouth by mouth, the nearest suspected first."""
    suspected = _suspected(probability)
    nearest = int(np.argmin(np.where(suspected, tree.distance, np.inf)))
    return int(np.flatnonzero(tree.is_mouth)[nearest])


def _suspected(probability: Array) -> NDArray[np.bool_]:
    """Return the outfalls that have not been ruled out: at least a tenth as probable as the leading one."""
    return np.asarray(probability >= 0.1 * probability.max())


RULES: dict[str, Choice] = {
    "information": by_information,
    "halves": by_halves,
    "branches": along_branches,
    "nearest": nearest_first,
}


def search(
    tree: Tree, prior: Array, *, guilty: int, choose: Choice, rng: np.random.Generator
) -> list[tuple[float, bool]]:
    """Return after each sample, the start included, the leading probability and whether it is the guilty one's."""
    chance = kit_chance(
        np.where(tree.sees, np.inf, 0.0),
        limit=1.0,
        sd=0.1,
        false_positive=FALSE_POSITIVE,
        false_negative=FALSE_NEGATIVE,
    )
    beliefs, followed = Beliefs(np.ones(1), prior[None, :]), []
    while True:
        probability = beliefs.weight[0]
        followed.append((float(probability.max()), bool(probability.argmax() == guilty)))
        if probability.max() >= 0.995 or len(followed) > MOST_SAMPLES:
            return followed
        kit = YesNo(chance[choose(tree, probability, chance)])
        is_yes = rng.random() < kit.chance[guilty]
        both = kit.split(beliefs)
        beliefs = Beliefs(np.ones(1), both.weight[0 if is_yes else 1][None, :])


def fingerprint_prior(guilty: int, rng: np.random.Generator) -> Array:
    """Return the probability of each outfall from three log-ratios of the guilty one's water."""
    own = BETWEEN_OUTFALLS * rng.standard_normal((OUTFALLS, 3))
    water = own[guilty] + LIBRARY * rng.standard_normal(3)
    log = -0.5 * (((water - own) / LIBRARY) ** 2).sum(axis=1)
    weight = np.exp(log - log.max())
    return np.asarray(weight / weight.sum())


def run(runs: int, seed: int, rules: tuple[str, ...] = tuple(RULES)) -> dict[str, dict[str, object]]:
    """Return what each rule needed, from nothing and from a fingerprint posterior."""
    found: dict[str, dict[str, object]] = {}
    for prior_name in ("nothing", "fingerprint"):
        for rule in rules:
            rng = np.random.default_rng([seed, 0])
            kits = np.random.default_rng([seed, 1])
            paths, first = [], []
            for _ in range(runs):
                tree, guilty = draw_tree(rng), int(rng.integers(OUTFALLS))
                fingerprint = fingerprint_prior(guilty, rng)
                prior = fingerprint if prior_name == "fingerprint" else np.full(OUTFALLS, 1.0 / OUTFALLS)
                first.append(
                    np.argsort(-prior)[:3].tolist().index(guilty) if guilty in np.argsort(-prior)[:3] else 9
                )
                paths.append(search(tree, prior, guilty=guilty, choose=RULES[rule], rng=kits))
            found[f"{prior_name}/{rule}"] = {**summary(paths, SURE), "lowest_threshold": _at_95(paths)}
        found[f"{prior_name}/prior"] = {
            "top1": float(np.mean(np.array(first) == 0)),
            "top3": float(np.mean(np.array(first) < 9)),
        }
    return found


def summary(paths: list[list[tuple[float, bool]]], sure: float) -> dict[str, float]:
    """Return mean and standard error of the samples until the leading outfall has `sure`, and how often it is right."""
    ends = [next((i for i, (p, _) in enumerate(path) if p >= sure), len(path) - 1) for path in paths]
    right = [path[i][1] for path, i in zip(paths, ends, strict=True)]
    return {
        "samples": float(np.mean(ends)),
        "samples_se": float(np.std(ends) / np.sqrt(len(ends))),
        "samples_q90": float(np.quantile(ends, 0.9)),
        "right": float(np.mean(right)),
    }


def _at_95(paths: list[list[tuple[float, bool]]]) -> dict[str, float]:
    """Return the lowest threshold at which at least 95 % are right, and what it needs."""
    for sure in np.arange(0.80, 0.991, 0.01):
        said = summary(paths, float(sure))
        if said["right"] >= 0.95:
            return {"threshold": round(float(sure), 2), **said}
    return {}
