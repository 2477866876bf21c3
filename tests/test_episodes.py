"""Episodes in readings: planted ones are found with their size, quiet water has none, and the command traces them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import single_reach
from typer.testing import CliRunner, Result

from suyuan.asked import instant
from suyuan.cli import app
from suyuan.episodes import FEWEST, Watched, find_episodes
from suyuan.errors import InputError
from suyuan.flow import FlowField
from suyuan.io.flow import write_flow
from suyuan.io.network_writer import write_network
from suyuan.io.times import timezone_of

START = np.datetime64("2024-01-01T00:00:00")
HOUR = np.timedelta64(3600, "s")


def watched(value: np.ndarray, *, name: str = "NH3-N", step_h: float = 4.0) -> Watched:
    hours = np.arange(len(value)) * step_h
    time = START + np.round(hours * 3600.0).astype("timedelta64[s]")
    quiet = np.zeros(len(value), bool)
    return find_episodes(time, value, station="S", determinand=name, hour=hours % 24.0, is_suspect=quiet)


def quiet_water(seed: int = 1, months: int = 12) -> np.ndarray:
    """Return ammonia with a season, a course of the day and scatter that lasts for a day; nothing is released."""
    rng = np.random.default_rng(seed)
    rows = int(months * 182.6)
    hours = np.arange(rows) * 4.0
    noise = np.zeros(rows)
    for k in range(1, rows):
        noise[k] = 0.8 * noise[k - 1] + rng.normal(0.0, 0.09)
    season, day = np.sin(2 * np.pi * hours / 8766.0), np.sin(2 * np.pi * hours / 24.0)
    return 0.5 * np.exp(0.5 * season + 0.2 * day + noise)


def test_a_planted_episode_is_found_with_start_end_peak_and_size():
    value = quiet_water()
    rise = np.array([0.8, 1.6, 2.4, 1.6, 0.8])
    value[1000:1005] += rise
    found = watched(value).episodes
    assert len(found) == 1
    one = found[0]
    assert one.start == START + 4000 * HOUR
    assert one.end == START + 4016 * HOUR
    assert one.peak_time == START + 4008 * HOUR
    assert one.size == pytest.approx(np.trapezoid(rise, dx=4.0), rel=0.15)
    assert one.peak - one.baseline == pytest.approx(2.4, rel=0.15)
    assert one.hours == 16.0


def test_of_sixty_planted_episodes_nearly_all_are_found_and_few_others():
    """Episodes of a day that double quiet ammonia or more: at least 50 of 60, and no more than one other a year."""
    hits, others = 0, 0
    for seed in range(6):
        value, rng = quiet_water(seed), np.random.default_rng(seed)
        places = 100 + 190 * np.arange(10) + rng.integers(0, 60, 10)
        for at in places:
            value[at : at + 6] *= 1.0 + rng.uniform(1.0, 3.0) * np.sin(np.pi * (np.arange(6) + 0.5) / 6.0)
        found = watched(value).episodes
        rows = [round(float((one.peak_time - START) / HOUR) / 4.0) for one in found]
        mine = [any(at <= row < at + 6 for row in rows) for at in places]
        hits += sum(mine)
        others += sum(not any(at <= row < at + 6 for at in places) for row in rows)
    assert hits >= 50
    assert others <= 6


def test_quiet_water_has_as_few_episodes_as_its_mirror_image_says():
    """Ten years without any release: what is found is false, and the rate measured upside down is about the true one."""
    seen = [watched(quiet_water(seed)) for seed in range(10)]
    found, mirrored = sum(len(one.episodes) for one in seen), sum(one.false_alarms for one in seen)
    assert sum(one.months for one in seen) == pytest.approx(120.0, rel=0.01)
    assert found <= 24  # 0.2 a month
    assert abs(found - mirrored) <= 3.0 * np.sqrt(found + mirrored + 1.0)


@settings(max_examples=15, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(0, 100))
def test_episodes_do_not_hang_on_the_unit(factor: float, seed: int):
    value = quiet_water(seed, months=3)
    value[200:206] *= 4.0
    one, other = (
        watched(value, name="Ni"),
        watched(factor * value, name="Ni"),
    )  # no detection limit is known of nickel
    assert [e.start for e in one.episodes] == [e.start for e in other.episodes]
    assert one.episodes


def test_one_high_reading_is_a_spike_and_no_episode():
    value = quiet_water()
    value[1000] = 9.0
    assert watched(value).episodes == ()


def test_oxygen_has_its_episodes_below_the_baseline():
    rng = np.random.default_rng(2)
    value = 8.0 + rng.normal(0.0, 0.3, 600)
    value[300:304] = 2.0
    value[400:404] = 14.0
    seen = watched(value, name="DO")
    assert [one.peak for one in seen.episodes] == [2.0]
    assert seen.false_alarms == 1  # a rise is no episode: on the mirrored record it would be


def test_ammonia_below_detection_is_quiet():
    value = np.full(400, 0.025)
    value[200:203] = 0.03
    assert watched(value).episodes == ()


def test_readings_on_both_sides_of_a_long_gap_are_two_episodes():
    value = quiet_water(months=3)
    hours = np.arange(len(value)) * 4.0
    value[200:208] *= 5.0
    hours[204:] += 48.0
    time = START + np.round(hours * 3600.0).astype("timedelta64[s]")
    quiet = np.zeros(len(value), bool)
    seen = find_episodes(time, value, station="S", determinand="NH3-N", hour=hours % 24.0, is_suspect=quiet)
    assert len(seen.episodes) == 2


def test_minutes_are_followed_as_well_as_hours():
    rng = np.random.default_rng(1)
    value = 0.5 * np.exp(rng.normal(0.0, 0.05, 20 * 1440))
    value[14000:14090] *= 2.0
    found = watched(value, step_h=1.0 / 60.0).episodes
    assert [(one.readings, round(one.hours, 1)) for one in found] == [(90, 1.5)]


def test_determinands_that_may_be_wrong_on_either_side_have_none():
    with pytest.raises(InputError, match="pH may be wrong on either side"):
        watched(np.full(100, 7.0), name="pH")


def test_too_few_readings_have_no_baseline():
    with pytest.raises(InputError, match=f"NH3-N has 29 readings; a baseline needs at least {FEWEST}"):
        watched(np.full(29, 0.5))


def suyuan(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def canal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A canal of 3 m3/s, forty days: 2 mg/L above a baseline of 0.5 for 8 h on the last day but two."""
    folder = tmp_path_factory.mktemp("canal")
    network, flow = single_reach(hours=24 * 40)
    write_network(network, folder / "network.gpkg")
    write_flow(
        FlowField(flow.start, flow.edges, ("R",), flow.discharge_start, flow.discharge_end, flow.volume),
        folder / "flow.nc",
    )
    rng = np.random.default_rng(1)
    rows = ["time,station,determinand,value,unit"]
    value = 0.5 * np.exp(rng.normal(0.0, 0.03, 230))
    value[216:219] = 2.5
    for k, one in enumerate(value):
        time = str(np.datetime64("2024-07-20T00:00") + np.timedelta64(4 * k, "h"))
        rows += [f"{time},S,NH3-N,{one:.3f},mg/L", f"{time},S,pH,7.5,1"]
        if k < 20:
            rows.append(f"{time},S,TP,0.1,mg/L")
    (folder / "readings.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (folder / "suyuan.toml").write_text(
        '[project]\nname = "canal"\ntimezone = "Asia/Shanghai"\n[files]\nnetwork = "network.gpkg"\nflow = "flow.nc"\n'
        'observations = "readings.csv"\n',
        "utf-8",
    )
    return folder


