"""A SWMM model becomes a network and a flow that closes: water of pipes, ponds and pumps is where SWMM had it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swmm_texts import CHANNEL, write_out

from suyuan.errors import InputError
from suyuan.flow import balanced
from suyuan.io.models import swmm_engine, swmm_run
from suyuan.io.models.model import Model
from suyuan.io.models.swmm import read_swmm
from suyuan.io.models.swmm_inp import read_inp
from suyuan.io.models.swmm_out import Results
from suyuan.io.models.swmm_stores import Ends, upstream_share
from suyuan.io.models.swmm_water import binned

PAIR = Path(__file__).parents[2] / "shared" / "data" / "mike1d_res"

needs_swmm = pytest.mark.skipif(
    not any(Path(folder, "swmm", "toolkit").is_dir() for folder in sys.path),
    reason="swmm-toolkit is not installed (uv sync)",
)

posix = pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")

PIPE = """[OPTIONS]
FLOW_UNITS CMS
FLOW_ROUTING DYNWAVE
ALLOW_PONDING {ponding}
[JUNCTIONS]
A 0 3 0 0 {area}
[OUTFALLS]
O 0 FREE NO
[CONDUITS]
R A O 100 0.01 0 0 0 0
[XSECTIONS]
R RECT_OPEN 2 1 0 0 1
[REPORT]
AVERAGES {averages}
"""


def pair(
    folder: Path,
    *,
    node: np.ndarray,
    link: np.ndarray,
    averages: str = "NO",
    ponding: str = "NO",
    area: float = 0,
) -> Path:
    """Write a pipe from A to O as .inp and .out; `node` (report, 2, 6), `link` (report, 1, 5)."""
    inp = folder / "pipe.inp"
    inp.write_text(PIPE.format(averages=averages, ponding=ponding, area=area), "utf-8")
    write_out(folder / "pipe.out", ["A", "O"], ["R"], node=node, link=link)
    return inp


def _said(model: Model) -> str:
    return " ".join(map(str, model.notes))


def still(reports: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 1 m3/s let in at A and through R, which holds 100 m3, at depth 1 m."""
    node, link = np.zeros((reports, 2, 6)), np.zeros((reports, 1, 5))
    node[:, 0, 3], node[:, :, 0] = 1.0, 1.0
    link[:, 0, 0], link[:, 0, 3] = 1.0, 100.0
    return node, link


# --- from reports to bins


def test_steady_water_passes_as_it_is(tmp_path: Path):
    node, link = still(5)
    model = read_swmm(pair(tmp_path, node=node, link=link))
    assert model.form == "SWMM 5"
    assert [n.kind for n in model.network.nodes] == ["boundary", "outlet"]
    assert model.flow.start == np.datetime64("2024-07-01T00:05:00")
    assert model.flow.edges.tolist() == [0.0, 300.0, 600.0, 900.0, 1200.0]
    np.testing.assert_allclose(model.flow.discharge_start, 1.0)
    np.testing.assert_allclose(model.flow.inflow, 1.0)
    assert balanced(model.flow, model.network).balance.residual_share < 1e-12


def test_what_a_link_stores_passes_the_half_where_it_rises(tmp_path: Path):
    node, link = still(2)
    node[1, :, 0] = (1.2, 1.2)
    link[1, 0, 3] = 120.0
    flow = read_swmm(pair(tmp_path, node=node, link=link)).flow
    assert flow.discharge_start[0, 0] == pytest.approx(1.0 + 10.0 / 300.0)
    assert flow.discharge_end[0, 0] == pytest.approx(1.0 - 10.0 / 300.0)
    node[1, :, 0] = (
        1.0,
        1.4,
    )  # only its lower end rises: of 120 m3 the upper half holds (3 x 1 + 1.4) / (4 x 2.4)
    flow = read_swmm(pair(tmp_path, node=node, link=link)).flow
    assert flow.discharge_start[0, 0] == pytest.approx(1.0 + (120.0 * 4.4 / 9.6 - 50.0) / 300.0, rel=1e-5)


