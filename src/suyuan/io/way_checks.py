"""What gauges, and what suyuan.toml says of the way from source to station, have to do with the network."""

from __future__ import annotations

import re
from dataclasses import replace

from suyuan.clock import clocked
from suyuan.errors import Fault, InputError, counted, nearest
from suyuan.flow import FlowField, balanced
from suyuan.hydraulics.gauges import require_placed
from suyuan.hydraulics.storage import tabled_of
from suyuan.io.cross_checks import Found
from suyuan.io.files import read_text
from suyuan.io.gauges import read_gauges
from suyuan.io.project import SETTINGS, Project
from suyuan.io.storage_tables import read_storage
from suyuan.network import Network
from suyuan.transport.mixing import widths_of


def gauges(project: Project, network: Network) -> Found:
    """Return what is wrong with the gauges of a project, as `suyuan flow reconcile` would read them, and how many there are."""
    path = project.files.gauges
    if path is None or not path.is_file():
        return Found()
    try:
        read = read_gauges(path, network, zone=project.zone, settings=project.flow)
        if project.files.storage is not None and project.files.storage.is_file():
            read = replace(read, tables=read_storage(project.files.storage))
        require_placed(read, network)
        tabled_of(network, read)
    except InputError as error:
        return Found(error.faults)
    kinds = [gauge.kind for gauge in read.gauges]
    by_kind = ", ".join(f"{kinds.count(kind)} of {kind}" for kind in sorted(set(kinds)))
    until = read.start + read.edges[-1:].astype("timedelta64[s]")[0]
    covers = f"{clocked(read.start, project.zone)} to {clocked(until, project.zone)}"
    return Found(summary={"gauges": f"{by_kind}; {covers}, {counted(len(read.edges) - 1, 'bin')}"})


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
            _row(text, reach),
            f"reach '{reach}' in [{table}] is not in the network",
            nearest(reach, known),
        )
        for table, reach in named
        if reach not in known
    ]
    return Found([*faults, *_bare(project, network, flow=flow)])


def _row(text: str, word: str) -> int:
    """Return the first line outside of comments that holds a word by itself, 0 where none does."""
    mark = re.compile(rf"""(?<![\w.-]){re.escape(word)}(?![\w.-])""")
    lines = enumerate(text.split("\n"), start=1)
    return next((i for i, line in lines if mark.search(line.partition("#")[0])), 0)


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
