"""Runs into the same folder hand on what they computed, and the answer is the one made from nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import networks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_transport_known_rows import assert_same
from typer.testing import CliRunner

from suyuan import rolling
from suyuan.asked import Ask
from suyuan.cli import app
from suyuan.follow import changes
from suyuan.io.digest import digest
from suyuan.io.new_project import new_project
from suyuan.io.row_store import read_rows
from suyuan.network import Network
from suyuan.observations import GOOD, Observations
from suyuan.rolling import STORE, Means, Rolled, keep, rolled_matrices
from suyuan.run import Done, trace_folder
from suyuan.tracing.members import FlowMember, flow_members

HOUR = 3600.0


def silent(what: str, share: float) -> None:
    """Hear nothing."""


def members_of(name: str) -> tuple[Network, tuple[FlowMember, ...]]:
    network, flow = networks.ALL[name]()
    return network, flow_members(network, flow, count=2, rng=np.random.default_rng(1))


WATERS = {name: members_of(name) for name in ("confluence", "loop", "gate")}


def observed(network: Network, hours: list[float], durations: list[float]) -> Observations:
    n, text = len(hours), np.full(len(hours), "")
    return Observations(
        time=networks.START + np.round(np.array(hours) * HOUR).astype("timedelta64[s]"),
        station=np.full(n, network.stations[0].id),
        determinand=np.full(n, "TP"),
        value=np.ones(n),
        qualifier=text,
        flag=np.full(n, GOOD, np.int8),
        duration_s=np.array(durations),
        sample_id=text,
    )


def rolled(
    name: str, hours: list[float], durations: list[float], *, store: Path | None
) -> tuple[Rolled, ...]:
    network, members = WATERS[name]
    edges = np.append(np.arange(0.0, max(hours) * HOUR, HOUR), max(hours) * HOUR)
    readings = observed(network, hours, durations)
    return rolled_matrices(
        network, members, observations=readings, edges=edges, progress=silent, by=Means(store=store)
    )


def spoil(store: Path, how: str, at: float) -> None:
    """Damage one file of the store, or take it away."""
    files = sorted(store.glob("*/*.npz"))
    path = files[int(at * len(files))]
    data = bytearray(path.read_bytes())
    place = int(at * len(data))
    if how == "bit":
        data[place] ^= 1 << (place % 8)
    path.write_bytes(data if how == "bit" else data[:place])
    if how == "gone":
        path.unlink()


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(sorted(WATERS)),
    steps=st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.0, 2.25]), min_size=1, max_size=4),
    faults=st.lists(st.sampled_from(["", "", "bit", "cut", "gone"]), min_size=4, max_size=4),
    at=st.floats(0.0, 0.999),
)
def test_with_a_store_however_damaged_the_matrices_are_those_made_from_nothing(name, steps, faults, at):
    with tempfile.TemporaryDirectory() as folder:
        store, now = Path(folder) / STORE, 5.0
        for step, fault in zip(steps, faults, strict=False):
            now += step
            hours = [*np.arange(1.0, now, 1.0), now]
            durations = [1800.0 * (i % 2) for i in range(len(hours))]
            found = rolled(name, hours, durations, store=store)
            for one, other in zip(found, rolled(name, hours, durations, store=None), strict=True):
                assert_same(one.matrix, other.matrix)
            kept = keep(found, store)
            assert kept.taken + kept.computed == 2 * len(hours)
            assert not kept.fault
            if fault:
                spoil(store, fault, at)


def test_after_one_more_hour_only_its_rows_are_computed_and_damage_is_said(tmp_path: Path):
    hours = [float(h) for h in range(1, 9)]
    assert keep(rolled("loop", hours, [0.0] * 8, store=tmp_path), tmp_path).computed == 16
    kept = keep(rolled("loop", [*hours, 9.0], [0.0] * 9, store=tmp_path), tmp_path)
    assert (kept.taken, kept.computed, kept.damaged) == (16, 2, 0)
    spoil(tmp_path, "bit", 0.0)
    kept = keep(rolled("loop", [*hours, 9.0], [0.0] * 9, store=tmp_path), tmp_path)
    assert kept.damaged == 1
    assert kept.computed in (1, 8)
    kept = keep(rolled("loop", [*hours, 9.0], [0.0] * 9, store=tmp_path), tmp_path)
    assert (kept.taken, kept.computed, kept.damaged) == (18, 0, 0)


def test_the_store_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rolling, "MOST_FILES", 3)
    for now in range(3, 12):
        keep(rolled("gate", [float(h) for h in range(1, now)], [0.0] * (now - 1), store=tmp_path), tmp_path)
        files = [len(list(folder.glob("*"))) for folder in tmp_path.iterdir()]
        assert len(files) == 2
        assert max(files) <= 3
    keep(rolled("gate", [1.0, 2.0], [0.0, 0.0], store=tmp_path), tmp_path)
    assert [len(read_rows(f).rows[0].receptors) for f in sorted(tmp_path.iterdir())] == [2, 2]
    keep(rolled("loop", [1.0, 2.0], [0.0, 0.0], store=tmp_path), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_other_water_is_another_digest_and_the_same_water_the_same():
    network, members = WATERS["loop"]
    first = members[0]

    def name(network: Network, member: FlowMember) -> str:
        return rolling.operator_digest(
            rolling.operator_of(network, member), rolling.candidate_sources(network)
        )

    same = name(network, first)
    assert name(*[networks.loop()[0], FlowMember(networks.loop()[1], 1.0)]) == same
    volume = first.flow.volume.copy()
    volume[3, 2] = np.nextafter(volume[3, 2], np.inf)
    others = [
        name(network, members[1]),
        name(network, replace(first, dispersion_factor=1.0 + 1e-9)),
        name(network, replace(first, flow=replace(first.flow, volume=volume))),
        name(
            replace(network, reaches=(*network.reaches[:-1], replace(network.reaches[-1], length_m=1100.5))),
            first,
        ),
    ]
    assert len({same, *others}) == 5
    assert digest(np.zeros(2)) != digest(np.zeros(2, np.float32))
    assert digest(ZoneInfo("Asia/Shanghai")) != digest(ZoneInfo("Asia/Tokyo"))
    with pytest.raises(TypeError):
        digest(object())


KILLED = """
import os, signal, sys
from pathlib import Path
import test_rolling
from suyuan.io import atomic, row_store
from suyuan import rolling
store, when = Path(sys.argv[1]), int(sys.argv[2])
count = 0
def dying(name, call):
    def inner(*args, **more):
        global count
        count += 1
        if count == when:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **more)
    return inner
