"""The result of tracing yes/no readings: who, since when, how sure, and whom no reading could have seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


@dataclass(frozen=True)
class YesNoPosterior:
    """Who released, from yes/no readings; candidates from the most probable down, equals in the order given.

    `probability` (candidate,) and `no_source_probability` sum to 1. `start` (3, candidate) [s] is the 5, 50 and 95 % of
    the start, given that this candidate released; `best_start` (2, candidate) [s] the first and the last of the starts
    that fit best, and `log_likelihood` (candidate,) how well they do. `credible_set` is the smallest set that holds the
    source with probability `credible`, given that there is one, ties kept whole. `blind` names candidates that would
    have stayed unseen at every reading: nothing here speaks for or against them.
    """

    candidate: tuple[str, ...]
    probability: Array
    start: Array
    best_start: Array
    log_likelihood: Array
    readings: int
    no_source_probability: float
    credible_set: tuple[str, ...]
    credible: float
    blind: tuple[str, ...]

    def probability_of(self, candidate: str) -> float:
        """Return the probability of one candidate; 0 for one that was not tried."""
        return float(dict(zip(self.candidate, self.probability, strict=True)).get(candidate, 0.0))

    def to_frame(self) -> pd.DataFrame:
        """Return one row a candidate: rank, probability, start [h] with its interval, in the credible set, blind."""
        import pandas as pd

        q05, q50, q95 = self.start / 3600.0
        return pd.DataFrame(
            {
                "rank": np.arange(1, len(self.candidate) + 1),
                "candidate": self.candidate,
                "probability": self.probability,
                "start_hour_q05": q05,
                "start_hour_q50": q50,
                "start_hour_q95": q95,
                "best_start_hour_first": self.best_start[0] / 3600.0,
                "best_start_hour_last": self.best_start[1] / 3600.0,
                "is_in_credible_set": np.isin(self.candidate, self.credible_set),
                "is_blind": np.isin(self.candidate, self.blind),
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings; starts in seconds."""
        return {
            "candidates": [self._entry(i) for i in range(len(self.candidate))],
            "credible_set": list(self.credible_set),
            "credible": self.credible,
            "no_source_probability": self.no_source_probability,
            "blind": list(self.blind),
            "readings": self.readings,
        }

    def _entry(self, i: int) -> dict[str, Any]:
        quantiles = self.start[:, i].tolist()
        known = not np.isnan(quantiles[0])
        return {
            "id": self.candidate[i],
            "probability": float(self.probability[i]),
            "start_s": dict(zip(("q05", "q50", "q95"), quantiles, strict=True)) if known else None,
            "best_start_s": self.best_start[:, i].tolist(),
        }

    def __str__(self) -> str:
        lines = [f"{'candidate':<16}{'P':>7}  start h (5-95 %)"]
        for name, p, (q05, q50, q95) in zip(
            self.candidate, self.probability, self.start.T / 3600.0, strict=True
        ):
            if len(lines) > 8:
                break
            lines.append(f"{name:<16}{p:7.3f}  {q50:.2f} ({q05:.2f}-{q95:.2f})")
        lines.append(f"{'nobody':<16}{self.no_source_probability:7.3f}")
        lines.append(
            f"{100.0 * self.credible:g} % set: {len(self.credible_set)} of {len(self.candidate)} candidates"
        )
        if self.blind:
            lines.append(
                f"{len(self.blind)} candidates would have stayed unseen at all {self.readings} readings"
            )
        return "\n".join(lines)
