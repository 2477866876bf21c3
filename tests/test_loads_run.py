"""suyuan loads: what an analyst types, what is said of a station's years, and what is left on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from networks import single_reach
from typer.testing import CliRunner, Result

from suyuan.cli import app
from suyuan.io.discharge import read_discharge
from suyuan.io.network_writer import write_network
from suyuan.io.project import read_project
from suyuan.io.times import timezone_of
from suyuan.loads.record import decimal_year
from suyuan.loads_run import LoadsAsk, loads_of_folder
from suyuan.report.loads import loads_notes

SETTINGS = (
    '[project]\nname = "canal"\ntimezone = "Asia/Shanghai"\n[files]\nobservations = "observations.csv"\n'
)
SHANGHAI = timezone_of("Asia/Shanghai")


def _suyuan(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def _series(years: int = 5) -> tuple[pd.DatetimeIndex, np.ndarray, np.ndarray]:
    """Dates, a discharge with a season, and total phosphorus that falls by 8 % a year."""
    rng = np.random.default_rng(3)
    date = pd.date_range("2016-01-01", periods=365 * years + 2, freq="D")
    year = decimal_year(date.to_numpy().astype("datetime64[D]"))
    weather = np.convolve(rng.normal(size=len(date) + 19), np.ones(20) / 10.0, "valid")
    q = np.exp(1.5 + 0.5 * np.sin(2.0 * np.pi * year) + weather)
    tp = 0.2 * q**0.2 * np.exp(-0.08 * (year - 2018.0) + 0.25 * rng.normal(size=len(date)))
    return date, q, tp


def _readings(*, every: int = 10, limit: float = 0.0, years: int = 5) -> pd.DataFrame:
    date, _, tp = _series(years)
    below = tp[::every] < limit
    return pd.DataFrame(
        {
            "time": (date[::every] + pd.Timedelta(hours=9)).strftime("%Y-%m-%d %H:%M"),
            "station": "甲桥",
            "determinand": "TP",
            "value": np.where(below, limit, tp[::every]).round(4),
            "unit": "mg/L",
            "qualifier": np.where(below, "<", ""),
        }
    )


def _flow(years: int = 5) -> pd.DataFrame:
    date, q, _ = _series(years)
    return pd.DataFrame({"date": date.strftime("%Y-%m-%d"), "discharge": q.round(3)})


def _project(folder: Path, readings: pd.DataFrame, flow: pd.DataFrame | None, *, more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    readings.to_csv(folder / "observations.csv", index=False)
    named = ""
    if flow is not None:
        flow.to_csv(folder / "discharge.csv", index=False)
        named = 'discharge = "discharge.csv"\n'
    (folder / "suyuan.toml").write_text(SETTINGS + named + more, "utf-8")
    return folder


@pytest.fixture(scope="module")
def canal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _project(tmp_path_factory.mktemp("canal"), _readings(limit=0.12), _flow())


def test_the_fall_of_phosphorus_is_told_with_its_interval_in_both_languages(canal: Path):
    english, chinese = (_suyuan("loads", canal, "甲桥", "--lang", lang) for lang in ("en", "zh"))
    assert english.exit_code == chinese.exit_code == 0, english.output + chinese.output
    assert english.stdout.startswith(
        "甲桥, total phosphorus (TP), 2016 to 2020, with the effect of flow taken out: concentration −"
    )
    assert "it falls" in english.stdout
    assert "甲桥 总磷（TP），2016 至 2020 年，去除流量影响后：浓度变化 −" in chinese.stdout
    assert "下降" in chinese.stdout
    assert "Nothing here is a reason to touch sampling" in english.stdout


@pytest.mark.parametrize("method", ["wrtds", "rating"])
def test_the_planted_fall_of_27_per_cent_lies_in_the_interval(canal: Path, method: str):
    """8 % a year over four years: exp(-0.32) - 1 = -27 %."""
    found = json.loads(_suyuan("loads", canal, "甲桥", "--method", method, "--json").stdout)
    assert found["method"] == method
    for change in found["trend"]:
        value, low, high = change["percent"]
        assert low < -27.4 < high
        assert low < value < high < 0.0
        assert change["direction"] == "falling"


def test_json_holds_every_year_and_month_and_the_model_of_a_rating_curve(canal: Path):
    found = json.loads(_suyuan("loads", canal, "甲桥", "--method", "rating", "--json").stdout)
    assert [year["period"] for year in found["years"]] == ["2016", "2017", "2018", "2019", "2020"]
    assert len(found["months"]) == 60
    assert found["model"]["number"] in range(1, 10)
    assert found["below_detection"] == (_readings(limit=0.12).qualifier == "<").sum() > 0
    year = found["years"][0]
    _, q, _ = _series()
    assert year["discharge"] == pytest.approx(q[:366].mean(), rel=1e-3)
    assert year["load"][1] < year["load"][0] < year["load"][2]


def test_the_yearly_load_is_near_what_truly_passed(canal: Path):
    found = json.loads(_suyuan("loads", canal, "甲桥", "--json").stdout)
    date, q, tp = _series()
    for year in found["years"]:
        own = date.year == int(year["period"])
        assert year["load"][1] < (q * tp * 86.4)[own].mean() < year["load"][2]


def test_a_run_writes_a_page_in_both_languages_with_three_pictures_and_its_tables(
    canal: Path, tmp_path: Path
):
    result = _suyuan("loads", canal, "甲桥", "--out", tmp_path / "loads", "--lang", "zh")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "loads" / "loads.html").read_text("utf-8")
    assert page.count("<svg") == 3
    assert "流量归一化" in page
    assert "flow-normalised" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    rows = pd.read_csv(tmp_path / "loads" / "loads.csv", encoding="utf-8-sig", dtype={"period": str})
    assert len(rows) == 5 + 60
    found = json.loads((tmp_path / "loads" / "loads.json").read_text("utf-8"))
    assert rows.load_kg_d[0] == pytest.approx(found["years"][0]["load"][0], rel=1e-5)
    assert str(tmp_path / "loads" / "loads.html") in result.stdout


def test_a_page_of_a_rating_curve_has_its_pictures_too(canal: Path, tmp_path: Path):
    assert _suyuan("loads", canal, "甲桥", "--method", "rating", "--out", tmp_path / "r").exit_code == 0
    assert (tmp_path / "r" / "loads.html").read_text("utf-8").count("<svg") == 3


def test_discharge_among_the_readings_gives_the_same_loads(canal: Path, tmp_path: Path):
    """In litres a second, two values a day whose mean is the day's."""
    flow = _flow()
    twice = [
        pd.DataFrame(
            {
                "time": flow.date + hour,
                "station": "甲桥",
                "determinand": "流量",
                "value": (flow.discharge * factor * 1000.0).round(3),
                "unit": "L/s",
                "qualifier": "",
            }
        )
        for hour, factor in ((" 06:00", 0.9), (" 18:00", 1.1))
    ]
    folder = _project(tmp_path / "same", pd.concat([_readings(limit=0.12), *twice]), None)
    ours, theirs = (
        json.loads(_suyuan("loads", one, "甲桥", "--determinand", "总磷", "--json").stdout)
        for one in (folder, canal)
    )
    np.testing.assert_allclose(
        [year["load"] for year in ours["years"]], [year["load"] for year in theirs["years"]], rtol=1e-4
    )


