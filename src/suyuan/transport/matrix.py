"""The source-receptor matrix: what a release here and then does to a reading there and then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from suyuan.errors import InputError
from suyuan.substances import Substance

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Precision = TypeVar("Precision", bound=np.floating)


@dataclass(frozen=True)
class Source:
    """A place where a release is imagined: an outfall, a point of a reach (unlisted), or a boundary node.

    `candidate` is 'O8', 'reach:R7' (several points may share it) or 'boundary:M0'; for a boundary `reach` is
    empty.
    """

    candidate: str
    kind: Literal["outfall", "reach", "boundary"]
    reach: str = ""
    chainage_m: float = float("nan")
    node: str = ""


@dataclass(frozen=True)
class Receptors:
    """Places and times of readings, each once however many determinands were read; of a long composite sample, its parts.

    Arrays (receptor,): `station` ids, `reach` ids, `chainage_m`, `time` datetime64[s] UTC (the end, where
    `duration_s` > 0).
    """

    station: NDArray[np.str_]
    reach: NDArray[np.str_]
    chainage_m: Array
    time: NDArray[np.datetime64]
    duration_s: Array

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.time)


@dataclass(frozen=True)
class Means:
    """What each reading is the mean of: one receptor, or the parts of a composite sample.

    `share` (reading, receptor) holds the share of each receptor in a reading, those of a reading in the order of time, sum 1; a
    reading of which no matrix knows has none.
    """

    share: sparse.csr_array

    @classmethod
    def built(cls, part: Index, receptor: Index, *, share: Array, shape: tuple[int, int]) -> Means:
        """Return means of `shape` (reading, receptor) from entries sorted by the reading they are `part` of, (entry,) each."""
        begin = np.searchsorted(part, np.arange(shape[0] + 1))
        return cls(sparse.csr_array((share, receptor, begin), shape=shape))

    @property
    def count(self) -> Index:
        """How many receptors each reading is the mean of, (reading,)."""
        return np.diff(self.share.indptr).astype(np.int64)

    @property
    def first(self) -> Index:
        """The earliest receptor of each reading, (reading,)."""
        return np.asarray(self.share.indices[self.share.indptr[:-1]], np.int64)

    @property
    def last(self) -> Index:
        """The latest receptor of each reading, (reading,)."""
        return np.asarray(self.share.indices[self.share.indptr[1:] - 1], np.int64)

    def where(self, rows: NDArray[np.bool_] | Index) -> Means:
        """Return these of the readings, by mask or by row."""
        return Means(self.share[rows])

    def of(self, seen: NDArray[Precision]) -> NDArray[Precision]:
        """Return what readings see, (reading, ...), of what receptors see, (receptor, ...); single precision stays single."""
        flat = self.share.astype(seen.dtype) @ seen.reshape(len(seen), -1)
        return np.asarray(flat, seen.dtype).reshape(len(flat), *seen.shape[1:])

    def between(self, covariance: Array) -> Array:
        """Return covariances between readings, (..., reading, reading), from those between receptors."""
        flat = covariance.reshape(-1, *covariance.shape[-2:])
        found = np.stack([self.of(self.of(each).T).T for each in flat])
        return found.reshape(*covariance.shape[:-2], *found.shape[1:])

    def owed(self, reading: Array) -> Array:
        """Return what receptors owe to readings, (receptor, ...), the transpose of `of`."""
        return np.asarray(self.share.T @ reading)


@dataclass(frozen=True)
class SourceReceptorMatrix:
    """The linear map from releases and boundary water to concentrations, for a substance that does not decay.

    `values` (receptor, source, bin) [s/m3]: concentration at the receptor per g/s released through the bin.
    `edges` (bin + 1,) seconds from `start` (datetime64[s] UTC) are the release bins. `fraction` (receptor,
    boundary, flow bin) is the share of the receptor's water that entered at each boundary in each bin of
    `flow_edges`; `boundaries` names the nodes, outlets that flow back and lakes with rain included, and 'lateral:R7' for what
    enters along reach R7; `inflow` (boundary, flow bin) [m3/s] is what enters there, 0 where it leaves. `initial` (receptor,)
    is the share that was in the network at the start; fractions and `initial` sum to 1.
    """

    receptors: Receptors
    sources: tuple[Source, ...]
    start: np.datetime64
    edges: Array
    values: NDArray[np.floating]
    boundaries: tuple[str, ...]
    flow_edges: Array
    inflow: Array
    fraction: Array
    initial: Array
    settled: tuple[tuple[float, NDArray[np.floating]], ...] = ()

    def values_of(self, substance: Substance) -> NDArray[np.floating]:
        """Return `values` of a substance before decay: of one that settles, less what sank on the way.

        `settled` holds a pair of settling [m/s] and values for each speed at which anything traced settles.
        """
        if substance.settling_m_per_s == 0.0:
            return self.values
        found = dict(self.settled)
        if substance.settling_m_per_s not in found:
            what = f"the matrix does not hold a settling of {substance.settling_m_per_s:.3g} m/s"
            raise InputError(
                substance.determinand.id, what, "compute it with source_receptor_matrix(settling=...)"
            )
        return found[substance.settling_m_per_s]

    def age_s(self, substance: Substance) -> Array:
        """Return how long a substance decays between the middle of each bin and of each reading, (receptor, bin) [s].

        It is `lag_s`, 0 before the release; where decay hangs on the temperature, as long as it would take at 20 C.
        """
        if substance.temperature is None:
            return np.maximum(self.lag_s(), 0.0)
        read = (self.receptors.time - self.start) / np.timedelta64(1, "s") - 0.5 * self.receptors.duration_s
        middle = 0.5 * (self.edges[1:] + self.edges[:-1])
        read, middle = substance.aged_s(self.start, read), substance.aged_s(self.start, middle)
        return np.maximum(read[:, None] - middle[None, :], 0.0)

    def lag_s(self) -> Array:
        """Return the time from the middle of each bin to the middle of each reading, (receptor, bin) [s]; negative before
        release.

        A composite sample holds water that came while it was filled, not at its end.
        """
        time = (self.receptors.time - self.start) / np.timedelta64(1, "s") - 0.5 * self.receptors.duration_s
        return time[:, None] - 0.5 * (self.edges[1:] + self.edges[:-1])[None, :]

    def decayed(self, rate_per_s: float) -> Array:
        """Return `values` for a substance with first-order decay at the same rate everywhere [1/s].

        Exact for a release at the middle of the bin; the error is of order (rate x bin length)^2 / 24, and (rate x
        duration)^2 / 24 for a composite sample through which the plume passes evenly.
        """
        factor = np.exp(-rate_per_s * np.maximum(self.lag_s(), 0.0))
        return np.asarray(self.values * factor[:, None, :], dtype=float)
