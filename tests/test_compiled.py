"""Kernels kept from run to run: never those of other sources, and never at the price of a crash."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import llvmlite
import numba
import numpy as np
import pytest

from suyuan import compiled
from suyuan.compiled import KEPT, SOURCES, cache_home, can_keep, kernel, remove_old, sources_digest

SOURCE = Path(compiled.__file__).parent

INNER = "from suyuan.compiled import kernel\n\n@kernel\ndef drained(x):\n    return {factor} * x\n"
OUTER = (
    "from suyuan.compiled import kernel\nfrom suyuan.transport.inner import drained\n\n"
    "@kernel\ndef load(x):\n    return drained(x) + 1.0\n"
)
SHOW = (
    "from suyuan.tracing.outer import load\n"
    "print(load(1.0), sum(load.stats.cache_hits.values()), sum(load.stats.cache_misses.values()))"
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with a package `suyuan` of two kernels, of which one calls the other in another file."""
    package = tmp_path / "suyuan"
    for part in ("transport", "tracing"):
        (package / part).mkdir(parents=True)
        (package / part / "__init__.py").touch()
    (package / "__init__.py").touch()
    shutil.copy(SOURCE / "compiled.py", package)
    (package / "transport" / "inner.py").write_text(INNER.format(factor=2.0))
    (package / "tracing" / "outer.py").write_text(OUTER)
    return tmp_path


def shown(copy: Path, *, cache: Path) -> list[str]:
    """Return what a new process of the copy computes: the value, kernels found, kernels compiled."""
    world = {**os.environ, "PYTHONPATH": str(copy), "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", SHOW], env=world, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_kernel_is_found_again_and_never_with_another_kernels_older_code(copy: Path):
    cache = copy / "cache"
    assert shown(copy, cache=cache) == ["3.0", "0", "1"]
    assert shown(copy, cache=cache) == ["3.0", "1", "0"]
    (copy / "suyuan" / "transport" / "inner.py").write_text(INNER.format(factor=5.0))
    assert shown(copy, cache=cache) == ["6.0", "0", "1"]
    (copy / "suyuan" / "transport" / "inner.py").write_text(INNER.format(factor=2.0))
    assert shown(copy, cache=cache) == ["3.0", "1", "0"]
    assert len(list((cache / "suyuan").iterdir())) == 2


def test_a_cache_that_cannot_be_written_or_was_torn_is_passed_over(copy: Path):
    blocked = copy / "blocked"
    blocked.write_text("a file stands where the folder should be")
    assert shown(copy, cache=blocked) == ["3.0", "0", "1"]
    cache = copy / "cache"
    shown(copy, cache=cache)
    for index in cache.rglob("*.nbi"):
        index.write_bytes(index.read_bytes()[:20])
    assert shown(copy, cache=cache) == ["3.0", "0", "1"]
    assert shown(copy, cache=cache) == ["3.0", "1", "0"]
    for code in cache.rglob("*.nbc"):
        code.write_bytes(b"")
    assert shown(copy, cache=cache) == ["3.0", "0", "1"]


def test_old_folders_of_kernels_go_and_nothing_else(tmp_path: Path):
    ours = [tmp_path / f"kernels-{i:032x}" for i in range(5)]
    for age, folder in enumerate(ours):
        (folder / "module").mkdir(parents=True)
        os.utime(folder, (1e9 - age, 1e9 - age))
    others = [tmp_path / "kernels-of-mine", tmp_path / "letters"]
    for folder in others:
        folder.mkdir()
    remove_old(tmp_path, kept=3)
    assert sorted(tmp_path.iterdir()) == sorted([*ours[:3], *others])
    remove_old(tmp_path / "not there", kept=3)


def test_the_digest_tells_sources_and_versions_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "flow.py").write_text("LIMIT = 1.0\n")
    (tmp_path / "transport").mkdir()
    found = {sources_digest(tmp_path)}
    (tmp_path / "flow.py").write_text("LIMIT = 2.0\n")
    found.add(sources_digest(tmp_path))
    (tmp_path / "transport" / "march.py").write_text("")
    found.add(sources_digest(tmp_path))
    for compiler in (numba, llvmlite, np):
        monkeypatch.setattr(compiler, "__version__", "0.0")
        found.add(sources_digest(tmp_path))
    assert len(found) == 6
    (tmp_path / "page.py").write_text("a page holds no kernel")
    assert sources_digest(tmp_path) in found
    with pytest.raises(FileNotFoundError):
        sources_digest(tmp_path / "nothing")


def test_the_cache_lies_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert cache_home() == tmp_path / "suyuan"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_home() == tmp_path / "xdg" / "suyuan"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_home() == tmp_path / "local" / "suyuan" / "Cache"


def test_kernels_can_be_kept_where_a_file_can_be_written_and_the_oldest_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    older = [tmp_path / f"kernels-{i:032x}" for i in range(KEPT)]
    for age, folder in enumerate(older):
        folder.mkdir()
        os.utime(folder, (1e9 - age, 1e9 - age))
    ours = tmp_path / f"kernels-{KEPT:032x}"
    monkeypatch.setattr(compiled, "FOLDER", ours)
    assert can_keep()
    assert sorted(tmp_path.iterdir()) == sorted([*older[:-1], ours])
    assert not list(ours.iterdir())


def test_kernels_cannot_be_kept_without_a_folder_or_where_none_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compiled, "FOLDER", None)
    assert not can_keep()
    (tmp_path / "file").touch()
    monkeypatch.setattr(compiled, "FOLDER", tmp_path / "file" / "kernels")
    assert not can_keep()


def test_without_a_place_for_a_cache_kernels_still_compute(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiled, "FOLDER", None)

    @kernel
    def load(discharge: float, concentration: float) -> float:
        return discharge * concentration

    assert load(2.5, 4.0) == 10.0


def _imported(path: Path) -> set[Path]:
    """Return the files of suyuan that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("suyuan."):
            home = SOURCE.joinpath(*node.module.split(".")[1:])
            named = [home / f"{alias.name}.py" for alias in node.names]
            found |= {p for p in (*named, home.with_suffix(".py"), home / "__init__.py") if p.is_file()}
    return found


def test_every_source_that_a_kernel_can_be_built_from_counts():
    counted = {path for pattern in SOURCES for path in SOURCE.glob(pattern)}
    marks = "\n@kernel\n", "\n@uncounted_kernel\n"
    ahead = {p for p in SOURCE.rglob("*.py") if any(mark in p.read_text("utf-8") for mark in marks)}
    reached = set[Path]()
    assert len(ahead) > 5
    while ahead:
        reached |= ahead
        ahead = {found for path in ahead for found in _imported(path)} - reached
    assert reached <= counted