def test_a_station_goes_by_its_name_in_the_network_too(tmp_path: Path):
    network = single_reach()[0]
    readings = _readings().assign(station=network.stations[0].id)
    folder = _project(tmp_path / "n", readings, _flow().assign(station=network.stations[0].id))
    write_network(network, folder / "network.gpkg")
    settings = (folder / "suyuan.toml").read_text("utf-8")
    (folder / "suyuan.toml").write_text(settings + 'network = "network.gpkg"\n', "utf-8")
    name = network.stations[0].name or network.stations[0].id
    assert _suyuan("loads", folder, name, "--method", "rating").exit_code == 0


def test_discharge_under_two_names_of_a_station_is_taken_together(tmp_path: Path):
    """Its id in the first half and its name from there, one day under both with 0.5 and 1.5 times its discharge."""
    network = single_reach()[0]
    station = replace(network.stations[0], name="甲桥")
    network = replace(network, stations=(station, *network.stations[1:]))
    flow = _flow()
    half = len(flow) // 2
    named = flow.assign(station=[station.id] * half + ["甲桥"] * (len(flow) - half))
    again = named.iloc[[10]].assign(station="甲桥", discharge=1.5 * named.discharge[10])
    named.loc[10, "discharge"] *= 0.5
    found = []
    for name, table in (("whole", flow.assign(station=station.id)), ("two", pd.concat([named, again]))):
        folder = _project(tmp_path / name, _readings().assign(station=station.id), table)
        write_network(network, folder / "network.gpkg")
        settings = (folder / "suyuan.toml").read_text("utf-8")
        (folder / "suyuan.toml").write_text(settings + 'network = "network.gpkg"\n', "utf-8")
        found.append(json.loads(_suyuan("loads", folder, "甲桥", "--method", "rating", "--json").stdout))
    assert found[0]["years"] == found[1]["years"]


