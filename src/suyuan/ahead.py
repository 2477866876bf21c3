"""Kernels of tracing compiled in a process of their own, while this one compiles and runs those of transport.

Numba compiles one kernel at a time in a process, and the first run has half a minute of it on either side.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from suyuan.compiled import are_kept, can_keep

WITHIN = "suyuan.tracing"
CODE = "import numpy; from suyuan.tracing.toy import trace_toy; trace_toy(numpy.random.default_rng(1))"

ONCE = threading.Lock()
"""Taken by the first who compiles ahead, and never given back: what follows in this process finds the kernels compiled."""

LOG = logging.getLogger(__name__)


@contextmanager
def compiled_ahead() -> Iterator[None]:
    """Let another process compile the kernels of tracing meanwhile, where none of them is kept yet but can be.

    It is begun once in a process, and ended with what is done here. Nothing hangs on it: a kernel that is asked for earlier,
    or that it failed to compile or to keep, is compiled here.
    """
    process = _begun() if ONCE.acquire(blocking=False) and not are_kept(WITHIN) and can_keep() else None
    if process is None:
        yield
        return
    with process:
        try:
            yield
        finally:
            process.kill()


def _begun() -> subprocess.Popen[bytes] | None:
    """Return the process that compiles, None where the system gives none; files of the folder it runs in are no modules."""
    quiet = subprocess.DEVNULL
    try:
        return subprocess.Popen([sys.executable, "-P", "-c", CODE], stdin=quiet, stdout=quiet, stderr=quiet)
    except OSError as error:
        LOG.info("no kernels are compiled ahead: %s", error)
        return None
