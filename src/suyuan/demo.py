"""The demonstration: an invented county with a nightly release, checked, traced, compared with the truth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.asked import Ask
from suyuan.errors import InputError
from suyuan.io.atomic import write_atomically
from suyuan.io.check import check
from suyuan.io.history import HISTORY
from suyuan.io.synthetic_project import NOTICE, TRUTH, write_event
from suyuan.plot import percent
from suyuan.run import Done, Progress, trace_folder
from suyuan.synthetic import demo_event
from suyuan.tracing.result import Trace

NOTE = "demo-files.json"
"""What a demonstration wrote, by names relative to its folder."""


def demonstrate(
    folder: Path, ask: Ask, *, now: datetime, is_forced: bool, progress: Progress
) -> tuple[Done, str]:
    """Write an invented county to `folder`, check and trace it; return that and the true answer.

    Raises InputError where the folder is in use, unless `is_forced` and it holds an earlier demonstration: of that the
    files go that it says it wrote, the history of its answers and its figures among them, and no others.
    """
    if folder.exists() and not (is_forced and (folder / TRUTH).is_file()):
        remedy = (
            "name a new folder" if is_forced else "name a new folder, or replace an earlier demo with --force"
        )
        raise InputError(str(folder), "the folder is there already", remedy)
    earlier = _earlier(folder)
    progress("inventing a county", 0.0)
    event = demo_event(np.random.default_rng(ask.seed))
    for path in earlier:
        path.unlink(missing_ok=True)
    written = write_event(event, folder)
    _note(folder, written)
    progress("checking it", 0.0)
    found = check(folder)
    if found.faults:
        raise InputError.of(found.faults)
    out = folder / "results"
    done = trace_folder(folder, ask, out=out, now=now, progress=progress)
    _note(folder, (*written, *done.files, out / HISTORY))
    return done, truth_words(event.truth.to_dict()["sources"], done.traced.trace)


def _note(folder: Path, files: Sequence[Path]) -> None:
    """Write down which files the demonstration wrote, so that the next one can take them away."""
    names = [path.relative_to(folder).as_posix() for path in files]
    with write_atomically(folder / NOTE) as partial:
        text = json.dumps({"notice": NOTICE, "files": names}, ensure_ascii=False, indent=1)
        partial.write_text(text + "\n", "utf-8")


def _earlier(folder: Path) -> list[Path]:
    """Return the files that an earlier demonstration noted; by TRUTH the folder is known, so that is not among them.

    Raises InputError where the note is not one that `_note` wrote.
    """
    note = folder / NOTE
    if not note.is_file():
        return []
    try:
        names = json.loads(note.read_text("utf-8"))["files"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError('"files" is no list of names')
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"the list of what the earlier demo wrote cannot be read ({type(error).__name__}: {error})"
        remedy = "name a new folder, or remove the list: then files of the earlier demo may stay"
        raise InputError(str(note), what, remedy) from error
    home = folder.resolve()
    paths = [folder / name for name in names if name != TRUTH]
    return [path for path in paths if path.is_file() and home in path.resolve().parents]


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
