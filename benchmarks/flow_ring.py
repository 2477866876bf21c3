"""An invented SWMM model of a reversing canal ring: tidal outfall, inflows, pond, gated orifice with rules, and a pump with log.

`ring_text(seed=.., hours=..)` is the .inp, `run_ring(folder, seed=.., hours=..)` writes it and runs it with SWMM's engine, and
`pump_log(seed=.., hours=..)` is when the pump was switched. Ten canals make a ring of about 11 km (RING); three branches bring
water in at I1, I2 and I3, and one canal leads from the ring to the sea O, whose tide drives water back in twice a day. The pond
P takes water from the ring through the gate G (an orifice that rules close at ebb) and the pump PU lifts it back into the ring.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BEGIN = np.datetime64("2024-07-01T00:00:00")
"""SWMM's clock has no zone; the model is taken to run in UTC."""

REPORT_S, ROUTING_S = 300, 2

AROUND = 10
RING = tuple(f"C{i}" for i in range(1, AROUND + 1))
"""The canals of the ring; Ci runs from Ji to the next junction."""

BRANCHES = {
    "B1": ("I1", "J1"),
    "B2": ("I2", "J4"),
    "B3": ("I3", "J8"),
    "OUT": ("J6", "SEA"),
    "MOUTH": ("SEA", "O"),
}
"""Canals that are not of the ring: from, to. Those called B bring water in, MOUTH ends in the tide."""

MAIN = (*RING, *BRANCHES)

POND_AREA_M2, POND_FLOOR_M, POND_DEPTH_M = 40_000.0, 0.5, 3.0
PUMP_M3_S = 1.2
TIDE_M, TIDE_H = 0.45, 12.42


def ring_text(
    *, seed: int = 1, hours: int = 72, report_s: int = REPORT_S, has_pond_inflow: bool = True
) -> str:
    """Return the .inp of the ring of this seed: widths, lengths, roughness, inflows and tide are drawn, the layout stays.

    Without `has_pond_inflow` the pond lives of gate and pump alone.
    """
    rng = np.random.default_rng(seed)
    tide = _tide(rng, hours)
    first = tide[0][1]
    sections = {
        "TITLE": ["Invented: no such place exists. A reversing canal ring with pond, gate and pump."],
        "OPTIONS": _options(hours, report_s),
        "JUNCTIONS": [f"{name} 0 8 {first:.4f} 0 0" for name in (*_corners(), "I1", "I2", "I3", "SEA")],
        "OUTFALLS": ["O 0 TIMESERIES TIDE NO"],
        "STORAGE": [f"P {POND_FLOOR_M} {POND_DEPTH_M} 1.2 FUNCTIONAL 0 0 {POND_AREA_M2:g} 0 0"],
        **_canals(rng),
        "ORIFICES": ["G J3 P SIDE 0.6 0.65 NO 0.05"],
        "PUMPS": ["PU P J7 LIFT OFF 0 0"],
        "CURVES": ["LIFT Pump4 0 0", f"LIFT 0.25 {PUMP_M3_S}", f"LIFT 4 {PUMP_M3_S}"],
        "CONTROLS": [*_gate_rules(), *_pump_rules(seed, hours)],
        "INFLOWS": [
            f"{node} FLOW Q_{node} FLOW 1 1"
            for node in ("I1", "I2", "I3", "P")[: 4 if has_pond_inflow else 3]
        ],
        "TIMESERIES": [*(f"TIDE {t:.4f} {level:.5f}" for t, level in tide), *_inflows(rng, hours)],
        "REPORT": ["INPUT NO", "CONTROLS NO", "NODES ALL", "LINKS ALL"],
        "COORDINATES": [f"{name} {x:.1f} {y:.1f}" for name, (x, y) in _places().items()],
    }
    invented = ";; Invented: no such place exists.\n"
    return invented + "".join(f"[{name}]\n" + "\n".join(rows) + "\n\n" for name, rows in sections.items())


