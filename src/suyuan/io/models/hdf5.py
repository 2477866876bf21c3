"""HDF5 files of hydraulic models through h5py (extra `models`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.errors import InputError
from suyuan.io.files import require_file


@contextlib.contextmanager
def opened_hdf5(path: str | Path, *, made_by: str) -> Iterator[Any]:
    """Yield an HDF5 file; what cannot be read of it becomes an InputError that says which file of `made_by` is wanted."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"{made_by} files need h5py: pip install 'suyuan[models]'") from error
    path = require_file(path)
    try:
        data = h5py.File(path, "r")
    except OSError as error:
        what = f"cannot be read as HDF5, it may be half-written ({str(error)[:80]})"
        raise InputError(path.name, what, f"give the file that {made_by} wrote, whole") from error
    try:
        yield data
    except OSError as error:  # a damaged block shows when it is read
        what = f"breaks off or is damaged ({str(error)[:80]})"
        raise InputError(path.name, what, f"run {made_by} again") from error
    finally:
        data.close()


def text_of(value: object) -> str:
    """Return a text from a file, whether it holds one or an array of one.

    >>> text_of(np.array([b"02JAN1990 0000 "])), text_of(b"US Customary"), text_of("x")
    ('02JAN1990 0000', 'US Customary', 'x')
    """
    if isinstance(value, np.ndarray):
        return text_of(value.ravel()[0]) if value.size else ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip("\0 ")
    return str(value).strip("\0 ")
