"""What cannot end well is refused before the long work begins."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tracing_worlds as worlds

from suyuan.asked import Ask
from suyuan.errors import InputError
from suyuan.io.flow import read_flow
from suyuan.io.flow_members import write_flow_members
from suyuan.io.new_project import new_project
from suyuan.io.project import read_project
from suyuan.observations import FAIL, MISSING
from suyuan.rolling import matrices_of
from suyuan.run import prepare, trace_folder
from suyuan.tracing.counts import COUNT_TEMPERATURE
from suyuan.tracing.members import FlowMember


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


def test_readings_are_counted_as_given_beside_the_means_they_were_averaged_to(river: Path):
    """73 hourly times at S1 and 19 four-hourly ones at S2, three determinands each, two of them flagged away; three hours
    hold three of the hourly readings, so 25 means at S1 and 19 at S2."""
    table = river / "observations.csv"
    lines = table.read_text("utf-8").splitlines()
    bad = [i for i, line in enumerate(lines) if ",S2,EC," in line][:2]
    for i in bad:
        assert ",uS/cm,,1," in lines[i]
        lines[i] = lines[i].replace(",uS/cm,,1,", ",uS/cm,,4,")
    table.write_text("\n".join(lines) + "\n", "utf-8")
    ready = prepare(read_project(river), Ask(), progress=lambda *_: None)
    assert ready.readings == 3 * (73 + 19) - 2
    assert int(ready.observations.is_usable.sum()) == 3 * (25 + 19) - 2


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


def test_composites_that_began_before_the_flow_are_counted_as_readings_not_as_their_parts(
    river: Path, tmp_path: Path
):
    """One sample of 72 h, read for three determinands, began a day before the flow: eight of its 24 parts lie outside."""
    table = river / "observations.csv"
    first = "2024-07-20T00:00:00+08:00,S1,"
    lines = table.read_text("utf-8").splitlines()
    drawn = [line.replace(",0.0,", ",259200,") if line.startswith(first) else line for line in lines]
    table.write_text("\n".join(drawn) + "\n", "utf-8")
    said = (
        "observations.csv: the flow runs from 2024-07-18T00:00:00+08:00 to 2024-07-23T00:00:00+08:00 and does not "
        "cover 3 of the 276 readings, first NH3-N at 'S1' at 2024-07-20T00:00:00+08:00 (composite sample of 72 h); "
        "extend the flow"
    )
    heard = _heard_before_refusal(river, tmp_path / "out", match=re.escape(said))
    assert "following the water back" not in heard


def test_readings_that_are_not_used_are_not_followed_back_through_the_network():
    """Of hourly readings at two stations for 73 hours, those of T were rejected and one hour of S was not read."""
    world = worlds.meeting()
    given = worlds.read(world, {})
    flag = np.where(given.station == "T", FAIL, given.flag).astype(np.int8)
    value = np.where(given.time == given.time.min(), np.nan, given.value)
    flag[np.isnan(value)] = MISSING
    (matrix,) = matrices_of(
        world.network,
        (FlowMember(world.flow, 1.0),),
        observations=replace(given, flag=flag, value=value),
        edges=world.matrix.edges,
        progress=lambda _, __: None,
    )
    assert len(matrix.receptors) == 72
    assert set(matrix.receptors.station) == {"S"}


def test_a_window_that_would_fill_the_memory_is_refused_before_water_is_followed(
    river: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The example is 72 hours long."""
    monkeypatch.setattr("suyuan.limits.MOST_HOURS", 71)
    heard = _heard_before_refusal(
        river, tmp_path / "out", match="the window is 72 hours long, more than the 71"
    )
    assert heard == ["reading the project"]
    monkeypatch.setattr("suyuan.limits.MOST_HOURS", 72)
    monkeypatch.setattr("suyuan.limits.MOST_RECEPTORS", 10)
    heard = _heard_before_refusal(
        river, tmp_path / "out", match="more than the 10 that fit.*name fewer stations"
    )
    assert heard == ["reading the project"]


def test_the_priors_in_the_settings_are_those_that_are_used_and_printed(
    river: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("suyuan.ensemble.DRAWN", 1)  # the answer does not matter here
    settings = river / "suyuan.toml"
    settings.write_text(
        settings.read_text("utf-8").replace("[trace]", "[trace]\nnobody = 0.6\nunlisted = 0.05"), "utf-8"
    )
    now = datetime(2024, 8, 1, tzinfo=UTC)
    done = trace_folder(river, Ask(), out=tmp_path / "out", now=now, progress=lambda *_: None)
    found = done.traced.trace
    said = {a.name: a.value for a in found.assumptions}
    assert said["prior of nobody"] == "0.6"
    assert said["prior share of unlisted sources among single ones"] == "0.05"
    assert said["evidence for a second source divided by"] == f"{COUNT_TEMPERATURE:.2f}"
    assert found.prior_nobody >= 0.6


def _with_members(river: Path, *, moved_h: int = 0) -> None:
    """Give the example two more flows, one slower and one quicker, so many hours later than they were."""
    given = read_flow(river / "flow.csv", timezone="Asia/Shanghai")
    given = replace(given, start=given.start + np.timedelta64(moved_h, "h"))
    flows = (replace(given, volume=share * given.volume) for share in (1.15, 0.87))
    write_flow_members(flows, river / "members.nc", names=["slow", "quick"])
    settings = river / "suyuan.toml"
    text = settings.read_text("utf-8")
    settings.write_text(text.replace("[files]", '[files]\nflow_members = "members.nc"'), "utf-8")


def test_a_trace_with_given_members_says_how_many_count_and_where_they_differ(river: Path, tmp_path: Path):
    _with_members(river)
    now = datetime(2024, 8, 1, tzinfo=UTC)
    done = trace_folder(river, Ask(lang="en"), out=tmp_path / "out", now=now, progress=lambda *_: None)
    said = json.loads((tmp_path / "out" / "trace.json").read_text("utf-8"))
    (note,) = [text for text in said["notes"] if text.startswith("Flow: ")]
    assert note.startswith("Flow: 3 flows used, 2 members given; after the readings they count as ")
    assert sorted(said["flow_members"]) == ["flow", "quick", "slow"]
    assert sum(said["flow_members"].values()) == pytest.approx(1.0 - said["no_source_probability"])
    assert said["members"] == 3
    page = done.files[0].read_text("utf-8")
    assert "给定 2 个成员，共使用 3 个流场" in page


def test_members_of_other_days_than_the_readings_are_refused_before_water_is_followed(
    river: Path, tmp_path: Path
):
    _with_members(river, moved_h=240)
    match = "member 'slow': its 120 bins run from .*those of the flow 120 bins"
    assert "following the water back" not in _heard_before_refusal(river, tmp_path / "out", match=match)
    settings = river / "suyuan.toml"
    settings.write_text(settings.read_text("utf-8").replace('flow = "flow.csv"', ""), "utf-8")
    match = "the flow runs from .* and does not cover .* of the .* readings"
    assert "following the water back" not in _heard_before_refusal(river, tmp_path / "out", match=match)
    settings.write_text(settings.read_text("utf-8").replace('flow_members = "members.nc"', ""), "utf-8")
    assert _heard_before_refusal(
        river, tmp_path / "out", match="no flow is named; write flow = .*flow_members"
    ) == ["reading the project"]


def test_workers_that_cannot_be_are_refused_at_once():
    with pytest.raises(InputError, match="--workers: workers is 'many'"):
        Ask(workers="many")
