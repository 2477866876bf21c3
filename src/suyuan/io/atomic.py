"""Files that are whole or not there: written under a temporary name, then renamed."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from suyuan.errors import InputError

_LEFT_BEHIND_AFTER_S = 86_400.0
"""Age at which a temporary file of a run that was killed outright is swept away by the next write."""

_FULL_OR_READ_ONLY = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def write_atomically(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; when the block ends well it is renamed to `path`.

    The data is on disk before the rename (fsync). Whatever else happens (an error, Ctrl-C, a polite kill) the
    temporary file is removed and an older `path` stays as it was. Raises InputError where the folder cannot
    be written.
    """
    path = Path(path)
    partial = path.parent / f".{path.stem}-{secrets.token_hex(4)}.partial{path.suffix}"
    with _explained(path, partial), ending_cleanly():
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent, f".{glob.escape(path.stem)}-*.partial{glob.escape(path.suffix)}*")
        partial.touch()
        partial.unlink()
        try:
            yield partial
            _sync(partial)
            partial.replace(path)
            _sync(path.parent)
        finally:
            for leftover in path.parent.glob(f"{glob.escape(partial.name)}*"):  # with a database's journals
                leftover.unlink(missing_ok=True)


@contextmanager
def result_folder(out: str | Path) -> Iterator[Path]:
    """Yield a temporary folder to write to; when the block ends well, its files appear in `out` by rename.

    A folder that does not exist yet appears whole, in one step. In one that exists, files of the same name are
    replaced one by one, in its folders too, and others are left alone. Raises InputError where it cannot be
    written.
    """
    out = Path(out).absolute()
    home = out if out.is_dir() else out.parent
    partial = home / f".{out.name}-{secrets.token_hex(4)}.partial"
    with _explained(out, partial), ending_cleanly():
        if out.exists() and not out.is_dir():
            raise InputError(str(out), "is a file, not a folder", "choose another folder for the results")
        home.mkdir(parents=True, exist_ok=True)
        _sweep(home, f".{glob.escape(out.name)}-*.partial")
        partial.mkdir()
        try:
            yield partial
            for file in sorted(p for p in partial.rglob("*") if p.is_file()):
                _sync(file)
            _move_in(partial, out)
            _sync(home)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def require_writable(out: str | Path) -> None:
    """Raise InputError where `result_folder` could not write; leave nothing behind.

    Called before long work, so that a folder that cannot be written is heard of at once.
    """
    out = Path(out).absolute()
    home = next(folder for folder in (out, *out.parents) if folder.exists())
    partial = home / f".{out.name}-{secrets.token_hex(4)}.partial"
    with _explained(out, partial):
        if out.exists() and not out.is_dir():
            raise InputError(str(out), "is a file, not a folder", "choose another folder for the results")
        partial.mkdir()
        partial.rmdir()


def _move_in(partial: Path, out: Path) -> None:
    """Rename what is in `partial` into `out`, file by file, in its folders too; what else stands there stays."""
    if not out.exists():
        partial.rename(out)
        return
    for entry in sorted(partial.iterdir()):
        target = out / entry.name
        if entry.is_dir() and target.is_dir():
            _move_in(entry, target)
        else:
            entry.replace(target)


@contextmanager
def _explained(path: Path, partial: Path) -> Iterator[None]:
    """Turn an operating-system error about the files being written into an InputError; leave others alone."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL_OR_READ_ONLY and not _names(error, partial):
            raise
        in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
        what = f"cannot be written ({'a file is in the way' if in_the_way else error.strerror})"
        raise InputError(str(path), what, "free it, or choose a folder you may write to") from error


def _names(error: OSError, partial: Path) -> bool:
    """Return whether the error names the temporary file, something inside it, or a folder above it."""
    named = Path(os.fsdecode(error.filename)) if error.filename else None
    return named is not None and (named == partial or partial in named.parents or named in partial.parents)


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Make a polite kill (SIGTERM) run the clean-up; leave a program's own handler and other threads be."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _sweep(folder: Path, pattern: str) -> None:
    for leftover in folder.glob(pattern):
        if time.time() - leftover.stat().st_mtime > _LEFT_BEHIND_AFTER_S:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have the operating system put a file or a folder's list of names on disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder
        return
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
