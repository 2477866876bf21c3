"""How much head a discharge costs: Manning's formula in open channels, the orifice formula at gates."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import Fault, InputError
from suyuan.flow import LEAST_VOLUME_PER_METRE
from suyuan.network import Network, Reach

Array = NDArray[np.float64]

GRAVITY = 9.81
"""m/s2."""

GATE_COEFFICIENT = 0.65
"""Discharge coefficient of a gate under water (Bos, 1989, Discharge Measurement Structures, section 8: 0.61 to 0.7)."""

SHALLOWEST = 0.3
"""Share of a reach's depth below which friction grows no further, so that an almost dry reach stays solvable."""


@dataclass(frozen=True)
class Shape:
    """Width, depth [m] and Manning roughness [s/m^(1/3)] of reaches, each (reach,); gates and weirs and pumps hold no water.

    `is_channel`: water runs by friction; `is_gate`: through a gate whose size is known. Pumps, weirs and other gates are neither:
    nothing is said of what head drives through them. `surface` [m2] and `full` [m3] are those of a storage table, NaN without.
    """

    length: Array
    width: Array
    depth: Array
    roughness: Array
    is_channel: NDArray[np.bool_]
    is_gate: NDArray[np.bool_]
    surface: Array = field(default_factory=lambda: np.empty(0))
    full: Array = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        """Spell out that there are no tables, where they are left out."""
        for name in ("surface", "full"):
            if not getattr(self, name).size:
                object.__setattr__(self, name, np.full(len(self.length), np.nan))

    @property
    def is_tabled(self) -> NDArray[np.bool_]:
        """Whether a table says what a reach holds, (reach,)."""
        return np.isfinite(self.surface)

    @property
    def area(self) -> Array:
        """Water surface (reach,) [m2]; 0 in structures."""
        surface = np.where(self.is_tabled, self.surface, self.length * self.width)
        return np.where(self.is_channel, surface, 0.0)

    @property
    def held(self) -> Array:
        """Water held at the usual depth (reach,) [m3], next to none in structures."""
        held = np.where(self.is_tabled, self.full, self.area * self.depth)
        return np.maximum(held, 1.001 * LEAST_VOLUME_PER_METRE * self.length)


def shape_of(network: Network, *, roughness: float) -> Shape:
    """Return the shape of a network's reaches, `roughness` where it is not given.

    Raises InputError with every channel whose width or depth is missing or not above 0.
    """
    kind = {s.reach: s.kind for s in network.structures}
    given = {r.id: r for r in network.reaches if r.id not in kind}
    faults = [f for r in given.values() for f in _faults(r, network.source)]
    if faults:
        raise InputError.of(faults)
    width = np.array([r.width_m for r in network.reaches])
    depth = np.array([r.depth_m for r in network.reaches])
    rough = np.array([r.roughness for r in network.reaches])
    is_gate = np.array([kind.get(r.id) == "gate" for r in network.reaches]) & (width > 0.0) & (depth > 0.0)
    return Shape(
        length=np.array([r.length_m for r in network.reaches]),
        width=np.nan_to_num(width, nan=1.0),
        depth=np.nan_to_num(depth, nan=1.0),
        roughness=np.where(rough > 0.0, rough, roughness),
        is_channel=np.array([r.id in given for r in network.reaches]),
        is_gate=is_gate,
    )


def _faults(reach: Reach, source: str) -> list[Fault]:
    found = []
    for name, value in (("width_m", reach.width_m), ("depth_m", reach.depth_m)):
        if not value > 0.0:
            what = f"{name} of reach '{reach.id}' is {'missing' if np.isnan(value) else f'{value:g}'}"
            remedy = "write metres above 0: storage and conveyance are reckoned from them"
            found.append(Fault(f"{source}, layer reaches", 0, what, remedy))
    return found


def conveyance(width: Array, depth: Array, *, roughness: Array) -> Array:
    """Return K [m3/s] of rectangular channels, so that Q = K sqrt(slope) (Manning, 1891; Chow, 1959, equation 6-1).

    >>> float(conveyance(np.array([10.0]), np.array([2.0]), roughness=np.array([0.03]))[0].round(1))
    845.6
    """
    section = width * depth
    return np.asarray(section * (section / (width + 2.0 * depth)) ** (2.0 / 3.0) / roughness)


def resistance(shape: Shape) -> Array:
    """Return k (reach,) [s2/m5]: a discharge q costs k q |q| of head at the usual depth; 0 where nothing is said."""
    channel = shape.length / conveyance(shape.width, shape.depth, roughness=shape.roughness) ** 2
    gate = 1.0 / (2.0 * GRAVITY * (GATE_COEFFICIENT * shape.width * shape.depth) ** 2)
    return np.where(shape.is_channel, channel, np.where(shape.is_gate, gate, 0.0))


def deepened(shape: Shape, rise: Array, *, side_slope: float) -> Array:
    """Return the factor (bin, reach) on resistance when the water stands `rise` [m] (bin, reach) above the usual depth.

    Resistance goes with A^(-10/3) P^(4/3) of flow area and wetted perimeter (Manning); banks go back `side_slope` for a metre of
    height, so that the section is a trapezoid of the same area and surface, at most a triangle. Gates are left as they are.

    >>> shape = Shape(*(np.array([x]) for x in (1000.0, 10.0, 2.0, 0.03, True, False)))
    >>> float(deepened(shape, np.array([[1.0]]), side_slope=0.0)[0, 0].round(4))  # 1.5^(-10/3) x (16 / 14)^(4/3)
    0.3093
    """
    usual, bank = shape.width * shape.depth, np.minimum(side_slope, 0.25 * shape.width / shape.depth)
    deepest = 2.0 * usual / (shape.width + np.sqrt(np.maximum(shape.width**2 - 4.0 * bank * usual, 0.0)))
    back = np.sqrt(1.0 + bank**2)
    wetted = shape.width + 2.0 * deepest * (back - bank)
    rise = np.maximum(rise, (SHALLOWEST - 1.0) * shape.depth)
    area = 1.0 + rise / shape.depth + bank * rise**2 / usual
    factor = area ** (-10.0 / 3.0) * (1.0 + 2.0 * back * rise / wetted) ** (4.0 / 3.0)
    return np.where(shape.is_channel, factor, 1.0)


def head_loss(k: Array, q: Array, *, least: float) -> tuple[Array, Array]:
    """Return head lost [m] and its derivative by discharge [s/m2]; below about `least` [m3/s] the loss runs linear.

    Near slack a bin's mean of q |q| is not that of its mean q: the smooth k q sqrt(q^2 + least^2) stands for it.

    >>> loss, slope = head_loss(np.array([0.01]), np.array([3.0]), least=4.0)
    >>> float(loss[0]), float(slope[0].round(3))
    (0.15, 0.068)
    """
    root = np.sqrt(q**2 + least**2)
    return k * q * root, k * (2.0 * q**2 + least**2) / root
