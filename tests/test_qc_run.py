"""suyuan qc: what an inspector types, what is said and why, and what is left on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from networks import single_reach
from typer.testing import CliRunner, Result

from suyuan.cli import app
from suyuan.io.network_writer import write_network
from suyuan.qc import CHECKS

RECORD = Path(__file__).parents[2] / "shared/data/taihu_auto_4h/taihu_auto_4h_2021_2023.csv"


def _suyuan(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def canal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of one station: total phosphorus with a spike, a stuck day, a negative value and a row sent twice."""
    folder = tmp_path_factory.mktemp("canal")
    write_network(single_reach()[0], folder / "network.gpkg")
    rng, time = np.random.default_rng(1), pd.date_range("2024-03-01", periods=200, freq="4h")
    value = np.round(0.2 + 0.01 * np.convolve(rng.normal(0.0, 1.0, 219), np.ones(20) / 4.0, "valid"), 3)
    value[80], value[120:128], value[150] = 0.9, 0.204, -0.1
    rows = pd.DataFrame({"time": time, "station": "S", "determinand": "TP", "value": value, "unit": "mg/L"})
    pd.concat([rows, rows.iloc[[10]]]).to_csv(folder / "observations.csv", index=False)
    (folder / "suyuan.toml").write_text(
        '[project]\nname = "canal"\ntimezone = "Asia/Shanghai"\n'
        '[files]\nnetwork = "network.gpkg"\nobservations = "observations.csv"\n',
        "utf-8",
    )
    return folder


def test_the_table_says_what_is_flagged_and_why_in_both_languages(canal: Path):
    english, chinese = _suyuan("qc", canal, "--lang", "en"), _suyuan("qc", canal, "S", "--lang", "zh")
    assert english.exit_code == chinese.exit_code == 0, english.output
    assert english.stdout.startswith("Of 201 readings 9 are suspect and 2 fail; none is deleted")
    assert "jumps by 0.7" in english.stdout
    assert "does not change for 28 h" in english.stdout
    assert "which water cannot (bound 0)" in english.stdout
    assert "201 个读数中 9 个可疑，2 个无效" in chinese.stdout
    assert "卡值" in chinese.stdout


def test_sections_without_a_network_are_checked_too(canal: Path, tmp_path: Path):
    (tmp_path / "observations.csv").write_bytes((canal / "observations.csv").read_bytes())
    (tmp_path / "suyuan.toml").write_text(
        '[project]\nname = "sections"\ntimezone = "Asia/Shanghai"\n[files]\nobservations = "observations.csv"\n',
        "utf-8",
    )
    found = _suyuan("qc", tmp_path, "S", "--lang", "en")
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith("Of 201 readings 9 are suspect and 2 fail; none is deleted")


def test_json_holds_every_alarm_with_its_number_and_its_limit(canal: Path):
    whole = json.loads(_suyuan("qc", canal, "--json").stdout)
    found = {alarm["check"]: alarm for alarm in whole["alarms"]}
    assert found.keys() == {"gross range", "repetition", "spike", "flat line"}
    assert found["spike"]["first"] == "2024-03-14T08:00:00+08:00"
    assert found["spike"]["measured"] > found["spike"]["limit"]
    assert found["flat line"]["readings"] == 8
    assert (whole["suspect"], whole["fail"]) == (9, 2)


def test_a_run_writes_a_page_a_table_of_flags_and_a_figure(canal: Path, tmp_path: Path):
    result = _suyuan("qc", canal, "--out", tmp_path / "qc", "--lang", "zh")
    assert result.exit_code == 0, result.output
    flags = pd.read_csv(tmp_path / "qc" / "flags.csv", encoding="utf-8-sig")
    assert len(flags) == 201
    assert [name.replace(" ", "_") for name in CHECKS] == list(flags.columns[-len(CHECKS) :])
    assert flags.flag.value_counts().to_dict() == {1: 190, 3: 9, 4: 2}
    assert flags.time[0] == "2024-03-01T00:00:00+08:00"
    page = (tmp_path / "qc" / "qc.html").read_text("utf-8")
    assert "单个读数跳变" in page
    assert "jumps by" in page
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert (tmp_path / "qc" / "figures" / "qc-S.svg").is_file()
    assert json.loads((tmp_path / "qc" / "qc.json").read_text("utf-8"))["readings"] == 201


def test_flags_come_as_parquet_too(canal: Path, tmp_path: Path):
    assert _suyuan("qc", canal, "--out", tmp_path / "qc", "--parquet").exit_code == 0
    assert pd.read_parquet(tmp_path / "qc" / "flags.parquet").flag.max() == 4


def test_flags_can_be_read_back_as_readings(canal: Path, tmp_path: Path):
    from suyuan.io.observations import read_observations

    _suyuan("qc", canal, "--out", tmp_path / "qc")
    back = read_observations(tmp_path / "qc" / "flags.csv", timezone="Asia/Shanghai")
    assert np.unique(back.flag, return_counts=True)[1].tolist() == [190, 9, 2]


def test_a_window_shows_its_own_readings_and_learns_from_all(canal: Path):
    whole = json.loads(
        _suyuan("qc", canal, "--json", "--since", "2024-03-14T00:00", "--until", "2024-03-15T00:00").stdout
    )
    assert whole["readings"] == 7
    assert [alarm["check"] for alarm in whole["alarms"]] == ["spike"]