def test_several_readings_of_a_day_are_one_and_bounds_are_averaged(tmp_path: Path):
    """<0.2 and 0.4 on one day: its mean lies between 0.2 and 0.3."""
    from suyuan.io.discharge import daily_bounds
    from suyuan.io.observations import read_observations

    rows = pd.DataFrame(
        {
            "time": ["2020-01-01 06:00", "2020-01-01 18:00", "2020-01-02 06:00"],
            "station": "A",
            "determinand": "TP",
            "value": ["<0.2", "0.4", ">5"],
            "unit": "mg/L",
        }
    )
    rows.to_csv(tmp_path / "o.csv", index=False)
    low, high = daily_bounds(read_observations(tmp_path / "o.csv", timezone=SHANGHAI), zone=SHANGHAI)
    assert low.value == pytest.approx([0.2, 5.0])
    assert high.value == pytest.approx([0.3, np.inf])
    assert low.date.astype(str).tolist() == ["2020-01-01", "2020-01-02"]


@pytest.mark.parametrize("header", ["date,discharge", "日期,流量", "datetime,q"])
def test_discharge_is_read_under_the_usual_headers(tmp_path: Path, header: str):
    (tmp_path / "q.csv").write_text(f"{header}\n2020-01-01,2\n2020-01-02,\n2020-01-03,4.5\n", "utf-8")
    days = read_discharge(tmp_path / "q.csv", SHANGHAI)[""]
    assert days.value.tolist() == [2.0, 4.5]
    assert days.date.astype(str).tolist() == ["2020-01-01", "2020-01-03"]


def test_discharge_that_is_no_number_is_a_fault_with_its_row(tmp_path: Path):
    (tmp_path / "q.csv").write_text("date,discharge\n2020-01-01,2\n2020-01-02,two\n", "utf-8")
    with pytest.raises(ValueError, match=r"q\.csv, row 3: discharge 'two' is not a number"):
        read_discharge(tmp_path / "q.csv", SHANGHAI)


def test_a_table_without_any_discharge_is_refused(tmp_path: Path):
    (tmp_path / "q.csv").write_text("date,discharge\n2020-01-01,--\n", "utf-8")
    with pytest.raises(ValueError, match="there is no discharge"):
        read_discharge(tmp_path / "q.csv", SHANGHAI)


def test_suyuan_toml_names_the_table_of_discharge(canal: Path):
    assert read_project(canal, needs_network=False).files.discharge == canal / "discharge.csv"


def _refused(folder: Path, *words: str) -> str:
    result = _suyuan("loads", folder, *(words or ("甲桥",)))
    assert result.exit_code == 1, result.output
    return result.stderr


def test_an_unknown_station_names_its_neighbour(canal: Path):
    assert "STATION: '甲乔桥' is not a station with readings; did you mean '甲桥'?" in _refused(
        canal, "甲乔桥"
    )


def test_an_unknown_determinand_and_one_without_readings_are_told_apart(canal: Path):
    assert "'phosphor' is not a known determinand" in _refused(canal, "甲桥", "--determinand", "phosphor")
    assert "甲桥 has no readings of NH3-N; known are: TP" in _refused(canal, "甲桥", "--determinand", "氨氮")


def test_what_is_no_mass_in_water_has_no_load(tmp_path: Path):
    readings = pd.concat([_readings(), _readings().assign(determinand="pH", unit="1", value=7.5)])
    folder = _project(tmp_path / "ph", readings, _flow())
    assert "pH is in 1, not a mass in water, and has no load; choose one of: TP" in _refused(
        folder, "甲桥", "--determinand", "pH"
    )


