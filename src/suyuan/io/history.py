"""The history of a results folder: history.jsonl, one line a run, only ever added to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.errors import InputError
from suyuan.tracing.history import Answer, Run

HISTORY = "history.jsonl"


def read_history(folder: Path) -> tuple[Answer, ...]:
    """Return the answers in the history of a results folder, in the order in which they were made; none if there is none.

    A line that is not whole, as a power cut leaves it, is passed over; so is a second answer to the same inputs, which two
    runs at the same time may have added.
    """
    try:
        lines = (folder / HISTORY).read_bytes().decode("utf-8", "replace").split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise InputError(
            str(folder / HISTORY), f"cannot be read ({error.strerror})", "check who may read it"
        ) from error
    found: dict[str, Answer] = {}
    for answer in map(_answer, lines):
        if answer is not None:
            found.setdefault(answer.run.inputs, answer)
    return tuple(found.values())


def append_answer(folder: Path, answer: Answer) -> None:
    """Add one line to the history in one write, after what two runs at once have written, and put it on disk."""
    path = folder / HISTORY
    text = json.dumps(answer_dict(answer), ensure_ascii=False) + "\n"
    try:
        is_cut_off = path.exists() and path.read_bytes()[-1:] not in {b"", b"\n"}
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            os.write(handle, ("\n" * is_cut_off + text).encode("utf-8"))
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        raise InputError(str(path), what, "free it, or choose another --out") from error


def answer_dict(answer: Answer) -> dict[str, Any]:
    """Return one line of the history as plain numbers and texts, times in UTC."""
    run = answer.run
    return {
        "made": f"{run.made}Z",
        "since": f"{run.since}Z",
        "until": f"{run.until}Z",
        "readings": run.readings,
        "seed": run.seed,
        "version": run.version,
        "determinand": answer.determinand,
        "nobody": round(answer.nobody, 6),
        "leading": [{"id": name, "probability": round(p, 6)} for name, p in answer.leading],
        "credible_set": list(answer.credible_set),
        "inputs": run.inputs,
    }


def _answer(line: str) -> Answer | None:
    """Return the answer that a line holds, None where it is no whole one."""
    try:
        held = json.loads(line, parse_constant=_no_number)
        made, since, until = (_instant(held[name]) for name in ("made", "since", "until"))
        run = Run(
            made,
            since,
            until,
            int(held["readings"]),
            int(held["seed"]),
            str(held["version"]),
            str(held["inputs"]),
        )
        leading = tuple((str(c["id"]), float(c["probability"])) for c in held["leading"])
        return Answer(
            run, str(held["determinand"]), float(held["nobody"]), leading, tuple(held["credible_set"])
        )
    except (ValueError, KeyError, TypeError):
        return None


def _no_number(word: str) -> float:
    """Refuse NaN and Infinity, which JSON does not know and no run writes."""
    raise ValueError(word)


def _instant(held: object) -> np.datetime64:
    return np.datetime64(str(held).removesuffix("Z"), "s")
