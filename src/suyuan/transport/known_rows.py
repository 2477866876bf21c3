"""Rows of a source-receptor matrix that an earlier run found: which of them still hold, and old and new as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.transport.matrix import Receptors, Source, SourceReceptorMatrix
from suyuan.transport.operator import TransportOperator
from suyuan.transport.source_receptor import source_receptor_matrix

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class KnownRows:
    """Rows found earlier by the same operator for the same sources, as they stand in a SourceReceptorMatrix.

    `values` (receptor, source, bin) [s/m3] between `edges` (bin + 1,) [s]; `fraction` (receptor, boundary, flow bin) and
    `initial` (receptor,).
    """

    receptors: Receptors
    edges: Array
    values: NDArray[np.float32]
    fraction: Array
    initial: Array


@dataclass(frozen=True)
class Found:
    """A matrix, and which of its rows had to be computed, (receptor,); the others were known."""

    matrix: SourceReceptorMatrix
    is_new: NDArray[np.bool_]


def matrix_with(
    operator: TransportOperator,
    receptors: Receptors,
    *,
    sources: Sequence[Source],
    edges: Array,
    known: Sequence[KnownRows],
    carried: NDArray[np.bool_] | None = None,
) -> Found:
    """Return the source-receptor matrix, of which only the rows that are not `known` are computed.

    Those are 0 where not `carried` (receptor, source), if that is given; the known ones are taken as they are.

    It is the same to the last bit as with nothing known: a row hangs on its own place, time and duration, the operator,
    the sources and the release bins alone. `edges` (release bin + 1,) [s] count from the start of the flow. `known` must come
    from an equal operator and equal sources. Raises InputError where a receptor lies outside the flow.
    """
    is_new = np.ones(len(receptors), bool)
    taken = []
    for rows in known:
        old, bins = kept_bins(rows.edges, edges)
        here, there = _still_holding(operator, receptors, rows=rows, bins=bins, edges=edges)
        here, there = here[is_new[here]], there[is_new[here]]
        is_new[here] = False
        taken.append((rows, old, bins, here, there))
    some = source_receptor_matrix(
        operator,
        rows_of(receptors, is_new),
        sources=sources,
        edges=edges,
        carried=None if carried is None else carried[is_new],
    )
    if is_new.all():
        return Found(some, is_new)
    n = len(receptors)
    values, initial = np.zeros((n, *some.values.shape[1:]), np.float32), np.empty(n)
    fraction = np.empty((n, *some.fraction.shape[1:]))
    values[is_new], fraction[is_new], initial[is_new] = some.values, some.fraction, some.initial
    for rows, old, bins, here, there in taken:
        values[here, :, bins] = rows.values[there, :, old]
        fraction[here], initial[here] = rows.fraction[there], rows.initial[there]
    return Found(
        replace(some, receptors=receptors, values=values, fraction=fraction, initial=initial), is_new
    )


def rows_of(receptors: Receptors, which: NDArray[np.bool_] | Index) -> Receptors:
    """Return these of the receptors, by mask or by row."""
    return Receptors(**{f.name: getattr(receptors, f.name)[which] for f in fields(Receptors)})


def kept_bins(known: Array, wanted: Array) -> tuple[slice, slice]:
    """Return the longest begin of the wanted bins that, from some bin on, are known bins: where they are in both.

    `known` and `wanted` (bin + 1,) [s] are edges, ascending; without a common begin both slices are empty.

    >>> kept_bins(np.array([0.0, 60.0, 120.0, 150.0]), np.array([60.0, 120.0, 180.0]))
    (slice(1, 2, None), slice(0, 1, None))
    """
    first = int(np.searchsorted(known, wanted[0]))
    most = min(len(known) - first, len(wanted))
    equal = known[first : first + most] == wanted[:most]
    count = max(0, int(np.argmin(np.append(equal, False))) - 1)
    return slice(first, first + count), slice(0, count)


def _still_holding(
    operator: TransportOperator, receptors: Receptors, *, rows: KnownRows, bins: slice, edges: Array
) -> tuple[Index, Index]:
    """Return the receptors whose rows are known in all `bins` up to their time, and where they are known.

    In a bin that begins when the last step a reading sees is over, its row is exactly 0.
    """
    place = {key: i for i, key in enumerate(_keys(rows.receptors))}
    there = np.array([place.get(key, -1) for key in _keys(receptors)], np.int64)
    until = (receptors.time - operator.flow.start) / np.timedelta64(1, "s")
    last = np.minimum(np.searchsorted(operator.edges, until), len(operator.edges) - 1)
    here = np.flatnonzero((there >= 0) & (operator.edges[last] <= edges[bins.stop]))
    return here, there[here]


def _keys(receptors: Receptors) -> list[tuple[str, float, int, float]]:
    seconds = receptors.time.astype("datetime64[s]").astype(np.int64)
    columns = (receptors.reach, receptors.chainage_m, seconds, receptors.duration_s)
    return list(zip(*(column.tolist() for column in columns), strict=True))