for name in ("replace", "unlink", "touch"):
    setattr(Path, name, dying(name, getattr(Path, name)))
rolling.MOST_FILES = 1
test_rolling.keep(test_rolling.rolled("gate", [1.0, 2.0, 3.0], [0.0] * 3, store=store), store)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot kill outright")
@pytest.mark.parametrize("when", [1, 3, 4, 6, 8])
def test_a_run_killed_outright_while_it_keeps_rows_leaves_a_store_that_serves(tmp_path: Path, when: int):
    keep(rolled("gate", [1.0, 2.0], [0.0, 0.0], store=tmp_path), tmp_path)
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(when)]
    died = subprocess.run(command, cwd=Path(__file__).parent, check=False, timeout=120, capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    again = rolled("gate", [1.0, 2.0, 3.0], [0.0] * 3, store=tmp_path)
    for one, other in zip(again, rolled("gate", [1.0, 2.0, 3.0], [0.0] * 3, store=None), strict=True):
        assert_same(one.matrix, other.matrix)
    kept = keep(again, tmp_path)
    assert not kept.damaged
    assert not kept.fault
    assert kept.taken >= 4
    assert keep(rolled("gate", [1.0, 2.0, 3.0], [0.0] * 3, store=tmp_path), tmp_path).computed == 0


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights are other on Windows")
def test_where_rows_cannot_be_kept_the_answer_comes_and_it_is_said(tmp_path: Path):
    store = tmp_path / STORE
    store.write_text("in the way")
    kept = keep(rolled("gate", [1.0, 2.0], [0.0, 0.0], store=store), store)
    assert "cannot be written" in kept.fault
    assert "could not be kept" in rolling.kept_words(kept).en
    assert store.read_text() == "in the way"


@pytest.fixture
def river(tmp_path: Path) -> Path:
    """The example of `suyuan new` with readings up to some hour, so that more can come."""
    new_project(tmp_path / "project")
    folder = tmp_path / "project" / "example"
    text = (folder / "suyuan.toml").read_text("utf-8")
    (folder / "suyuan.toml").write_text(re.sub(r"(?m)^until.*$", "", text), "utf-8")
    (folder / "all.csv").write_text((folder / "observations.csv").read_text("utf-8"), "utf-8")
    return folder


def read_until(folder: Path, time: str) -> None:
    """Let the file of readings hold those up to this time."""
    lines = (folder / "all.csv").read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("2024") or line[:16] <= f"2024-{time}"]
    partial = folder / "partial.csv"
    partial.write_text("\n".join(kept) + "\n", "utf-8")
    partial.replace(folder / "observations.csv")


