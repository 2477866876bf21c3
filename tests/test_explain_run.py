"""suyuan explain: what an inspector types, what is said and why, what is refused, and what is left on disk."""

from __future__ import annotations

import csv
import json
import re
import shutil
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
from explain_tables import RECORD, project_with, rows_of
from networks import flow_of
from typer.testing import CliRunner, Result

from suyuan.cli import app
from suyuan.explain.water import added_by, travel_hours, wetness
from suyuan.flow import FlowField
from suyuan.io.flow import write_flow
from suyuan.io.network_writer import write_network
from suyuan.io.rain import read_rain
from suyuan.network import Network, Node, Outfall, Reach, Station

ROWS = 240  # forty days


def suyuan(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def columns() -> dict[str, np.ndarray]:
    """Return forty days of two waters, more of the second in the last ten days; oxygen demand of another origin."""
    rng = np.random.default_rng(1)
    share = np.clip(rng.uniform(0.0, 0.6, ROWS) + 0.4 * (np.arange(ROWS) >= 180), 0.0, 1.0)
    return {
        "EC": 500.0 + 400.0 * share,
        "TN": 2.0 + 3.0 * share,
        "TP": 0.1 + 0.2 * share,
        "CODMn": rng.uniform(3.0, 5.0, ROWS),
    }


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = '[sections."桥"]\nnames = ["大桥"]\n'
    return project_with(tmp_path_factory.mktemp("bridge"), columns(), settings=settings)


LAST = ("--since", "2024-07-31", "--until", "2024-08-09")


def test_one_sentence_says_what_moved_and_why_in_both_languages(bridge: Path):
    english = suyuan("explain", bridge, "桥", *LAST, "--determinand", "TN", "--lang", "en")
    chinese = suyuan("explain", bridge, "桥", *LAST, "--determinand", "总氮", "--lang", "zh")
    assert english.exit_code == chinese.exit_code == 0, english.output
    first = english.stdout.splitlines()[0]
    assert first.startswith("桥, 2024-07-31 00:00 to 2024-08-09 23:59: TN rose by 1.")
    assert "by mixing of two waters, by EC (first / second water: EC 5" in first
    assert "against 2024-07-21 00:00 to 2024-07-30 23:59" in first
    assert "TN 比 2024-07-21 00:00 至 2024-07-30 23:59 升高 1." in chinese.stdout
    assert "两种水的混合，以 EC 为证" in chinese.stdout
    assert "不说明谁排放了什么，也不排除有人排放" in chinese.stdout
    assert "acquits nobody" in " ".join(english.stdout.split())


def test_json_holds_parts_that_add_up(bridge: Path):
    found = json.loads(suyuan("explain", bridge, "桥", *LAST, "--json").stdout)
    assert {one["determinand"] for one in found["changes"]} == {"TN", "TP", "CODMn"}
    for change in found["changes"]:
        parts = sum(part["value"] for part in change["parts"] if part["possible"])
        assert parts == pytest.approx(change["after"] - change["before"], abs=1e-12)
        assert all(part["possible"] or part["why_not"]["en"] for part in change["parts"])
    assert found["mixing"]["found"]
    assert found["residual"] == ["CODMn"]
    assert found["within"] is False


def test_the_same_question_gets_the_same_answer(bridge: Path):
    one, two = (suyuan("explain", bridge, "桥", *LAST, "--json").stdout for _ in range(2))
    assert one == two


def test_a_station_is_known_by_its_other_name(bridge: Path):
    found = json.loads(suyuan("explain", bridge, "大桥", *LAST, "--determinand", "TN", "--json").stdout)
    assert found["station"] == "桥"


def test_the_page_opens_offline_and_holds_waterfall_mixture_and_series(bridge: Path, tmp_path: Path):
    done = suyuan("explain", bridge, "桥", *LAST, "--out", tmp_path / "why", "--lang", "en")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "why/explain.html").read_text("utf-8")
    assert page.count("<svg") == 5  # three waterfalls, the mixture, the series
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert '<tspan class="zh">两种水混合</tspan><tspan class="en">mixing</tspan>' in page
    with (tmp_path / "why/parts.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 27
    assert {row["part"] for row in rows if row["why_not"]} >= {"saturation", "upstream"}


def test_rain_from_a_table_is_a_driver_and_had_it_not_rained_is_told(tmp_path: Path):
    rng = np.random.default_rng(1)
    day = np.arange(ROWS) // 6
    fallen = np.where((day >= 30) & (day % 2 == 0), 20.0, 0.0) + np.where(
        (day < 30) & (day % 7 == 0), 20.0, 0.0
    )
    times = np.datetime64("2024-07-01T00:00") + np.arange(ROWS) * np.timedelta64(4, "h")
    daily = np.where(np.arange(ROWS) % 6 == 0, fallen, 0.0)
    value = 0.5 * np.exp(0.2 * np.log1p(wetness(times, times, rain_mm=daily))) + rng.normal(0.0, 0.005, ROWS)
    folder = project_with(tmp_path / "p", {"NH3-N": value})
    written = [f"{str(t).replace('T', ' ')},{mm}" for t, mm in zip(times, daily, strict=True)]
    (tmp_path / "rain.csv").write_text("时间,雨量\n" + "\n".join(written) + "\n", "utf-8")
    said = suyuan("explain", folder, "桥", *LAST, "--rain", tmp_path / "rain.csv", "--lang", "en")
    assert said.exit_code == 0, said.output
    dry = re.search(r"Had it not rained, the mean of NH3-N would be ([0-9.]+)", said.stdout)
    assert dry is not None
    assert float(dry[1]) == pytest.approx(0.5, abs=0.03)


def test_twenty_years_of_hourly_rain_count_less_by_e_a_day():
    """175,200 rows for 43,800 readings: held against each other they would take 61 GB."""
    rng = np.random.default_rng(1)
    fell = np.datetime64("2004-07-01T00:00:00") + np.cumsum(rng.integers(1, 3, 175_200)) * np.timedelta64(
        1, "h"
    )
    mm = rng.exponential(0.2, len(fell))
    time = fell[0] + np.arange(-5, 43_795) * np.timedelta64(4, "h")
    some = time[::197]
    age = np.maximum((some[:, None] - fell[:20_000]) / np.timedelta64(1, "D"), 0.0)
    known = some <= fell[19_999]
    whole = np.where(some[:, None] >= fell[:20_000], np.exp(-age), 0.0) @ mm[:20_000]
    np.testing.assert_allclose(wetness(time, fell, rain_mm=mm)[::197][known], whole[known], atol=1e-9)


def test_a_blank_row_of_rain_is_not_a_dry_one(tmp_path: Path):
    (tmp_path / "rain.csv").write_text(
        "time,rain_mm\n2024-07-02 00:00,\n2024-07-01 00:00,10\n2024-07-06 00:00,5\n", "utf-8"
    )
    days, mm = read_rain(tmp_path / "rain.csv", UTC)
    found = wetness(np.array(["2024-07-01", "2024-07-03", "2024-07-06"], "datetime64[s]"), days, rain_mm=mm)
    assert np.isnan(found).tolist() == [False, True, False]
    assert found[2] == pytest.approx(5.0 + 10.0 * np.exp(-5.0))


def test_water_from_the_station_above_is_a_part(tmp_path: Path):
    rng = np.random.default_rng(1)
    above = 0.5 * np.exp(np.convolve(rng.normal(0.0, 0.3, ROWS + 8), np.ones(9) / 3.0, "valid"))
    above[180:] *= 2.0
    below = np.concatenate([above[:2], above[:-2]])
    folder = project_with(tmp_path, {"NH3-N": below})
    rows = (folder / "readings.csv").read_text("utf-8").splitlines()
    theirs = project_with(tmp_path / "above", {"NH3-N": above}, station="上桥") / "readings.csv"
    (folder / "readings.csv").write_text(
        "\n".join([*rows, *theirs.read_text("utf-8").splitlines()[1:]]) + "\n", "utf-8"
    )
    found = json.loads(suyuan("explain", folder, "桥", *LAST, "--upstream", "上桥", "--json").stdout)
    change = found["changes"][0]
    part = next(one for one in change["parts"] if one["part"] == "upstream")
    assert change["upstream"] == "上桥"
    assert part["value"] == pytest.approx(change["change"], rel=0.1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("桥", *LAST, "--determinand", "moonlight"), "'moonlight' is not a known determinand"),
        (("桥", *LAST, "--determinand", "pH"), "pH is evidence for what happens to others"),
        (("桥", *LAST, "--determinand", "TOC"), "there is no reading of TOC"),
        (("桥头", *LAST), "'桥头' is not a station with readings; did you mean '桥'?"),
        (("桥", "--since", "2023-01-01", "--until", "2023-01-05"), "桥 has 0 times with readings"),
        (
            ("桥", "--since", "2024-07-31T00:00", "--until", "2024-07-31T09:00"),
            "桥 has 3 times with readings",
        ),
        (("桥", "--since", "2999-01-01", "--until", "2999-01-05"), "is not a time"),
        (("桥", "--since", "2190-01-01", "--until", "2190-01-05"), "which is in the future"),
        (("桥", "--since", "2024-08-09", "--until", "2024-08-01"), "is not before"),
        (("桥", "--since", "soon"), "'soon' is not a time"),
        (("桥", *LAST, "--against", "2024-07-05"), "'2024-07-05' is not a period"),
        (("桥", *LAST, "--against", "2024-08-01..2024-08-02"), "overlaps the period asked about"),
        (
            ("桥", *LAST, "--against", "2024-01-01..2024-01-05", "--determinand", "TN"),
            "0 in the one before it",
        ),
        (("桥", *LAST, "--upstream", "大桥"), "'大桥' is the station itself"),
        (("桥", *LAST, "--rain", "nowhere.csv"), "nowhere.csv"),
        ((), "no station is named"),
        (("--between", "桥", "大桥"), "'桥' is named twice, under one name or two"),
        (("--between", "桥", ","), "no station is named on one side"),
        (("桥", "--between", "桥", "大桥"), "takes no STATION"),
        (("--between", "桥", "大桥", "--determinand", "EC"), "EC is in uS/cm, of which there is no load"),
    ],
)
def test_bad_questions_get_one_message(bridge: Path, words: tuple[str, ...], said: str):
    done = suyuan("explain", bridge, *words)
    assert done.exit_code == 1
    assert said in done.stderr
    assert "; " in done.stderr
    assert "Traceback" not in done.output


