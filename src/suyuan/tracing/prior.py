"""What is believed before any reading is seen: who may release, how often, how much, when."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.flow import BalancedFlow
from suyuan.network import Network
from suyuan.tracing.result import Candidate
from suyuan.tracing.shapes import Nights
from suyuan.transport.matrix import Source

Array = NDArray[np.float64]

UNLISTED_SPACING_M = 400.0
"""Distance between the points at which an unlisted source is imagined on a reach."""

UNLISTED_SHARE = 0.3
"""How often a single source is not on the list. Surveys find many times the outfalls that were known; those that matter more
often were."""

PAIR_SHARE = 1.0 / 9.0
"""How often two released, given that somebody did."""


@dataclass(frozen=True)
class Prior:
    """Candidates with their prior weights.

    `weight` (candidate,) sums to 1: the prior that this candidate is the source, given that there is one. `kind` is the
    fingerprint kind of each candidate, '' where any kind may be. `kinds` is how often each kind occurs, used for ''.
    `nobody` and `pair` are the prior probabilities of no release and of two sources, whether they show or not. `nights` is
    when daily repeats begin; at any hour alike if None.
    """

    candidates: tuple[Candidate, ...]
    weight: Array
    kind: tuple[str, ...]
    kinds: tuple[tuple[str, float], ...]
    nobody: float = 0.10
    pair: float = 0.10
    nights: Nights | None = None

    def __post_init__(self) -> None:
        if not (self.nobody > 0.0 and self.pair >= 0.0 and self.nobody + self.pair < 1.0):
            found = f"{self.nobody:g} and {self.pair:g}"
            raise InputError("prior of nobody and of two", found, "leave some probability for one source")

    @property
    def unlisted(self) -> float:
        """How often a single source is not on the list."""
        along = [w for w, c in zip(self.weight, self.candidates, strict=True) if c.kind == "reach"]
        return float(sum(along))


def candidate_sources(network: Network) -> tuple[Source, ...]:
    """Return the places to imagine a release at: every outfall, points along every reach, every boundary node."""
    sources = [Source(o.id, "outfall", o.reach, o.chainage_m) for o in network.outfalls]
    for reach in network.reaches:
        count = max(1, int(np.ceil(reach.length_m / UNLISTED_SPACING_M)))
        middle = (np.arange(count) + 0.5) / count * reach.length_m
        sources.extend(Source(f"reach:{reach.id}", "reach", reach.id, float(x)) for x in middle)
    sources.extend(
        Source(f"boundary:{n.id}", "boundary", node=n.id) for n in network.nodes if n.kind == "boundary"
    )
    return tuple(sources)


def default_prior(
    network: Network,
    flow: BalancedFlow,
    *,
    unlisted: float = UNLISTED_SHARE,
    boundary: float = 0.13,
    nobody: float = 0.10,
    nights: Nights | None = None,
) -> Prior:
    """Return the prior used where the user gives none.

    Of the single sources a share `unlisted` is not on the list, spread over the reaches in proportion to length, and a
    share `boundary` came in at a boundary, spread in proportion to its mean inflow [m3/s]; the rest goes to the listed
    outfalls in proportion to `prior_weight`. Networks without outfalls or boundaries give their share to the others.
    `nobody` is the probability of no release; where there is one, a second goes with it in one case of nine. `nights` is when
    releases that come again every day begin, at any hour alike if None.

    Raises InputError for shares that are no probabilities, and where they leave nobody to suspect.
    """
    if not 0.0 < nobody < 1.0:
        raise InputError("prior of nobody", f"{nobody:g}", "give a probability above 0 and below 1")
    if not (unlisted >= 0.0 and boundary >= 0.0 and unlisted + boundary <= 1.0):
        found = f"{unlisted:g} and {boundary:g}"
        raise InputError(
            "shares of unlisted sources and of boundaries", found, "give shares that sum to 1 at most"
        )
    heads = [(i, n) for i, n in enumerate(network.nodes) if n.kind == "boundary"]
    inflow = np.array([np.maximum(flow.external[:, i], 0.0).mean() for i, _ in heads])
    candidates = [Candidate(o.id, "outfall", o.reach, o.chainage_m, o.name) for o in network.outfalls]
    candidates += [Candidate(f"reach:{r.id}", "reach", r.id, float("nan"), r.name) for r in network.reaches]
    candidates += [Candidate(f"boundary:{n.id}", "boundary", "", float("nan")) for _, n in heads]
    listed = _shares([o.prior_weight for o in network.outfalls], 1.0 - unlisted - boundary)
    along = _shares([r.length_m for r in network.reaches], unlisted)
    entering = _shares(inflow, boundary)
    weight = np.concatenate([listed, along, entering])
    if not weight.sum() > 0.0:
        raise InputError(
            "prior", "no outfall, no inflow and no unlisted source", "list outfalls, or let some be unlisted"
        )
    kinds = Counter(o.kind for o in network.outfalls)
    return Prior(
        tuple(candidates),
        weight / weight.sum(),
        tuple(o.kind for o in network.outfalls) + ("",) * (len(network.reaches) + len(heads)),
        tuple((kind, (count + 1.0) / (len(network.outfalls) + len(kinds))) for kind, count in kinds.items()),
        nobody=nobody,
        pair=PAIR_SHARE * (1.0 - nobody),
        nights=nights,
    )


def _shares(weights: list[float] | Array, total: float) -> Array:
    array = np.asarray(weights, dtype=float)
    return total * array / array.sum() if array.sum() > 0.0 else np.zeros(len(array))
