"""Work for workers, in a file that processes import quickly."""

from __future__ import annotations

import os
import signal

from suyuan.errors import InputError


def tenfold(x: int) -> int:
    return 10 * x


def refusing(x: int) -> int:
    if x == 2:
        raise InputError("flow.nc", "a value is missing", "fill it", row=3)
    return x


def dying(x: int) -> int:
    if x == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return x
