"""What every reader of a hydraulic model returns, and the flow of models that write one discharge a link at instants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.flow import FlowField
from suyuan.io.models.notes import Note
from suyuan.network import Network

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A hydraulic model's network and flow under the model's own ids, in SI units.

    `form` names the format ('SWMM 5'). `notes` say what could not be taken over and what was assumed instead, in the
    order of importance; empty where nothing was lost. Nodes with water from outside are of kind boundary, wherever they lie;
    where water leaves or the tide stands, of kind outlet; storages with their volume at the start, of kind lake. Gates, pumps
    and weirs are reaches of STRUCTURE_LENGTH with a Structure on them.
    """

    form: str
    network: Network
    flow: FlowField
    notes: tuple[Note, ...] = ()


STRUCTURE_LENGTH = 1.0
"""Length of a link that holds no water, m: closure lets it keep a litre (flow.LEAST_VOLUME_PER_METRE)."""

M3_S = {
    "CMS": 1.0,
    "LPS": 1e-3,
    "LPM": 1e-3 / 60.0,
    "MLD": 1e3 / 86400.0,
    "CMH": 1.0 / 3600.0,
    "CMD": 1.0 / 86400.0,
    "CFS": 0.3048**3,
    "GPM": 3.785411784e-3 / 60.0,
    "MGD": 3785.411784 / 86400.0,
    "IMGD": 4546.09 / 86400.0,
    "AFD": 43560.0 * 0.3048**3 / 86400.0,
}
"""Units of flow as SWMM and EPANET name them, in m3/s. Exact: the foot is 0.3048 m, the US gallon 231 cubic inches, the
imperial gallon 4.54609 L (NIST Special Publication 811, 2008, appendix B)."""


def in_m3_s(unit: str, *, source: str) -> float:
    """Return how many m3/s one `unit` of flow is; raises InputError for a unit that M3_S lacks.

    >>> in_m3_s("LPS", source="town.inp")
    0.001
    """
    if unit.strip().upper() not in M3_S:
        what = f"flow unit '{unit}' is not known" if unit.strip() else "the unit of flow is missing"
        raise InputError(source, what, f"give one of: {', '.join(M3_S)}")
    return M3_S[unit.strip().upper()]


def flow_of_instants(
    seconds: Array, discharge: Array, *, volume: Array, start: np.datetime64, reaches: tuple[str, ...]
) -> FlowField:
    """Return flow from one discharge a link and its volume at instants, both (instant, reach) in m3/s and m3.

    `seconds` (instant,) count from `start`, datetime64[s] UTC. A bin lies between two instants; its discharge is their mean,
    taken to stand at the middle of the link: what the link stores passes half through each end.

    >>> flow = flow_of_instants(
    ...     np.array([0.0, 60.0]), np.array([[1.0], [3.0]]), volume=np.array([[0.0], [60.0]]),
    ...     start=np.datetime64("2024-07-01T00:00:00"), reaches=("C1",))
    >>> float(flow.discharge_start[0, 0]), float(flow.discharge_end[0, 0])
    (2.5, 1.5)
    """
    middle = 0.5 * (discharge[1:] + discharge[:-1])
    half = 0.5 * np.diff(volume, axis=0) / np.diff(seconds)[:, None]
    return FlowField(start, seconds, reaches, middle + half, middle - half, volume)