def test_a_link_that_runs_dry_holds_a_litre_a_metre_more_all_the_time(tmp_path: Path):
    node, link = still(2)
    node[:, :, 0] = 0.0
    link[:, 0, 3] = (0.0, 3.0)
    model = read_swmm(pair(tmp_path, node=node, link=link))
    np.testing.assert_allclose(model.flow.volume[:, 0], [0.1, 3.1])
    flow = model.flow
    assert flow.discharge_start[0, 0] - flow.discharge_end[0, 0] == pytest.approx(3.0 / 300.0)
    assert "all the time: 1 link" in _said(model)


def test_a_link_that_holds_less_than_no_water_is_refused(tmp_path: Path):
    node, link = still(3)
    link[1, 0, 3] = -500.0
    with pytest.raises(
        InputError, match=r"the volume of link 'R' is -500 m3 in report 2; a volume cannot be negative"
    ):
        read_swmm(pair(tmp_path, node=node, link=link))


def test_a_pulse_between_the_edges_of_a_bin_counts_by_what_it_carries(tmp_path: Path):
    node, link = still(5)
    link[:, 0, 0] = node[:, 0, 3] = (1.0, 1.0, 5.0, 1.0, 1.0)
    flow = read_swmm(pair(tmp_path, node=node, link=link), bin_s=1200.0).flow
    assert flow.edges.tolist() == [0.0, 1200.0]
    assert flow.discharge_start[0, 0] == pytest.approx(2.0)  # a triangle of 600 s and 4 m3/s over 1200 s


def test_bins_begin_as_the_clock_strikes(tmp_path: Path):
    node, link = still(13)
    flow = read_swmm(pair(tmp_path, node=node, link=link), bin_s=900.0).flow
    begins = flow.start + flow.edges[:-1].astype("timedelta64[s]")
    assert [str(t)[11:16] for t in begins] == ["00:05", "00:15", "00:30", "00:45"]


def test_reports_of_means_stand_for_the_step_before_their_time(tmp_path: Path):
    node, link = still(4)
    link[:, 0, 0] = node[:, 0, 3] = (1.0, 3.0, 5.0, 7.0)
    link[:, 0, 3] = (100.0, 110.0, 120.0, 130.0)
    model = read_swmm(pair(tmp_path, node=node, link=link, averages="YES"), bin_s=600.0)
    assert model.flow.start == np.datetime64("2024-07-01T00:00:00")
    assert model.flow.edges.tolist() == [0.0, 600.0, 1200.0]
    assert model.flow.inflow[:, 0].tolist() == [2.0, 6.0]
    assert model.flow.volume[:, 0].tolist() == [100.0, 115.0, 130.0]
    assert "means over 300 s" in _said(model)


def test_a_bin_that_is_no_multiple_of_the_report_step_is_refused(tmp_path: Path):
    node, link = still(5)
    path = pair(tmp_path, node=node, link=link)
    with pytest.raises(
        InputError, match=r"bins of 500 s are no multiple of the report step of 300 s; ask for 600 s"
    ):
        read_swmm(path, bin_s=500.0)
    with pytest.raises(InputError, match=r"holds 5 reports, 300 s apart; a bin needs 13"):
        read_swmm(path, bin_s=3600.0)


def test_clock_times_of_the_model_are_of_the_zone_that_is_said(tmp_path: Path):
    node, link = still(3)
    flow = read_swmm(pair(tmp_path, node=node, link=link), timezone="Asia/Shanghai").flow
    assert flow.start == np.datetime64("2024-06-30T16:05:00")


@given(
    stage=st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 5.0)), min_size=1, max_size=5),
    offset=st.floats(0.0, 1.0),
    is_open=st.booleans(),
)
def test_each_half_holds_between_one_and_three_quarters(stage, offset, is_open):
    ends = Ends(
        np.array([0]),
        np.array([1]),
        np.array([[offset, 0.0]]),
        np.array([2.0]),
        np.array([True]),
        np.array([is_open]),
    )
    share = upstream_share(ends, np.array(stage))
    assert np.all((share >= 0.25) & (share <= 0.75))
    level = upstream_share(replace(ends, offset=np.zeros((1, 2))), np.array([[s[0], s[0]] for s in stage]))
    np.testing.assert_allclose(level, 0.5)