def run(folder: Path, out: Path, *, keeps_rows: bool = True) -> Done:
    now = datetime(2024, 8, 1, tzinfo=UTC)
    return trace_folder(folder, Ask(keeps_rows=keeps_rows), out=out, now=now, progress=silent)


def answer_in(out: Path) -> tuple[dict[str, object], bytes, bytes]:
    found = json.loads((out / "trace.json").read_text("utf-8"))
    found.pop("seconds")
    return found, (out / "ranking.csv").read_bytes(), (out / "release.csv").read_bytes()


def test_as_hours_of_readings_come_the_answer_is_the_one_without_a_store(
    river: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        "suyuan.ensemble.DRAWN", 4
    )  # seven traces; that both are the same does not hang on their number
    taken = []
    for hour in ("07-21T10:00", "07-21T11:00", "07-21T12:00"):
        read_until(river, hour)
        done = run(river, tmp_path / "rolling")
        run(river, tmp_path / "anew", keeps_rows=False)
        assert answer_in(tmp_path / "rolling") == answer_in(tmp_path / "anew")
        assert done.kept is not None
        taken.append(done.kept.taken / (done.kept.taken + done.kept.computed))
    assert taken[0] == 0.0
    assert min(taken[1:]) > 0.85
    assert not (tmp_path / "anew" / STORE).exists()
    history = [
        json.loads(line) for line in (tmp_path / "rolling/history.jsonl").read_text("utf-8").splitlines()
    ]
    assert [h["until"] for h in history] == [f"2024-07-21T{h:02}:00:00Z" for h in (2, 3, 4)]
    page = (tmp_path / "rolling/report.html").read_text("utf-8")
    assert "How the answer moved" in page
    assert "答案的变化" in page
    run(river, tmp_path / "rolling")
    assert len((tmp_path / "rolling/history.jsonl").read_text("utf-8").splitlines()) == 3


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_following_traces_again_when_readings_come_and_ends_cleanly_on_ctrl_c(river: Path, tmp_path: Path):
    read_until(river, "07-21T10:00")
    out = tmp_path / "followed"
    code = "import sys; from suyuan.cli import app; app()"
    words = ["trace", str(river), "--out", str(out), "--follow", "--every", "0.2", "--lang", "en"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            wait_for_lines(out / "history.jsonl", 1, process)
            (river / "observations.csv").write_text("time,station\nhalf", "utf-8")
            time.sleep(1.5)
            read_until(river, "07-21T11:00")
            wait_for_lines(out / "history.jsonl", 2, process)
            time.sleep(1.0)
            process.send_signal(signal.SIGINT)
            said, heard = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, heard.decode()
    assert b"Traceback" not in heard
    assert b"observations.csv" in heard
    assert b"taken from earlier runs" in said
    assert not list(out.rglob("*partial*"))
    run(river, tmp_path / "anew", keeps_rows=False)
    assert answer_in(out) == answer_in(tmp_path / "anew")


def wait_for_lines(path: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(2400):
        assert process.poll() is None, "it ended by itself"
        if path.exists() and path.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.1)
    pytest.fail(f"{path.name} has not {count} lines after four minutes")


def test_a_file_is_not_taken_while_it_is_being_written(river: Path, monkeypatch: pytest.MonkeyPatch):
    looks: list[float] = []
    table = river / "observations.csv"

    def write_on(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) in (2, 3, 4):
            table.write_text(table.read_text("utf-8") + "\n", "utf-8")

    monkeypatch.setattr("suyuan.follow.time.sleep", write_on)
    told = changes(river, every_s=30.0)
    assert next(told) == 0
    assert next(told) == 1
    assert looks == [30.0, 30.0, 2.0, 2.0, 2.0]


def test_two_runs_at_once_into_one_folder_spoil_nothing(river: Path, tmp_path: Path):
    read_until(river, "07-21T10:00")
    out, code = tmp_path / "both", "import sys; from suyuan.cli import app; app()"
    command = [sys.executable, "-c", code, "trace", str(river), "--out", str(out), "--keep", "--lang", "en"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    for process in both:
        _, heard = process.communicate(timeout=240)
        assert process.returncode == 0, heard.decode()
    done = run(river, out)
    assert done.kept is not None
    assert (done.kept.computed, done.kept.damaged) == (0, 0)
    told = CliRunner().invoke(app, ["history", str(river), "--out", str(out), "--json"])
    assert len(json.loads(told.stdout)) == 1
