"""Scenes: a river that moves by itself somewhere changes nothing in who released elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suyuan.fingerprints import Fingerprints
from suyuan.observations import GOOD, Observations
from suyuan.substances import Substance, determinand
from suyuan.tracing.posterior import problem_of
from suyuan.tracing.prior import Prior
from suyuan.tracing.result import Candidate
from suyuan.tracing.verdict import Verdict, weigh
from suyuan.transport.matrix import Receptors, Source, SourceReceptorMatrix

Array = NDArray[np.float64]

HOURS, EVERY = 72, 3
NAMES = ("NH3-N", "TP")
RIVER, WATER = np.array([0.5, 0.1]), np.array([3.0, 0.5])
START = np.datetime64("2024-07-20T00:00:00")
AT = np.arange(EVERY, HOURS + 1, EVERY)


def branches(*stations: int) -> SourceReceptorMatrix:
    """Return a river of branches that share no water, each with so many stations 4 h apart and two outfalls above them.

    Outfalls lie 3 and 6 h above the first station; a release of 1 g/s raises it by 0.5 g/m3 in the end.
    """
    of = np.repeat(np.arange(len(stations)), stations)
    below = np.concatenate([4.0 * np.arange(n) for n in stations])
    name = np.array([f"S{i + 1}" for i in range(len(of))])
    rows = len(AT)
    receptors = Receptors(
        np.repeat(name, rows),
        np.repeat([f"R{b + 1}" for b in of], rows),
        np.full(rows * len(of), 5000.0),
        START + np.tile(AT, len(of)) * np.timedelta64(3600, "s"),
        np.zeros(rows * len(of)),
    )
    edges = np.linspace(0.0, 3600.0 * HOURS, HOURS + 1)
    values = np.zeros((len(receptors), 2 * len(stations), HOURS))
    fraction = np.zeros((len(receptors), len(stations), HOURS))
    sources = []
    for b in range(len(stations)):
        for k, away in enumerate((3.0, 6.0)):
            sources.append(Source(f"O{2 * b + k + 1}", "outfall", f"R{b + 1}", 5000.0 - 500.0 * away))
            for i in np.flatnonzero(of == b):
                width = 2.0 + 0.125 * below[i]
                since = np.maximum(AT[:, None] - np.arange(HOURS) - away - below[i], -0.0)
                is_past = AT[:, None] - np.arange(HOURS) > away + below[i]
                values[i * rows : (i + 1) * rows, 2 * b + k] = 0.5 * is_past * np.exp(-since / width) / width
        for i in np.flatnonzero(of == b):
            entered = np.maximum(AT - 1 - below[i], 0.0).astype(int)
            fraction[i * rows + np.arange(rows), b, entered] = 1.0
    return SourceReceptorMatrix(
        receptors,
        tuple(sources),
        START,
        edges,
        values.astype(np.float32),
        tuple(f"M{b}" for b in range(len(stations))),
        edges,
        np.full((len(stations), HOURS), 2.0),
        fraction,
        np.zeros(len(receptors)),
    )


def read(
    matrix: SourceReceptorMatrix, *, release: float, event: tuple[str, float, float, float], seed: int
) -> Observations:
    """Return readings with 4 % noise while O1 releases from hour 10 to 26, at most `release` times its water above the river.

    `event`: station, the hour from which it moves, how fast that fades [h], and by which share of the river.
    """
    station, hour, fade, share = event
    plume = matrix.values[:, 0, 10:26].sum(axis=1).astype(float)
    hours = (matrix.receptors.time - START) / np.timedelta64(1, "h")
    moves = (matrix.receptors.station == station) * (hours >= hour)
    moves = moves * np.exp(-np.maximum(hours - hour, 0.0) / fade)
    value = RIVER[:, None] * (1.0 + share * moves) + release * np.outer(WATER, plume / plume.max())
    value *= 1.0 + 0.04 * np.random.default_rng(seed).standard_normal(value.shape)
    n, text = value.size, np.full(value.size, "")
    return Observations(
        np.tile(matrix.receptors.time, 2),
        np.tile(matrix.receptors.station, 2),
        np.repeat(NAMES, len(hours)),
        value.ravel(),
        text,
        np.full(n, GOOD, np.int8),
        np.zeros(n),
        text,
    )


def judged(matrix: SourceReceptorMatrix, observations: Observations) -> Verdict:
    count = len(matrix.sources)
    candidates = tuple(Candidate(s.candidate, "outfall", s.reach, s.chainage_m) for s in matrix.sources)
    waters = ("industrial", "domestic")
    prior = Prior(
        candidates,
        np.full(count, 1.0 / count),
        waters * (count // 2),
        tuple((water, 0.5) for water in waters),
    )
    return weigh(
        problem_of(
            observations,
            (matrix, matrix),
            substances=[Substance(determinand(name)) for name in NAMES],
            fingerprints=Fingerprints(
                waters, NAMES, np.array([[30.0, 5.0], [40.0, 2.0]]), np.full((2, 2), 0.3)
            ),
            prior=prior,
        )
    )


def test_a_release_that_many_stations_saw_makes_no_second_source_of_rain_on_another_branch():
    matrix = branches(4, 1)
    verdict = judged(matrix, read(matrix, release=0.2, event=("S5", 40.0, 18.0, 0.8), seed=1))
    names = np.array([source.candidate for source in matrix.sources])[verdict.single.source]
    assert verdict.one > 0.95
    assert verdict.single.weight[np.isin(names, ["O1", "O2"])].sum() > 0.95
    assert len(verdict.claimed.unrest.course) == 1


def test_what_moves_on_another_branch_does_not_hide_a_weak_release():
    matrix = branches(1, 1)
    calm, moved = (
        judged(matrix, read(matrix, release=0.03, event=("S2", 40.0, 18.0, share), seed=2)).nobody
        for share in (0.0, 3.0)
    )
    assert calm < 0.1
    assert moved < 0.1
