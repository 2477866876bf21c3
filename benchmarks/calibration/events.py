"""One event drawn, traced in this process, and kept as one line of JSON; many of them in several processes."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import timedelta, timezone
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration.draw import Drawn, draw
from suyuan.ensemble import DRAWN as MEMBERS
from suyuan.errors import InputError
from suyuan.flow import balanced
from suyuan.io.project import USUAL_AT_NIGHT
from suyuan.network import Network
from suyuan.observations import pooled
from suyuan.qc import flag
from suyuan.rolling import matrices_of
from suyuan.run import POOLED_S, release_edges
from suyuan.substances import Substance, determinand
from suyuan.synthetic import Event
from suyuan.synthetic.forcing import CHINA_S
from suyuan.tracing.members import StillWater, flow_members, with_still_water
from suyuan.tracing.posterior import trace
from suyuan.tracing.prior import default_prior
from suyuan.tracing.result import Trace
from suyuan.tracing.shapes import Nights

Row = dict[str, Any]

NIGHTS = Nights(USUAL_AT_NIGHT, timezone(timedelta(seconds=CHINA_S)))

SEEDS_OF_TRACING = 999
"""Chance in tracing is not the chance of the drawing: its seeds end with this number."""


@dataclass(frozen=True, order=True)
class Key:
    """What an event depends on: the set it is of, the seed of the run, and its number in the set."""

    name: str
    seed: int
    number: int


def traced(
    event: Event, *, rng: np.random.Generator, members: int = MEMBERS, still: StillWater | None = None
) -> Trace:
    """Return the trace of an event as `suyuan trace` makes it of the same project, files left out."""
    network, observations = event.network, pooled(flag(event.observations), every_s=POOLED_S)
    measured = dict.fromkeys(observations.determinand.tolist())
    flow = balanced(event.flow, network)
    drawn = flow_members(network, flow, count=members, rng=rng)
    matrices = matrices_of(
        network,
        with_still_water(network, drawn, still=still, rng=rng),
        observations=observations,
        edges=release_edges(flow, (event.since, event.until)),
        progress=lambda _what, _share: None,
    )
    return trace(
        observations,
        matrices,
        substances=[
            Substance(determinand(name), per_day / 86400.0)
            for name, per_day in event.decay_per_day.items()
            if name in measured
        ],
        fingerprints=event.fingerprints,
        prior=default_prior(network, flow, nights=NIGHTS),
        rng=rng,
    )


def answered(key: Key, *, still: StillWater | None = None) -> Row:
    """Return the row of one event, drawn and traced; `still` water is drawn with the flow, if any."""
    drawn, began = draw(key.name, seed=key.seed, number=key.number), time.perf_counter()
    rng = np.random.default_rng([key.seed, key.number, SEEDS_OF_TRACING])
    found = traced(drawn.event, rng=rng, still=still)
    return row_of(key, drawn, found=found, seconds=time.perf_counter() - began)


def row_of(key: Key, drawn: Drawn, *, found: Trace, seconds: float) -> Row:
    """Return an event's key, truth and result, the latter two as the shared scorer reads them."""
    truth, result = drawn.event.truth.to_dict(), found.to_dict()
    kept = ("candidates", "credible_set", "no_source_probability", "effective_members")
    return {
        "set": key.name,
        "seed": key.seed,
        "number": key.number,
        "class": drawn.network_class,
        "truth": {**{k: truth[k] for k in ("sources", "n_outfalls", "n_reaches")}, "family": kind_of(truth)},
        "near": neighbours(drawn.event.network, (s["reach"] for s in truth["sources"])),
        "readings": drawn.event.observations.source,
        "result": {**{k: result[k] for k in kept if k in result}, "seconds": seconds},
    }


def kind_of(truth: Row) -> str:
    """Return what kind of event it is, in the words of the shared cases: quiet, two, unlisted, upstream or plain.

    >>> kind_of({"sources": [{"kind": "boundary"}]})
    'upstream'
    """
    kinds = [source["kind"] for source in truth["sources"]]
    if len(kinds) != 1:
        return "two" if kinds else "quiet"
    return {"outfall": "plain", "unlisted": "unlisted", "boundary": "upstream"}[kinds[0]]


def neighbours(network: Network, reaches: Iterable[str]) -> dict[str, list[str]]:
    """Return the reaches that share a node with each of `reaches`, itself included."""
    ends = {r.id: {r.from_node, r.to_node} for r in network.reaches}
    return {reach: sorted(other for other in ends if ends[other] & ends[reach]) for reach in reaches}


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file of results, the last of each key; a line that a kill left unfinished is passed over."""
    rows: dict[Key, Row] = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        rows[Key(row["set"], row["seed"], row["number"])] = row
    return [rows[key] for key in sorted(rows)]


def run(keys: Sequence[Key], path: Path, *, workers: int, still: StillWater | None = None) -> None:
    """Trace the events that `path` does not hold yet and append each as it is done; nothing else is ever lost."""
    held = {Key(row["set"], row["seed"], row["number"]) for row in read_rows(path)}
    todo = [key for key in keys if key not in held]
    path.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with path.open("a+b") as file:
        _end_line(file)
        for done, (key, row) in enumerate(_answers(todo, workers, still=still), start=1):
            if isinstance(row, InputError):
                print(f"{key}: not traced: {row}", file=sys.stderr)
                continue
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            file.flush()
            left = (time.perf_counter() - began) / done * (len(todo) - done) / 60.0
            print(f"{done}/{len(todo)} {key.name} {key.number}, {left:.0f} min left", file=sys.stderr)


def _answers(
    keys: Sequence[Key], workers: int, *, still: StillWater | None
) -> Iterator[tuple[Key, Row | InputError]]:
    """Yield rows as they are done; the error in place of one that cannot be traced."""
    if workers <= 1:
        yield from ((key, _answered(key, still)) for key in keys)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes share the cores among themselves
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(_answered, key, still): key for key in keys}
        for future in as_completed(waiting):
            yield waiting.pop(future), future.result()


def _answered(key: Key, still: StillWater | None) -> Row | InputError:
    try:
        return answered(key, still=still)
    except InputError as error:
        return error


def _end_line(file: Any) -> None:
    """Write an end of line where a kill left the last line without one."""
    size = file.seek(0, os.SEEK_END)
    if size:
        file.seek(size - 1)
        if file.read(1) != b"\n":
            file.write(b"\n")