def test_an_episode_has_its_mass_and_the_command_that_traces_it(canal: Path):
    done = suyuan("episodes", canal, "--json")
    assert done.exit_code == 0, done.output
    whole = json.loads(done.stdout)
    assert len(whole["episodes"]) == 1
    one = whole["episodes"][0]
    assert one["start"] == "2024-08-25T00:00:00+08:00"
    assert one["hours"] == 8.0
    assert one["size_kg"] == pytest.approx(2.0 * 8.0 * 3.0 * 3.6, rel=0.03)  # mg/L x h x m3/s
    assert whole["not_watched"] == ["S TP"]
    words = shlex.split(one["trace"])
    assert words[:3] == ["suyuan", "trace", str(canal)]
    since = instant(words[words.index("--since") + 1], timezone_of("UTC"), where="--since")
    until = instant(words[words.index("--until") + 1], timezone_of("UTC"), where="--until")
    assert since == np.datetime64("2024-08-21T16:00:00")  # three days earlier
    assert until > np.datetime64("2024-08-25T00:00:00")


def test_what_is_found_is_said_in_both_languages(canal: Path):
    english, chinese = suyuan("episodes", canal, "--lang", "en"), suyuan("episodes", canal, "--lang", "zh")
    assert english.stdout.startswith("1 episode listed, from 1 series")
    assert re.search(r"2\.50 mg/L +0\.(49|50|51)", english.stdout)
    assert "suyuan trace" in english.stdout
    assert "列出 1 个超基线过程" in chinese.stdout


def test_the_page_shows_readings_over_their_baseline(canal: Path, tmp_path: Path):
    done = suyuan("episodes", canal, "--out", tmp_path / "e")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "e/episodes.html").read_text("utf-8")
    assert page.count("<svg") == 1
    assert '<tspan class="zh">基线</tspan>' in page
    assert (tmp_path / "e/episodes.csv").read_text("utf-8-sig").count("\n") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--station", "T"), "'T' is not a station with readings"),
        (("--determinand", "moonlight"), "'moonlight' is not a known determinand"),
        (("--determinand", "pH"), "pH may be wrong on either side"),
        (("--determinand", "TP"), "no station has 30 readings"),
        (("--since", "2023-01-01", "--until", "2023-01-03"), "there are no readings between"),
        (("--since", "2190-01-01", "--until", "2190-01-03"), "in the future"),
        (("--since", "2024-08-03", "--until", "2024-08-01"), "is not before"),
    ],
)
def test_bad_questions_get_one_message(canal: Path, words: tuple[str, ...], said: str):
    done = suyuan("episodes", canal, *words)
    assert done.exit_code == 1
    assert said in done.stderr
    assert "Traceback" not in done.output