def test_of_several_determinands_one_must_be_named_unless_the_project_does(tmp_path: Path):
    readings = pd.concat([_readings(), _readings().assign(determinand="TN")])
    folder = _project(tmp_path / "two", readings, _flow())
    assert "甲桥 has readings of TN, TP; say of which one the load is asked" in _refused(folder)
    folder = _project(tmp_path / "two", readings, _flow(), more='[trace]\ndeterminand = "TN"\n')
    assert json.loads(_suyuan("loads", folder, "甲桥", "--json").stdout)["determinand"] == "TN"


def test_an_unknown_method_is_refused(canal: Path):
    assert "--method: 'loadest' is not a method; write wrtds or rating" in _refused(
        canal, "甲桥", "--method", "loadest"
    )


def test_too_few_readings_are_counted_and_the_other_method_named(tmp_path: Path):
    folder = _project(tmp_path / "few", _readings(every=45), _flow())
    assert "41 days with a reading and a discharge, 50 are needed; use --method rating" in _refused(folder)
    assert _suyuan("loads", folder, "甲桥", "--method", "rating").exit_code == 0


def test_no_discharge_says_where_it_could_stand(tmp_path: Path):
    folder = _project(tmp_path / "dry", _readings(), None)
    said = _refused(folder)
    assert "there is no discharge at 甲桥" in said
    assert 'write discharge = "discharge.csv" under [files]' in said


def test_discharge_of_other_stations_only_names_them(tmp_path: Path):
    folder = _project(tmp_path / "other", _readings(), _flow().assign(station="乙桥"))
    assert "discharge.csv: there is no discharge of station '甲桥'" in _refused(folder)


def test_a_day_of_no_or_backward_flow_is_named(tmp_path: Path):
    for value, said in ((0.0, "0 m3/s"), (-2.5, "-2.5 m3/s")):
        flow = _flow()
        flow.loc[100, "discharge"] = value
        folder = _project(tmp_path / f"q{value}", _readings(), flow)
        assert f"1 days have a discharge that is not above 0, the first {said} on 2016-04-10" in _refused(
            folder
        )


def test_discharge_for_other_years_than_the_readings_is_told(tmp_path: Path):
    folder = _project(tmp_path / "years", _readings(), _flow().iloc[:300])
    said = _refused(folder)
    assert "153 of 183 days with TP have no discharge: it is given from 2016-01-01 to 2016-10-26" in said


def test_a_reading_of_zero_is_refused(tmp_path: Path):
    readings = _readings()
    readings.loc[5, "value"] = 0.0
    folder = _project(tmp_path / "zero", readings, _flow())
    assert (
        "1 readings of TP are 0 or less, the first at 2016-02-20T01:00:00 UTC; write what is below"
        in _refused(folder)
    )


def test_too_many_below_detection_are_told(tmp_path: Path):
    folder = _project(tmp_path / "below", _readings(limit=2.0), _flow())
    assert "of 183 readings are below detection or above range; 25 others are needed" in _refused(folder)


def test_a_year_without_readings_and_days_without_discharge_are_said(tmp_path: Path):
    readings = _readings()
    readings = readings[~readings.time.between("2017-06-01", "2018-09-01")]
    flow = _flow()
    folder = _project(tmp_path / "gap", readings, flow[~flow.date.between("2019-03-01", "2019-08-01")])
    result = _suyuan("loads", folder, "甲桥", "--lang", "en")
    assert result.exit_code == 0, result.output
    assert "No readings between 2017-05-25 and 2018-09-" in result.stdout
    assert "154 days between lack it, and 15 days of readings could not be used" in result.stdout
    assert "2019 (211 d)" in result.stdout


def test_a_year_names_the_seasons_in_which_it_has_no_readings(tmp_path: Path):
    readings = _readings()
    part = readings[~readings.time.between("2018-01-01", "2018-07-01")]
    folder = _project(tmp_path / "part", part, _flow())
    said = {lang: _suyuan("loads", folder, "甲桥", "--lang", lang).stdout for lang in ("en", "zh")}
    assert "(none in Q1 Q2)" in " ".join(said["en"].split())
    assert "estimates there lean on that season of other years" in " ".join(said["en"].split())
    assert "（第 1、2 季度无）" in said["zh"]
    years = json.loads(_suyuan("loads", folder, "甲桥", "--json").stdout)["years"]
    assert {y["period"]: y["quarters_without_readings"] for y in years if y["is_whole"]} == {
        **{str(year): [] for year in range(2016, 2021)},
        "2018": [1, 2],
    }