def run_ring(
    folder: Path, *, seed: int = 1, hours: int = 72, report_s: int = REPORT_S, has_pond_inflow: bool = True
) -> Path:
    """Write ring.inp into a folder and run it; return the .inp, beside which ring.out and ring.rpt then lie."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ring.inp"
    text = ring_text(seed=seed, hours=hours, report_s=report_s, has_pond_inflow=has_pond_inflow)
    path.write_text(text, "utf-8")
    run_swmm(path)
    return path


def run_swmm(path: Path) -> None:
    """Run an .inp with SWMM's engine; .rpt and .out are written beside it."""
    from swmm.toolkit import solver

    solver.swmm_open(*(str(path.with_suffix(end)) for end in (".inp", ".rpt", ".out")))
    solver.swmm_start(1)
    try:
        while solver.swmm_stride(86400) > 0.0:
            pass
    finally:
        solver.swmm_end()
        solver.swmm_close()


def pump_log(*, seed: int = 1, hours: int = 72) -> list[tuple[np.datetime64, bool]]:
    """Return when the pump was switched, on or off, in order of time."""
    return [(BEGIN + np.timedelta64(60 * minute, "s"), is_on) for minute, is_on in _switches(seed, hours)]


def _switches(seed: int, hours: int) -> list[tuple[int, bool]]:
    """Return minutes from BEGIN at which the pump is switched: once or twice a day, for two to five hours."""
    rng = np.random.default_rng(seed + 1000)
    found, minute = [], int(rng.integers(120, 480))
    while minute < 60 * hours:
        stop = minute + int(rng.integers(120, 300))
        found += [(minute, True), (stop, False)]
        minute = stop + int(rng.integers(360, 840))
    return found


def _corners() -> list[str]:
    return [f"J{i}" for i in range(1, AROUND + 1)]


def _ends() -> dict[str, tuple[str, str]]:
    corners = _corners()
    ring = {name: (corners[i], corners[(i + 1) % AROUND]) for i, name in enumerate(RING)}
    return {**ring, **BRANCHES}


def _places() -> dict[str, tuple[float, float]]:
    """Return where nodes are drawn, m."""
    angle = [2.0 * math.pi * i / AROUND for i in range(AROUND)]
    places = {
        name: (1750.0 * math.cos(a), 1750.0 * math.sin(a)) for name, a in zip(_corners(), angle, strict=True)
    }
    for name, corner, beyond in (("I1", "J1", 1.7), ("I2", "J4", 1.6), ("I3", "J8", 1.5), ("SEA", "J6", 1.8)):
        places[name] = (beyond * places[corner][0], beyond * places[corner][1])
    places["O"] = (2.3 * places["J6"][0], 2.3 * places["J6"][1])
    places["P"] = (0.0, 200.0)
    return places


def _canals(rng: np.random.Generator) -> dict[str, list[str]]:
    """Return conduits and their cross-sections: flat, wide trapezoids."""
    conduits, sections = [], []
    for name, (begin, end) in _ends().items():
        length, width = rng.uniform(900.0, 1300.0), rng.uniform(14.0, 24.0)
        if name in ("OUT", "MOUTH"):
            length, width = 0.6 * length, width + 10.0
        conduits.append(f"{name} {begin} {end} {length:.1f} {rng.uniform(0.022, 0.032):.4f} 0 0 0 0")
        sections.append(f"{name} TRAPEZOIDAL 6 {width:.2f} 2 2 1")
    return {"CONDUITS": conduits, "XSECTIONS": [*sections, "G RECT_CLOSED 1.0 2.5 0 0"]}


def _gate_rules() -> list[str]:
    """Return the gate's rules: open while the ring stands high, shut when the tide has drawn it down."""
    return [
        "RULE OPENS", "IF NODE J3 HEAD > 2.15", "THEN ORIFICE G SETTING = 1.0", "PRIORITY 1",
        "RULE HALF", "IF NODE J3 HEAD <= 2.15", "AND NODE J3 HEAD > 1.95", "THEN ORIFICE G SETTING = 0.4", "PRIORITY 1",
        "RULE SHUTS", "IF NODE J3 HEAD <= 1.95", "THEN ORIFICE G SETTING = 0.0", "PRIORITY 1",
    ]  # fmt: skip


