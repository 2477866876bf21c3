"""What gauges, and what suyuan.toml says of the way from source to station, have to do with the network."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from suyuan.clock import clocked
from suyuan.errors import Fault, InputError, counted, nearest
from suyuan.flow import FlowField, balanced
from suyuan.hydraulics.gauges import require_placed
from suyuan.hydraulics.storage import tabled_of
from suyuan.io.cross_checks import Found, tried
from suyuan.io.files import read_text
from suyuan.io.gauges import read_gauges
from suyuan.io.project import SETTINGS, Project
from suyuan.io.storage_tables import read_storage
from suyuan.network import Network
from suyuan.transport.mixing import widths_of

T = TypeVar("T")

_HEADER = re.compile(r"""\s*\[\s*["']?([\w-]+)["']?\s*[\].]""")
"""The line that begins a table, [transport] or [transport.dispersion], by the first of its names."""


def gauges(project: Project, network: Network) -> Found:
    """Return what is wrong with gauges and storage tables, as `suyuan flow reconcile` would read them, and how many gauges.

    Each file is read though the other be broken, or not there.
    """
    faults: list[Fault] = []
    tables = _read(faults, read_storage, path=project.files.storage)
    how = partial(read_gauges, network=network, zone=project.zone, settings=project.flow)
    read = _read(faults, how, path=project.files.gauges)
    if read is not None:
        whole = tried(faults, partial(replace, read, tables=tables or ()))
        tried(faults, partial(require_placed, read, network))
        tried(faults, partial(tabled_of, network, whole or read))
    if read is None or faults:
        return Found(faults)
    kinds = [gauge.kind for gauge in read.gauges]
    by_kind = ", ".join(f"{kinds.count(kind)} of {kind}" for kind in sorted(set(kinds)))
    until = read.start + read.edges[-1:].astype("timedelta64[s]")[0]
    covers = f"{clocked(read.start, project.zone)} to {clocked(until, project.zone)}"
    return Found(summary={"gauges": f"{by_kind}; {covers}, {counted(len(read.edges) - 1, 'bin')}"})


def _read(faults: list[Fault], read: Callable[[Path], T], *, path: Path | None) -> T | None:
    """Return what a file holds, None where it is not named or not there, which is a fault of suyuan.toml."""
    return tried(faults, partial(read, path)) if path is not None and path.is_file() else None


def processes(project: Project, network: Network, *, flow: FlowField | None) -> Found:
    """Return faults where [transport] or [transient_storage] name reaches that are not in the network, or reaches lack a width.

    Widths are asked for where a formula of dispersion or settling needs them, once there is a flow that closes.
    """
    said, mixing = project.processes, project.processes.mixing
    by_reach = mixing.dispersion if isinstance(mixing.dispersion, tuple) else ()
    named = [("transport", reach) for reach, _ in by_reach]
    beside = mixing.storage or said.still
    named += [("transient_storage", reach) for reach in (beside.reaches if beside else ())]
    known = [reach.id for reach in network.reaches]
    text = read_text(project.folder / SETTINGS)
    faults = [
        Fault(
            SETTINGS,
            _row(text, reach, table=table),
            f"reach '{reach}' in [{table}] is not in the network",
            nearest(reach, known),
        )
        for table, reach in named
        if reach not in known
    ]
    return Found([*faults, *_bare(project, network, flow=flow)])


def _row(text: str, word: str, *, table: str) -> int:
    """Return the first line of a table, or above all tables, that holds a word by itself outside comments; 0 where none does."""
    mark = re.compile(rf"""(?<![\w.-]){re.escape(word)}(?![\w.-])""")
    head = ""
    for i, line in enumerate(text.split("\n"), start=1):
        said = line.partition("#")[0]
        if found := _HEADER.match(said):
            head = found[1]
        elif head in ("", table) and mark.search(said):
            return i
    return 0


def _bare(project: Project, network: Network, *, flow: FlowField | None) -> tuple[Fault, ...]:
    """Return faults where the widths that a formula or settling needs are not known."""
    said = project.processes
    formula = said.mixing.dispersion if isinstance(said.mixing.dispersion, str) else ""
    needed_by = [f"dispersion = '{formula}'"] if formula else []
    needed_by += ["settling"] if any(said.settling_m_per_day.values()) else []
    if not needed_by or flow is None:
        return ()
    try:
        widths_of(network, balanced(flow, network), needed_by=" and ".join(needed_by))
    except InputError as error:  # of the flow, where it does not close: told once, as every fault is
        return error.faults
    return ()
