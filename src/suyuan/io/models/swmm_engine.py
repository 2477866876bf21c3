"""SWMM's engine in processes of its own, which end with this one, and leave nothing behind, however it ends."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from suyuan.errors import InputError
from suyuan.io.models import swmm_child

STILL_S = 1200.0
"""How long [s] the engine may take for one stride, a hundredth of a run: then it hangs."""

GRACE_S = 10.0
"""How long [s] the guard may take to end the engine and remove the folder."""

_REMEDY = "run it in SWMM's own program and give the .out"


@contextmanager
def engine(folder: Path, source: str, *, stride_s: int, told: Callable[[float], None]) -> Iterator[Path]:
    """Run model.inp in `folder` and yield its `.out`; afterwards the folder is gone.

    `told` hears the simulated seconds after every stride. Raises InputError where SWMM refuses the model, crashes, or is
    still in one stride after STILL_S.
    """
    command = [sys.executable, "-P", swmm_child.__file__, "guard", str(stride_s)]
    with (folder / "child.log").open("wb") as log:
        pipe = subprocess.PIPE
        guard = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, stderr=log, text=True)
    try:
        code = _followed(guard, source, told=told)
        if code:
            raise _failure(source, folder, code=code)
        yield folder / "model.out"
    finally:
        if guard.stdin is not None:
            guard.stdin.close()  # the line breaks
        try:
            guard.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()


def _followed(guard: subprocess.Popen[str], source: str, *, told: Callable[[float], None]) -> int:
    """Tell the simulated seconds as they are said, and return the exit code of the engine."""
    said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_heard, args=(guard.stdout, said), name="engine", daemon=True).start()
    reached = 0.0
    while True:
        try:
            line = said.get(timeout=STILL_S)
        except queue.Empty:
            at = f"after {reached / 3600.0:.3g} simulated hours" if reached else "at its beginning"
            what = f"SWMM's engine hangs: {at} it made no progress for {STILL_S / 60.0:.3g} minutes"
            raise InputError(source, what, _REMEDY) from None
        if line is None:
            return _ended(guard, source)
        number = line.removeprefix(swmm_child.ENDED)
        try:
            value = float(number)
        except ValueError:  # nothing that the guard or the engine says
            continue
        if number != line:
            return int(value)
        reached = value * 86400.0
        told(reached)


def _ended(guard: subprocess.Popen[str], source: str) -> int:
    """Return the exit code of a guard that will say no more."""
    try:
        return guard.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        raise InputError(source, "SWMM's engine fell silent, but did not end", _REMEDY) from None


def _heard(stream: IO[str], said: queue.SimpleQueue[str | None]) -> None:
    """Pass on lines as they come, and None when no more will."""
    with stream:
        for line in stream:
            said.put(line)
    said.put(None)


def _failure(source: str, folder: Path, *, code: int) -> InputError:
    """Return what SWMM says of a run that failed: the first ERROR of its report, or how the process ended."""
    report = folder / "model.rpt"
    text = report.read_text("utf-8", errors="replace") if report.exists() else ""
    errors = [line.strip() for line in text.splitlines() if line.strip().startswith("ERROR")]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return InputError(source, f"SWMM says: {errors[0]}{more}", "mend it in SWMM")
    if code < 0:
        return InputError(source, f"SWMM's engine crashed (signal {-code}) while running it", _REMEDY)
    log = (folder / "child.log").read_text("utf-8", errors="replace").strip().splitlines()
    what = f"SWMM's engine failed: {log[-1][:200] if log else f'exit code {code}'}"
    return InputError(source, what, _REMEDY)