def test_a_station_whose_readings_are_all_missing_is_refused(tmp_path: Path):
    folder = project_with(tmp_path, columns())
    with (folder / "readings.csv").open("a", encoding="utf-8") as file:
        file.write("2024-07-01 00:00,空桥,TN,,mg/L\n")
    done = suyuan("explain", folder, "空桥")
    assert done.exit_code == 1
    assert "all its readings are missing" in done.stderr
    assert "Traceback" not in done.output


def test_a_balance_without_network_says_that_readings_alone_have_no_load(bridge: Path, tmp_path: Path):
    folder = project_with(tmp_path, columns())
    text = (folder / "readings.csv").read_text("utf-8")
    (folder / "readings.csv").write_text(text + text.partition("\n")[2].replace(",桥,", ",下桥,"), "utf-8")
    done = suyuan("explain", folder, "--between", "桥", "下桥")
    assert done.exit_code == 1
    assert "the project has no network, so no load can be known" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,rain_mm\n2024-07-01 00:00,-3\n", "rain_mm is -3, which cannot be"),
        ("time,rain_mm\n2024-07-01 00:00,\n", "there is no row with rain"),
        ("time,rain_mm\n2024-07-01 00:00,1\n2024-07-01 00:00,2\n", "a time is there twice"),
        ("time,rain_mm\nyesterday,1\n", "time 'yesterday' cannot be read"),
    ],
)
def test_a_table_of_rain_with_faults_is_refused(bridge: Path, tmp_path: Path, text: str, said: str):
    (tmp_path / "rain.csv").write_text(text, "utf-8")
    done = suyuan("explain", bridge, "桥", *LAST, "--rain", tmp_path / "rain.csv")
    assert done.exit_code == 1
    assert said in done.stderr


