"""The demonstration: an invented county with a nightly release, checked, traced, compared with the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.errors import InputError
from suyuan.io.check import check
from suyuan.io.synthetic_project import write_event
from suyuan.plot import percent
from suyuan.run import Ask, Done, Progress, trace_folder
from suyuan.synthetic import demo_event
from suyuan.tracing.result import Trace


def demonstrate(
    folder: Path, ask: Ask, *, now: datetime, is_forced: bool, progress: Progress
) -> tuple[Done, str]:
    """Write an invented county to `folder`, check and trace it; return that and the true answer.

    Raises InputError where the folder is in use, unless `is_forced` and it holds an earlier demonstration.
    """
    if folder.exists() and not (is_forced and (folder / "truth.json").is_file()):
        remedy = (
            "name a new folder" if is_forced else "name a new folder, or replace an earlier demo with --force"
        )
        raise InputError(str(folder), "the folder is there already", remedy)
    progress("inventing a county", 0.0)
    event = demo_event(np.random.default_rng(ask.seed))
    write_event(event, folder)
    progress("checking it", 0.0)
    found = check(folder)
    if found.faults:
        raise InputError.of(found.faults)
    done = trace_folder(folder, ask, out=None, now=now, progress=progress)
    return done, truth_words(event.truth.to_dict()["sources"], done.traced.trace)


def truth_words(sources: Sequence[Mapping[str, Any]], trace: Trace) -> str:
    """Return who really released, when and how much, and the rank and probability the trace gave it."""
    if not sources:
        return (
            f"The true answer: nobody released; the trace gave this {percent(trace.no_source_probability)}."
        )
    return "\n".join(f"The true answer: {_said(source, trace)}." for source in sources)


def _said(source: Mapping[str, Any], trace: Trace) -> str:
    released = (
        f"{source['candidate']} ({source['reach']} + {source['chainage_m']:.0f} m) released "
        f"{source['mass_kg']:.0f} kg of NH3-N ({source['shape']}) from {source['start']} to {source['end']}"
    )
    for rank, finding in enumerate(trace.findings, start=1):
        if finding.candidate.id == source["candidate"]:
            return f"{released}; the trace ranked it {rank} with {percent(finding.probability)}"
    return f"{released}; the trace did not list it"
