"""Work shared out behind one call: to threads of this process, to processes of this machine, to a dask cluster.

Whoever does it, the results come in the order of the jobs and are the same to the last bit; on a cluster, where all machines
have like processors.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from suyuan.compiled import are_kept, can_keep
from suyuan.errors import InputError

T = TypeVar("T")
R = TypeVar("R")

KERNELS = "suyuan.transport"
"""The package whose kernels the work needs: they are compiled once, not by every worker."""

MOST_PROCESSES = 256

CONNECT_S = 10.0
"""How long a scheduler may take to answer."""

ALONE_S = 30.0
"""How long a cluster may be without any worker."""

SAME = ("suyuan", "numpy", "numba", "llvmlite")
"""Packages that must have the same version on all workers: else results would hang on who did the work."""

_ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://\S+:\d+")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workers:
    """Who does the work: a number of `processes`, or those behind the `scheduler` of dask.distributed; else two threads.

    One process is this one.
    """

    processes: int = 0
    scheduler: str = ""

    @classmethod
    def of(cls, text: str, *, where: str = "--workers") -> Workers:
        """Return what a user wrote: a number, an address, or nothing.

        >>> Workers.of("4").processes, Workers.of("tcp://10.0.0.7:8786").scheduler, Workers.of("") == THREADS
        (4, 'tcp://10.0.0.7:8786', True)
        """
        text = text.strip()
        if not text:
            return THREADS
        if text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_PROCESSES:
            return cls(processes=int(text))
        if _ADDRESS.fullmatch(text):
            return cls(scheduler=text)
        remedy = f"write a number of processes from 1 to {MOST_PROCESSES}, or a scheduler such as tcp://10.0.0.7:8786"
        raise InputError(where, f"workers is '{text}'", remedy)


THREADS = Workers()


def shared_out(work: Callable[[T], R], jobs: Sequence[T], *, workers: Workers = THREADS) -> Iterator[R]:
    """Yield what `work` returns for every job, in the order of the jobs, as soon as it is there.

    `work` and the jobs must be picklable where processes or a cluster do them. An error that one of them raises is raised here,
    and what is not yet begun is left undone; so it is on Ctrl-C, which ends the processes too. Raises InputError where a worker
    is lost. A script that asks for processes must keep its own work under `if __name__ == "__main__":`.

    >>> list(shared_out(abs, [-2, 3, -5]))
    [2, 3, 5]
    """
    if workers.scheduler:
        return _on_cluster(work, jobs, address=workers.scheduler)
    if workers.processes > 1 and len(jobs) > 1 and can_keep():
        return _in_processes(work, jobs, count=workers.processes)
    return _in_threads(work, jobs, count=workers.processes or 2)


def _in_threads(work: Callable[[T], R], jobs: Sequence[T], *, count: int) -> Iterator[R]:
    with ThreadPoolExecutor(count) as pool:
        yield from _in_order([pool.submit(work, job) for job in jobs])


def _in_order(futures: list[Future[R]]) -> Iterator[R]:
    """Yield results in order, and let go of each; whatever ends it early calls off what is not begun."""
    futures.reverse()
    try:
        while futures:
            yield futures.pop().result()
    finally:
        for future in futures:
            future.cancel()


# --- processes of this machine


def _in_processes(work: Callable[[T], R], jobs: Sequence[T], *, count: int) -> Iterator[R]:
    """Yield results of processes that end with this one, however it ends."""
    begun = 0 if are_kept(KERNELS) else 1
    yield from map(work, jobs[:begun])  # compiles and keeps the kernels, which the others then read
    with _lifeline() as (held, line):
        context = multiprocessing.get_context("spawn")  # a fork would copy threads' locks
        size = min(count, len(jobs) - begun)
        with ProcessPoolExecutor(size, mp_context=context, initializer=_end_with, initargs=(held,)) as pool:
            try:
                yield from _in_order([pool.submit(work, job) for job in jobs[begun:]])
            except BrokenProcessPool as error:
                what = f"one of {size} worker processes ended before its work was done"
                raise InputError("workers", what, _LOST) from error
            except BaseException:
                line.close()
                raise


_LOST = "nothing was written; it may have run out of memory or been killed: run again with fewer workers, or with none"


@contextmanager
def _lifeline() -> Iterator[tuple[Connection, Connection]]:
    """Yield two ends of a pipe: who holds the first hears when the second is closed, or its process has ended."""
    held, line = multiprocessing.Pipe(duplex=False)
    try:
        yield held, line
    finally:
        line.close()
        held.close()


def _end_with(held: Connection) -> None:
    """Let this process end as soon as the other end of the line is closed; Ctrl-C is for the one who holds that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        try:
            held.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