@settings(deadline=None)
@given(values=st.lists(st.floats(-9.0, 9.0, width=32), min_size=9, max_size=40), every=st.integers(1, 4))
def test_bins_carry_what_the_reports_carried(values, every):
    flow = np.array(values, np.float32)[:, None]
    times = np.datetime64("2024-07-01T00:10:00") + 60 * np.arange(len(flow)) * np.timedelta64(1, "s")
    none = np.zeros((len(flow), 2), np.float32)
    results = Results(
        "r", 52004, "CMS", times, 60.0, ("A", "B"), ("R",), flow, flow * 0, flow * 0, none, none, none, none,
        np.zeros((1, 2), np.float32), np.ones(1, np.float32),
    )  # fmt: skip
    found = binned(results, bin_s=60.0 * every, is_averaged=False)
    carried = float(found.discharge[:, 0] @ np.diff(found.edges))
    assert carried == pytest.approx(np.trapezoid(flow[:, 0].astype(float), dx=60.0), abs=1e-6)


# --- what enters and leaves


def test_what_floods_leaves_and_what_ponds_comes_back(tmp_path: Path):
    node, link = still(3)
    node[:, 0, 3], node[:, 0, 5] = 1.5, 0.5
    model = read_swmm(pair(tmp_path, node=node, link=link))
    np.testing.assert_allclose(model.flow.inflow, 1.0)
    assert "300 m3 flood out of 1 node, most at 'A'" in _said(model)
    node[:, 0, 2] = (0.0, 150.0, 0.0)  # stands over A and runs back
    flow = read_swmm(pair(tmp_path, node=node, link=link, ponding="YES", area=500.0)).flow
    np.testing.assert_allclose(flow.inflow[:, 0], [1.0, 2.0])


def test_results_of_another_model_are_refused(tmp_path: Path):
    node, link = still(3)
    path = pair(tmp_path, node=node, link=link)
    write_out(tmp_path / "pipe.out", ["A", "O"], ["R9"], node=node, link=link)
    with pytest.raises(
        InputError, match=r"pipe.out: link 'R9' \(1 such\) is not in pipe.inp: these are results of an"
    ):
        read_swmm(path)
    write_out(tmp_path / "pipe.out", ["A"], ["R"], node=node[:, :1], link=link)
    with pytest.raises(InputError, match=r"results of 1 of 2 nodes; 'O' is not among them; write NODES ALL"):
        read_swmm(path)
    write_out(tmp_path / "pipe.out", ["A", "O"], ["R"], node=node, link=link, unit=0)
    with pytest.raises(InputError, match=r"pipe.out: is in CFS, but pipe.inp in CMS"):
        read_swmm(path)


def test_an_out_that_is_named_but_not_there_is_refused(tmp_path: Path):
    node, link = still(3)
    path = pair(tmp_path, node=node, link=link)
    with pytest.raises(InputError, match=r"other.out: there is no such file"):
        read_swmm(path, out=tmp_path / "other.out")


@pytest.mark.skipif(
    not PAIR.is_dir(), reason="../shared/data/mike1d_res is not here: no pair of .inp and .out"
)
def test_a_real_kinematic_model_closes_within_a_hundredth():
    model = read_swmm(PAIR / "swmm.inp")
    flow = balanced(model.flow, model.network)
    assert flow.balance.residual_share < 0.01
    assert model.network.reach("1").length_m == pytest.approx(400 * 0.3048)
    assert "[POLLUTANTS] was not taken over" in _said(model)


# --- running


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    folder = tmp_path / "太湖 模型"
    folder.mkdir()
    path = folder / "河道.inp"
    path.write_text(CHANNEL, "utf-8")
    return path


@needs_swmm
def test_a_model_without_results_is_run_and_leaves_nothing_behind(channel: Path):
    told: list[tuple[int, int]] = []
    model = read_swmm(channel, progress=lambda done, due: told.append((done, due)))
    assert [p.name for p in channel.parent.iterdir()] == ["河道.inp"]
    assert told[-1] == (21600, 21600)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    check_channel(model)


