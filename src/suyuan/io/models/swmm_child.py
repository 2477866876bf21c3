"""Runs SWMM's engine on model.inp in the working folder and tells how far it is: `python -m suyuan.io.models.swmm_child 3600`.

A process of its own, since the engine is C: whatever it does to itself, whoever asked for the run lives on.
"""

from __future__ import annotations

import sys


def main(stride_s: int) -> None:
    """Run model.inp, writing model.rpt and model.out; one line with the simulated days after every stride [s]."""
    from swmm.toolkit import solver

    solver.swmm_open("model.inp", "model.rpt", "model.out")
    solver.swmm_start(1)
    while (days := solver.swmm_stride(stride_s)) > 0.0:
        sys.stdout.write(f"{days}\n")
        sys.stdout.flush()
    solver.swmm_end()
    solver.swmm_close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
