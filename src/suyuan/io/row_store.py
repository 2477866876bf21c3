"""Rows of source-receptor matrices on disk: files whose names are the digests of what they hold.

A file is whole and right, or it is passed over: nothing is read that does not fit its name. Files are only ever added
and removed, so runs at the same time cannot spoil each other's.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.io.atomic import write_atomically
from suyuan.transport.known_rows import KnownRows
from suyuan.transport.matrix import Receptors

_LEFT_BEHIND_AFTER_S = 86_400.0


@dataclass(frozen=True)
class Held:
    """What a folder of rows held: the rows, the files they are from, and the files that were damaged."""

    rows: tuple[KnownRows, ...] = ()
    files: tuple[Path, ...] = ()
    damaged: tuple[Path, ...] = ()


def read_rows(folder: Path) -> Held:
    """Return all rows in a folder; none where there is no such folder. Files that are gone meanwhile are passed over."""
    rows, files, damaged = [], [], []
    for path in sorted(folder.glob("rows-*.npz")):
        try:
            data = path.read_bytes()
        except OSError:  # another run removed it, or nobody may read it: its rows are computed again
            continue
        if _name(data) == path.name:
            rows.append(_unpacked(data))
            files.append(path)
        else:
            damaged.append(path)
    return Held(tuple(rows), tuple(files), tuple(damaged))


def write_rows(folder: Path, rows: KnownRows) -> Path:
    """Write rows to a new file of the folder and return it; raises InputError where that cannot be."""
    data = _packed(rows)
    path = folder / _name(data)
    with write_atomically(path) as partial:
        partial.write_bytes(data)
    return path


def remove_files(files: Sequence[Path]) -> None:
    """Remove files; one that is gone already, or cannot be removed, is left to the next run."""
    for path in files:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def keep_only(store: Path, names: Sequence[str]) -> None:
    """Remove every folder of rows but these, and what runs that were killed left behind a day ago or earlier."""
    for folder in (p for p in store.glob("*") if p.is_dir()):
        if folder.name not in names:
            shutil.rmtree(folder, ignore_errors=True)
    old = time.time() - _LEFT_BEHIND_AFTER_S
    for leftover in store.glob("*/.rows-*"):
        with contextlib.suppress(OSError):
            if leftover.stat().st_mtime < old:
                leftover.unlink()


def free_bytes(folder: Path) -> int:
    """Return the free space of the disk on which a folder is, or would be."""
    return shutil.disk_usage(next(p for p in (folder, *folder.absolute().parents) if p.exists())).free


def _name(data: bytes) -> str:
    return f"rows-{hashlib.blake2b(data, digest_size=16).hexdigest()}.npz"


def _packed(rows: KnownRows) -> bytes:
    """Return rows as an npz; of large arrays mere bits say where they are not 0, which they mostly are."""
    arrays: dict[str, Any] = {f.name: getattr(rows.receptors, f.name) for f in fields(Receptors)}
    arrays |= {"edges": rows.edges, "initial": rows.initial}
    for name in ("values", "fraction"):
        whole = np.ascontiguousarray(getattr(rows, name))
        bits = whole.reshape(-1).view(f"u{whole.itemsize}")
        arrays[f"{name}_shape"] = np.array(whole.shape)
        arrays[f"{name}_where"] = np.packbits(bits != 0)
        arrays[f"{name}_what"] = whole.reshape(-1)[bits != 0]
    sheet = io.BytesIO()
    np.savez(sheet, **arrays)
    return sheet.getvalue()


def _unpacked(data: bytes) -> KnownRows:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        receptors = Receptors(**{f.name: arrays[f.name] for f in fields(Receptors)})
        values, fraction = (_spread(arrays, name) for name in ("values", "fraction"))
        return KnownRows(receptors, arrays["edges"], values, fraction, arrays["initial"])


def _spread(arrays: Any, name: str) -> NDArray[Any]:
    shape, what = arrays[f"{name}_shape"], arrays[f"{name}_what"]
    whole = np.zeros(int(shape.prod()), what.dtype)
    whole[np.unpackbits(arrays[f"{name}_where"], count=len(whole)).astype(bool)] = what
    return whole.reshape(shape)
