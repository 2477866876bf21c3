"""Longitudinal dispersion from width, depth and velocity: formulas of the literature, chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError, nearest
from suyuan.flow import BalancedFlow
from suyuan.network import Network
from suyuan.transport.geometry import is_link

Array = NDArray[np.float64]

GRAVITY = 9.81

USUAL_ROUGHNESS = 0.03
"""Manning's n [s/m^(1/3)] of a reach that has none: clean natural channels (Chow, 1959, table 5-6)."""

LEAST_DISPERSION = 0.05
"""Dispersion that even standing water has, m2/s."""


def fischer(width: Array, depth: Array, *, velocity: Array, shear: Array) -> Array:
    """Return longitudinal dispersion [m2/s] after Fischer et al. (1979, eq. 5.19): 0.011 u2 W2 / (H u*).

    Arrays of one shape: `width` [m], `depth` [m], `velocity` and `shear` velocity [m/s].

    >>> float(fischer(*map(np.array, (20.0, 1.0)), velocity=np.array(0.5), shear=np.array(0.05)))
    22.0
    """
    return np.asarray(0.011 * velocity**2 * width**2 / (depth * shear))


def deng(width: Array, depth: Array, *, velocity: Array, shear: Array) -> Array:
    """Return longitudinal dispersion [m2/s] after Deng, Singh & Bengtsson (2001, J. Hydraul. Eng. 127, 919-927).

    D / (H u*) = 0.15 / (8 e) (W / H)^(5/3) (u / u*)^2 with e = 0.145 + (u / u*) (W / H)^1.38 / 3520. Arrays as for `fischer`.

    >>> round(float(deng(*map(np.array, (20.0, 1.0)), velocity=np.array(0.5), shear=np.array(0.05))), 2)
    42.85
    """
    slender, quick = width / depth, velocity / shear
    transverse = 0.145 + quick * slender**1.38 / 3520.0
    return np.asarray(0.15 / (8.0 * transverse) * slender ** (5.0 / 3.0) * quick**2 * depth * shear)


def kashefipour_falconer(width: Array, depth: Array, *, velocity: Array, shear: Array) -> Array:
    """Return longitudinal dispersion [m2/s] after Kashefipour & Falconer (2002, Water Research 36, 1596-1608).

    D = (7.428 + 1.775 (W / H)^0.620 (u* / u)^0.572) H u (u / u*). Arrays as for `fischer`.

    >>> round(float(kashefipour_falconer(*map(np.array, (20.0, 1.0)), velocity=np.array(0.5), shear=np.array(0.05))), 2)
    52.37
    """
    ratio = (width / depth) ** 0.620 * (shear / velocity) ** 0.572
    return np.asarray((7.428 + 1.775 * ratio) * depth * velocity * (velocity / shear))


FORMULAS: Mapping[str, Callable[..., Array]] = {
    "fischer": fischer,
    "deng": deng,
    "kashefipour-falconer": kashefipour_falconer,
}
"""The formulas by the names under which suyuan.toml knows them."""


def dispersion_by_formula(network: Network, flow: BalancedFlow, *, formula: str) -> Array:
    """Return dispersion (bin, reach) [m2/s] by one of FORMULAS, at least LEAST_DISPERSION.

    Depth is volume / (length x width), velocity discharge / (width x depth), shear velocity sqrt(g) n u / depth^(1/6) after
    Manning for a wide channel. Raises InputError where `width_m` is not known, but of pumps and structures that hold next to
    no water, which have LEAST_DISPERSION. The assumption that hurts most: the formulas
    hold for rivers in which a cloud has long been mixed over the section; their errors are a factor of two and more.
    """
    if formula not in FORMULAS:
        raise InputError(
            "transport", f"dispersion '{formula}' is not known", nearest(formula, list(FORMULAS))
        )
    width = widths_of(network, flow, needed_by=f"dispersion = '{formula}'")
    has_section = width > 0.0
    width = np.where(has_section, width, 1.0)
    length = np.array([reach.length_m for reach in network.reaches])
    rough = np.array([reach.roughness for reach in network.reaches])
    rough = np.where(rough > 0.0, rough, USUAL_ROUGHNESS)
    section = 0.5 * (flow.volume[1:] + flow.volume[:-1]) / length
    depth = section / width
    velocity = np.abs(0.5 * (flow.discharge_start + flow.discharge_end)) / section
    moving = np.maximum(velocity, 1e-6)
    shear = np.sqrt(GRAVITY) * rough * moving / depth ** (1.0 / 6.0)
    found = FORMULAS[formula](np.broadcast_to(width, depth.shape), depth, velocity=moving, shear=shear)
    return np.where(has_section, np.maximum(found, LEAST_DISPERSION), LEAST_DISPERSION)


def widths_of(network: Network, flow: BalancedFlow, *, needed_by: str) -> Array:
    """Return the width of every reach (reach,) [m]; raises InputError with the reaches that have none.

    Pumps, and structures that hold next to no water, have neither bed nor section: 0, whatever is written.
    """
    width = np.array([reach.width_m for reach in network.reaches])
    pumps = {s.reach for s in network.structures if s.kind == "pump"}
    is_bare = is_link(network, flow) | np.array([reach.id in pumps for reach in network.reaches])
    width[is_bare] = 0.0
    bare = [network.reaches[r].id for r in np.flatnonzero(~(width > 0.0) & ~is_bare)]
    if bare:
        named = ", ".join(bare[:5]) + (" ..." if len(bare) > 5 else "")
        what = f"{len(bare)} of {len(width)} reaches have no width_m: {named}"
        raise InputError(network.source, what, f"{needed_by} needs it: fill in width_m in the layer reaches")
    return width
