"""Kernels of tracing compiled in a process of their own, while this one compiles and runs those of transport.

Numba compiles one kernel at a time in a process, and the first run has half a minute of it on either side.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from suyuan.compiled import are_kept

WITHIN = "suyuan.tracing"
CODE = "import numpy; from suyuan.tracing.toy import trace_toy; trace_toy(numpy.random.default_rng(1))"


@contextmanager
def compiled_ahead() -> Iterator[None]:
    """Let another process compile the kernels of tracing meanwhile, where none of them is kept yet.

    It is ended with what is done here. Nothing hangs on it: a kernel that is asked for earlier, or that it failed to
    compile or to keep, is compiled here.
    """
    if are_kept(WITHIN):
        yield
        return
    quiet = subprocess.DEVNULL
    with subprocess.Popen([sys.executable, "-c", CODE], stdin=quiet, stdout=quiet, stderr=quiet) as process:
        try:
            yield
        finally:
            process.kill()
