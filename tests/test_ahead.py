"""Kernels compiled ahead: the toy asks for just what a real trace asks for, and the other process never outlives the run."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suyuan import ahead, compiled
from suyuan.tracing.toy import trace_toy

PATIENCE_S = 900.0
"""What another process may take on a loaded machine: alone it needs a minute, to compile every kernel there is."""

NO_NEW_KERNELS = """
import sys
import numpy
from suyuan.tracing.toy import trace_toy

def compiled():
    return {
        (name, key): set(map(str, value.signatures))
        for name, module in sys.modules.items() if name.startswith("suyuan.tracing")
        for key, value in vars(module).items() if hasattr(value, "signatures")
    }

trace_toy(numpy.random.default_rng(1))
ready = compiled()
assert any(ready.values())
import tracing_worlds as worlds
pulse = {"O1": (worlds.history(48, 6), worlds.rates("industrial", 3.0))}
worlds.traced(worlds.meeting(), worlds.read(worlds.meeting(), pulse))
new = {key: of - ready.get(key, set()) for key, of in compiled().items() if of - ready.get(key, set())}
assert not new, new
"""


def test_the_toy_is_traced_to_the_one_who_released():
    found = trace_toy(np.random.default_rng(1))
    assert found.findings[0].candidate.id == "O1"
    assert found.no_source_probability < 0.01


def test_a_real_trace_asks_for_no_kernel_that_the_toy_did_not_compile():
    done = subprocess.run(
        [sys.executable, "-c", NO_NEW_KERNELS],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Return the processes that are begun in a test, in which none was begun yet and no kernel is kept."""
    found: list[subprocess.Popen[bytes]] = []
    begin = subprocess.Popen

    def noted(*words: Any, **ways: Any) -> subprocess.Popen[bytes]:
        found.append(begin(*words, **ways))
        return found[-1]

    monkeypatch.setattr(ahead, "ONCE", threading.Lock())
    monkeypatch.setattr(ahead, "are_kept", lambda _package: False)
    monkeypatch.setattr(ahead, "can_keep", lambda: True)
    monkeypatch.setattr(ahead.subprocess, "Popen", noted)
    return found


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the process has made the file; a loaded machine has PATIENCE_S for it."""
    until = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert process.poll() is None, f"the other process ended with {process.returncode} before its work"
        assert time.monotonic() < until, f"the other process did not begin its work within {PATIENCE_S:g} s"
        time.sleep(0.05)


def test_the_other_process_ends_with_what_is_done_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, begun: list[subprocess.Popen[bytes]]
):
    works = tmp_path / "works"
    monkeypatch.setattr(ahead, "CODE", f"open({str(works)!r}, 'w'); import time; time.sleep(60.0)")

    def interrupted() -> None:
        with ahead.compiled_ahead():
            _wait_for(works, begun[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert begun[0].returncode not in (None, 0), "the other process went on to its own end"


def test_a_process_compiles_ahead_once_however_often_it_traces(
    monkeypatch: pytest.MonkeyPatch, begun: list[subprocess.Popen[bytes]]
):
    monkeypatch.setattr(ahead, "CODE", "")
    for _ in range(3):
        with ahead.compiled_ahead():
            pass
    assert len(begun) == 1


def test_files_beside_the_user_are_no_modules_of_the_other_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, begun: list[subprocess.Popen[bytes]]
):
    """A folder of readings may well hold a random.py or a numpy.py."""
    works = tmp_path / "works"
    for name in ("random", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the file of the user was run')")
    monkeypatch.chdir(tmp_path)
    code = f"import random, suyuan, numpy; open({str(works)!r}, 'w'); import time; time.sleep(60.0)"
    monkeypatch.setattr(ahead, "CODE", code)
    with ahead.compiled_ahead():
        _wait_for(works, begun[0])


def test_where_the_system_gives_no_process_the_work_is_done_all_the_same(
    monkeypatch: pytest.MonkeyPatch, begun: list[subprocess.Popen[bytes]]
):
    def none_given(*_words: Any, **_ways: Any) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(ahead.subprocess, "Popen", none_given)
    with ahead.compiled_ahead():
        done = True
    assert done
    assert not begun


def test_nothing_is_started_where_kernels_are_kept(
    monkeypatch: pytest.MonkeyPatch, begun: list[subprocess.Popen[bytes]]
):
    monkeypatch.setattr(ahead, "are_kept", lambda _package: True)
    with ahead.compiled_ahead():
        pass
    assert not begun


def test_nothing_is_started_where_kernels_cannot_be_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, begun: list[subprocess.Popen[bytes]]
):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file stands where the folder should be")
    monkeypatch.setattr(compiled, "FOLDER", blocked / "kernels")
    monkeypatch.setattr(ahead, "can_keep", compiled.can_keep)
    with ahead.compiled_ahead():
        pass
    assert not begun