def test_readings_without_anything_before_are_held_against_themselves(bridge: Path):
    found = json.loads(
        suyuan("explain", bridge, "桥", "--since", "2024-07-01", "--until", "2024-07-05", "--json").stdout
    )
    assert found["within"] is True
    assert found["against"] is None
    assert {note["code"] for note in found["notes"]} >= {"within", "accuses_nobody"}


def test_until_alone_asks_about_the_week_before_it(bridge: Path):
    found = json.loads(suyuan("explain", bridge, "桥", "--until", "2024-07-31", "--json").stdout)
    alone = json.loads(
        suyuan("explain", bridge, "桥", "--since", "2024-07-25", "--until", "2024-07-31", "--json").stdout
    )
    assert found["until"] == alone["until"]
    assert found["changes"] == alone["changes"]


def network_of_two() -> Network:
    """Return a canal in two reaches, a station on each, and an outfall between them."""
    return Network(
        (Node("A", "boundary"), Node("J"), Node("B", "outlet")),
        (Reach("R1", "A", "J", 3600.0), Reach("R2", "J", "B", 3600.0)),
        outfalls=(Outfall("O1", "R2", 600.0),),
        stations=(Station("up", "R1", 1800.0), Station("down", "R2", 1800.0)),
    )


def test_travel_is_volume_over_discharge_and_only_downstream():
    network = network_of_two()
    flow = flow_of(network, np.full((24, 2), 5.0), np.full((25, 2), 18000.0))  # an hour a reach
    assert travel_hours(network, flow, to=network.station("down")) == {"up": pytest.approx(1.0)}
    assert travel_hours(network, flow, to=network.station("up")) == {}
    back = flow_of(network, np.full((24, 2), -5.0), np.full((25, 2), 18000.0))
    assert travel_hours(network, back, to=network.station("up")) == {"down": pytest.approx(1.0)}


