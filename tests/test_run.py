"""What cannot end well is refused before the long work begins."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from suyuan.errors import InputError
from suyuan.io.new_project import new_project
from suyuan.run import Ask, trace_folder


@pytest.fixture
def river(tmp_path: Path) -> Path:
    new_project(tmp_path / "project")
    return tmp_path / "project" / "example"


def _heard_before_refusal(folder: Path, out: Path, *, match: str) -> list[str]:
    heard: list[str] = []
    with pytest.raises(InputError, match=match):
        trace_folder(
            folder,
            Ask(),
            out=out,
            now=datetime(2024, 8, 1, tzinfo=UTC),
            progress=lambda what, _: heard.append(what),
        )
    return heard


def test_results_that_cannot_be_written_are_refused_before_anything_is_read(river: Path, tmp_path: Path):
    (tmp_path / "taken").write_text("mine")
    assert _heard_before_refusal(river, tmp_path / "taken", match="is a file, not a folder") == []
    assert (
        _heard_before_refusal(river, tmp_path / "taken" / "results", match="cannot be written|in the way")
        == []
    )
    assert (tmp_path / "taken").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["project", "taken"]


def test_a_river_whose_traced_readings_all_failed_is_refused_before_water_is_followed(
    river: Path, tmp_path: Path
):
    table = river / "observations.csv"
    lines = table.read_text("utf-8").splitlines()
    failed = [line.replace(",mg/L,,1,", ",mg/L,,4,") if ",NH3-N," in line else line for line in lines]
    table.write_text("\n".join(failed) + "\n", "utf-8")
    heard = _heard_before_refusal(river, tmp_path / "out", match="no usable reading of NH3-N")
    assert "following the water back" not in heard
    assert not (tmp_path / "out").exists()


def test_the_prior_of_nobody_in_the_settings_is_the_one_that_is_used_and_printed(
    river: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("suyuan.run.MEMBERS", 1)  # the answer does not matter here
    settings = river / "suyuan.toml"
    settings.write_text(settings.read_text("utf-8").replace("[trace]", "[trace]\nnobody = 0.6"), "utf-8")
    now = datetime(2024, 8, 1, tzinfo=UTC)
    done = trace_folder(river, Ask(), out=tmp_path / "out", now=now, progress=lambda *_: None)
    found = done.traced.trace
    assert dict(found.assumptions)["prior of nobody"] == "0.6"
    assert found.prior_nobody >= 0.6
