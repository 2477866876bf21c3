"""Files are whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from suyuan.errors import InputError
from suyuan.io.atomic import result_folder, write_atomically


def test_a_written_file_is_there_whole_and_alone(tmp_path: Path):
    with write_atomically(tmp_path / "ranking.csv") as partial:
        partial.write_text("whole")
        assert not (tmp_path / "ranking.csv").exists()
        assert partial.parent == tmp_path
        assert partial.suffix == ".csv"
    assert [p.name for p in tmp_path.iterdir()] == ["ranking.csv"]
    assert (tmp_path / "ranking.csv").read_text() == "whole"


def test_a_name_with_brackets_leaves_nothing_behind(tmp_path: Path):
    def interrupted(partial: Path) -> None:
        partial.write_text("begun")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), write_atomically(tmp_path / "flow[1].csv") as partial:
        interrupted(partial)
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_the_old_file(tmp_path: Path):
    (tmp_path / "ranking.csv").write_text("old")
    with pytest.raises(ZeroDivisionError), write_atomically(tmp_path / "ranking.csv") as partial:
        partial.write_text("hal" * (1 // 0))
    assert [p.name for p in tmp_path.iterdir()] == ["ranking.csv"]
    assert (tmp_path / "ranking.csv").read_text() == "old"


def test_a_new_result_folder_appears_in_one_step(tmp_path: Path):
    with result_folder(tmp_path / "results") as folder:
        (folder / "figures").mkdir()
        (folder / "figures" / "map.svg").write_text("<svg/>")
        (folder / "trace.json").write_text("{}")
        assert not (tmp_path / "results").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["results"]
    assert sorted(p.name for p in (tmp_path / "results").rglob("*")) == ["figures", "map.svg", "trace.json"]


def test_results_replace_older_ones_and_leave_other_files_alone(tmp_path: Path):
    out = tmp_path / "results"
    (out / "figures").mkdir(parents=True)
    (out / "figures" / "photo-of-the-outfall.jpg").write_text("mine")
    (out / "figures" / "map.svg").write_text("old")
    (out / "trace.json").write_text("old")
    (out / "my-notes.txt").write_text("mine")
    with result_folder(out) as folder:
        (folder / "figures").mkdir()
        (folder / "figures" / "map.svg").write_text("new")
        (folder / "trace.json").write_text("new")
    found = sorted(p.name for p in out.rglob("*"))
    assert found == ["figures", "map.svg", "my-notes.txt", "photo-of-the-outfall.jpg", "trace.json"]
    assert (out / "trace.json").read_text() == "new"
    assert (out / "figures" / "map.svg").read_text() == "new"


def test_a_folder_in_the_way_of_a_result_is_named(tmp_path: Path):
    (tmp_path / "results" / "trace.json").mkdir(parents=True)
    refusal = pytest.raises(InputError, match="results: cannot be written")
    with refusal, result_folder(tmp_path / "results") as folder:
        (folder / "trace.json").write_text("{}")


def test_results_can_go_to_the_folder_one_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with result_folder(".") as folder:
        (folder / "trace.json").write_text("{}")
    assert [p.name for p in tmp_path.iterdir()] == ["trace.json"]


def test_an_interrupted_run_leaves_no_results(tmp_path: Path):
    def interrupted(folder: Path) -> None:
        (folder / "trace.json").write_text("{")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), result_folder(tmp_path / "results") as folder:
        interrupted(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot end a process politely")
@pytest.mark.parametrize("polite", [signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_leaves_nothing_half_written(tmp_path: Path, polite: signal.Signals):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from suyuan.io.atomic import result_folder, write_atomically\n"
        "with result_folder(sys.argv[1]) as out, write_atomically(Path(sys.argv[1] + '.csv')) as one:\n"
        "    (out / 'trace.json').write_text('{'); one.write_text('hal'); print('begun', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "results")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert len(list(tmp_path.iterdir())) == 2
        process.send_signal(polite)
        assert process.wait(20) != 0
    assert list(tmp_path.iterdir()) == []


def test_what_a_run_that_was_killed_outright_left_is_swept_a_day_later(tmp_path: Path):
    old, fresh = tmp_path / ".ranking-0123abcd.partial.csv", tmp_path / ".ranking-4567abcd.partial.csv"
    for leftover in (old, fresh):
        leftover.write_text("hal")
    a_day_ago = time.time() - 90_000
    os.utime(old, (a_day_ago, a_day_ago))
    with write_atomically(tmp_path / "ranking.csv") as partial:
        partial.write_text("whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == [fresh.name, "ranking.csv"]


@pytest.mark.parametrize("write", [write_atomically, result_folder])
def test_a_folder_that_cannot_be_written_is_named_with_a_remedy(tmp_path: Path, write):  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("not a folder")
    refusal = pytest.raises(InputError, match=r"out: cannot be written \(a file is in the way\); free it")
    with refusal, write(tmp_path / "file" / "out"):
        pass


def test_results_cannot_take_the_place_of_a_file(tmp_path: Path):
    (tmp_path / "results").write_text("mine")
    refusal = pytest.raises(InputError, match="is a file, not a folder; choose another folder")
    with refusal, result_folder(tmp_path / "results"):
        pass
    assert (tmp_path / "results").read_text() == "mine"


def test_a_read_only_folder_is_refused():
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o555)
        refusal = pytest.raises(InputError, match="cannot be written")
        with _unprivileged(), refusal, result_folder(Path(name) / "results"):
            pass
        Path(name).chmod(0o700)


@contextmanager
def _unprivileged() -> Iterator[None]:
    """Take nobody's rights for a while where the tests run as root, who may write everywhere."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_an_error_of_the_program_is_not_blamed_on_the_folder(tmp_path: Path):
    with pytest.raises(FileNotFoundError), result_folder(tmp_path / "results"):
        (tmp_path / "elsewhere" / "input.csv").read_text()


def test_a_kill_while_results_move_in_keeps_the_old_figures_or_brings_the_new(tmp_path: Path):
    code = """
import os, signal, sys
from pathlib import Path
from suyuan.io.atomic import result_folder
out = Path(sys.argv[1])
(out / "figures").mkdir(parents=True)
(out / "figures" / "map.svg").write_text("old")
replace = Path.replace
def and_die(self, target):
    moved = replace(self, target)
    if target == out / "figures" / "map.svg":
        os.kill(os.getpid(), signal.SIGTERM)
    return moved
Path.replace = and_die
with result_folder(out) as folder:
    (folder / "figures").mkdir()
    (folder / "figures" / "map.svg").write_text("new")
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "results")], check=False, timeout=60)
    assert (tmp_path / "results" / "figures" / "map.svg").read_text() in ("old", "new")
    assert not list(tmp_path.glob("**/*.partial"))