# --- a cluster


def _on_cluster(work: Callable[[T], R], jobs: Sequence[T], *, address: str) -> Iterator[R]:
    """Yield results of the workers behind a scheduler."""
    distributed = _distributed()
    with _connected(distributed, address) as client:
        _require_same(client, address)
        _compile_once(distributed, client, work=work, job=jobs[:1], address=address)
        futures = [client.submit(work, job, pure=False) for job in jobs]
        futures.reverse()
        try:
            while futures:
                yield _result(distributed, client, future=futures.pop(), address=address)
        finally:
            client.cancel(futures, force=True)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ImportError("workers behind a scheduler need dask: pip install 'suyuan[dist]'") from error
    return distributed


@contextmanager
def _connected(distributed: Any, address: str) -> Iterator[Any]:
    try:
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        what = f"no scheduler of dask answers at {address} ({str(error)[:80] or type(error).__name__})"
        raise InputError(
            "workers", what, "start one with 'dask scheduler', or correct the address"
        ) from error
    with client:
        yield client


def _versions() -> dict[str, str]:
    return {name: version(name) for name in SAME}


def _require_same(client: Any, address: str) -> None:
    """Raise InputError where there is no worker, or one with another version of what results hang on."""
    theirs, own = client.run(_versions, on_error="return"), _versions()
    if not theirs:
        remedy = f"start one with 'dask worker {address}'"
        raise InputError("workers", f"the scheduler at {address} has no worker", remedy)
    for worker, found in sorted(theirs.items()):
        if not isinstance(found, dict):
            raise InputError(
                "workers", f"the worker {worker} cannot import suyuan ({found})", "install suyuan there"
            )
        for name in SAME:
            if found[name] != own[name]:
                what = f"the worker {worker} has {name} {found[name]}, here it is {own[name]}"
                raise InputError("workers", what, "install the same versions everywhere")


def _compile_once(
    distributed: Any, client: Any, *, work: Callable[[T], R], job: Sequence[T], address: str
) -> None:
    """Let one worker of every machine on which kernels are not kept yet do a job, so that the others find them."""
    kept = client.run(are_kept, KERNELS)
    hosts = {worker.rpartition(":")[0] for worker, is_kept in kept.items() if not is_kept}
    firsts = [min(w for w in kept if w.rpartition(":")[0] == host) for host in sorted(hosts)]
    for future in [client.submit(work, one, pure=False, workers=[w]) for w in firsts for one in job]:
        _result(distributed, client, future=future, address=address)


def _result(distributed: Any, client: Any, *, future: Any, address: str) -> Any:
    """Return the result of a job, or InputError once no worker is left to do it."""
    alone_since = None
    while True:
        try:
            return future.result(timeout=1.0)
        except distributed.TimeoutError:
            if client.status != "running":
                what = f"the scheduler at {address} is gone"
                raise InputError("workers", what, "nothing was written; start it and run again") from None
            if client.scheduler_info()["workers"]:
                alone_since = None
                continue
            alone_since = alone_since or time.monotonic()
            if time.monotonic() - alone_since > ALONE_S:
                what = f"all workers of the scheduler at {address} are gone"
                raise InputError("workers", what, _LOST) from None
        except (distributed.KilledWorker, distributed.client.FutureCancelledError) as error:
            what = f"workers of the scheduler at {address} ended before their work was done ({error})"
            raise InputError("workers", what[:300], _LOST) from error
