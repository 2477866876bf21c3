"""Kernels compiled ahead: the toy asks for just what a real trace asks for, and the other process never outlives the run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from suyuan import ahead
from suyuan.tracing.toy import trace_toy

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
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_other_process_ends_with_what_is_done_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    begun, late = tmp_path / "begun", tmp_path / "late"
    code = f"import time; open({str(begun)!r}, 'w'); time.sleep(1.0); open({str(late)!r}, 'w')"
    monkeypatch.setattr(ahead, "are_kept", lambda _package: False)
    monkeypatch.setattr(ahead, "CODE", code)

    def interrupted() -> None:
        with ahead.compiled_ahead():
            while not begun.exists():
                time.sleep(0.05)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    time.sleep(1.5)
    assert begun.exists()
    assert not late.exists()


def test_nothing_is_started_where_kernels_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ahead, "are_kept", lambda _package: True)
    monkeypatch.delattr(ahead.subprocess, "Popen")
    with ahead.compiled_ahead():
        pass
