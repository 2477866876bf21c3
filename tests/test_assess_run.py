"""From a folder to the class of a section, as an inspector asks for it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from typer.testing import CliRunner, Result

sys.path.append(str(Path(__file__).resolve().parents[1]))

from networks import single_reach

from benchmarks.section_standards import limits_bar, taihu_bars
from suyuan.assess_run import AssessAsk, assess_folder, classify_folder, period_of
from suyuan.cli import app
from suyuan.errors import InputError
from suyuan.io.check import check
from suyuan.io.sections import section_of
from suyuan.io.times import timezone_of
from suyuan.network import Station
from suyuan.observations import Observations
from suyuan.plot import class_calendar
from suyuan.report.section import published_words, realtime_headline
from suyuan.standards import Section, assess_months, classify, months_between, scheme, scheme_of
from suyuan.standards.realtime import NOT_JUDGED

CHINA = timezone_of("Asia/Shanghai")
NOW = datetime(2024, 9, 1, tzinfo=UTC)
SHARED = Path(__file__).parents[1].parent / "shared" / "data" / "taihu_auto_4h"

SETTINGS = """[project]
name = "three sections"
timezone = "Asia/Shanghai"
[files]
observations = "readings.csv"
[sections."甲桥"]
target_class = "III"
[sections."丙湖"]
water_type = "lake"
target_class = "III"
names = ["丙湖站"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two rivers and a lake, two months of six readings a day; 甲桥 misses class III for ammonia in August alone."""
    rows = ["time,station,determinand,value,unit,flag"]
    for month, days, ammonia in ((7, 31, 0.9), (8, 31, 1.3)):
        for day in range(1, days + 1):
            for hour in range(0, 24, 4):
                time = f"2024-{month:02}-{day:02} {hour:02}:00"
                rows.append(f"{time},甲桥,NH3-N,{ammonia},mg/L,")
                rows.append(f"{time},乙桥,氨氮,0.4,mg/L,")
                rows.append(f"{time},{'丙湖' if month == 7 else '丙湖站'},TP,60,ug/L,")
    rows.append("2024-08-15 02:00,甲桥,NH3-N,9.0,mg/L,3")
    (tmp_path / "readings.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (tmp_path / "suyuan.toml").write_text(SETTINGS, "utf-8")
    return tmp_path


def suyuan(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def assessed(folder: Path, station: str, period: str = "", **options):
    return assess_folder(folder, AssessAsk(station, period, **options), now=NOW)


def test_a_period_without_readings_is_told_of_when_there_are_some(folder: Path):
    notes = {n.code: n.values for n in assessed(folder, "丙湖", "2023").record.whole.notes}
    assert notes["readings_are_of"] == ("丙湖", "2024-07-01 00:00+08:00", "2024-08-31 20:00+08:00")
    assert "readings_are_of" not in {n.code for n in assessed(folder, "丙湖", "2024").record.whole.notes}


def test_the_last_month_with_readings_is_assessed_where_none_is_asked_for(folder: Path):
    whole = assessed(folder, "甲桥").record.whole
    assert whole.period == "2024-08"
    assert whole.to_dict()["class"] == "IV"
    assert whole.judged[0].mean.count == 31 * 6
    assert whole.judged[0].mean.left_out == 1
    assert whole.is_met is False


def test_a_month_begins_and_ends_by_the_projects_clock(folder: Path):
    """The reading of 1 August 00:00 in Beijing is one of 31 July in UTC."""
    july = assessed(folder, "甲桥", "2024-07").record.whole
    assert july.judged[0].mean.count == 31 * 6
    assert float(july.judged[0].value) == 0.9


def test_months_of_a_range_are_assessed_apart_and_together(folder: Path):
    record = assessed(folder, "甲桥", "2024-07..2024-08").record
    assert [month.to_dict()["class"] for month in record.months] == ["III", "IV"]
    assert record.compliance_rate == 0.5
    assert str(record.whole.judged[0].value) == "1.10"


def test_a_lake_under_two_names_is_one_section_with_lake_limits(folder: Path):
    record = assessed(folder, "丙湖站", "2024-07..2024-08").record
    assert [month.judged[0].mean.count for month in record.months] == [186, 186]
    assert record.whole.to_dict()["class"] == "IV"
    assert record.whole.section.station == "丙湖"


def test_a_reading_that_came_under_both_names_counts_once(folder: Path):
    with (folder / "readings.csv").open("a", encoding="utf-8") as file:
        file.write(
            "".join(
                f"2024-07-{day:02} {hour:02}:00,丙湖站,TP,60,ug/L,\n"
                for day in range(1, 32)
                for hour in range(0, 24, 4)
            )
        )
    judged = assessed(folder, "丙湖", "2024-07").record.whole.judged[0]
    assert (judged.mean.count, judged.mean.left_out) == (186, 186)


def test_a_part_of_a_month_is_called_by_its_days_and_one_that_is_not_over_says_so(folder: Path):
    part = assessed(folder, "甲桥", "2024-07-01..2024-07-15").record.whole
    assert (part.period, part.judged[0].mean.count) == ("2024-07-01..2024-07-15", 90)
    so_far = assess_folder(folder, AssessAsk("甲桥", "2024-08..2024-09"), now=NOW).record.whole
    assert so_far.period == "2024-08..2024-09"
    assert ("unfinished", ("2024-09-01 08:00+08:00",)) in [(n.code, n.values) for n in so_far.notes]


@pytest.mark.parametrize("named", ["J1", "甲桥"])
@pytest.mark.parametrize("asked", ["J1", "甲桥"])
def test_a_section_is_found_by_id_and_by_name_of_its_station(named: str, asked: str):
    network = replace(single_reach()[0], stations=(Station("J1", "R", 10.0, name="甲桥"),))
    own = Section(named, "river", "III", extra_items=("氟化物",))
    found = section_of(asked, (own,), network=network, scheme=scheme())
    assert (found.station, found.target_class, found.extra_items) == ("J1", "III", ("氟化物",))


def test_a_station_that_is_two_sections_is_refused():
    network = replace(single_reach()[0], stations=(Station("J1", "R", 10.0, name="甲桥"),))
    two = (Section("J1"), Section("甲桥"))
    with pytest.raises(InputError, match="one station twice, as 'J1' and '甲桥'; keep one of them"):
        section_of("甲桥", two, network=network, scheme=scheme())


def test_a_river_does_not_count_a_section_twice_under_two_names(folder: Path):
    with pytest.raises(InputError, match="a section is named twice"):
        assessed(folder, "丙湖", "2024-08", along=("丙湖站",))


def test_two_sections_are_rated_as_one_river(folder: Path):
    found = assessed(folder, "甲桥", "2024-08", along=("乙桥",)).to_dict()["river"]
    assert found == {
        "sections": ["甲桥", "乙桥"],
        "counts": {"I": 0, "II": 1, "III": 0, "IV": 1, "V": 0, "VI": 0},
        "grade": "good",
        "grade_zh": "良好",
        "main_pollutants": [],
        "by": "means",
        "notes": found["notes"],
    }
    assert [note["code"] for note in found["notes"]] == ["unverified"]


def test_realtime_classes_count_readings_and_keep_maintenance(folder: Path):
    found = classify_folder(folder, AssessAsk("甲桥", "2024-08"), now=NOW)
    assert found.realtime.counts["VI"] == 1
    assert found.realtime.compliance_rate == 0.0
    assert (found.published == NOT_JUDGED).all()
    assert np.isnan(found.agreement)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (AssessAsk("甲桥断"), "station: '甲桥断' has no readings; did you mean '甲桥'?"),
        (AssessAsk("甲桥", "2024-13"), "'2024-13' holds a day that is none"),
        (AssessAsk("甲桥", "July"), "'July' is not a period; write 2024-07, 2024, or"),
        (AssessAsk("甲桥", "9999"), "'9999' is of years without readings; write years from 1900 to 2199"),
        (AssessAsk("甲桥", "0001"), "'0001' is of years without readings"),
        (AssessAsk("甲桥", "2024-08..2024-07"), "ends before it begins"),
        (AssessAsk("甲桥", along=("丙湖",)), "several types of water (lake: 丙湖; river: 甲桥)"),
        (AssessAsk("甲桥", along=("甲桥",)), "a section is named twice"),
        (AssessAsk("甲桥", scheme="WFD"), "scheme: 'WFD' is not shipped; known are: GB3838-2002"),
    ],
)
def test_what_cannot_be_assessed_is_said(folder: Path, ask: AssessAsk, said: str):
    with pytest.raises(InputError) as error:
        assess_folder(folder, ask, now=NOW)
    assert said in str(error.value)


def test_readings_in_the_future_stop_the_assessment(folder: Path):
    with pytest.raises(
        InputError, match=r"readings lie in the future, the first at 2024-08-01 \d\d:00\+08:00"
    ):
        assess_folder(folder, AssessAsk("甲桥"), now=datetime(2024, 7, 31, 16, tzinfo=UTC))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('water_type = "lake"', 'water_type = "pond"'), "section '丙湖': 'pond' is not a type of water"),
        (('target_class = "III"', 'target_class = "9"'), "section '甲桥': '9' is not a class of GB3838-2002"),
        (('names = ["丙湖站"]', 'names = ["甲桥"]'), "'甲桥' is a name of the sections '甲桥' and '丙湖'"),
        (
            ('names = ["丙湖站"]', 'name = "x"'),
            "'name' in [sections.\"丙湖\"] is not known; did you mean 'names'?",
        ),
        (('names = ["丙湖站"]', 'names = "丙湖站"'), "names of section '丙湖' is '丙湖站'; write names ="),
    ],
)
def test_a_faulty_section_is_a_fault_of_suyuan_toml(folder: Path, change: tuple[str, str], said: str):
    (folder / "suyuan.toml").write_text(SETTINGS.replace(*change, 1), "utf-8")
    with pytest.raises(InputError) as error:
        assess_folder(folder, AssessAsk("甲桥"), now=NOW)
    assert said in str(error.value)


OTHER = """
id = "X"
version = "invented for this test"
water_types = ["upland", "lowland"]
[[class]]
id = "good"
[[class]]
id = "fail"
[[item]]
determinand = "NH3-N"
statistic = "p90"
at_most = { upland = [0.2], lowland = [1.0] }
decimals = 2
"""


def test_a_project_with_a_scheme_of_its_own_is_assessed_by_it(folder: Path):
    (folder / "own.toml").write_text(OTHER, "utf-8")
    settings = SETTINGS.replace("name =", 'scheme = "own.toml"\nname =', 1)
    settings = (
        settings[: settings.index("[sections")]
        + '[sections."甲桥"]\nwater_type = "lowland"\ntarget_class = "good"\n'
    )
    (folder / "suyuan.toml").write_text(settings, "utf-8")
    record = assessed(folder, "甲桥", "2024-07..2024-08").record
    assert [month.is_met for month in record.months] == [True, False]
    assert (
        str(record.whole.judged[0].value) == "1.30"
    )  # a percentile is of all readings, not a mean of months
    assert assessed(folder, "乙桥").record.whole.section.water_type == "upland"
    english = suyuan("assess", folder, "甲桥", "2024-08", "--lang", "en")
    assert english.output.startswith(
        "甲桥 (lowland), 2024-08: class worse than good, fail; target good, not met"
    ), english.output


def test_a_folder_with_readings_alone_passes_the_check_with_a_note(folder: Path):
    found = check(folder)
    assert found.is_usable, str(found)
    assert "no network is named; its sections can be assessed; name a network to trace" in str(found)
    (folder / "flow.csv").write_text("time\n", "utf-8")
    (folder / "suyuan.toml").write_text(SETTINGS.replace("[files]", '[files]\nflow = "flow.csv"'), "utf-8")
    assert "no network is named; write network" in str(check(folder))


def test_a_month_across_the_change_of_clocks_has_an_hour_more():
    since, until = period_of("2023-10", timezone_of("Europe/London"))
    assert until - since == np.timedelta64(31 * 24 + 1, "h")


def test_the_verb_prints_class_notes_and_that_nothing_here_excuses_tampering(folder: Path):
    result = suyuan("assess", folder, "甲桥", "2024-07..2024-08", "--lang", "zh")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("甲桥（河流）2024-07..2024-08：Ⅳ类，轻度污染；目标 III，不达标")
    assert "不得作为干预采样、取水口或监测时间的理由" in result.output
    english = suyuan("assess", folder, "乙桥", "--lang", "en").output
    assert "Section 乙桥 has no target class, so compliance is not judged" in english
    assert "Nothing here is a reason to touch sampling, intake or timing" in english


def test_the_verb_prints_json_and_writes_a_page_in_both_languages(folder: Path):
    result = suyuan("assess", folder, "甲桥", "2024-07..2024-08", "--json", "--out", folder / "out")
    told = json.loads(result.output)
    assert (told["mode"], told["class"], told["compliance_rate"]) == ("assessment", "IV", 0.5)
    assert told["version"].startswith("GB 3838-2002 table 1; 环办〔2011〕22号")
    page = (folder / "out" / "assessment.html").read_text("utf-8")
    assert "doing so is fraud" in page
    assert "这样做是造假" in page
    assert "<svg" in page
    assert "&#34;" not in page[page.index("<style>") : page.index("</style>")]
    assert json.loads((folder / "out" / "assessment.json").read_text("utf-8")) == told
    lines = (folder / "out" / "assessment.csv").read_text("utf-8-sig").splitlines()
    assert lines[1].startswith("2024-07,NH3-N,mean,0.90,III,,True,186,0")


def test_the_verb_prints_realtime_classes(folder: Path):
    result = suyuan("assess", folder, "甲桥", "2024-08", "--realtime", "--lang", "en")
    assert "realtime classes of 187 readings: IV 186, VI 1" in result.output
    told = json.loads(suyuan("assess", folder, "甲桥", "2024-08", "--realtime", "--json").output)
    assert told["mode"] == "realtime"
    assert len(told["readings"]) == 187


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--realtime", "--out", "out"), "--out: realtime classes have no page; leave it out, or --realtime"),
        (("--realtime", "--with-suspect"), "--with-suspect: in realtime every reading has its class"),
        (("--out", "out", "--lang", "fr"), "--lang: 'fr' is not a language of the report"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_anything_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
):
    monkeypatch.chdir(folder)
    result = suyuan("assess", ".", "甲桥", *words)
    assert said in str(result.exception) + result.output
    assert not (folder / "out").exists()


def test_an_import_with_an_unknown_language_imports_nothing(folder: Path, tmp_path: Path):
    result = suyuan("import", "readings", folder / "readings.csv", "--to", tmp_path / "p", "--lang", "fr")
    assert "'fr' is not a language" in str(result.exception) + result.output
    assert not (tmp_path / "p").exists()


def test_a_type_of_water_and_classes_of_a_schemes_own_have_words_and_colours():
    rules = scheme_of(
        'id = "X"\nversion = "invented"\nwater_types = ["upland", "river"]\n[[class]]\nid = "good"\n[[class]]\nid = "fail"\n'
        '[[item]]\ndeterminand = "Pb"\nat_most = { any = [0.01] }\ndecimals = 3\n'
    )
    time = np.array(["2024-07-01"], "datetime64[s]")
    text = np.array([""])
    given = Observations(
        time, np.array(["S1"]), np.array(["Pb"]), np.ones(1), text, np.ones(1, np.int8), np.zeros(1), text
    )
    section = Section("S1", "upland")
    found = classify(given, section, scheme=rules, since=time[0], until=time[0])
    assert "S1 (upland)" in realtime_headline(found).en
    said = published_words(found, (), agreement=float("nan"), fits="river")
    assert said[0].en.endswith("made with the limits of a river; this section is judged as a upland.")
    periods = months_between(*period_of("2024-07", CHINA), zone=CHINA)
    record = assess_months(given, section, periods=periods, scheme=rules)
    axes = class_calendar(record).axes[0]
    assert [text.get_text() for text in axes.texts] == [">good", ">good"]
    assert {patch.get_facecolor() for patch in axes.patches} == {to_rgba("#e07a7a")}


def test_an_import_is_assessed_without_another_step(tmp_path: Path):
    table = tmp_path / "2024-07-20.csv"
    table.write_text(
        "断面名称,监测时间,水质类别,氨氮(mg/L),站点情况\n甲桥,07-20 08:00,Ⅲ,0.61,正常\n", "utf-8"
    )
    done = suyuan("import", "readings", table, "--to", tmp_path / "p", "--lang", "en")
    assert done.exit_code == 0, done.output
    assert "1 readings of 1 stations: 1 added" in done.output
    result = suyuan("assess", tmp_path / "p", "甲桥", "--lang", "en")
    assert result.output.startswith("甲桥 (river), 2024-07: class III, good")
    assert "Few readings (NH3-N 1). What the official minimum is could not be found out" in result.output


@pytest.mark.skipif(
    not SHARED.is_dir(), reason="../shared/data/taihu_auto_4h is not here: no published classes"
)
def test_published_classes_of_taihu_come_out_again_and_every_miss_has_its_cause():
    """14,530 published classes of ten stations, 2021 to 2023; two lake stations were classed by the limits of rivers."""
    assert limits_bar()["value"] == 1.0
    bars = taihu_bars()
    assert bars["A2"]["value"]["normal"] >= 0.992
    assert bars["A2"]["value"]["all"] >= 0.990
    listed = bars["A2"]["beside"]["every_miss"]
    assert Counter(miss["cause"] for miss in listed) == {"last digit": 82, "reading before": 42}
    assert bars["A3"]["value"] == ["兰山嘴(老)", "沙渚"]


def lake_published(folder: Path, *, settings: str) -> None:
    """Ten days of TP at a lake station, 0.06 to 0.09 mg/L, published as class IV by the limits of lakes (river: II)."""
    times = [f"2024-08-{day:02} {hour:02}:00" for day in range(1, 11) for hour in range(0, 24, 4)]
    rows = [f"{time},大湖,TP,{0.06 + 0.0005 * k:.4f},mg/L" for k, time in enumerate(times)]
    shown = [f"{time}+08:00,大湖,,Ⅳ,正常" for time in times]
    (folder / "readings.csv").write_text(
        "\n".join(["time,station,determinand,value,unit", *rows]) + "\n", "utf-8"
    )
    (folder / "published.csv").write_text(
        "\n".join(["time,station,province,class,status", *shown]) + "\n", "utf-8"
    )
    (folder / "suyuan.toml").write_text(settings, "utf-8")


def test_a_water_type_that_nobody_stated_is_said_and_published_classes_say_which_they_fit(tmp_path: Path):
    settings = SETTINGS[: SETTINGS.index("[sections")]
    lake_published(tmp_path, settings=settings)
    notes = {n.code: n.values for n in assessed(tmp_path, "大湖").record.whole.notes}
    assert notes["water_assumed"] == ("大湖", "river")
    assert notes["published_fits"] == ("lake", "river")
    english = suyuan("assess", tmp_path, "大湖", "--lang", "en").output
    assert "The water type of 大湖 is not stated, judged as river: write water_type" in english
    assert "The published classes are those of the limits of a lake" in english
    assert (
        "judged as river: write water_type"
        in suyuan("assess", tmp_path, "大湖", "--realtime", "--lang", "en").output
    )
    (tmp_path / "suyuan.toml").write_text(settings + '[sections."大湖"]\nwater_type = "lake"\n', "utf-8")
    stated = {n.code for n in assessed(tmp_path, "大湖").record.whole.notes}
    assert not stated & {"water_assumed", "published_fits"}