def _pump_rules(seed: int, hours: int) -> list[str]:
    """Return a rule for every time between two switches of the pump."""
    switches = [*_switches(seed, hours), (60 * hours + 60, False)]
    rows = []
    for k, ((begin, is_on), (end, _)) in enumerate(itertools.pairwise(switches)):
        rows += [
            f"RULE SWITCH{k}",
            f"IF SIMULATION TIME >= {_clock(begin)}",
            f"AND SIMULATION TIME < {_clock(end)}",
            f"THEN PUMP PU STATUS = {'ON' if is_on else 'OFF'}",
            "PRIORITY 2",
        ]
    return rows


def _clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02d}:00"


def _tide(rng: np.random.Generator, hours: int) -> list[tuple[float, float]]:
    """Return hour and stage of the sea [m], every 20 minutes: a semi-diurnal tide with a diurnal inequality."""
    phase, unequal = rng.uniform(0.0, 2.0 * math.pi), rng.uniform(0.08, 0.15)
    return [
        (
            t,
            2.0
            + TIDE_M * math.sin(2.0 * math.pi * t / TIDE_H + phase)
            + unequal * math.sin(math.pi * t / TIDE_H),
        )
        for t in np.arange(0.0, hours + 0.01, 1.0 / 3.0)
    ]


def _inflows(rng: np.random.Generator, hours: int) -> list[str]:
    """Return hourly inflows [m3/s]: a daily swing, and one storm each."""
    rows = []
    for node, mean in (("I1", 1.8), ("I2", 1.1), ("I3", 0.8), ("P", 0.15)):
        storm, height = rng.uniform(0.2, 0.7) * hours, rng.uniform(0.6, 1.6) * mean
        daily, base = rng.uniform(0.1, 0.3), mean * rng.uniform(0.8, 1.2)
        for t in range(hours + 1):
            since = max(t - storm, 0.0)
            rain = height * since / 5.0 * math.exp(1.0 - since / 5.0)
            flow = base * (1.0 + daily * math.sin(2.0 * math.pi * t / 24.0)) + rain
            rows.append(f"Q_{node} {t} {flow:.5f}")
    return rows


def _options(hours: int, report_s: int) -> list[str]:
    end = BEGIN + np.timedelta64(3600 * hours, "s")
    begin_day, end_day = (_day(t) for t in (BEGIN, end))
    clock = str(end.astype("datetime64[s]")).split("T")[1]
    rows = {
        "FLOW_UNITS": "CMS", "FLOW_ROUTING": "DYNWAVE", "LINK_OFFSETS": "DEPTH", "MIN_SLOPE": "0",
        "START_DATE": begin_day, "START_TIME": "00:00:00", "REPORT_START_DATE": begin_day,
        "REPORT_START_TIME": "00:00:00", "END_DATE": end_day, "END_TIME": clock,
        "REPORT_STEP": _clock_s(report_s), "ROUTING_STEP": str(ROUTING_S), "ALLOW_PONDING": "NO",
        "INERTIAL_DAMPING": "PARTIAL", "NORMAL_FLOW_LIMITED": "FROUDE", "VARIABLE_STEP": "0", "LENGTHENING_STEP": "0",
        "MAX_TRIALS": "8", "HEAD_TOLERANCE": "0.0005", "THREADS": "1",
        "IGNORE_RAINFALL": "YES", "IGNORE_QUALITY": "YES",
    }  # fmt: skip
    return [f"{key} {value}" for key, value in rows.items()]


def _day(time: np.datetime64) -> str:
    year, month, day = str(time.astype("datetime64[D]")).split("-")
    return f"{month}/{day}/{year}"


def _clock_s(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
