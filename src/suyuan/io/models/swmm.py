"""SWMM 5 models: `.inp` and `.out`, or the `.inp` alone, which is then run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path

from suyuan.errors import InputError, nearest
from suyuan.io.files import require_file
from suyuan.io.models.model import Model
from suyuan.io.models.swmm_flow import drawn, taken_part, water_of
from suyuan.io.models.swmm_inp import Inp, read_inp
from suyuan.io.models.swmm_network import Sewers, sewers_of
from suyuan.io.models.swmm_notes import notes_of
from suyuan.io.models.swmm_out import FLOW_UNITS, Results, read_swmm_out
from suyuan.io.models.swmm_run import Progress, ran, usual_bin
from suyuan.io.models.swmm_water import binned
from suyuan.io.times import timezone_of


def read_swmm(
    path: str | Path,
    *,
    out: str | Path | None = None,
    bin_s: float | None = None,
    timezone: str | tzinfo = UTC,
    part: str = "",
    progress: Progress | None = None,
) -> Model:
    """Return network and flow of a SWMM 5 model, with notes on what could not be taken over.

    `path` is the `.inp`; `out` its results, which are looked for beside it under the same name; where there are none the model
    is run (extra `swmm`), with `progress` told the simulated and the due seconds. Bins last `bin_s` [s], a multiple of the
    report step, or one report step (a run here: a minute at least); they begin as the clock strikes, the first and last are
    cut. SWMM's clock has no zone: it shows `timezone`. Of a model whose parts do not hang together the largest is taken, or
    that with the node or link `part`. The assumption that hurts most: between two reports of a `.out` flows are linear, so
    reports an hour apart miss what pumps do.
    """
    inp = read_inp(require_file(path))
    sewers, zone = sewers_of(inp), timezone_of(timezone)
    found = Path(out) if out is not None else _beside(inp.path)
    if found is not None:
        results = read_swmm_out(require_file(found), encoding=inp.encoding)
    else:
        size, bin_s = (len(sewers.nodes), len(sewers.reaches)), bin_s or usual_bin(inp)
        with ran(inp, bin_s=bin_s, size=size, progress=progress) as written:
            results = read_swmm_out(written)
    results = _in_order(results, inp, sewers=sewers)
    steps = binned(results, bin_s=bin_s, is_averaged=inp.is_averaged() or found is None)
    water = water_of(inp, sewers, results=results, steps=steps)
    kept = taken_part(sewers, water, part=part)
    network, flow = drawn(sewers, water, kept=kept, zone=zone)
    notes = notes_of(inp, sewers, water=water, kept=kept, results=results, was_run=found is None)
    return Model("SWMM 5", network, flow, notes)


def _beside(path: Path) -> Path | None:
    """Return the results of the same name in the same folder, None where there are none."""
    return next((p for end in (".out", ".OUT") if (p := path.with_suffix(end)).is_file()), None)


def _in_order(results: Results, inp: Inp, *, sewers: Sewers) -> Results:
    """Return results in the order of the model; raises InputError where they are those of another one."""
    if FLOW_UNITS.index(sewers.unit) != FLOW_UNITS.index(results.unit):
        what = f"is in {results.unit}, but {inp.source} in {sewers.unit}"
        raise InputError(results.source, what, f"give the .out of {inp.source}, or run the model again")
    columns = []
    for what, named, given in (
        ("node", list(sewers.nodes), results.nodes),
        ("link", [reach.id for reach in sewers.reaches], results.links),
    ):
        position = {name: i for i, name in enumerate(given)}
        _require_same(named, given, what=what, where=(results.source, inp.source))
        columns.append([position[name] for name in named])
    node, link = columns
    by_node = {name: getattr(results, name)[:, node] for name in ("lateral", "overflow", "held", "stage")}
    by_link = {name: getattr(results, name)[:, link] for name in ("flow", "volume", "depth")}
    return replace(
        results,
        nodes=tuple(sewers.nodes),
        links=tuple(reach.id for reach in sewers.reaches),
        offset=results.offset[link],
        full_depth=results.full_depth[link],
        **by_node,
        **by_link,
    )


def _require_same(named: list[str], given: tuple[str, ...], *, what: str, where: tuple[str, str]) -> None:
    """Raise InputError unless a `.out` reports just what its `.inp` names; `where` are both files."""
    out, inp = where
    missing, other = [n for n in named if n not in set(given)], [n for n in given if n not in set(named)]
    if not missing and not other:
        return
    if missing and not other:
        said = f"holds results of {len(given)} of {len(named)} {what}s; '{missing[0]}' is not among them"
        remedy = f"write {what.upper()}S ALL under [REPORT] in {inp} and run it again"
        raise InputError(out, said, remedy)
    said = f"{what} '{other[0]}' ({len(other)} such) is not in {inp}: these are results of another model"
    raise InputError(out, said, f"{nearest(other[0], named)}; give the .out of {inp}, or run the model again")