@pytest.mark.parametrize("minutes", [0, 30, 47])
def test_a_release_comes_down_whenever_the_hours_of_its_trace_begin(minutes: int):
    """3 g/s into 5 m3/s are 0.6 g/m3, whether the trace and the flow count the same hours or not."""
    network = network_of_two()
    flow = flow_of(network, np.full((24, 2), 5.0), np.full((25, 2), 18000.0))
    begins = (
        flow.start + np.timedelta64(minutes, "m") + np.arange(4, 16) * np.timedelta64(3600, "s")
    ).astype("datetime64[s]")
    time = np.array([flow.start + np.timedelta64(12, "h")], "datetime64[s]")
    found = added_by(
        network,
        flow,
        station=network.station("down"),
        time=time,
        releases={"O1": (begins, np.full(12, 3.0))},
    )
    assert found["O1"][0] == pytest.approx(0.6, rel=0.02)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A canal with forty days of hourly flow, and the result of a trace that is sure of two days' release from O1."""
    folder = tmp_path_factory.mktemp("traced")
    network = network_of_two()
    write_network(network, folder / "network.gpkg")
    hours = 24 * 40
    write_flow(
        FlowField(
            np.datetime64("2024-06-30T16:00:00"),
            3600.0 * np.arange(hours + 1.0),
            ("R1", "R2"),
            np.full((hours, 2), 5.0),
            np.full((hours, 2), 5.0),
            np.full((hours + 1, 2), 18000.0),
        ),
        folder / "flow.nc",
    )
    rng = np.random.default_rng(1)
    hour = np.arange(ROWS) * 4.0 - 35 * 24.0  # since the release began
    bump = np.where((hour >= 0.0) & (hour <= 48.0), 0.6 * np.sin(np.pi * hour / 48.0) ** 2, 0.0)
    value = 0.5 + rng.normal(0.0, 0.05, ROWS) + bump
    project_with(folder, {"NH3-N": value}, station="down")
    (folder / "suyuan.toml").write_text(
        '[project]\nname = "canal"\ntimezone = "Asia/Shanghai"\n[files]\nnetwork = "network.gpkg"\nflow = "flow.nc"\n'
        'observations = "readings.csv"\n',
        "utf-8",
    )
    results = folder / "results"
    results.mkdir()
    mass = {"q05": 300.0, "q50": 432.0, "q95": 622.0}
    one = {"id": "O1", "kind": "outfall", "probability": 1.0, "mass_kg": mass}
    whole = {
        "determinand": "NH3-N",
        "since": "2024-08-04T00:00:00+08:00",
        "until": "2024-08-07T00:00:00+08:00",
        "candidates": [one],
        "pairs": [],
    }
    (results / "trace.json").write_text(json.dumps(whole), "utf-8")
    rate = 3.0 * np.sin(np.pi * (np.arange(48) + 0.5) / 48.0) ** 2  # g/s into 5 m3/s: up to 0.6 mg/L
    rows = [
        f"2024-08-{5 + k // 24:02}T{k % 24:02}:00:00+08:00,O1,{0.7 * q:.4f},{q:.4f},{1.4 * q:.4f}"
        for k, q in enumerate(rate)
    ]
    (results / "release.csv").write_text("time,candidate,q05,q50,q95\n" + "\n".join(rows) + "\n", "utf-8")
    return folder


def test_the_release_of_a_traced_outfall_is_named_and_has_its_size(traced: Path):
    done = suyuan("explain", traced, "down", "--since", "2024-08-05", "--until", "2024-08-07", "--json")
    assert done.exit_code == 0, done.output
    change = json.loads(done.stdout)["changes"][0]
    part = next(one for one in change["parts"] if one["part"] == "release")
    assert change["releases"] == [{"id": "O1", "probability": 1.0}]
    assert part["value"] == pytest.approx(0.2, abs=0.02)  # the mean of 0.6 sin2, two days of three
    assert part["low"] < 0.2 < part["high"]
    assert change["change"] == pytest.approx(0.2, abs=0.06)


