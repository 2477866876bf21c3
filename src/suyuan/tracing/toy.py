"""A made-up river of one canal and two outfalls, traced so that every kernel of tracing is compiled, without any transport."""

from __future__ import annotations

import numpy as np

from suyuan.fingerprints import Fingerprints
from suyuan.observations import GOOD, Observations
from suyuan.substances import Substance, determinand
from suyuan.tracing.posterior import trace
from suyuan.tracing.prior import Prior
from suyuan.tracing.result import Candidate, Trace
from suyuan.transport.matrix import Receptors, Source, SourceReceptorMatrix

HOURS, DISCHARGE, TRAVEL_H = 36, 2.0, (3.0, 6.0)
NAMES = ("NH3-N", "TP")
RIVER, RAISED = (0.5, 0.1), (3.0, 0.5)
"""What the river holds by NAMES and by how much a release raises it [g/m3]; all invented."""

START = np.datetime64("2024-07-20T00:00:00")


def trace_toy(rng: np.random.Generator) -> Trace:
    """Return the trace of a release of six hours that is seen by one station, every hour."""
    matrix = _matrix()
    candidates = tuple(Candidate(s.candidate, "outfall", "R", s.chainage_m) for s in matrix.sources)
    return trace(
        _observations(matrix, rng),
        (matrix, matrix),
        substances=[Substance(determinand(name)) for name in NAMES],
        fingerprints=Fingerprints(
            ("industrial", "domestic"), NAMES, np.array([[30.0, 5.0], [40.0, 2.0]]), np.full((2, 2), 0.3)
        ),
        prior=Prior(
            candidates,
            np.array([0.5, 0.5]),
            ("industrial", ""),
            (("industrial", 0.5), ("domestic", 0.5)),
        ),
        rng=rng,
    )


def _matrix() -> SourceReceptorMatrix:
    """Return what each outfall does to the station: it comes TRAVEL_H later, spread over some hours."""
    edges = np.linspace(0.0, 3600.0 * HOURS, HOURS + 1)
    receptors = Receptors(
        station=np.full(HOURS, "S"),
        reach=np.full(HOURS, "R"),
        chainage_m=np.full(HOURS, 5000.0),
        time=START + np.arange(1, HOURS + 1) * np.timedelta64(3600, "s"),
        duration_s=np.zeros(HOURS),
    )
    since = np.arange(1, HOURS + 1)[:, None, None] - np.arange(HOURS) - np.array(TRAVEL_H)[:, None]
    passed = np.where(since > 0.0, np.exp(-since), 0.0)
    fraction = np.zeros((HOURS, 1, HOURS))
    fraction[np.arange(HOURS), 0, np.arange(HOURS)] = 1.0
    return SourceReceptorMatrix(
        receptors=receptors,
        sources=tuple(
            Source(f"O{i + 1}", "outfall", "R", 5000.0 - 500.0 * h) for i, h in enumerate(TRAVEL_H)
        ),
        start=START,
        edges=edges,
        values=(passed / DISCHARGE).astype(np.float32),
        boundaries=("M",),
        flow_edges=edges,
        inflow=np.full((1, HOURS), DISCHARGE),
        fraction=fraction,
        initial=np.zeros(HOURS),
    )


def _observations(matrix: SourceReceptorMatrix, rng: np.random.Generator) -> Observations:
    """Return what the station reads: the river, and what the first outfall lets out from the tenth hour to the sixteenth."""
    plume = matrix.values[:, 0, 10:16].sum(axis=1).astype(float)
    wobble = 1.0 + 0.02 * rng.standard_normal((len(NAMES), HOURS))
    value = (np.array(RIVER)[:, None] + np.outer(RAISED, plume / plume.max())) * wobble
    n = value.size
    return Observations(
        time=np.tile(matrix.receptors.time, len(NAMES)),
        station=np.full(n, "S"),
        determinand=np.repeat(NAMES, HOURS),
        value=value.ravel(),
        qualifier=np.full(n, ""),
        flag=np.full(n, GOOD, np.int8),
        duration_s=np.zeros(n),
        sample_id=np.full(n, ""),
    )
