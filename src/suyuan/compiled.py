"""Compiled kernels: the one place that knows how numba is asked, and where its machine code is kept.

A kernel has the code of the kernels it calls and the constants it reads built in, also those of other files, while
numba's own cache looks only at the kernel's own file. So ours lies in a folder named after everything a kernel
can be built from: a changed source has another folder and never meets older machine code.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import llvmlite
import numba as nb
import numpy as np
from numba.core import caching as _caching

P = ParamSpec("P")
R = TypeVar("R")

caching: Any = _caching

LOG = logging.getLogger(__name__)

SOURCES = (
    *(
        "compiled.py",
        "clock.py",
        "errors.py",
        "substances.py",
        "network.py",
        "balance.py",
        "flow.py",
        "observations.py",
    ),
    *("transport/**/*.py", "loads/**/*.py", "tracing/**/*.py", "synthetic/**/*.py", "outlook/**/*.py"),
)
"""Files of suyuan that a kernel can be built from; `tests/test_compiled.py` holds them against the imports."""

KEPT = 8
"""Folders that are kept, of as many versions of the sources: the ones used last."""

_NAME = re.compile(r"kernels-[0-9a-f]{32}")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function compiled by numba when first called, its machine code kept from run to run.

    It takes arrays and numbers by position and lets other threads run. Floating point follows IEEE 754:
    nothing is reassociated, so results are the same to the last bit however often it is compiled. Where the
    cache cannot be read or written it is compiled anew in every process, which takes seconds and nothing else.

    >>> @kernel
    ... def load(discharge, concentration):
    ...     return discharge * concentration
    >>> load(2.5, 4.0)
    10.0
    """
    return _cached(nb.njit(nogil=True)(function), function)


def uncounted_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Return a `kernel` without numba's counting of references: it must not make arrays.

    Where tuples of twenty arrays go from kernel to kernel, counting took more than half of the time of assembly.
    """
    njit: Any = nb.njit  # its types do not know `_nrt`
    return _cached(njit(nogil=True, _nrt=False)(function), function)


def _cached(compiled: Any, function: Callable[P, R]) -> Callable[P, R]:
    """Return the compiled function with its machine code kept in our folder."""
    if FOLDER is not None:
        with suppress(OSError):  # a source that is not a file cannot be told from its next version
            compiled._cache = _Cache(function)
    return cast("Callable[P, R]", compiled)


def are_kept(package: str) -> bool:
    """Return whether kernels of any module of this package are kept.

    >>> are_kept("suyuan.no_such_package")
    False
    """
    return FOLDER is not None and any(FOLDER.glob(f"{package}.*"))


def can_keep() -> bool:
    """Return whether kernels can be kept: our folder is made and a file is written there, to see it."""
    try:
        if FOLDER is None:
            return False
        _make(FOLDER)
        with tempfile.TemporaryFile(dir=FOLDER) as trial:
            trial.write(b"kernel")
    except OSError as error:
        LOG.info("kernels are compiled in every run: %s", error)
        return False
    return True


def sources_digest(package: Path) -> str:
    """Return 32 hexadecimal digits (BLAKE2b) of the SOURCES below `package` and of the versions of Python and of what compiles:
    numba, its LLVM, and numpy, whose arrays a kernel reads and whose functions it has built in.

    Raises OSError where there are no sources to read.
    """
    paths = sorted({path for pattern in SOURCES for path in package.glob(pattern)})
    if not paths:
        raise FileNotFoundError(package)
    found = hashlib.blake2b(digest_size=16)
    compilers = (nb.__version__, llvmlite.__version__, np.__version__)
    for part in (*compilers, platform.python_implementation(), platform.python_version()):
        found.update(f"{part}\n".encode())
    for path in paths:
        text = path.read_bytes()
        found.update(f"{path.relative_to(package).as_posix()} {len(text)}\n".encode())
        found.update(text)
    return found.hexdigest()


def cache_home() -> Path:
    """Return where caches of suyuan live: below NUMBA_CACHE_DIR if that is set, else in the user's cache folder.

    Raises RuntimeError where the user has no home.
    """
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given) / "suyuan"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "suyuan" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "suyuan"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "suyuan"


def remove_old(home: Path, *, kept: int) -> None:
    """Remove the folders of kernels in `home` but the `kept` ones used last; nothing else there is touched."""
    with suppress(OSError):
        ours = [path for path in home.iterdir() if _NAME.fullmatch(path.name) and not path.is_symlink()]
        for old in sorted(ours, key=lambda path: path.stat().st_mtime, reverse=True)[kept:]:
            shutil.rmtree(old, ignore_errors=True)


def _folder() -> Path | None:
    """Return the folder of these sources, marked as used now; None where there can be none."""
    try:
        found = cache_home() / f"kernels-{sources_digest(PACKAGE)}"
    except (OSError, RuntimeError) as error:
        LOG.info("kernels are compiled in every run: %s", error)
        return None
    with suppress(OSError):
        os.utime(found)
    return found


def _make(folder: Path) -> None:
    """Make the folder of these sources; with it, remove those of the oldest."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if is_new:
        remove_old(folder.parent, kept=KEPT)


PACKAGE = Path(__file__).parent
FOLDER = _folder()


class _Locator(caching.UserProvidedCacheLocator):  # type: ignore[misc]
    """Where a kernel's machine code lies: in a folder of its module, in the folder of these sources."""

    def __init__(self, function: Any, source: str) -> None:
        super().__init__(function, source)
        self._cache_path = str(FOLDER / function.__module__) if FOLDER else ""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator:
        """Take every function: whether the folder can be written is seen when it is written."""
        return cls(py_func, py_file)

    def ensure_cache_path(self) -> None:
        """Make the folder of the module, in that of these sources."""
        if FOLDER is not None:
            _make(FOLDER)
        Path(self._cache_path).mkdir(parents=True, exist_ok=True)


class _Kept(caching.CompileResultCacheImpl):  # type: ignore[misc]
    """What numba keeps of a kernel, in the folder of these sources."""

    _locator_classes = (_Locator,)


class _Cache(caching.FunctionCache):  # type: ignore[misc]
    """A cache that is read and written where that is possible, and passed over where it is not."""

    _impl_class = _Kept

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the machine code for these types, or None if it is not there or was not written to its end."""
        try:
            return super().load_overload(sig, target_context)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            LOG.info("a kept kernel is compiled anew: %s", error)
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the machine code, unless the sources were changed since they were loaded."""
        try:
            if FOLDER is not None and FOLDER.name.endswith(sources_digest(PACKAGE)):
                super().save_overload(sig, data)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            LOG.info("a kernel is not kept: %s", error)