def test_of_an_ensemble_the_flow_in_the_middle_explains_and_it_is_said(traced: Path, tmp_path: Path):
    folder = Path(shutil.copytree(traced, tmp_path / "many"))
    hours, names = 24 * 40, ["low.nc", "middle.nc", "high.nc"]
    for name, q in zip(names, (2.5, 5.0, 9.0), strict=True):
        column = np.full((hours, 2), q)
        field = FlowField(
            np.datetime64("2024-06-30T16:00:00"),
            3600.0 * np.arange(hours + 1.0),
            ("R1", "R2"),
            column,
            column,
            np.full((hours + 1, 2), 18000.0),
        )
        write_flow(field, folder / name)
    settings = (folder / "suyuan.toml").read_text("utf-8")
    several = settings.replace('flow = "flow.nc"', f"flow_members = {json.dumps(names)}")
    (folder / "suyuan.toml").write_text(several, "utf-8")
    words = ("--since", "2024-08-05", "--until", "2024-08-07", "--json")
    found = json.loads(suyuan("explain", folder, "down", *words).stdout)
    part = next(one for one in found["changes"][0]["parts"] if one["part"] == "release")
    assert part["value"] == pytest.approx(0.2, abs=0.02)  # 3 g/s at their peak into 5 m3/s, not into 2.5 or 9
    assert ("middle_of_members", ["3"]) in [(note["code"], note["values"]) for note in found["notes"]]


def test_a_trace_of_another_time_is_not_blamed(traced: Path):
    done = suyuan("explain", traced, "down", "--since", "2024-07-08", "--until", "2024-07-12", "--json")
    change = json.loads(done.stdout)["changes"][0]
    part = next(one for one in change["parts"] if one["part"] == "release")
    assert part["possible"] is False
    assert part["why_not"]["code"] == "trace_elsewhere"


def test_one_reading_above_is_no_inflow(traced: Path, tmp_path: Path):
    import shutil

    folder = tmp_path / "one"
    shutil.copytree(traced, folder)
    with (folder / "readings.csv").open("a", encoding="utf-8") as file:
        file.write("2024-08-05 00:00,up,NH3-N,0.5,mg/L\n")
    done = suyuan("explain", folder, "down", "--since", "2024-08-05", "--until", "2024-08-06", "--json")
    part = next(one for one in json.loads(done.stdout)["changes"][0]["parts"] if one["part"] == "upstream")
    assert part["why_not"]["code"] == "no_upstream"


def test_a_broken_trace_is_refused(traced: Path, tmp_path: Path):
    import shutil

    folder = tmp_path / "broken"
    shutil.copytree(traced, folder)
    (folder / "results/trace.json").write_text("{}", "utf-8")
    done = suyuan("explain", folder, "down", "--since", "2024-08-05", "--until", "2024-08-06")
    assert done.exit_code == 1
    assert "is not the result of a trace" in done.stderr


@pytest.mark.skipif(
    not RECORD.is_file(), reason="china_auto_4h_2021_04 is not beside the repository (../shared/data)"
)
def test_yaoxiang_bridge_in_april_2021_is_two_waters_and_nobody_is_accused(tmp_path: Path):
    suyuan("import", "readings", rows_of(("姚巷桥",), tmp_path / RECORD.name), "--to", tmp_path)
    asked = ("explain", tmp_path, "姚巷桥", "--since", "2021-04-01", "--until", "2021-04-05")
    found = json.loads(suyuan(*asked, "--json").stdout)
    assert found["mixing"]["found"]
    assert [one["tracer"] for one in found["mixing"]["waters"]] == ["EC"]
    assert found["residual"] == ["CODMn"]
    parts = {
        change["determinand"]: {part["part"]: part["value"] for part in change["parts"]}
        for change in found["changes"]
    }
    assert parts["TN"]["mixing"] > 0.8 * sum(v or 0.0 for v in parts["TN"].values())
    assert parts["CODMn"]["unexplained"] > 0.8 * sum(v or 0.0 for v in parts["CODMn"].values())
    assert all(part["release"] is None for part in parts.values())
    sentence = suyuan(*asked, "--lang", "en").stdout.splitlines()[0]
    assert "mixing of two waters, by EC" in sentence
    assert "CODMn" in sentence
    assert "outfall" not in sentence
