"""From a folder to the budget of a month and to forecasts, as an inspector asks for them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from networks import single_reach
from typer.testing import CliRunner, Result

from suyuan.assess_run import AssessAsk, assess_folder
from suyuan.cli import app
from suyuan.errors import InputError
from suyuan.flow import FlowField
from suyuan.io.flow import write_flow
from suyuan.io.import_readings import import_readings
from suyuan.io.network_writer import write_network
from suyuan.network import Station
from suyuan.outlook_run import OutlookAsk, budget_folder, forecast_folder

NOW = datetime(2024, 9, 1, tzinfo=UTC)
SHARED = Path(__file__).parents[1].parent / "shared" / "data" / "taihu_auto_4h"

SETTINGS = """[project]
name = "two sections"
timezone = "Asia/Shanghai"
[files]
observations = "readings.csv"
[sections."甲桥"]
target_class = "III"
names = ["甲桥站"]
[sections."乙桥"]
water_type = "river"
"""


def lines(station: str, *, until: str, level: float = 0.7, seed: int = 1) -> list[str]:
    """Return readings of ammonia and pH, six a day from January 2024, of invented water."""
    rng = np.random.default_rng(seed)
    days = np.arange(np.datetime64("2024-01-01"), np.datetime64(until) + 1)
    swing, rows = 0.0, []
    for day in days:
        swing = 0.8 * swing + 0.15 * rng.standard_normal()
        for hour in range(0, 24, 4):
            ammonia = level * np.exp(swing + 0.03 * rng.standard_normal())
            rows.append(f"{day} {hour:02}:00,{station},NH3-N,{ammonia:.3f},mg/L,,")
            rows.append(f"{day} {hour:02}:00,{station},pH,{7.5 + 0.1 * swing:.2f},1,,")
    return rows


def project(folder: Path, rows: list[str], settings: str = SETTINGS) -> Path:
    (folder / "readings.csv").write_text(
        "\n".join(["time,station,determinand,value,unit,qualifier,flag", *rows]) + "\n", "utf-8"
    )
    (folder / "suyuan.toml").write_text(settings, "utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    rows = lines("甲桥", until="2024-08-20") + lines("乙桥", until="2024-08-20", seed=2)
    return project(tmp_path_factory.mktemp("two"), rows)


def suyuan(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def budget(folder: Path, station: str = "甲桥", **options):
    return budget_folder(folder, OutlookAsk(station, **{"at": "2024-08-20", **options}), now=NOW)


def test_the_mean_so_far_is_that_of_the_assessment_of_the_same_days(folder: Path):
    items = {one.item.id: one for one in budget(folder).budget.items}
    record = assess_folder(folder, AssessAsk("甲桥", "2024-08-01..2024-08-20"), now=NOW).record
    assert {one.item.id: one.mean.value for one in record.whole.judged} == {
        name: one.so_far.value for name, one in items.items()
    }


def test_a_month_ends_between_its_beginning_and_its_rest(folder: Path):
    found = budget(folder)
    one = next(one for one in found.budget.items if one.item.id == "NH3-N")
    assert (found.budget.month.days_left, one.so_far.count, one.ahead) == (11, 120, 66.0)
    low, high = sorted([float(one.so_far.value), one.rest[1]])
    assert low <= one.month[1] <= high
    begun = float(one.so_far.value) * 120
    assert (begun + one.allowed[1] * 66) / 186 == pytest.approx(
        1.005
    )  # class III is kept up to 1.00 after rounding


def test_chances_are_the_same_however_often_they_are_asked(folder: Path):
    assert budget(folder).to_dict() == budget(folder).to_dict()


def test_items_that_rise_and_fall_together_are_not_two_independent_chances(tmp_path: Path):
    """Total phosphorus is always a fifth of ammonia: where one ends above class III, so does the other."""
    rows = lines("甲桥", until="2024-08-10", level=0.92)
    for row in [row for row in rows if "NH3-N" in row]:
        when, station, _, value, *_ = row.split(",")
        rows.append(f"{when},{station},TP,{0.2 * float(value):.5f},mg/L,,")
    found = budget(project(tmp_path, rows), at="2024-08-10").budget
    chances = [one.probability for one in found.items]
    apart = 1.0 - float(np.prod([1.0 - p for p in chances]))
    assert 0.2 < max(chances) < 0.8
    assert max(chances) < found.probability < apart - 0.08  # half a year against 200 independent paths
    done = suyuan("budget", tmp_path, "甲桥", "--at", "2024-08-10", "--lang", "en")
    assert f"{100 * found.probability:.0f} %, all items together" in done.stdout
    assert found.to_dict()["probability"] == found.probability


def test_readings_after_the_moment_of_the_question_change_nothing(folder: Path, tmp_path: Path):
    later = project(tmp_path, lines("甲桥", until="2024-08-12"))
    assert (
        budget(later, at="2024-08-12").to_dict()["items"]
        == budget(folder, at="2024-08-12").to_dict()["items"]
    )


def test_a_station_under_two_names_has_one_budget(folder: Path, tmp_path: Path):
    rows = [
        row.replace("甲桥", "甲桥站") if row < "2024-05" else row for row in lines("甲桥", until="2024-08-20")
    ]
    other = project(tmp_path, rows)
    assert budget(other, "甲桥站").to_dict()["items"] == budget(folder).to_dict()["items"]


def test_a_section_without_target_has_nothing_to_keep(folder: Path):
    with pytest.raises(InputError, match=r"section 乙桥: '乙桥' has no target class.*write target_class"):
        budget(folder, "乙桥")


def test_an_unknown_station_is_refused_with_the_nearest(folder: Path):
    with pytest.raises(InputError, match="'甲乔' is not a station with readings"):
        budget(folder, "甲乔")


def test_a_month_that_is_over_is_one_to_assess(folder: Path, tmp_path: Path):
    whole = project(tmp_path, lines("甲桥", until="2024-07-31"))
    with pytest.raises(
        InputError, match=r"2024-07 is over at '甲桥'.*run 'suyuan assess FOLDER 甲桥 2024-07'"
    ):
        budget(whole, at="2024-07-31")
    with pytest.raises(InputError, match=r"2024-07 is over at '甲桥'"):
        budget_folder(whole, OutlookAsk("甲桥"), now=NOW)
    with pytest.raises(
        InputError, match=r"no readings in 2024-09; its last ones are of 2024-08-20.*--at 2024-08-15"
    ):
        budget(folder, at="2024-09-01")


def test_without_a_moment_it_is_the_end_of_the_day_of_the_last_reading_and_the_first_line_says_so(
    folder: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("suyuan.cli.outlook.this_moment", lambda: NOW)
    for verb, headline in (("budget", "month's mean"), ("forecast", "point")):
        done, named = (
            suyuan(verb, folder, "甲桥", "--lang", "en", *at) for at in ((), ("--at", "2024-08-20"))
        )
        assert done.exit_code == 0, done.stderr
        first, rest = done.stdout.split("\n", 1)
        assert first == "No --at was given: as of 2024-08-20 23:59+08:00, the day of the last reading."
        assert rest == named.stdout
        assert headline in rest
        out = tmp_path / verb
        assert suyuan(verb, folder, "甲桥", "--out", out).exit_code == 0
        assert "未指定 --at，以最后一条读数所在日 2024-08-20 23:59+08:00 为准。" in (
            out / f"{verb}.html"
        ).read_text("utf-8")
        kept = json.loads((out / f"{verb}.json").read_text("utf-8"))
        assert kept["assumed_now"] == "2024-08-20T23:59:59+08:00"


def test_without_a_moment_the_day_that_runs_is_not_over(tmp_path: Path):
    """At 10:30 in China the 20th has readings until 08:00 and 13.5 of 24 hours left."""
    now = datetime(2024, 8, 20, 2, 30, tzinfo=UTC)
    rows = [row for row in lines("甲桥", until="2024-08-20") if row[:13] <= "2024-08-20 08"]
    running = budget_folder(project(tmp_path, rows), OutlookAsk("甲桥"), now=now).budget
    assert (running.month.days_left, running.items[0].so_far.count) == (12, 117)
    assert running.items[0].ahead == pytest.approx(6.0 * (11 + 13.5 / 24), rel=0.05)


def test_a_moment_before_all_readings_is_refused(folder: Path):
    with pytest.raises(InputError, match="has no readings until 2020-01-01"):
        budget(folder, at="2020-01-01")


def test_a_month_with_few_readings_says_how_few_and_that_the_minimum_is_not_known(tmp_path: Path):
    past = [
        row
        for row in lines("甲桥", until="2024-08-10")
        if row < "2024-08-10 20" and not "2024-08" < row < "2024-08-10"
    ]
    notes = {n.code: n.values for n in budget(project(tmp_path, past), at="2024-08-10").budget.notes}
    assert notes["few_readings"] == ("pH 5, NH3-N 5",)
    said = suyuan("budget", tmp_path, "甲桥", "--at", "2024-08-10", "--lang", "en")
    assert "What the official minimum is could not be found out" in said.stdout


def test_readings_from_the_future_are_refused(tmp_path: Path):
    ahead = project(tmp_path, lines("甲桥", until="2024-09-03"))
    with pytest.raises(InputError, match=r"future|later than now"):
        budget(ahead, at="2024-08-20")


def test_an_unknown_unit_is_refused(tmp_path: Path):
    rows = [*lines("甲桥", until="2024-03-01"), "2024-03-02 00:00,甲桥,NH3-N,1.0,stone,,"]
    with pytest.raises(InputError, match="'stone' is not a unit of NH3-N"):
        budget(project(tmp_path, rows), at="2024-03-01")


def test_readings_under_maintenance_are_not_in_the_mean_and_are_counted(folder: Path, tmp_path: Path):
    rows = lines("甲桥", until="2024-08-20")
    rows = [row[:-1] + ",3" if row.startswith("2024-08-05") else row for row in rows]
    found = budget(project(tmp_path, rows)).budget
    assert {one.so_far.left_out for one in found.items} == {6}
    assert ("flagged", ("12",)) in [(n.code, n.values) for n in found.notes]


def test_readings_that_quality_control_doubts_are_in_the_mean_as_in_the_assessment_and_that_is_said(
    tmp_path: Path,
):
    rows = lines("甲桥", until="2024-08-20")
    (at,) = (i for i, row in enumerate(rows) if row.startswith("2024-08-10 08:00,甲桥,NH3-N"))
    usual = float(rows[at].split(",")[3])
    odd = [
        *rows[:at],
        rows[at].replace(f",{rows[at].split(',')[3]},", f",{30.0 * usual:.3f},"),
        *rows[at + 1 :],
    ]
    calm, found = (budget(project(tmp_path, each)).budget for each in (rows, odd))
    assert ("doubted", ("NH3-N 1",)) in [(n.code, n.values) for n in found.notes]
    running = budget(project(tmp_path, odd), at="2024-08-10T12:30").budget
    assert ("doubted", ("NH3-N 1",)) in [(n.code, n.values) for n in running.notes]
    assert "doubted" not in [n.code for n in calm.notes]
    so_far = [next(one.so_far for one in each.items if one.item.id == "NH3-N") for each in (found, calm)]
    assert float(so_far[0].value) - float(so_far[1].value) == pytest.approx(
        29.0 * usual / so_far[1].count, rel=0.02
    )


def test_an_item_with_too_short_a_past_is_named_where_the_chance_of_all_is_told(tmp_path: Path):
    days = np.arange(np.datetime64("2024-08-16"), np.datetime64("2024-08-21"))
    short = [f"{day} {hour:02}:00,甲桥,TP,0.92,mg/L,," for day in days for hour in range(0, 24, 4)]
    folder = project(tmp_path, [*lines("甲桥", until="2024-08-20"), *short])
    assert budget(folder, at="2024-08-20").to_dict()["too_short"] == ["TP"]
    english = suyuan("budget", folder, "甲桥", "--at", "2024-08-20", "--lang", "en").stdout
    assert "items together, but not TP: too short a past" in " ".join(english.split())
    chinese = suyuan("budget", folder, "甲桥", "--at", "2024-08-20", "--lang", "zh").stdout
    assert "不含数据太短的 TP" in chinese


def test_clock_changes_leave_every_reading_in_its_own_month(tmp_path: Path):
    """In Paris clocks go from 2 to 3 h on 31 March 2024: April begins at 22 h UTC, not at 23 h."""
    settings = SETTINGS.replace("Asia/Shanghai", "Europe/Paris")
    rows = [f"{row.split(',')[0]}Z,{row.split(',', 1)[1]}" for row in lines("甲桥", until="2024-04-05")]
    rows += [f"2024-03-31 {time}Z,甲桥,NH3-N,0.7,mg/L,," for time in ("21:59", "22:00")]
    found = budget_folder(project(tmp_path, rows, settings), OutlookAsk("甲桥", "2024-04-05"), now=NOW).budget
    assert (found.month.label, found.month.days_left) == ("2024-04", 25)
    assert {one.item.id: one.so_far.count for one in found.items} == {"pH": 30, "NH3-N": 31}


def test_too_short_a_past_is_refused(tmp_path: Path):
    short = project(tmp_path, lines("甲桥", until="2024-01-05"))
    with pytest.raises(InputError, match="no item of '甲桥' has readings in 2024-01 and enough of a past"):
        budget(short, at="2024-01-05")


def test_the_page_says_hands_off_in_both_languages(folder: Path, tmp_path: Path):
    done = suyuan("budget", folder, "甲桥", "--at", "2024-08-20", "--out", tmp_path / "out", "--lang", "zh")
    assert done.exit_code == 0, done.stderr
    page = (tmp_path / "out" / "budget.html").read_text("utf-8")
    for words in ("Nothing here is a reason to touch sampling, intake or timing", "不得作为干预采样", "<svg"):
        assert words in page
    kept = json.loads((tmp_path / "out" / "budget.json").read_text("utf-8"))
    assert kept["mode"] == "assessment"
    assert kept["items"][0]["past_months"] > 0


def test_the_target_that_will_be_missed_says_what_it_would_take(tmp_path: Path):
    high = project(tmp_path, lines("甲桥", until="2024-08-10", level=1.2))
    done = suyuan("budget", high, "甲桥", "--at", "2024-08-10", "--lang", "en")
    assert "NH3-N: the rest must average at most" in done.stdout
    assert "less than expected" in done.stdout


def test_forecasts_come_with_their_skill(folder: Path):
    done = suyuan(
        "forecast", folder, "乙桥", "--at", "2024-08-20", "--days", 3, "--determinand", "氨氮", "--json"
    )
    assert done.exit_code == 0, done.stderr
    one = json.loads(done.stdout)["forecasts"][0]
    assert (one["determinand"], one["made_from"], len(one["ahead"])) == ("NH3-N", "2024-08-20", 3)
    assert one["ahead"][0]["day"] == "2024-08-21"
    assert one["ahead"][0]["q05"] < one["ahead"][0]["q50"] < one["ahead"][0]["q95"]
    assert one["ahead"][0]["skill"]["days_scored"] > 150
    assert one["limit"] is None


def test_where_nothing_beats_the_simple_forecasts_it_says_no_skill(tmp_path: Path):
    rng = np.random.default_rng(5)
    days = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-08-21"))
    rows = [f"{day} 08:00,甲桥,TP,{np.exp(-2 + 0.3 * rng.standard_normal()):.4f},mg/L,," for day in days]
    found = forecast_folder(project(tmp_path, rows), OutlookAsk("甲桥", "2024-08-20"), now=NOW).forecasts[0]
    assert not any(one.skill.has_skill for one in found.ahead)
    done = suyuan("forecast", tmp_path, "甲桥", "--at", "2024-08-20", "--lang", "en")
    assert "no skill (" in done.stdout
    assert "neither realtime classes nor an assessment" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--determinand", "unobtainium"), "'unobtainium' is not a known determinand"),
        (("--determinand", "TP"), "'TP' has no readings at '乙桥'"),
        (("--days", 8), "8 days ahead; ask for 1 to 7"),
        (("--at", "yesterday"), "'yesterday' is not a time"),
    ],
)
def test_bad_questions_about_the_days_ahead_are_refused(folder: Path, options, said: str):
    done = suyuan("forecast", folder, "乙桥", "--at", "2024-08-20", *options)
    assert done.exit_code == 1
    assert said in done.stderr


def test_the_forecast_page_holds_the_past_and_the_fan(folder: Path, tmp_path: Path):
    done = suyuan("forecast", folder, "甲桥", "--at", "2024-08-20", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    page = (tmp_path / "out" / "forecast.html").read_text("utf-8")
    assert "skill on the past" in page
    assert "以往技巧" in page


def test_an_analyser_that_is_off_for_a_week_is_not_forecast_as_if_it_ran(tmp_path: Path):
    rows = [row for row in lines("甲桥", until="2024-03-20") if row < "2024-03-14" or "NH3-N" not in row]
    found = forecast_folder(project(tmp_path, rows), OutlookAsk("甲桥", "2024-03-20", 1), now=NOW)
    assert [one.determinand for one in found.forecasts] == ["pH"]
    assert found.to_dict()["no_readings_after"] == {"NH3-N": "2024-03-13"}
    said = suyuan("forecast", tmp_path, "甲桥", "--at", "2024-03-20", "--lang", "en").stdout
    assert "no recent readings, not forecast: NH3-N (… 2024-03-13)" in said


def test_a_week_without_readings_is_said_and_is_no_time_left(tmp_path: Path):
    rows = [row for row in lines("甲桥", until="2024-03-20") if row < "2024-03-14"]
    found = budget(project(tmp_path, rows), at="2024-03-20").budget
    assert (str(found.month.today), found.month.days_left) == ("2024-03-20", 11)
    assert {one.ahead for one in found.items} == {66.0}
    notes = {note.code: note.values for note in found.notes}
    assert notes["no_readings_since"] == ("pH 2024-03-13, NH3-N 2024-03-13",)
    said = suyuan("budget", tmp_path, "甲桥", "--at", "2024-03-20", "--lang", "en").stdout
    assert "No readings since: pH 2024-03-13" in said


def test_a_day_that_runs_is_in_the_mean_so_far_and_its_rest_is_still_to_come(folder: Path):
    found = budget(folder, at="2024-08-20T10:00").budget
    one = next(one for one in found.items if one.item.id == "NH3-N")
    assert one.so_far.count == 117  # 19 days of six and three of today
    assert found.month.days_left == 12
    assert one.ahead == pytest.approx(11 * 6 + 3.5, abs=0.01)  # 14 of 24 hours
    ask = OutlookAsk("甲桥", "2024-08-20T10:00", 1, ("NH3-N",))
    ahead = forecast_folder(folder, ask, now=NOW).forecasts[0]
    assert (str(ahead.made_from), str(ahead.ahead[0].day)) == ("2024-08-19", "2024-08-20")


def test_on_the_morning_of_its_last_day_a_month_is_not_over(folder: Path):
    found = budget(folder, at="2024-07-31T10:00").budget
    assert found.month.days_left == 1
    assert {round(one.ahead, 2) for one in found.items} == {3.5}


CLASSED = replace(single_reach()[0], stations=(Station("S", "R", 3000.0, "甲桥", "III", "river"),))
NETWORK_SETTINGS = SETTINGS[: SETTINGS.index("[sections")] + 'network = "network.gpkg"\nflow = "flow.csv"\n'


def canal(folder: Path, discharge: list[float], *, hours: int = 24) -> Path:
    """Return a project of one reach with a section of class III and its flow in equal bins from 1 August 2024."""
    rows = [row.replace("甲桥", "S") for row in lines("甲桥", until="2024-08-17", level=0.92)]
    project(folder, rows, NETWORK_SETTINGS)
    write_network(CLASSED, folder / "network.gpkg")
    column = np.array(discharge)[:, None]
    edges = 3600.0 * hours * np.arange(len(discharge) + 1)
    start = np.datetime64("2024-07-31T16:00:00")  # midnight in China
    write_flow(
        FlowField(start, edges, ("R",), column, column, np.full_like(column, 4e4)), folder / "flow.csv"
    )
    return folder


def loads_of(folder: Path) -> tuple[dict, dict[str, tuple[str, ...]]]:
    found = budget(folder, at="2024-08-17").to_dict()
    items = {one["item"]: one for one in found["items"]}
    return items["NH3-N"], {note["code"]: tuple(note["values"]) for note in found["notes"]}


@pytest.mark.parametrize(("way", "note"), [(1.0, "flow_recent"), (-1.0, "flow_reversed")])
def test_the_rest_may_carry_concentration_times_discharge_whichever_way_water_runs(
    tmp_path: Path, way: float, note: str
):
    """86.4 kg/d are 1 g/m3 in 1 m3/s; 9 m3/s of earlier days and 50 of days to come do not count."""
    folder = canal(tmp_path, [9.0] * 10 + [2.0 * way] * 7 + [50.0] * 5)
    one, notes = loads_of(folder)
    found = budget(folder, at="2024-08-17").to_dict()["items"]
    assert one["discharge_m3_s"] == pytest.approx(2.0 * way)
    assert one["allowed_kg_d"] == pytest.approx(86.4 * 2.0 * one["allowed_rest"][1])
    assert one["expected_kg_d"] == pytest.approx(86.4 * 2.0 * one["rest_q05_q50_q95"][1])
    assert notes[note] == ("2", "7")
    done = suyuan("budget", folder, "甲桥", "--at", "2024-08-17", "--out", tmp_path / "out", "--lang", "en")
    assert done.exit_code == 0, done.stderr
    page = (tmp_path / "out" / "budget.html").read_text("utf-8")
    said = f"at most {one['allowed_kg_d']:.0f} kg/d; {one['expected_kg_d']:.0f} expected"
    assert said in done.stdout
    assert said in page
    assert f"{one['allowed_kg_d']:.0f} / {one['expected_kg_d']:.0f}" in page
    assert ("against the direction in which the reach is drawn" in page) == (way < 0.0)
    assert json.loads((tmp_path / "out" / "budget.json").read_text("utf-8"))["items"] == found


def test_of_an_ensemble_the_mean_discharge_counts(tmp_path: Path):
    folder = canal(tmp_path, [2.0] * 17)
    (folder / "flow.csv").rename(folder / "low.csv")
    canal(tmp_path, [5.0] * 17)
    (folder / "flow.csv").rename(folder / "high.csv")
    settings = folder / "suyuan.toml"
    text = settings.read_text("utf-8").replace('flow = "flow.csv"', 'flow_members = ["low.csv", "high.csv"]')
    settings.write_text(text, "utf-8")
    one, notes = loads_of(folder)
    assert one["discharge_m3_s"] == pytest.approx(3.5)
    assert notes["flow_recent"] == ("3.5", "7")


def test_of_a_bin_only_the_hours_before_the_moment_count(tmp_path: Path):
    """A month in one bin covers the moment; of two bins the second began a day before it: 6 days of 2 and 1 of 9 m3/s."""
    month, two = (tmp_path / name for name in ("month", "two"))
    month.mkdir()
    two.mkdir()
    one, notes = loads_of(canal(month, [3.0, 3.0], hours=24 * 31))
    assert one["discharge_m3_s"] == pytest.approx(3.0)
    assert notes["flow_recent"] == ("3", "7")
    found, _ = loads_of(canal(two, [2.0, 9.0], hours=24 * 16))
    assert found["discharge_m3_s"] == pytest.approx((6 * 2.0 + 9.0) / 7, rel=1e-4)


@pytest.mark.parametrize(
    ("discharge", "note"),
    [([3.0, -2.0, 2.5, -3.0] * 17, "flow_to_and_fro"), ([5.0] * 20, "flow_not_recent")],
)
def test_where_water_goes_to_and_fro_or_flow_ends_early_there_are_no_loads(tmp_path: Path, discharge, note):
    """Bins of six hours: a tide to the 17th, or a steady flow to the 6th."""
    folder = canal(tmp_path, discharge, hours=6)
    one, notes = loads_of(folder)
    assert (one["discharge_m3_s"], one["allowed_kg_d"], one["expected_kg_d"]) == (None, None, None)
    assert note in notes
    said = suyuan("budget", folder, "甲桥", "--at", "2024-08-17", "--lang", "en").stdout
    assert "no kg/d are given" in said
    assert "at most nan" not in said


def test_readings_of_discharge_and_a_table_of_it_give_the_same_loads_without_a_network(tmp_path: Path):
    rows, days = (
        lines("甲桥", until="2024-08-17"),
        np.arange("2024-08-01", "2024-08-18", dtype="datetime64[D]"),
    )
    read, tabled = tmp_path / "read", tmp_path / "tabled"
    for folder in (read, tabled):
        folder.mkdir()
    flow = [f"{day} 08:00,甲桥,流量,4000,L/s,," for day in days]
    given = SETTINGS.replace("[sections", 'discharge = "discharge.csv"\n[sections', 1)
    project(read, rows + flow)
    table = "\n".join(["date,station,discharge", *(f"{day},甲桥站,4.0" for day in days)])
    (project(tabled, rows, given) / "discharge.csv").write_text(table, "utf-8")
    found = [loads_of(folder)[0] for folder in (read, tabled)]
    assert found[0]["allowed_kg_d"] == pytest.approx(86.4 * 4.0 * found[0]["allowed_rest"][1])
    assert [one["allowed_kg_d"] for one in found] == [found[0]["allowed_kg_d"]] * 2
    running = table.replace("2024-08-17,甲桥站,4.0", "2024-08-17,甲桥站,100.0")
    assert running != table
    (tabled / "discharge.csv").write_text(running, "utf-8")
    in_the_morning = budget(tabled, at="2024-08-17T08:00").to_dict()["items"][0]
    assert in_the_morning["discharge_m3_s"] == pytest.approx(4.0)  # the day that runs is not known yet
    other = table.replace("甲桥站", "丙桥")
    (tabled / "discharge.csv").write_text(other, "utf-8")
    assert "no_flow" in loads_of(tabled)[1]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the Taihu record is not at ../shared/data")
def test_a_taihu_section_in_december_2023_is_over_in_phosphorus(tmp_path: Path):
    """拖山: 0.056 mg/L in the first half and 0.065 over the whole month, of 0.05 allowed."""
    import_readings(SHARED / "taihu_auto_4h_2021_2023.csv", tmp_path, now=NOW)
    with (tmp_path / "suyuan.toml").open("a", encoding="utf-8") as file:
        file.write('[sections."拖山"]\nwater_type = "lake"\ntarget_class = "III"\n')
    one = next(i for i in budget(tmp_path, "拖山", at="2023-12-15").budget.items if i.item.id == "TP")
    record = assess_folder(tmp_path, AssessAsk("拖山", "2023-12"), now=NOW).record
    came = float(next(j.mean.value for j in record.whole.judged if j.item.id == "TP"))
    assert one.probability > 0.9
    assert one.month[0] <= came <= one.month[2]
    assert one.score.months >= 12
