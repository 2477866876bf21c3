"""What an import of a SWMM 5 model leaves out or assumes, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from suyuan.io.models.swmm_flow import LEAST_LAKE_M3, STEADY, Water
from suyuan.io.models.swmm_inp import Inp, likely, number
from suyuan.io.models.swmm_network import Sewers, parts_of
from suyuan.io.models.swmm_out import Results

Mask = NDArray[np.bool_]

COARSE_REPORT_S = 300.0
"""Report step of instants beyond which an import says that it does not see what happens between them."""


def notes_of(
    inp: Inp, sewers: Sewers, *, water: Water, kept: Mask, results: Results, was_run: bool
) -> tuple[str, ...]:
    """Return notes in the order of importance: what is missing, what was assumed, how the results came about."""
    return (
        *_parts_left_out(sewers, water, kept=kept),
        *_lost_water(inp, sewers, water=water),
        *_of_the_file(inp),
        *_of_the_routing(inp, sewers, water=water),
        *_of_the_results(inp, results=results, was_run=was_run),
    )


def _parts_left_out(sewers: Sewers, water: Water, *, kept: Mask) -> Iterator[str]:
    _, part = parts_of(sewers)
    position = {name: i for i, name in enumerate(sewers.nodes)}
    of_link = np.array([part[position[r.from_node]] for r in sewers.reaches])
    entering = np.maximum(water.outside, 0.0).mean(axis=0)
    for left in np.unique(part[~kept]):
        links = int((of_link == left).sum())
        node = next(name for name, i in position.items() if part[i] == left)
        if links:
            yield (
                f"A part of {links} links is not connected with the rest and was left out; "
                f"{entering[part == left].sum():.3g} m3/s enter it; part='{node}' takes it instead."
            )
        else:
            yield f"Node '{node}' has no link and was left out."


def _lost_water(inp: Inp, sewers: Sewers, *, water: Water) -> Iterator[str]:
    seconds = np.diff(water.steps.edges)
    flooded = seconds @ water.steps.overflow
    if flooded.sum() > 0.0:
        worst = int(np.argmax(flooded))
        yield (
            f"{flooded.sum():.3g} m3 flood out of {int((flooded > 0.0).sum())} nodes, most at "
            f"'{list(sewers.nodes)[worst]}'; it leaves the network there"
            + (", and comes back where ponding is allowed." if sewers.ponded else ".")
        )
    seeping = [
        row.cell(0)
        for row in inp.rows("LOSS")
        if number(row, 5, what="seepage rate", source=inp.source, default="0") > 0.0
    ]
    if seeping:
        yield f"What seeps out of {len(seeping)} conduits ('{seeping[0]}' ...) is not in the .out; closure spreads it."
    if any(row.cell(0).upper() != "DRY_ONLY" and not _is_dry(row.cells[1:]) for row in inp.rows("EVAP")):
        yield "What evaporates from channels and storages is not in the .out; closure spreads it."


def _is_dry(cells: tuple[str, ...]) -> bool:
    return all(cell.replace(".", "").strip("0") == "" for cell in cells)


def _of_the_file(inp: Inp) -> Iterator[str]:
    if not any(row.cell(0).upper() == "FLOW_UNITS" for row in inp.rows("OPTION")):
        yield "OPTIONS names no FLOW_UNITS: flows are CFS and lengths feet, as SWMM takes it."
    for header in inp.unknown:
        meant = f"; [{likely(header)}] may be meant" if likely(header) else ""
        yield f"The section [{header}] is not one of SWMM's and was not read{meant}."
    for section, what in (("POLLUT", "Pollutants"), ("TREATMENT", "Treatment"), ("LANDUSE", "Land uses")):
        if inp.rows(section):
            yield f"{what} of the model were not taken over; suyuan has its own transport."


def _of_the_routing(inp: Inp, sewers: Sewers, *, water: Water) -> Iterator[str]:
    if inp.option("FLOW_ROUTING", "KINWAVE") in STEADY:
        yield "Steady routing stores no water: every conduit keeps the mean of its volumes."
    kinds = list(sewers.nodes.values())
    wide = [
        n
        for n, kind, lake in zip(sewers.nodes, kinds, water.is_lake, strict=True)
        if kind == "STORAGE" and not lake
    ]
    if wide:
        yield (
            f"{len(wide)} storages ('{wide[0]}' ...) never hold {LEAST_LAKE_M3:g} m3: their water is held in the reaches beside "
            "them, not in a mixed tank."
        )
    if water.ran_dry:
        yield f"{water.ran_dry} links run almost dry; up to a litre a metre was added to each, all the time."
    if inp.rows("OUTLET"):
        yield f"{len(inp.rows('OUTLET'))} links of section OUTLETS became weirs: their discharge follows from the stage."
    if inp.rows("DIVIDER"):
        yield f"{len(inp.rows('DIVIDER'))} dividers became junctions: how they split is in the discharges."


def _of_the_results(inp: Inp, *, results: Results, was_run: bool) -> Iterator[str]:
    version = f"{results.version // 10000}.{results.version // 1000 % 10}.{results.version % 1000}"
    if was_run:
        yield f"The model was run here by SWMM {version}, reports every {results.step_s:g} s."
    elif inp.is_averaged():
        yield f"Results of SWMM {version} are means over {results.step_s:g} s; volumes between them are interpolated."
    elif results.step_s > COARSE_REPORT_S:
        yield (
            f"Results of SWMM {version} are of instants {results.step_s:g} s apart: what pumps and gates do between them is not "
            "seen. A REPORT_STEP of a minute, or the .inp without its .out, shows it."
        )
