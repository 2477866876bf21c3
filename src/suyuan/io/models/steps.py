"""Values that hold during steps of any length, over bins of one length: what is carried stays the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def even_edges(until_s: float, bin_s: float) -> Array:
    """Return the edges of bins of `bin_s` [s] from 0 to `until_s`; the last may be shorter.

    >>> even_edges(250.0, 100.0)
    array([  0., 100., 200., 250.])
    """
    whole: Array = bin_s * np.arange(int(np.floor(until_s / bin_s + 1e-9)) + 1, dtype=np.float64)
    return whole if until_s - whole[-1] <= 1e-6 * bin_s else np.append(whole, until_s)


def means_over(edges: Array, values: Array, *, steps: Array) -> Array:
    """Return the means over bins between `edges` (bin + 1,) of `values` (step, column) that hold between `steps` (step + 1,).

    >>> means_over(np.array([0.0, 10.0]), np.array([[1.0], [2.0]]), steps=np.array([0.0, 4.0, 10.0]))
    array([[1.6]])
    """
    length = np.diff(steps)
    carried = np.vstack([np.zeros(values.shape[1]), np.cumsum(values * length[:, None], axis=0)])
    at = np.clip(np.searchsorted(steps, edges, side="right") - 1, 0, len(length) - 1)
    reached = carried[at] + values[at] * (edges - steps[at])[:, None]
    means: Array = np.diff(reached, axis=0) / np.diff(edges)[:, None]
    return means
