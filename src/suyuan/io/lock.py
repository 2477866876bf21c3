"""A lock file: of two runs that change the same files, the second hears of the first."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suyuan.errors import InputError

_HELD = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
"""What the systems say of a file that another run has locked."""


@contextmanager
def locked(path: Path, *, what: str, remedy: str) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; raises InputError with `what` where another run holds it.

    The system gives it back when its holder ends, however it ends: a file left by a run that was killed holds nobody up.
    Where the file system knows no locks, as some shares, nothing is held.
    """
    handle = _opened(path)
    if handle is None:
        raise InputError(str(path.parent), what, remedy)
    try:
        yield
    finally:
        if (
            sys.platform == "win32"
        ):  # an open file cannot be removed there, nor one that another run has opened
            os.close(handle)
            _remove(path)
        else:
            _remove(path)
            os.close(handle)


def _opened(path: Path) -> int | None:
    """Return the handle of the file once it is locked, None where another run has locked it."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:  # it is another user's, or is just being removed
            return None
        try:
            _lock(handle)
        except OSError as error:
            if error.errno in _HELD:
                os.close(handle)
                return None
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)  # its holder removed it between our two steps: what we locked is no longer there


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        return
