"""A Gaussian whose unknowns follow each other in time: its precision factored block by block, solved and drawn from exactly.

The precision is block-tridiagonal in time with a border of unknowns that do not change (factors, datums):
K = L L' by blocks (Rue and Held, 2005, Gaussian Markov Random Fields, section 2.4), the border by its Schur complement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

Array = NDArray[np.float64]


@dataclass
class Precision:
    """Sums of squares of rows, by blocks of time: what a Gaussian's exponent holds.

    `diagonal` (block, n, n), `lower` (block, n, n) couples a block to the one before (0: unused), `border`
    (block, n, p) to the unknowns that do not change, `corner` (p, p) those among each other; `right` (block, n) and
    `right_corner` (p,) are the right side.
    """

    diagonal: Array
    lower: Array
    border: Array
    corner: Array
    right: Array
    right_corner: Array

    @classmethod
    def empty(cls, blocks: int, *, size: int, still: int) -> Precision:
        """Return one that knows nothing yet."""
        return cls(
            np.zeros((blocks, size, size)),
            np.zeros((blocks, size, size)),
            np.zeros((blocks, size, still)),
            np.zeros((still, still)),
            np.zeros((blocks, size)),
            np.zeros(still),
        )


@dataclass(frozen=True)
class Factor:
    """The factored precision: `on` (block, n, n) lower triangles, `below` (block, n, n) what follows from the block before,
    `carried` (block, n, p) K^-1 border, `corner` (p, p) the lower triangle of the border's Schur complement, both with the
    unknowns that do not change counted in units of `unit` (p,), their standard deviations before anything is read.
    """

    on: Array
    below: Array
    carried: Array
    corner: Array
    unit: Array

    def solve(self, right: Array, right_corner: Array) -> tuple[Array, Array]:
        """Return the unknowns (block, n, m) and (p, m) of right sides of the same shapes."""
        solved = self._inner(right)
        change = self.unit[:, None] * right_corner - np.tensordot(self.carried, right, ((0, 1), (0, 1)))
        half = solve_triangular(self.corner, change, lower=True, check_finite=False)
        still = solve_triangular(self.corner, half, lower=True, trans=1, check_finite=False)
        return solved - self.carried @ still, self.unit[:, None] * still

    def drawn(self, noise: Array, noise_corner: Array) -> tuple[Array, Array]:
        """Return deviations from the mean whose covariance is K^-1, from standard normal numbers of the same shapes."""
        still = solve_triangular(self.corner, noise_corner, lower=True, trans=1, check_finite=False)
        return backward(self.on, self.below, right=noise) - self.carried @ still, self.unit[:, None] * still

    def _inner(self, right: Array) -> Array:
        return backward(self.on, self.below, right=forward(self.on, self.below, right=right))

    def covariances(self) -> tuple[Array, Array, Array]:
        """Return covariances of each block (block, n, n), of each with the one before (block, n, n), and of the border (p, p).

        The first two are those of K^-1 without the border; with it, `carried` times the border's covariance, in its
        units, comes on top.
        """
        blocks, n, _ = self.on.shape
        own, before = np.empty_like(self.on), np.zeros_like(self.on)
        identity = np.eye(n)
        for e in range(blocks - 1, -1, -1):
            inverse = solve_triangular(self.on[e], identity, lower=True, check_finite=False)
            own[e] = inverse.T @ inverse
            if e + 1 < blocks:
                gain = self.below[e + 1] @ inverse
                before[e + 1] = -own[e + 1] @ gain
                own[e] -= gain.T @ before[e + 1]
        inverse = solve_triangular(self.corner, np.eye(len(self.corner)), lower=True, check_finite=False)
        return own, before, inverse.T @ inverse


def factored(precision: Precision, unit: Array) -> Factor:
    """Return the factor of a precision; the unknowns that do not change have the prior standard deviations `unit` (p,)."""
    blocks, n, _ = precision.diagonal.shape
    on, below = np.empty_like(precision.diagonal), np.zeros_like(precision.diagonal)
    for e in range(blocks):
        block = precision.diagonal[e]
        if e:
            below[e] = solve_triangular(on[e - 1], precision.lower[e].T, lower=True, check_finite=False).T
            block = block - below[e] @ below[e].T
        on[e] = cholesky(block, lower=True, check_finite=False)
    half = forward(on, below, right=precision.border * unit)
    still = half.shape[2]
    flat = half.reshape(blocks * n, still)
    scaled = unit[:, None] * precision.corner * unit
    scaled += np.diag(1e-10 * np.diag(scaled))  # what rounding may take away
    corner = cholesky(np.eye(still) + scaled - flat.T @ flat, lower=True, check_finite=False)
    return Factor(on, below, backward(on, below, right=half), corner, unit)


def forward(on: Array, below: Array, *, right: Array) -> Array:
    """Return L^-1 right, (block, n, m)."""
    solved = np.empty_like(right)
    for e in range(len(on)):
        rest = right[e] - below[e] @ solved[e - 1] if e else right[e]
        solved[e] = solve_triangular(on[e], rest, lower=True, check_finite=False)
    return solved


def backward(on: Array, below: Array, *, right: Array) -> Array:
    """Return L'^-1 right, (block, n, m)."""
    solved = np.empty_like(right)
    last = len(on) - 1
    for e in range(last, -1, -1):
        rest = right[e] - below[e + 1].T @ solved[e + 1] if e < last else right[e]
        solved[e] = solve_triangular(on[e], rest, lower=True, trans=1, check_finite=False)
    return solved
