"""Bars F2 and F6: real SWMM models imported and closed, and water carried through the largest of them.

F2: the Bellinge sewers (../shared/data/bellinge_swmm), six hours of dry weather run here, in bins and steps of 300 s; the larger
of mass balance and constancy error. Constancy: water of 1 g/m3 everywhere, at first and wherever water enters, stays so. Mass
balance: concentrations of their own at every boundary and hour; what was there and entered against what left and is held.

F6: the share of the inputs of ../shared/data/swmm_nrtestsuite and swmm_pyswmm that are run, imported and closed; what is not
must be refused with a reason. The extran, user and routing inputs must import. A model of several waters that are not connected
counts once, by its largest; the others are imported in turn (`part`) and reported beside.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.errors import InputError
from suyuan.flow import balanced
from suyuan.io.models.model import Model
from suyuan.io.models.swmm import read_swmm
from suyuan.transport.operator import TransportOperator, compile_operator
from suyuan.transport.runs import forward

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BELLINGE = DATA / "bellinge_swmm" / "BellingeSWMM_v021_nopervious.inp"
STEP_S = 300.0
MUST = ("extran", "user", "routing")


def bars(*only: str) -> dict[str, dict[str, Any]]:
    """Return F2 and F6, those that are asked for."""
    known = {"F2": dry_weather, "F6": share_imported}
    return {name: bar() for name, bar in known.items() if not only or name in only}


def dry_weather() -> dict[str, Any]:
    """Return F2."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dry.inp"
        path.write_text(without_rain(BELLINGE.read_text("utf-8")), "utf-8")
        model = read_swmm(path, bin_s=STEP_S)
    flow = balanced(model.flow, model.network)
    operator = compile_operator(model.network, flow, dt_s=STEP_S)
    constancy, mass = evenness(operator), mass_error(operator)
    return {
        "value": max(constancy, mass),
        "unit": "larger of |c - 1| and share of all mass",
        "on": f"Bellinge sewers, {len(model.network.reaches)} links, 6 h dry weather, bins and steps of 300 s",
        "beside": {"constancy": constancy, "mass": mass, "steps": operator.steps, **closure(model)},
    }


def without_rain(text: str) -> str:
    """Return the Bellinge model for six hours from its start, with both rain gages on a series of zeros."""
    replaced = {
        r"^(rg54\d\d)\s.*$": r"\1 VOLUME 00:01 1 TIMESERIES no_rain",
        r"^END_DATE .*$": "END_DATE 06/29/2012",
        r"^END_TIME .*$": "END_TIME 06:01:00",
        r"^REPORT_START_TIME .*$": "REPORT_START_TIME 00:01:00",
    }
    for pattern, line in replaced.items():
        text = re.sub(pattern, line, text, flags=re.MULTILINE)
    return text + "\n[TIMESERIES]\nno_rain 0 0\nno_rain 1000 0\n"


def evenness(operator: TransportOperator) -> float:
    """Return the largest |c - 1| at the end of a run in which all water has 1 g/m3."""
    boundary = np.ones((len(operator.flow.edges) - 1, len(operator.geometry.boundaries), 1))
    run = forward(operator, boundary=boundary, initial=np.ones((operator.stores, 1)))
    return float(np.abs(run.mass[:, 0] / operator.volume_at(operator.steps) - 1.0).max())


def mass_error(operator: TransportOperator) -> float:
    """Return the share of all mass that is not accounted for, the worst of four columns."""
    rng = np.random.default_rng(1)
    boundary = rng.uniform(0.0, 5.0, (len(operator.flow.edges) - 1, len(operator.geometry.boundaries), 4))
    initial = rng.uniform(0.0, 5.0, (operator.stores, 4))
    return float(np.abs(forward(operator, boundary=boundary, initial=initial).ledger.error).max())


def closure(model: Model) -> dict[str, Any]:
    """Return how far a model's flow was from closing, and the reach that was corrected most for its discharge."""
    flow = balanced(model.flow, model.network)
    balance = flow.balance
    given = np.sqrt(np.mean(model.flow.discharge_start**2, axis=0))
    share = balance.correction / np.maximum(given, 0.1 * given.max())
    worst = int(np.argmax(share))
    return {
        "residual_before": balance.residual_share,
        "reach_residual_before": balance.reach_share,
        "largest_correction": f"{share[worst]:.1%} of the discharge of '{balance.reaches[worst]}'",
    }


def share_imported() -> dict[str, Any]:
    """Return F6."""
    each = {path.name: outcome(path) for path in inputs()}
    good = [name for name, said in each.items() if "residual_before" in said]
    missed = [name for name in each if name.startswith(MUST) and name not in good]
    return {
        "value": len(good) / len(each) if not missed else 0.0,
        "unit": "share",
        "on": f"{len(each)} inputs of swmm_nrtestsuite and swmm_pyswmm, run by SWMM here",
        "beside": {"must_import_but_did_not": missed, **each},
    }


def inputs() -> list[Path]:
    """Return the inputs of F6."""
    return [
        path for name in ("swmm_nrtestsuite", "swmm_pyswmm") for path in sorted((DATA / name).glob("*.inp"))
    ]


def outcome(path: Path) -> dict[str, Any]:
    """Return what became of one input: how it closed, or why it was refused."""
    begin = time.perf_counter()
    try:
        model = read_swmm(path)
        found = closure(model)
    except InputError as error:
        return {"refused": str(error)}
    print(f"{path.name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    size = {"reaches": len(model.network.reaches), "bins": len(model.flow.edges) - 1}
    return {**size, **found, **dict(other_parts(path, model))}


def other_parts(path: Path, model: Model) -> Iterator[tuple[str, str]]:
    """Yield the other waters of a model and how they closed."""
    for note in model.notes:
        if note.key == "part":
            named = str(note.values["node"])
            try:
                rest = read_swmm(path, part=named)
                yield (
                    f"part {named}",
                    f"residual {balanced(rest.flow, rest.network).balance.residual_share:.2%}",
                )
            except InputError as error:
                yield f"part {named}", f"refused: {error}"
