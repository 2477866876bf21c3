"""The demonstration in a folder that holds an earlier one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from suyuan import demo
from suyuan.asked import Ask
from suyuan.errors import InputError
from suyuan.synthetic import Event, demo_event

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass(frozen=True)
class Finished:
    """What the demonstration asks of a finished run, without the half minute that one takes."""

    files: tuple[Path, ...]

    @property
    def traced(self) -> Finished:
        return self

    @property
    def trace(self) -> Finished:
        return self

    findings = ()


def quickly(folder: Path, ask: Ask, *, out: Path, **_) -> Finished:
    """Write results that differ from seed to seed, as a trace of another county does, and add to the history."""
    (out / "figures").mkdir(parents=True, exist_ok=True)
    figure, page = out / "figures" / f"station-{ask.seed}.svg", out / "report.html"
    for path in (figure, page):
        path.write_text(f"of seed {ask.seed}", "utf-8")
    with (out / "history.jsonl").open("a", encoding="utf-8") as history:
        history.write(f"answer of seed {ask.seed}\n")
    return Finished((page, figure))


@pytest.fixture(scope="module")
def event() -> Event:
    return demo_event(np.random.default_rng(1))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, event: Event):
    monkeypatch.setattr(demo, "trace_folder", quickly)
    monkeypatch.setattr(demo, "demo_event", lambda _: event)


def demonstrate(folder: Path, seed: int, *, is_forced: bool = True) -> None:
    demo.demonstrate(folder, Ask(seed=seed), now=NOW, is_forced=is_forced, progress=lambda *_: None)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_demo_in_place_of_another_leaves_nothing_of_it_and_all_that_is_yours(tmp_path: Path):
    folder, fresh = tmp_path / "demo", tmp_path / "fresh"
    demonstrate(folder, 1)
    yours = ("notes.txt", "results/figures/mine.svg", "results/plan.csv")
    for name in yours:
        (folder / name).write_text("mine", "utf-8")
    outside = tmp_path / "outside.txt"
    outside.write_text("not of the demo", "utf-8")
    note = json.loads((folder / demo.NOTE).read_text("utf-8"))
    (folder / demo.NOTE).write_text(
        json.dumps({**note, "files": [*note["files"], "../outside.txt"]}), "utf-8"
    )
    demonstrate(folder, 2)
    demonstrate(fresh, 2)
    assert names(folder) == names(fresh) | set(yours)
    assert all((folder / name).read_text("utf-8") == "mine" for name in yours)
    assert (folder / "results" / "history.jsonl").read_text("utf-8") == "answer of seed 2\n"
    assert outside.is_file()


def test_a_demo_of_an_older_version_noted_nothing_and_loses_nothing(tmp_path: Path):
    demonstrate(tmp_path / "demo", 1)
    (tmp_path / "demo" / demo.NOTE).unlink()
    demonstrate(tmp_path / "demo", 2)
    assert "results/figures/station-1.svg" in names(tmp_path / "demo")


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b'{"files": [',
        b"\xff\xfe",
        b'["suyuan.toml"]',
        b"{}",
        b'{"files": "suyuan.toml"}',
        b'{"files": [1]}',
    ],
)
def test_a_damaged_list_of_what_the_demo_wrote_is_named_and_nothing_is_taken_away(
    tmp_path: Path, damaged: bytes
):
    folder = tmp_path / "demo"
    demonstrate(folder, 1)
    (folder / demo.NOTE).write_bytes(damaged)
    before = names(folder)
    with pytest.raises(InputError, match=rf"{demo.NOTE}: .* cannot be read .*; name a new folder"):
        demonstrate(folder, 2)
    assert names(folder) == before
    assert (folder / "results" / "report.html").read_text("utf-8") == "of seed 1"


def test_a_folder_that_is_no_demo_is_refused(tmp_path: Path):
    (tmp_path / "letter.txt").write_text("mine", "utf-8")
    for is_forced in (True, False):
        with pytest.raises(InputError, match="name a new folder"):
            demonstrate(tmp_path, 1, is_forced=is_forced)
    assert names(tmp_path) == {"letter.txt"}
