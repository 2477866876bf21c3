"""Rolling operation: what runs into the same folder hand on to each other, rows of matrices and their answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.digest import code_digest, digest
from suyuan.io.row_store import free_bytes, keep_only, read_rows, remove_files, write_rows
from suyuan.io.times import utc_of_datetime
from suyuan.network import Network
from suyuan.observations import Observations
from suyuan.report import RunInfo
from suyuan.report.words import Words
from suyuan.tracing.history import Run
from suyuan.tracing.members import FlowMember
from suyuan.tracing.prior import candidate_sources
from suyuan.transport.downstream import carried
from suyuan.transport.known_rows import Found, KnownRows, matrix_with, rows_of
from suyuan.transport.matrix import Receptors, Source, SourceReceptorMatrix
from suyuan.transport.operator import TransportOperator, compile_operator
from suyuan.transport.sampling import receptors_of
from suyuan.transport.source_receptor import source_receptor_matrix
from suyuan.workers import THREADS, Workers, shared_out

Array = NDArray[np.float64]

STORE = ".store"
"""Folder of a run's results in which rows are kept."""

MOST_FILES = 24
"""So many files of rows a flow member; the next run writes all into one."""

MOST_UNUSED = 2.0
"""Nor may there be more rows than this many times those in use."""

MOST_OF_DISK = 0.2
"""Share of the free space of the disk that new rows may take."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rolled:
    """The matrix of one flow member, which of its rows were computed, and where the others came from.

    `name` is the digest of all that a row depends on besides its own reading; '' where no store is used. `files` held
    `stored` rows, used or not; `damaged` files were passed over.
    """

    found: Found
    name: str = ""
    files: tuple[Path, ...] = ()
    damaged: tuple[Path, ...] = ()
    stored: int = 0

    @property
    def matrix(self) -> SourceReceptorMatrix:
        """The source-receptor matrix."""
        return self.found.matrix


@dataclass(frozen=True)
class Kept:
    """What the store did for a run: rows taken from it and rows computed, all flow members together.

    `damaged` files were passed over; `fault` says why this run's rows could not be kept, '' if they were.
    """

    taken: int
    computed: int
    damaged: int = 0
    fault: str = ""


def matrices_of(
    network: Network,
    members: Sequence[FlowMember],
    *,
    observations: Observations,
    edges: NDArray[np.float64],
    progress: Callable[[str, float], None],
    workers: Workers = THREADS,
) -> tuple[SourceReceptorMatrix, ...]:
    """Return one matrix a flow member: what a release in each bin of `edges` does to each reading that may be used."""
    rolled = rolled_matrices(
        network, members, observations=observations, edges=edges, progress=progress, by=Means(workers)
    )
    return tuple(each.matrix for each in rolled)


@dataclass(frozen=True)
class Means:
    """By what matrices are found: who computes rows, the folder in which those of earlier runs lie, if any, and what settles.

    For each speed of settling [m/s] there are values of their own: one more march, not kept in a store.
    """

    workers: Workers = THREADS
    store: Path | None = None
    settling: tuple[float, ...] = ()


NO_STORE = Means()


def rolled_matrices(
    network: Network,
    members: Sequence[FlowMember],
    *,
    observations: Observations,
    edges: NDArray[np.float64],
    progress: Callable[[str, float], None],
    by: Means = NO_STORE,
) -> tuple[Rolled, ...]:
    """Return one matrix a flow member, with the rows that are in the folder `by.store` taken from there.

    Their values have the shape (usable reading, source, bin) [s/m3]; `edges` (bin + 1,) [s] from the start of the flow bound the
    bins of release. `progress` is told the share of the whole run. Nothing is written; without a store all is computed. They are
    the same to the last bit whoever the workers are.
    """
    receptors, _ = receptors_of(network, observations.where(observations.is_usable))
    of = partial(_rolled, network, receptors=receptors, edges=edges, store=by.store)
    rolled = []
    for found in shared_out(of, members, workers=by.workers):
        rolled.append(found)
        progress("following the water back", 0.06 + 0.6 * len(rolled) / len(members))
    return _with_settled(network, rolled, members=members, by=by) if by.settling else tuple(rolled)


def _rolled(
    network: Network, member: FlowMember, *, receptors: Receptors, edges: Array, store: Path | None
) -> Rolled:
    """Return the matrix of one flow member, wherever this runs."""
    sources = candidate_sources(network)
    return roll(
        operator_of(network, member),
        receptors,
        sources=sources,
        edges=edges,
        store=store,
        carried=carried(network, member.flow, receptors=receptors, sources=sources),
    )


def _with_settled(
    network: Network, rolled: Sequence[Rolled], *, members: Sequence[FlowMember], by: Means
) -> tuple[Rolled, ...]:
    """Return the matrices with the values of what settles."""
    of = partial(_settled, network, speeds=by.settling)
    jobs = [
        (member, replace(each.matrix, values=_NONE)) for each, member in zip(rolled, members, strict=True)
    ]
    found = zip(rolled, shared_out(of, jobs, workers=by.workers), strict=True)
    return tuple(
        replace(each, found=replace(each.found, matrix=replace(each.matrix, settled=settled)))
        for each, settled in found
    )


_NONE = np.empty((0, 0, 0))
"""In place of the values of a matrix that is sent to a worker, who does not look at them."""


def _settled(
    network: Network, job: tuple[FlowMember, SourceReceptorMatrix], *, speeds: Sequence[float]
) -> tuple[tuple[float, NDArray[np.floating]], ...]:
    """Return the values for each speed of settling [m/s] in one flow member, wherever this runs."""
    member, own = job
    operator = operator_of(network, member)
    reached = carried(network, member.flow, receptors=own.receptors, sources=own.sources)
    of = partial(source_receptor_matrix, operator, own.receptors, sources=own.sources, edges=own.edges)
    return tuple((speed, of(carried=reached, settling_m_per_s=speed).values) for speed in speeds)


def operator_of(network: Network, member: FlowMember) -> TransportOperator:
    """Return the transport of one flow member."""
    spread = member.mixing.dispersion_in(network, member.flow) * member.dispersion_factor
    return compile_operator(network, member.flow, dispersion=spread, storage=member.mixing.storage)


def roll(
    operator: TransportOperator,
    receptors: Receptors,
    *,
    sources: Sequence[Source],
    edges: Array,
    store: Path | None,
    carried: NDArray[np.bool_],
) -> Rolled:
    """Return the source-receptor matrix of one flow member; only rows that are not in the store are computed.

    It is 0 where the flow has `carried` (receptor, source) nothing.
    """
    if store is None:
        return Rolled(
            matrix_with(operator, receptors, sources=sources, edges=edges, known=(), carried=carried)
        )
    name = operator_digest(operator, sources)
    held = read_rows(store / name)
    found = matrix_with(operator, receptors, sources=sources, edges=edges, known=held.rows, carried=carried)
    return Rolled(found, name, held.files, held.damaged, sum(len(rows.receptors) for rows in held.rows))


def operator_digest(operator: TransportOperator, sources: Sequence[Source]) -> str:
    """Return the digest of everything the rows of a matrix are computed from, the code included.

    The operator holds it all: cells, steps, discharges, volumes, lakes and dispersion, bit by bit. Other network, flow,
    seed, dispersion, dx or dt, other sources or another release of suyuan, numpy or numba have another digest.
    """
    import numba

    code = (code_digest("suyuan.transport"), code_digest("suyuan.io"), np.__version__, numba.__version__)
    network = (operator.network.nodes, operator.network.reaches)
    water = (operator.geometry, tuple(operator.water), operator.edges, tuple(operator.zones))
    flow = (operator.flow.start, operator.flow.edges, operator.flow.external, operator.flow.lateral)
    return digest(code, network, water, flow, tuple(sources))


def keep(rolled: Sequence[Rolled], store: Path) -> Kept:
    """Put the rows that were computed into the store and return what it did for this run; only these digests stay.

    Where the store cannot be written the answer is as good, and the next run computes the rows again.
    """
    taken, computed = (sum(int((r.found.is_new == is_new).sum()) for r in rolled) for is_new in (False, True))
    fault = _lack_of_room(rolled, store)
    try:
        for each in rolled if not fault else ():
            _keep_member(each, store / each.name)
    except (InputError, OSError) as error:
        fault = str(error)
    if fault:
        log.warning("rows could not be kept: %s", fault)
    keep_only(store, [each.name for each in rolled])
    return Kept(taken, computed, sum(len(r.damaged) for r in rolled), fault)


def kept_words(kept: Kept) -> Words:
    """Return how much of the matrices was taken from earlier runs, and what went wrong with keeping them."""
    zh = f"矩阵行：{kept.taken} 行取自以往计算，{kept.computed} 行新算"
    en = f"rows of the matrices: {kept.taken} taken from earlier runs, {kept.computed} computed"
    if kept.damaged:
        zh, en = (
            f"{zh}；{kept.damaged} 个损坏文件已弃用",
            f"{en}; {kept.damaged} damaged files were passed over",
        )
    if kept.fault:
        zh, en = f"{zh}；未能保存，下次须重算（{kept.fault}）", f"{en}; they could not be kept ({kept.fault})"
    return Words(zh, en)


def record_of(run: RunInfo, *inputs: Any) -> Run:
    """Return what the history says of a run; its digest covers `inputs`, the window, the seed and the versions."""
    name = digest(inputs, run.since, run.until, run.seed, run.versions)
    made = utc_of_datetime(run.made, run.zone)
    return Run(made, run.since, run.until, run.readings, run.seed, dict(run.versions)["suyuan"], name)


def _lack_of_room(rolled: Sequence[Rolled], store: Path) -> str:
    """Return what is wrong where new rows would take more than MOST_OF_DISK of what is free, '' if they would not."""
    wanted = sum(r.matrix.values[:1].nbytes * int(r.found.is_new.sum()) for r in rolled)
    free = free_bytes(store)
    if wanted <= MOST_OF_DISK * free:
        return ""
    return f"they take up to {wanted / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"


def _keep_member(rolled: Rolled, folder: Path) -> None:
    """Write the new rows to a file of their own or, where there are too many files or rows, all in use to one."""
    is_new = rolled.found.is_new
    is_crowded = len(rolled.files) >= MOST_FILES or rolled.stored > MOST_UNUSED * len(is_new)
    gone = set(rolled.damaged)
    if is_crowded:
        gone |= set(rolled.files) - {write_rows(folder, _known(rolled.matrix, is_new | True))}
    elif is_new.any():
        gone -= {write_rows(folder, _known(rolled.matrix, is_new))}
    remove_files(sorted(gone))


def _known(matrix: SourceReceptorMatrix, which: NDArray[np.bool_]) -> KnownRows:
    return KnownRows(
        rows_of(matrix.receptors, which),
        matrix.edges,
        np.asarray(matrix.values[which], np.float32),
        matrix.fraction[which],
        matrix.initial[which],
    )