def check_channel(model: Model) -> None:
    network, flow = model.network, balanced(model.flow, model.network)
    kinds = {node.id: node.kind for node in network.nodes}
    assert kinds == {"A": "boundary", "B": "junction", "C": "junction", "O": "outlet", "P": "lake"}
    assert {s.id: s.kind for s in network.structures} == {"W": "weir", "PU": "pump"}
    assert len(model.flow.edges) == 73
    assert flow.balance.residual_share < 0.005
    carried = model.flow.inflow[:, 0] @ np.diff(model.flow.edges)
    assert carried == pytest.approx(3 * 3600 * (2.0 + 1.75), rel=0.005)  # trapezoids of the series Q
    pond = network.nodes[network.node_index("P")]
    assert pond.volume_m3 == pytest.approx(750.0, rel=0.01)  # 1.5 m over 500 m2


@needs_swmm
def test_a_model_in_gb_18030_with_feet_is_run_as_well(channel: Path):
    text = CHANNEL.replace("FLOW_UNITS CMS", "FLOW_UNITS CFS").replace("AB ", "北河段 ")
    channel.write_bytes(text.encode("gb18030"))
    model = read_swmm(channel, bin_s=1800)
    assert model.network.reach("北河段").length_m == pytest.approx(121.92)
    assert len(model.flow.edges) == 13
    assert model.flow.inflow.mean() == pytest.approx(1.875 * 0.0283168, rel=0.01)


@needs_swmm
def test_what_swmm_refuses_is_said_in_its_words(channel: Path):
    channel.write_text(CHANNEL.replace("AB TRAPEZOIDAL 3 4 1 1 1\n", ""), "utf-8")
    with pytest.raises(InputError, match=r"河道.inp: SWMM says: ERROR \d+.*AB"):
        read_swmm(channel)


@needs_swmm
def test_a_rain_file_that_is_missing_is_named(channel: Path):
    gages = (
        '[RAINGAGES]\nG1 VOLUME 00:05 1 FILE "rain 2024.dat" S1 MM\nG2 VOLUME 00:05 1 FILE gone.dat S1 MM\n'
    )
    channel.write_text(CHANNEL + gages, "utf-8")
    with pytest.raises(InputError, match=r"the outside file 'rain 2024.dat' is not there; put it") as caught:
        read_swmm(channel)
    assert len(caught.value.faults) == 2


@needs_swmm
def test_an_outside_file_is_found_beside_the_model(channel: Path):
    (channel.parent / "入流 a.dat").write_text("0 1.5\n3 2.5\n6 1.0\n")
    text = CHANNEL.replace("Q 0 1.5\nQ 3 2.5\nQ 6 1.0", 'Q FILE "入流 a.dat"')
    channel.write_text(text, "utf-8")
    check_channel(read_swmm(channel))


TOOLKIT = """
import os, signal
from pathlib import Path
def swmm_open(*names):
    Path("model.rpt").write_text("")
    Path(os.environ["ENGINE_PID"]).write_text(str(os.getpid()))
def swmm_start(save):
    pass
def swmm_stride(stride):
    return 0.01
"""
"""Stands in for swmm-toolkit: a run without end, which says its process."""

HANGING = """
import ctypes
def swmm_start(save):
    ctypes.PyDLL(None).sleep(60)  # as C does: without letting anybody else run
"""


