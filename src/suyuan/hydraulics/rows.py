"""Rows of the least squares: linear statements on the unknowns of a bin, of the bin before, and of what never changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.hydraulics.blocks import Precision

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Statements `now` z_b + `before` z_(b-1) + `still` s = `right`, each with the error 1 / `weight`.

    `now` and `before` have shape (bin or 1, row, n), `still` (bin or 1, row, p), `right` and `weight` (bin, row); a weight of
    zero says nothing. `scale` names the scale its errors are in, '' where they are given.
    """

    now: Array
    before: Array
    still: Array
    right: Array
    weight: Array
    scale: str = ""

    @property
    def count(self) -> int:
        """How many statements there are."""
        return int(np.sum(self.weight > 0.0))

    def residual(self, unknown: Array, still: Array) -> Array:
        """Return what is missing, in standard deviations, (bin, row) or, of many unknowns (bin + 1, n, m), (bin, row, m)."""
        said = self.now @ unknown[1:, :, None] if unknown.ndim == 2 else self.now @ unknown[1:]
        rest = self.before @ (unknown[:-1, :, None] if unknown.ndim == 2 else unknown[:-1])
        constant = self.still @ (still[:, None] if still.ndim == 1 else still)
        if unknown.ndim == 2:
            return np.asarray(((said + rest + constant)[..., 0] - self.right) * self.weight)
        return np.asarray((said + rest + constant - self.right[..., None]) * self.weight[..., None])

    def spread(self, deviation: Array, still: Array) -> float:
        """Return the expected sum of squares, in standard deviations, by which the rows move over draws (bin + 1, n, m)."""
        moved = self.now @ deviation[1:] + self.before @ deviation[:-1] + self.still @ still
        return float(np.sum(np.mean(moved**2, axis=-1) * self.weight**2))


def add(precision: Precision, rows: Sequence[Rows]) -> None:
    """Add what rows say to a precision, all in one product a block; rows that speak of the first bin only, there only."""
    speaks = [bool(np.any(r.weight[1:])) for r in rows]
    _add(precision, [r for r, s in zip(rows, speaks, strict=True) if s], bins=len(rows[0].right))
    _add(precision, [r for r, s in zip(rows, speaks, strict=True) if not s], bins=1)


def _add(precision: Precision, rows: Sequence[Rows], *, bins: int) -> None:
    """Add what rows say of the first `bins`."""
    if not rows:
        return
    now, before, still = (
        _stacked([getattr(r, name) for r in rows], rows, bins=bins) for name in ("now", "before", "still")
    )
    right = np.concatenate([(r.right * r.weight)[:bins] for r in rows], axis=1)[..., None]
    turned, turned_before = now.transpose(0, 2, 1), before.transpose(0, 2, 1)
    changes = np.concatenate([still, right], axis=2)
    after, earlier = turned @ changes, turned_before @ changes
    precision.diagonal[1 : bins + 1] += turned @ now
    precision.diagonal[:bins] += turned_before @ before
    precision.lower[1 : bins + 1] += turned @ before
    precision.border[1 : bins + 1] += after[:, :, :-1]
    precision.border[:bins] += earlier[:, :, :-1]
    precision.right[1 : bins + 1] += after[:, :, -1]
    precision.right[:bins] += earlier[:, :, -1]
    flat = changes.reshape(-1, changes.shape[2])
    corner = flat[:, :-1].T @ flat
    precision.corner += corner[:, :-1]
    precision.right_corner += corner[:, -1]


def _stacked(parts: Sequence[Array], rows: Sequence[Rows], *, bins: int) -> Array:
    """Return the rows' weighted coefficients one below the other, (bin, row, ...)."""
    count = sum(part.shape[1] for part in parts)
    found = np.empty((bins, count, parts[0].shape[2]))
    first = 0
    for part, row in zip(parts, rows, strict=True):
        last = first + part.shape[1]
        np.multiply(part[:bins], row.weight[:bins, :, None], out=found[:, first:last])
        first = last
    return found
