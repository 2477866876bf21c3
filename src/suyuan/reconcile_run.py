"""From a project folder with gauges to flow: the steps in order, with progress."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import local
from suyuan.errors import InputError
from suyuan.flow import FlowField
from suyuan.hydraulics.reconcile import Reconciled, reconcile
from suyuan.io.atomic import require_writable, result_folder
from suyuan.io.flow import write_flow
from suyuan.io.flow_members import write_flow_members
from suyuan.io.gauges import read_gauges
from suyuan.io.network import read_network
from suyuan.io.project import SETTINGS, Project, read_project
from suyuan.io.storage_tables import read_storage
from suyuan.plot.reconciled import Hydrograph, reconciled_map
from suyuan.report import Lang
from suyuan.report.figures import standalone, svg
from suyuan.report.reconciled import doubt_share, reconciled_dict, usual_size
from suyuan.run import Progress, versions

Array = NDArray[np.float64]

FILES = ("flow.nc", "flow_members.nc", "reconciled.json", "reconciled.svg")
"""What a run writes: the mean, the draws, what is known of both, and the picture."""

SHOWN = 8
"""Hydrographs in the picture: gauges of discharge first, then the reaches without one that carry most."""


@dataclass(frozen=True)
class ReconciledRun:
    """A finished run: the flow found, `sd` (bin, reach) [m3/s] of its discharge, and the files it wrote."""

    found: Reconciled
    sd: Array
    files: tuple[Path, ...]
    is_invented: bool = False


def reconcile_folder(
    folder: Path, *, lang: Lang, out: Path | None, members: int | None, seed: int, progress: Progress
) -> ReconciledRun:
    """Reconcile the gauges of the project in `folder` and write flow.nc, flow_members.nc, reconciled.json and reconciled.svg.

    They go to `out`, or `folder`/results. `members` draws are written, or as many as [flow] says.
    """
    began = time.perf_counter()
    progress("reading the project", 0.0)
    project = read_project(folder, reads=("network", "gauges", "storage"))
    to = out or Path(folder) / "results"
    require_writable(to)
    if project.files.gauges is None:
        raise InputError(SETTINGS, "no gauges are named", 'write gauges = "gauges.csv" under [files]')
    network = read_network(project.files.network)
    gauges = read_gauges(project.files.gauges, network, zone=project.zone, settings=project.flow)
    progress("fitting", 0.1)
    if project.files.storage is not None:
        gauges = replace(gauges, tables=read_storage(project.files.storage))
    rng = np.random.default_rng(seed)
    found = reconcile(network, gauges, rng=rng, errors=project.flow.errors)
    progress("standard deviations", 0.6)
    sd = found.sd()
    about = {
        "project": project.name,
        "invented": project.is_invented,
        "seed": seed,
        "versions": dict(versions()),
        "seconds": round(time.perf_counter() - began, 3),
    }
    count = members or project.flow.members
    progress("drawing flows", 0.7)
    draws = list(found.sampled(count, rng))
    progress("writing", 0.85)
    whole = reconciled_dict(found, sd) | {"members": count} | about
    drawn = standalone(svg(_figure(found, sd, draws=draws, project=project), "reconciled"), lang=lang)
    files = _written(found, draws, whole=whole, drawn=drawn, project=project, to=to)
    progress("done", 1.0)
    return ReconciledRun(found, sd, files, is_invented=project.is_invented)


def _written(
    found: Reconciled,
    draws: Sequence[FlowField],
    *,
    whole: dict[str, Any],
    drawn: str,
    project: Project,
    to: Path,
) -> tuple[Path, ...]:
    names = [f"{i + 1:04d}" for i in range(len(draws))]
    with result_folder(to) as folder:
        write_flow(found.flow, folder / FILES[0], timezone=project.zone)
        write_flow_members(draws, folder / FILES[1], names=names, timezone=project.zone)
        text = json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False)
        (folder / FILES[2]).write_text(text, "utf-8", newline="\n")
        (folder / FILES[3]).write_text(drawn, "utf-8", newline="\n")
    return tuple(to / name for name in FILES)


def _figure(found: Reconciled, sd: Array, *, draws: Sequence[FlowField], project: Project) -> Any:
    start = found.gauges.start + found.gauges.edges[:-1].astype("timedelta64[s]")
    graphs = list(_hydrographs(found, draws))
    return reconciled_map(
        found.network, doubt_share(found, sd), hydrographs=graphs, time=local(start, project.zone)
    )


def _hydrographs(found: Reconciled, draws: Sequence[FlowField]) -> Iterator[Hydrograph]:
    """Yield hydrographs at the gauges of discharge and halfway along the reaches that carry most, 90 % bands from the draws."""
    reaches = found.network.reaches
    gauged = {found.network.reach_index(g.reach): g for g in found.gauges.readings if g.kind == "discharge"}
    free = [int(r) for r in np.argsort(-usual_size(found), kind="stable") if int(r) not in gauged]
    shown = [*list(gauged)[: SHOWN // 2], *free]
    nothing = np.full(len(found.gauges.edges) - 1, np.nan)
    for r in shown[:SHOWN]:
        gauge = gauged.get(r)
        share = gauge.chainage_m / reaches[r].length_m if gauge else 0.5
        low, high = np.quantile(np.stack([_at(f, r, share=share) for f in draws]), [0.05, 0.95], axis=0)
        place = f"{reaches[r].id}+{gauge.chainage_m:.0f}" if gauge else reaches[r].id
        yield Hydrograph(place, _at(found.flow, r, share=share), low, high, gauge.value if gauge else nothing)


def _at(flow: FlowField, reach: int, *, share: float) -> Array:
    """Return the discharge (bin,) [m3/s] at a `share` of a reach's length, which stores evenly along it."""
    start, end = flow.discharge_start[:, reach], flow.discharge_end[:, reach]
    return np.asarray(start + share * (end - start))