def test_an_alarm_that_reaches_out_of_the_window_counts_by_its_readings_inside(canal: Path):
    """The probe is stuck from 21 March 00 h to 22 March 04 h, eight readings; the window begins with the sixth."""
    window = ("--since", "2024-03-21T20:00+08:00", "--until", "2024-03-22T08:00+08:00")
    whole = json.loads(_suyuan("qc", canal, "--json", *window).stdout)
    (row,) = whole["summary"]
    assert (row["check"], row["suspect"], row["alarms"]) == ("flat line", 3, 1)
    assert whole["suspect"] == 3
    assert row["first"] == "2024-03-21T20:00:00+08:00"
    assert whole["alarms"][0]["readings"] == 8


def test_marks_of_the_source_are_told_from_what_checks_find(canal: Path, tmp_path: Path):
    """Thirty readings under maintenance, of which one is the spike."""
    marked = _marked(canal, tmp_path, at=slice(60, 90), flag=3)
    english, chinese = (_suyuan("qc", marked, "--lang", lang).stdout for lang in ("en", "zh"))
    assert english.startswith(
        "Of 201 readings 38 are suspect (9 by checks, 29 by marks of the source) and 2 fail;"
    )
    assert "38 个可疑（检查判定 9 个，数据来源自带标记 29 个）" in chinese
    whole = json.loads(_suyuan("qc", marked, "--json").stdout)
    assert (whole["suspect"], whole["suspect_by_source"], whole["fail_by_source"]) == (38, 29, 0)


def test_readings_out_of_the_window_are_not_counted_as_not_judged(canal: Path, tmp_path: Path):
    """A second determinand of five readings, in March's first day: too short a series, and not asked about later."""
    marked = _marked(canal, tmp_path, at=slice(0, 0), flag=3)
    rows = pd.read_csv(marked / "observations.csv")
    short = rows.iloc[:5].assign(determinand="TN", value=1.0)
    pd.concat([rows, short]).to_csv(marked / "observations.csv", index=False)
    whole, later = (
        json.loads(_suyuan("qc", marked, "--json", *words).stdout)
        for words in ((), ("--since", "2024-03-10T00:00"))
    )
    assert (whole["not_judged"], later["not_judged"]) == (5, 0)
    assert "The shape of 5 was not judged" in _suyuan("qc", marked, "--lang", "en").stdout


def _marked(canal: Path, folder: Path, *, at: slice, flag: int) -> Path:
    """Return a copy of the project in which the source marks some rows."""
    for name in ("network.gpkg", "suyuan.toml"):
        (folder / name).write_bytes((canal / name).read_bytes())
    rows = pd.read_csv(canal / "observations.csv").assign(flag=1)
    rows.loc[rows.index[at], "flag"] = flag
    rows.to_csv(folder / "observations.csv", index=False)
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("T",), "STATION: 'T' is not a station with readings"),
        (("--determinand", "phosphor"), "'phosphor' is not a known determinand"),
        (("--determinand", "TN"), "no reading is of this station, these determinands and this window"),
        (("--since", "2030-01-01T00:00"), "readings run from 2024-03-01T00:00:00+08:00"),
        (("--lang", "fr"), "'fr' is not a language"),
    ],
)
def test_a_question_that_no_reading_answers_is_refused_with_what_to_do(
    canal: Path, words: tuple[str, ...], said: str
):
    result = _suyuan("qc", canal, *words)
    assert result.exit_code == 1
    assert said in result.stderr


def test_readings_in_an_unknown_unit_are_refused_by_row(canal: Path, tmp_path: Path):
    for name in ("network.gpkg", "suyuan.toml"):
        (tmp_path / name).write_bytes((canal / name).read_bytes())
    text = (canal / "observations.csv").read_text("utf-8").replace("mg/L", "stone/L")
    (tmp_path / "observations.csv").write_text(text, "utf-8")
    result = _suyuan("qc", tmp_path)
    assert result.exit_code == 1
    assert "observations.csv, row 2: unit: 'stone/L' is not a unit of TP" in result.stderr


@pytest.mark.skipif(
    not RECORD.is_file(), reason="taihu_auto_4h is not beside the repository (../shared/data)"
)
def test_real_faults_are_found_and_the_real_traps_stay_silent():
    """Probes in air, CODMn of 47 and ammonia above total nitrogen at Lake Taihu; 228 readings at half the detection limit."""
    from suyuan.observations import GOOD, Observations
    from suyuan.qc import screen

    named = {"ec_uscm": "EC", "codmn_mgl": "CODMn", "nh3n_mgl": "NH3-N", "tn_mgl": "TN"}
    frame = pd.read_csv(RECORD)
    long = frame.melt(["station", "time"], list(named)).dropna()
    n = len(long)
    seen = screen(
        Observations(
            time=pd.to_datetime(long.time).to_numpy("datetime64[s]") - np.timedelta64(8, "h"),
            station=long.station.to_numpy(str),
            determinand=long.variable.map(named).to_numpy(str),
            value=long.value.to_numpy(float),
            qualifier=np.full(n, ""),
            flag=np.full(n, GOOD, np.int8),
            duration_s=np.zeros(n),
            sample_id=np.full(n, ""),
        )
    )
    flagged, given = seen.observations.flag > GOOD, seen.given
    dry = (given.determinand == "EC") & (given.value < 5.0)
    mad = (given.determinand == "CODMn") & (given.value > 30.0)
    assert (dry.sum(), mad.sum()) == (22, 3)
    assert flagged[dry | mad].all()
    hidden = (given.determinand == "NH3-N") & (given.value <= 0.025)
    assert (seen.by_check("flat line")[hidden] == GOOD).all()
    assert flagged.mean() < 0.02
