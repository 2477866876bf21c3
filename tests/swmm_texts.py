"""Small SWMM 5 inputs, invented, and a writer of `.out` files by the published layout."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

CHANNEL = """[TITLE]
Invented: a trapezoidal channel, a pond behind a weir, a pump.
[OPTIONS]
FLOW_UNITS CMS
FLOW_ROUTING DYNWAVE
START_DATE 07/01/2024
START_TIME 00:00:00
REPORT_START_DATE 07/01/2024
REPORT_START_TIME 00:00:00
END_DATE 07/01/2024
END_TIME 06:00:00
REPORT_STEP 00:05:00
ROUTING_STEP 5
[JUNCTIONS]
A 10 4 1 0 0
B 9.8 4 1 0 0
C 9.6 4 1 0 0
[OUTFALLS]
O 9.4 FIXED 10.6 NO
[STORAGE]
P 9 4 1.5 FUNCTIONAL 0 0 500 0 0
[CONDUITS]
AB A B 400 0.025 0 0 0 0
BC B C 400 0.025 0 0 0 0
CO C O 400 0.025 0 0 0 0
[WEIRS]
W B P TRANSVERSE 0.9 1.8 NO 0 0
[PUMPS]
PU P C LIFT ON 0 0
[XSECTIONS]
AB TRAPEZOIDAL 3 4 1 1 1
BC TRAPEZOIDAL 3 4 1 1 1
CO CIRCULAR 2 0 0 0 1
W RECT_OPEN 1 2 0 0
[CURVES]
LIFT PUMP4 0 0
LIFT 0.5 0.2
LIFT 4 0.3
[INFLOWS]
A FLOW Q FLOW 1 1
[TIMESERIES]
Q 0 1.5
Q 3 2.5
Q 6 1.0
[REPORT]
NODES ALL
LINKS ALL
[COORDINATES]
A 0 0
B 400 0
C 800 0
O 1200 0
P 400 300
[VERTICES]
AB 200 50
"""

MAGIC = 516114522


def write_out(
    path: Path,
    nodes: Sequence[str],
    links: Sequence[str],
    *,
    node: np.ndarray,
    link: np.ndarray,
    encoding: str = "utf-8",
    unit: int = 3,
    step_s: int = 300,
    version: int = 52004,
    code: int = 0,
) -> Path:
    """Write a `.out`: `node` (report, node, 6) and `link` (report, link, 5), reports from 2024-07-01 on, offsets 0, height 2."""
    head = struct.pack("<7i", MAGIC, version, unit, 0, len(nodes), len(links), 0)
    names = b"".join(
        struct.pack("<i", len(raw)) + raw for raw in (name.encode(encoding) for name in (*nodes, *links))
    )
    areas = struct.pack("<2i", 1, 1)
    junctions = struct.pack("<4i", 3, 0, 2, 3) + np.zeros((len(nodes), 3), "<f4").tobytes()
    sizes = np.tile(np.array([0, 0, 0, 2, 100], "<f4"), (len(links), 1))
    conduits = struct.pack("<6i", 5, 0, 4, 4, 3, 5) + sizes.tobytes()
    codes = b"".join(struct.pack(f"<{n + 1}i", n, *range(n)) for n in (8, 6, 5, 15))
    begin = struct.pack("<di", 45474.0, step_s)  # 45474 days after 1899-12-30 is 2024-07-01
    before = len(head) + len(names)
    properties = areas + junctions + conduits
    results_at = before + len(properties) + len(codes) + len(begin)
    reports = b"".join(
        struct.pack("<d", 45474.0 + (r + 1) * step_s / 86400.0)
        + node[r].astype("<f4").tobytes()
        + link[r].astype("<f4").tobytes()
        + np.zeros(15, "<f4").tobytes()
        for r in range(len(node))
    )
    tail = struct.pack("<6i", len(head), before, results_at, len(node), code, MAGIC)
    path.write_bytes(head + names + properties + codes + begin + reports + tail)
    return path
