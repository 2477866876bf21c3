"""How far a flow had to go to close, reach by reach, and from where on it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError

Array = NDArray[np.float64]

REFUSED_RESIDUAL = 0.20
"""Share of the through-flow beyond which a flow that does not close is refused."""

REFUSED_CORRECTION = 0.50
"""Root mean square correction over root mean square discharge beyond which a reach's flow is refused."""

MAIN_SHARE = 0.10
"""Share of the largest discharge from which a reach counts for that: of less water little is known anywhere."""


@dataclass(frozen=True)
class WaterBalance:
    """How far a flow had to go to close.

    `residual_share` is the sum of |node residual| over all nodes and bins divided by the sum of
    through-flow; `node_residual` and `node_through` (node,) [m3/s] are means of both before closure,
    `reach_residual` (reach,) [m3/s] the mean of |discharge_start - discharge_end - dV/dt|, `correction`
    (reach,) [m3/s] the root mean square change of discharge. `dry` names the reaches whose volume had to be
    lifted to the least one kept. `reach_share` is the sum of `reach_residual` over that of the reaches'
    through-flow, the larger of what enters and leaves each, storage counted. `residual_after` is the sum of
    |node residual| after closure over the same through-flow: rounding. `largest` (reach,) [m3/s] is the largest
    change of discharge at either end, `largest_bin` (reach,) when that was, `discharge` (reach,) [m3/s] the root
    mean square of what was given.
    """

    nodes: tuple[str, ...]
    reaches: tuple[str, ...]
    residual_share: float
    node_residual: Array
    node_through: Array
    reach_residual: Array
    correction: Array
    dry: tuple[str, ...] = ()
    reach_share: float = 0.0
    residual_after: float = 0.0
    largest: Array = field(default_factory=lambda: np.zeros(0))
    largest_bin: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    discharge: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def correction_share(self) -> Array:
        """The root mean square correction as a share of that of discharge, a thousandth of the largest added, (reach,)."""
        return np.asarray(self.correction / scale_of(self.discharge))

    @property
    def largest_share(self) -> Array:
        """The largest correction as a share of the root mean square discharge, a thousandth of the largest added, (reach,)."""
        return np.asarray(self.largest / scale_of(self.discharge))


def scale_of(root_mean_square: Array) -> Array:
    """Return what a discharge may err in proportion to, (reach,) [m3/s]: nowhere nothing, however still the water."""
    return np.asarray(root_mean_square + 1e-3 * root_mean_square.max(initial=0.0) + 1e-9)


def most_corrected(balance: WaterBalance) -> int:
    """Return the position of the reach corrected most for its discharge, of those with MAIN_SHARE of the largest."""
    is_main = balance.discharge >= MAIN_SHARE * balance.discharge.max(initial=0.0)
    return int(np.argmax(np.where(is_main, balance.correction_share, -1.0)))


def refusal(balance: WaterBalance, *, source: str) -> InputError | None:
    """Return why a flow is not closed, None where it may be; `source` names the flow."""
    if max(balance.residual_share, balance.reach_share) <= REFUSED_RESIDUAL:
        return _of_one_reach(balance, source=source)
    if balance.reach_share > balance.residual_share:
        return _inside_reaches(balance, source=source)
    worst = int(np.argmax(balance.node_residual))
    residual, through = balance.node_residual[worst], balance.node_through[worst]
    what = (
        f"the flow misses continuity by {balance.residual_share:.0%} of the through-flow, "
        f"most at node '{balance.nodes[worst]}' ({residual:.3g} m3/s of {through:.3g})"
    )
    remedy = f"at most {REFUSED_RESIDUAL:.0%} can be closed; check signs, units and missing inflows"
    return InputError(source, what, remedy)


def _inside_reaches(balance: WaterBalance, *, source: str) -> InputError:
    worst = int(np.argmax(balance.reach_residual))
    what = (
        f"the flow misses continuity inside the reaches by {balance.reach_share:.0%} of the through-flow, "
        f"most in reach '{balance.reaches[worst]}' ({balance.reach_residual[worst]:.3g} m3/s)"
    )
    remedy = (
        f"discharge_start - discharge_end must be the change of volume; at most {REFUSED_RESIDUAL:.0%} can be "
        "closed: check signs, units, and water that is taken out or let in along the reach"
    )
    return InputError(source, what, remedy)


def _of_one_reach(balance: WaterBalance, *, source: str) -> InputError | None:
    worst = most_corrected(balance)
    if balance.correction_share[worst] <= REFUSED_CORRECTION:
        return None
    what = (
        f"the flow of reach '{balance.reaches[worst]}' does not fit what its neighbours bring and take: to close, its "
        f"{balance.discharge[worst]:.3g} m3/s would be changed by {balance.correction[worst]:.3g} (root mean squares)"
    )
    remedy = (
        f"at most {REFUSED_CORRECTION:.0%} can be changed; check its sign and unit, and water that enters or leaves at its "
        "ends and is not in the network"
    )
    return InputError(source, what, remedy)
