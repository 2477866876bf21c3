"""Answers as they moved: what one run after the other said while readings came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suyuan.tracing.result import Trace

WORTH_KEEPING = 0.01
"""Probability from which a candidate is kept in the history."""

MOST_KEPT = 20


@dataclass(frozen=True)
class Run:
    """When a run was made, over which window, from how many readings, and by what. Times datetime64[s] UTC.

    `inputs` is the digest of everything the answer hangs on.
    """

    made: np.datetime64
    since: np.datetime64
    until: np.datetime64
    readings: int
    seed: int
    version: str
    inputs: str


@dataclass(frozen=True)
class Answer:
    """One answer in short: the run, and the probabilities of nobody and of the `leading` candidates, most probable first.

    Candidates that are not among them had less than WORTH_KEEPING.
    """

    run: Run
    determinand: str
    nobody: float
    leading: tuple[tuple[str, float], ...]
    credible_set: tuple[str, ...]

    def probability(self, candidate: str) -> float:
        """Return the probability of a candidate, 0 where it had too little to be kept."""
        return dict(self.leading).get(candidate, 0.0)


def answer_of(trace: Trace, run: Run) -> Answer:
    """Return what the history keeps of a trace."""
    leading = [(f.candidate.id, f.probability) for f in trace.findings if f.probability >= WORTH_KEEPING]
    return Answer(
        run, trace.determinand, trace.no_source_probability, tuple(leading[:MOST_KEPT]), trace.credible_set
    )


def with_answer(history: tuple[Answer, ...], answer: Answer) -> tuple[Answer, ...]:
    """Return the history with this answer at its end; as it is where the same inputs were answered before."""
    if any(answer.run.inputs == old.run.inputs for old in history):
        return history
    return (*history, answer)