def test_a_season_that_no_year_has_readings_of_is_said_to_be_extrapolated(tmp_path: Path):
    readings = _readings()
    ice_free = readings[readings.time.str[5:7].astype(int) > 3]
    said = _suyuan("loads", _project(tmp_path / "ice", ice_free, _flow()), "甲桥", "--lang", "en").stdout
    assert "No year has a reading in Q1" in " ".join(said.split())


def test_the_bias_of_a_record_with_many_below_detection_is_not_told(tmp_path: Path):
    said = {}
    for limit in (0.0, 0.25):
        folder = _project(tmp_path / f"limit{limit}", _readings(limit=limit), _flow())
        said[limit] = _suyuan("loads", folder, "甲桥", "--method", "rating", "--lang", "en").stdout
    assert "bias of the load +" in said[0.0] or "bias of the load -" in said[0.0]
    assert "no bias of the load or efficiency is told" in " ".join(said[0.25].split())


def test_readings_a_month_apart_come_with_a_warning_of_narrow_intervals(tmp_path: Path):
    folder = _project(tmp_path / "sparse", _readings(every=30), _flow())
    said = _suyuan("loads", folder, "甲桥", "--method", "rating", "--lang", "en").stdout
    assert "do not show how long errors last" in " ".join(said.split())


def test_of_errors_that_clearly_last_it_is_not_said_that_both_cases_were_tried(tmp_path: Path):
    folder, now = (
        _project(tmp_path / "sparse", _readings(every=30), _flow()),
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    ask = LoadsAsk("甲桥", method="rating")
    found = loads_of_folder(folder, ask, out=None, now=now, progress=lambda *_: None)
    assert found.loads.may_not_last
    lasting = replace(found.loads, may_not_last=False)
    said = [" ".join(words.en for words in loads_notes(each, found.info)) for each in (found.loads, lasting)]
    assert ["do not show how long errors last" in text for text in said] == [True, False]


def test_high_flows_without_readings_are_said(tmp_path: Path):
    date, q, _ = _series()
    readings = _readings()
    low = set(date[q < np.quantile(q, 0.7)].strftime("%Y-%m-%d"))
    folder = _project(tmp_path / "low", readings[readings.time.str[:10].isin(low)], _flow())
    result = _suyuan("loads", folder, "甲桥", "--lang", "en")
    assert "of the load passed on days with more than" in result.stdout
    assert "sample high flows" in result.stdout


def test_readings_from_the_future_are_refused(tmp_path: Path):
    readings = _readings()
    readings.loc[0, "time"] = "2090-01-01 00:00"
    folder = _project(tmp_path / "future", readings, _flow())
    assert "1 readings lie in the future" in _refused(folder)


def test_without_readings_in_suyuan_toml_the_import_is_advised(tmp_path: Path):
    (tmp_path / "suyuan.toml").write_text('[project]\nname = "x"\n', "utf-8")
    assert "suyuan import readings" in _refused(tmp_path)


def test_invented_data_are_declared(tmp_path: Path):
    folder = _project(tmp_path / "i", _readings(), _flow())
    settings = (folder / "suyuan.toml").read_text("utf-8").replace("[files]", "invented = true\n[files]")
    (folder / "suyuan.toml").write_text(settings, "utf-8")
    result = _suyuan("loads", folder, "甲桥", "--method", "rating", "--out", tmp_path / "i" / "o")
    assert result.stdout.startswith("All data of this project are invented")
    assert "invented, for demonstration only" in (tmp_path / "i" / "o" / "loads.html").read_text("utf-8")


def test_check_names_a_day_of_backward_flow_and_a_wrong_cell(tmp_path: Path):
    flow = _flow().astype({"discharge": str})
    flow.loc[100, "discharge"] = "-2.5"
    folder = _project(tmp_path / "check", _readings(), flow)
    assert "discharge.csv: 1 days have a discharge that is not above 0" in _suyuan("check", folder).output
    flow.loc[100, "discharge"] = "many"
    _project(folder, _readings(), flow)
    assert "discharge.csv, row 102: discharge 'many' is not a number" in _suyuan("check", folder).output