@pytest.fixture
def spare(channel: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder, empty as yet, in which models are run."""
    folder = channel.parent / "spare"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(swmm_run.tempfile, "tempdir", None)
    return folder


@pytest.fixture
def stand_in(channel: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return what gives the engine a toolkit of other code, and says where its process will be told."""

    def given(code: str) -> Path:
        toolkit = channel.parent / "path" / "swmm" / "toolkit"
        toolkit.mkdir(parents=True)
        for path in (toolkit.parent / "__init__.py", toolkit / "__init__.py"):
            path.write_text("")
        (toolkit / "solver.py").write_text(TOOLKIT + code)
        monkeypatch.setenv("PYTHONPATH", str(toolkit.parents[1]))
        monkeypatch.setenv("ENGINE_PID", str(channel.parent / "pid"))
        return channel.parent / "pid"

    return given


@pytest.fixture
def hanging(spare: Path, stand_in: Callable[[str], Path]) -> Path:
    """Give the engine a toolkit that hangs; return the empty folder in which models are run."""
    stand_in(HANGING)
    return spare


@needs_swmm
@posix
def test_a_crash_of_the_engine_is_said_and_survived(
    channel: Path, spare: Path, stand_in: Callable[[str], Path]
):
    stand_in("def swmm_stride(stride):\n    os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(InputError, match=r"SWMM's engine crashed \(signal 11\)"):
        read_swmm(channel)
    assert not list(spare.iterdir())


@needs_swmm
@pytest.mark.parametrize("noise", ["\n", "SWMM 5.2\n", "no end of line", "0.5\n", "ended 0\n"])
def test_what_the_toolkit_prints_is_neither_progress_nor_the_end(
    channel: Path, stand_in: Callable[[str], Path], noise: str
):
    report = "Path('model.rpt').write_text('ERROR 107: no rain')"
    stand_in(
        f"def swmm_start(save):\n    os.write(1, {noise!r}.encode())\n    {report}\n    raise RuntimeError"
    )
    told: list[int] = []
    with pytest.raises(InputError, match=r"SWMM says: ERROR 107: no rain"):
        read_swmm(channel, progress=lambda done, due: told.append(done))
    assert not told


def _guarded(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let other code stand in for the guard."""
    usual = swmm_engine.subprocess.Popen

    def other(command, **how):
        return usual([command[0], "-c", code], **how)

    monkeypatch.setattr(swmm_engine.subprocess, "Popen", other)


def test_lines_without_a_meaning_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _guarded(monkeypatch, r"print('\nSWMM 5.2\nended\n0.25\nended 0', flush=True); input()")
    told: list[float] = []
    with swmm_engine.engine(tmp_path, "河道.inp", stride_s=60, told=told.append) as out:
        assert out == tmp_path / "model.out"
    assert told == [21600.0]


def test_a_guard_that_falls_silent_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(swmm_engine, "GRACE_S", 0.1)
    _guarded(monkeypatch, "import os, time; os.close(1); time.sleep(60)")
    with (
        pytest.raises(InputError, match=r"河道.inp: SWMM's engine fell silent, but did not end; run"),
        swmm_engine.engine(tmp_path, "河道.inp", stride_s=60, told=lambda seconds: None),
    ):
        pass


@needs_swmm
@posix
def test_interrupting_a_run_ends_the_engine(channel: Path, spare: Path, stand_in: Callable[[str], Path]):
    """Midway, in a run that would never end by itself."""
    pid = stand_in("")

    def interrupt(done: int, due: int) -> None:
        assert _lives(int(pid.read_text()))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_swmm(channel, progress=interrupt)
    assert not _lives(int(pid.read_text()))
    assert not list(spare.iterdir())


@needs_swmm
@posix
def test_an_engine_that_hangs_is_ended_and_told_of(
    channel: Path, hanging: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(swmm_engine, "STILL_S", 0.6)
    with pytest.raises(
        InputError, match=r"hangs: at its beginning it made no progress for 0.01 minutes; run"
    ):
        read_swmm(channel)
    assert not _lives(int((channel.parent / "pid").read_text()))
    assert not list(hanging.iterdir())


@needs_swmm
@posix
@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 128 + 15), ("SIGKILL", -9), ("SIGHUP", -1)])
def test_whoever_kills_an_import_leaves_neither_engine_nor_folder(
    channel: Path, hanging: Path, number: str, code: int
):
    """A polite kill, one outright that nothing can catch, and a terminal that closes, while the engine hangs in its own code.

    A terminal that closes tells every process in it.
    """
    script = f"from suyuan.io.models.swmm import read_swmm\nread_swmm({str(channel)!r})"
    pid = channel.parent / "pid"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        _wait_until(lambda: pid.is_file() and pid.read_text())
        assert [p.name[:12] for p in hanging.iterdir()] == ["suyuan-swmm-"]
        kill = os.killpg if number == "SIGHUP" else os.kill
        kill(process.pid, getattr(signal, number))
        assert process.wait(20.0) == code
    _wait_until(lambda: not list(hanging.iterdir()))
    assert not _lives(int(pid.read_text()))


@needs_swmm
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_an_engine_does_not_outlive_its_guard(channel: Path, hanging: Path, monkeypatch: pytest.MonkeyPatch):
    """The system may kill the guard alone, as where memory runs out."""
    monkeypatch.setattr(swmm_engine, "STILL_S", 10.0)  # else the hanging engine would end by itself in time
    pid = channel.parent / "pid"
    guards = _started(monkeypatch)

    def kill() -> None:
        _wait_until(lambda: pid.is_file() and pid.read_text())
        guards[0].kill()

    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill)
        with pytest.raises(InputError, match=r"SWMM's engine crashed \(signal 9\)"):
            read_swmm(channel)
        killed.result()
    _wait_until(lambda: not _lives(int(pid.read_text())))
    assert not list(hanging.iterdir())


def _started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen]:
    """Return a list that every guard is added to as it is started."""
    guards = []
    usual = swmm_engine.subprocess.Popen

    def kept(command, **how):
        guards.append(usual(command, **how))
        return guards[-1]

    monkeypatch.setattr(swmm_engine.subprocess, "Popen", kept)
    return guards


def _wait_until(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + 20.0
    while not is_so() and time.monotonic() < until:
        time.sleep(0.02)
    assert is_so()


def _lives(pid: int) -> bool:
    """Return whether a process is there and not only waits to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_without_the_toolkit_the_extra_is_named(channel: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(swmm_run.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'suyuan\[swmm\]'"):
        read_swmm(channel)


def test_a_model_that_does_not_last_is_refused(channel: Path):
    channel.write_text(CHANNEL.replace("END_TIME 06:00:00", "END_TIME 00:00:00"), "utf-8")
    with pytest.raises(InputError, match=r"ends 2024-07-01 00:00, which is not after its start"):
        swmm_run.span_of(read_inp(channel))


def test_report_steps_divide_the_bin_and_grow_with_the_model():
    day = swmm_run.Span(datetime(2024, 7, 1), datetime(2024, 7, 2), 900.0, 5.0)
    assert swmm_run.report_step(day, 900.0, size=(10, 10)) == 30
    assert swmm_run.report_step(day, 100.0, size=(10, 10)) == 50
    assert swmm_run.report_step(day, 10.0, size=(10, 10)) == 10
    assert swmm_run.report_step(day, 3600.0, size=(20_000, 20_000)) == 200
    with pytest.raises(InputError, match=r"bins of 0.5 s do not fit a run of 86400 s"):
        swmm_run.report_step(day, 0.5, size=(1, 1))


@needs_swmm
def test_of_waters_that_do_not_meet_the_largest_is_taken_or_the_one_asked_for(channel: Path):
    text = (
        CHANNEL.replace("[OUTFALLS]", "X 1 2 0 0 0\n[OUTFALLS]\nY 0 FREE NO")
        .replace("[WEIRS]", "XY X Y 50 0.013 0 0 0 0\n[WEIRS]")
        .replace("[CURVES]", "XY CIRCULAR 1 0 0 0 1\n[CURVES]")
        .replace("A FLOW Q FLOW", "X FLOW Q FLOW 1 1\nA FLOW Q FLOW")
    )
    channel.write_text(text, "utf-8")
    model = read_swmm(channel, bin_s=3600)
    assert len(model.network.reaches) == 5
    assert "A part of 1 link is not connected" in str(model.notes[0])
    assert "part='X'" in str(model.notes[0])
    small = read_swmm(channel, bin_s=3600, part="XY")
    assert [r.id for r in small.network.reaches] == ["XY"]
    with pytest.raises(InputError, match=r"'XZ', whose part is asked for, is neither"):
        read_swmm(channel, bin_s=3600, part="XZ")


@needs_swmm
def test_sections_and_units_that_were_not_read_are_noted(channel: Path):
    channel.write_text(
        CHANNEL.replace("FLOW_UNITS CMS\n", "") + "[NOTEBOOK]\nsomething\n[CONDUTS]\n", "utf-8"
    )
    notes = _said(read_swmm(channel, bin_s=3600))
    assert "The section [NOTEBOOK] is not one of SWMM's and was not read" in notes
    assert "[CONDUTS] is not one of SWMM's and was not read; [CONDUITS] may be meant" in notes
    assert "flows are CFS" in notes
