"""What an import of a SWMM 5 model leaves out or assumes, as notes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from suyuan.io.models.notes import Note
from suyuan.io.models.swmm_flow import LEAST_LAKE_M3, STEADY, Water
from suyuan.io.models.swmm_inp import Inp, likely, number
from suyuan.io.models.swmm_network import Sewers, parts_of
from suyuan.io.models.swmm_out import Results

Mask = NDArray[np.bool_]

COARSE_REPORT_S = 300.0
"""Report step of instants beyond which an import says that it does not see what happens between them."""


def notes_of(
    inp: Inp, sewers: Sewers, *, water: Water, kept: Mask, results: Results, was_run: bool
) -> tuple[Note, ...]:
    """Return notes in the order of importance: what is missing, what was assumed, how the results came about."""
    return (
        *_parts_left_out(sewers, water, kept=kept),
        *_lost_water(inp, sewers, water=water),
        *_of_the_file(inp),
        *_of_the_routing(inp, sewers, water=water),
        *_of_the_results(inp, results=results, was_run=was_run),
    )


def _parts_left_out(sewers: Sewers, water: Water, *, kept: Mask) -> Iterator[Note]:
    _, part = parts_of(sewers)
    position = {name: i for i, name in enumerate(sewers.nodes)}
    of_link = np.array([part[position[r.from_node]] for r in sewers.reaches])
    entering = np.maximum(water.outside, 0.0).mean(axis=0)
    for left in np.unique(part[~kept]):
        links = int((of_link == left).sum())
        node = next(name for name, i in position.items() if part[i] == left)
        if links:
            inflow = f"{entering[part == left].sum():.3g}"
            yield Note("part", {"links": links, "inflow": inflow, "node": node})
        else:
            yield Note("lone_node", {"node": node})


def _lost_water(inp: Inp, sewers: Sewers, *, water: Water) -> Iterator[Note]:
    seconds = np.diff(water.steps.edges)
    flooded = seconds @ water.steps.overflow
    if flooded.sum() > 0.0:
        worst = int(np.argmax(flooded))
        many, most = int((flooded > 0.0).sum()), list(sewers.nodes)[worst]
        key = "ponded" if sewers.ponded else "flooded"
        yield Note(key, {"volume": f"{flooded.sum():.3g}", "nodes": many, "worst": most})
    seeping = [
        row.cell(0)
        for row in inp.rows("LOSS")
        if number(row, 5, what="seepage rate", source=inp.source, default="0") > 0.0
    ]
    if seeping:
        yield Note("seeping", {"conduits": len(seeping), "first": seeping[0]})
    if any(row.cell(0).upper() != "DRY_ONLY" and not _is_dry(row.cells[1:]) for row in inp.rows("EVAP")):
        yield Note("evaporating")


def _is_dry(cells: tuple[str, ...]) -> bool:
    return all(cell.replace(".", "").strip("0") == "" for cell in cells)


def _of_the_file(inp: Inp) -> Iterator[Note]:
    if not any(row.cell(0).upper() == "FLOW_UNITS" for row in inp.rows("OPTION")):
        yield Note("no_unit")
    for header in inp.unknown:
        meant = likely(header)
        if meant:
            yield Note("misspelt_section", {"section": header, "meant": meant})
        else:
            yield Note("strange_section", {"section": header})
    for section, written in (("POLLUT", "POLLUTANTS"), ("TREATMENT", "TREATMENT"), ("LANDUSE", "LANDUSES")):
        if inp.rows(section):
            yield Note("not_water", {"section": written})


def _of_the_routing(inp: Inp, sewers: Sewers, *, water: Water) -> Iterator[Note]:
    if inp.option("FLOW_ROUTING", "KINWAVE") in STEADY:
        yield Note("steady")
    kinds = list(sewers.nodes.values())
    wide = [
        n
        for n, kind, lake in zip(sewers.nodes, kinds, water.is_lake, strict=True)
        if kind == "STORAGE" and not lake
    ]
    if wide:
        least = f"{LEAST_LAKE_M3:g}"
        yield Note("small_storages", {"storages": len(wide), "first": wide[0], "least": least})
    if water.ran_dry:
        yield Note("ran_dry", {"links": water.ran_dry})
    if inp.rows("OUTLET"):
        yield Note("outlet_links", {"links": len(inp.rows("OUTLET"))})
    if inp.rows("DIVIDER"):
        yield Note("dividers", {"dividers": len(inp.rows("DIVIDER"))})


def _of_the_results(inp: Inp, *, results: Results, was_run: bool) -> Iterator[Note]:
    version = f"{results.version // 10000}.{results.version // 1000 % 10}.{results.version % 1000}"
    said = {"version": version, "step": f"{results.step_s:g}"}
    if was_run:
        yield Note("was_run", said)
    elif inp.is_averaged():
        yield Note("means", said)
    elif results.step_s > COARSE_REPORT_S:
        yield Note("coarse", said)
