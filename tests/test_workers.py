"""Work shared out: the same whoever does it, and nobody is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import networks
import numpy as np
import pytest
from jobs_for_workers import dying, refusing, tenfold
from test_rolling import observed

from suyuan.errors import InputError
from suyuan.rolling import matrices_of
from suyuan.tracing.members import flow_members
from suyuan.workers import THREADS, Workers, shared_out


def cluster_of(count: int) -> Any:
    """Return a scheduler of dask with so many workers in this process, which talk to it as from another machine."""
    distributed = pytest.importorskip("distributed")
    return distributed.LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address=":0",
        silence_logs=50,
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with cluster_of(2) as two:
        yield two


@pytest.mark.parametrize(
    ("text", "what"),
    [("0", "workers is '0'"), ("two", "workers is 'two'"), ("tcp://host", "tcp://host"), ("-1", "'-1'")],
)
def test_who_is_to_work_is_a_number_or_an_address(text: str, what: str):
    with pytest.raises(InputError, match=what) as caught:
        Workers.of(text)
    assert "write a number of processes" in str(caught.value)


@pytest.mark.parametrize("workers", [THREADS, Workers(1)], ids=["threads", "one"])
def test_results_come_in_the_order_of_the_jobs(workers: Workers):
    assert list(shared_out(tenfold, range(7), workers=workers)) == [0, 10, 20, 30, 40, 50, 60]


@pytest.mark.parametrize("workers", [THREADS, Workers(2)], ids=["threads", "processes"])
def test_what_a_worker_refuses_is_refused_with_all_its_faults(workers: Workers):
    with pytest.raises(InputError) as caught:
        list(shared_out(refusing, range(5), workers=workers))
    (fault,) = caught.value.faults
    assert (fault.where, fault.row, fault.what, fault.remedy) == (
        "flow.nc",
        3,
        "a value is missing",
        "fill it",
    )


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_a_worker_that_is_killed_is_told_of_with_what_to_do():
    with pytest.raises(InputError, match=r"ended before its work was done.*fewer workers"):
        list(shared_out(dying, range(5), workers=Workers(2)))


SLEEPERS = """
import os, sys, time
from suyuan.workers import Workers, shared_out
def sleep(i):
    print(os.getpid(), flush=True)
    time.sleep(60)
if __name__ == "__main__":
    try:
        list(shared_out(sleep, range(4), workers=Workers(2)))
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_processes_end_with_the_one_that_started_them(tmp_path: Path, number: int, code: int):
    """Ctrl-C, which is caught, and a kill outright, which nothing can catch; two sleep for a minute."""
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS, "utf-8")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        children = [int(process.stdout.readline()) for _ in range(2)]
        assert all(_lives(child) for child in children)
        process.send_signal(number)
        assert process.wait(20.0) == code
    until = time.monotonic() + 10.0
    while any(_lives(child) for child in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(_lives(child) for child in children)


def _lives(pid: int) -> bool:
    """Return whether a process is there and not only waits to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_matrices_are_the_same_to_the_last_bit_whoever_computes_them(cluster: Any):
    network, flow = networks.loop()
    members = flow_members(network, flow, count=4, rng=np.random.default_rng(5))
    readings = observed(network, [30.0, 40.0, 47.0], [0.0, 7200.0, 0.0])
    heard: list[float] = []
    by_whom = (Workers(1), Workers(2), Workers(scheduler=cluster.scheduler_address))
    first, *others = (
        matrices_of(
            network,
            members,
            observations=readings,
            edges=flow.edges,
            progress=lambda _, share: heard.append(share),
            workers=workers,
        )
        for workers in (THREADS, *by_whom)
    )
    assert max(float(matrix.values.max()) for matrix in first) > 0.0
    for found in others:
        for ours, theirs in zip(first, found, strict=True):
            np.testing.assert_array_equal(ours.values, theirs.values)
            np.testing.assert_array_equal(ours.fraction, theirs.fraction)
            np.testing.assert_array_equal(ours.initial, theirs.initial)
    np.testing.assert_allclose(heard, 4 * [0.21, 0.36, 0.51, 0.66])


def test_what_a_worker_of_a_cluster_refuses_is_refused_here(cluster: Any):
    there = Workers(scheduler=cluster.scheduler_address)
    assert list(shared_out(tenfold, range(5), workers=there)) == [0, 10, 20, 30, 40]
    with pytest.raises(InputError, match=r"flow.nc, row 3: a value is missing; fill it"):
        list(shared_out(refusing, range(5), workers=there))


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_a_cluster_without_workers_or_that_loses_its_last_one_is_told_of():
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")  # before its settings are changed: they come with it
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), cluster_of(0) as none:
        there = Workers(scheduler=none.scheduler_address)
        with pytest.raises(InputError, match=r"has no worker.*dask worker tcp://127.0.0.1"):
            list(shared_out(tenfold, [1], workers=there))
        options = ("--no-nanny", "--no-dashboard", "--nthreads", "1", "--host", "127.0.0.1")
        command = [sys.executable, "-m", "distributed.cli.dask_worker", there.scheduler, *options]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(
            command, **quiet, env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        ) as worker:
            try:
                _wait_for_worker(there.scheduler)
                with pytest.raises(InputError, match=r"ended before their work was done.*fewer workers"):
                    list(shared_out(dying, [2], workers=there))
            finally:
                worker.kill()


def _wait_for_worker(address: str) -> None:
    import distributed

    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)


def test_an_address_where_no_scheduler_answers_is_refused(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("suyuan.workers.CONNECT_S", 0.5)
    with pytest.raises(InputError, match=r"no scheduler of dask answers at tcp://127.0.0.1:9"):
        list(shared_out(tenfold, [1], workers=Workers(scheduler="tcp://127.0.0.1:9")))


def test_workers_of_another_release_are_refused(cluster: Any, monkeypatch: pytest.MonkeyPatch):
    """Results must not hang on who did the work; here this thread is the odd one, and the workers are others."""

    def told(name: str) -> str:
        is_here = threading.current_thread() is threading.main_thread()
        return "9.9" if name == "numba" and is_here else version(name)

    monkeypatch.setattr("suyuan.workers.version", told)
    there = Workers(scheduler=cluster.scheduler_address)
    with pytest.raises(InputError, match=r"has numba .*, here it is 9.9; install the same versions"):
        list(shared_out(tenfold, [1], workers=there))
