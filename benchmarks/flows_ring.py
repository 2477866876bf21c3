"""Bars F1a and F1b: the reversing ring of `flow_ring`, run by SWMM here and imported, carries water evenly and loses none.

Both are the worst of three seeds, each with a pond that takes rain and with one that lives of gate and pump alone. Constancy:
water of 1 g/m3 everywhere, at first and wherever water enters, must stay so. Mass balance: what was there, what entered through
every boundary and what came back in at the tidal outlet, each with a concentration of its own hour by hour, against what left
and what is there at the end.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.flow_ring import run_ring
from suyuan.flow import BalancedFlow, balanced
from suyuan.io.models.read_model import read_model
from suyuan.transport.operator import TransportOperator, compile_operator
from suyuan.transport.runs import forward

SEEDS, HOURS = (1, 2, 3), 72
ON = (
    f"SWMM ring of 10 canals, 5 branches, pond, gated orifice with rules, pump; {HOURS} h in bins of 300 s, seeds {SEEDS}, pond "
    "with and without inflow; transport in cells of 100 m, steps of 300 s"
)


def bars(*only: str) -> dict[str, dict[str, Any]]:
    """Return F1a and F1b; the ring is run once for both."""
    runs = [measured(seed, has_pond_inflow) for seed in SEEDS for has_pond_inflow in (True, False)]
    shared = {
        "each": [run["beside"] for run in runs],
        "share_of_bins_with_back_flow_at_the_outlet": min(run["back_flow"] for run in runs),
    }
    found = {
        name: {"value": max(run[name] for run in runs), "unit": unit, "on": ON, "beside": shared}
        for name, unit in (("F1a", "largest |c - 1|"), ("F1b", "share of all mass"))
    }
    return {name: bar for name, bar in found.items() if not only or name in only}


def measured(seed: int, has_pond_inflow: bool) -> dict[str, Any]:
    """Return both errors of one ring, how often water comes in at the outlet, and how far the flow was from closing."""
    with tempfile.TemporaryDirectory() as folder:
        path = run_ring(Path(folder), seed=seed, hours=HOURS, has_pond_inflow=has_pond_inflow)
        model = read_model(path)
    network, flow = model.network, balanced(model.flow, model.network)
    operator = compile_operator(network, flow, dt_s=300.0)
    outlet = next(i for i, node in enumerate(network.nodes) if node.kind == "outlet")
    constancy, mass, entered = evenness(operator), mass_error(operator, seed), _back(flow, outlet)
    return {
        "F1a": constancy,
        "F1b": mass,
        "back_flow": entered,
        "beside": {
            "seed": seed,
            "lakes": len(operator.geometry.lakes),
            "constancy": constancy,
            "mass": mass,
            "residual_before": flow.balance.residual_share,
            "residual_after": flow.balance.residual_after,
            "reversing_reaches": _reversing(flow),
        },
    }


def evenness(operator: TransportOperator) -> float:
    """Return the largest |c - 1| at the end of a run in which all water has 1 g/m3 from the first and on entry."""
    boundary = np.ones((len(operator.flow.edges) - 1, len(operator.geometry.boundaries), 1))
    run = forward(operator, boundary=boundary, initial=np.ones((operator.stores, 1)))
    return float(np.abs(run.mass[:, 0] / operator.volume_at(operator.steps) - 1.0).max())


def mass_error(operator: TransportOperator, seed: int) -> float:
    """Return the share of all mass that is not accounted for, with concentrations of their own at every boundary and hour."""
    rng = np.random.default_rng(seed)
    bins, columns = len(operator.flow.edges) - 1, 4
    boundary = rng.uniform(0.0, 5.0, (bins, len(operator.geometry.boundaries), columns))
    initial = rng.uniform(0.0, 5.0, (operator.stores, columns))
    return float(np.abs(forward(operator, boundary=boundary, initial=initial).ledger.error).max())


def _back(flow: BalancedFlow, outlet: int) -> float:
    return float((flow.external[:, outlet] > 0.0).mean())


def _reversing(flow: BalancedFlow) -> int:
    """Return how many reaches flow both ways, each for a tenth of the time at least."""
    forwards = (flow.discharge_start > 0.0).mean(axis=0)
    return int(((forwards > 0.1) & (forwards < 0.9)).sum())
