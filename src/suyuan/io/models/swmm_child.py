"""Runs SWMM's engine on model.inp in the working folder, for one who holds a line to it: `python swmm_child.py guard 3600`.

Two processes of their own. The engine is C and holds the interpreter for as long as it likes, so whatever it does to itself,
or fails to do, whoever asked for the run lives on; and the guard, which only waits, hears when the line (its standard input)
breaks, ends the engine and removes the folder, however whoever held the line has ended. Where the guard itself is killed
outright, Linux ends the engine with it. Nothing of suyuan is imported.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TextIO

ENDED = "ended"
"""First word of the guard's last line; its second is the exit code of the engine."""

PR_SET_PDEATHSIG = 1
"""Of Linux's prctl(2): the signal that a process gets when its parent ends."""


def guard(stride: str) -> None:
    """Start the engine, tell how it ended, and stay until the line breaks; then leave nothing behind.

    Ctrl-C, polite kills and a terminal that closes are for the one who holds the line.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    command = [sys.executable, "-P", __file__, "engine", stride, str(os.getpid())]
    engine = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def tell() -> None:
        _say(f"{ENDED} {engine.wait()}", sys.stdout)

    threading.Thread(target=tell, name="engine", daemon=True).start()
    sys.stdin.buffer.read()
    engine.kill()
    engine.wait()
    folder = Path.cwd()
    os.chdir(folder.parent)  # Windows removes no folder that somebody is in
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def run(stride: str, parent: str) -> None:
    """Run model.inp, writing model.rpt and model.out; one line with the simulated days after every stride [s]."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # it was gone before the kernel was told
            return
    line = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what the toolkit itself prints is not for the line
    from swmm.toolkit import solver

    solver.swmm_open("model.inp", "model.rpt", "model.out")
    solver.swmm_start(1)
    while (days := solver.swmm_stride(int(stride))) > 0.0:
        _say(f"{days}", line)
    solver.swmm_end()
    solver.swmm_close()


def _say(text: str, line: TextIO) -> None:
    line.write(f"{text}\n")
    line.flush()


if __name__ == "__main__":
    if sys.argv[1] == "guard":
        guard(sys.argv[2])
    else:
        run(*sys.argv[2:])
