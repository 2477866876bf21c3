"""Published tables that become readings of a project, again and again."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suyuan.errors import InputError
from suyuan.io.import_readings import import_readings
from suyuan.io.network import read_network
from suyuan.io.new_project import new_project
from suyuan.io.observations import read_observations
from suyuan.io.readings_store import (
    HISTORY,
    IMPORTS,
    PUBLISHED,
    READINGS,
    merged,
    published_classes,
    stored_readings,
)
from suyuan.io.times import timezone_of
from suyuan.observations import GOOD, MISSING, SUSPECT, Observations
from suyuan.report.imported import import_words

CHINA = timezone_of("Asia/Shanghai")
NOW = datetime(2024, 7, 20, 4, 0, tzinfo=UTC)
HEAD = (
    "省份,流域,断面名称,监测时间,水质类别,水温(℃),pH(无量纲),溶解氧(mg/L),电导率(μS/cm),氨氮(mg/L),总磷(mg/L),"
    "叶绿素α(mg/L),站点情况"
)
ROWS = (
    "江苏省,太湖流域,甲桥,07-20 08:00,Ⅲ,28.1,7.61,5.43,612.3,0.612,0.131,*,正常",
    "江苏省,太湖流域,乙湖,07-20 08:00,--,29.0,8.70,9.01,410.0,--,0.062,0.021,维护",
    "江苏省,太湖流域,丙闸,,,--,--,--,--,--,--,*,停站",
)
SHARED = Path(__file__).parents[1].parent / "shared" / "data"
NATIONAL = SHARED / "china_auto_daily_2020" / "national_snapshot_2020-05-09_1900_sections.csv"


def written(folder: Path, text: str, name: str = "2024-07-20.csv", *, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def national(folder: Path, *rows: str, name: str = "2024-07-20.csv", encoding: str = "utf-8") -> Path:
    return written(folder, "\n".join((HEAD, *(rows or ROWS))) + "\n", name, encoding=encoding)


def values(project: Path) -> dict[tuple[str, str], float]:
    found = stored_readings(project, CHINA)
    assert found is not None
    return {
        (s, d): v
        for s, d, v in zip(found.station.tolist(), found.determinand.tolist(), found.value, strict=True)
    }


def workbook(path: Path, rows: list[list[str | float]]) -> Path:
    """The smallest workbook that a spreadsheet opens: numbers as numbers, texts inline."""

    def cell(column: int, row: int, value: str | float) -> str:
        place = f"{chr(65 + column)}{row + 1}"
        if isinstance(value, str):
            return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
        return f'<c r="{place}"><v>{value!r}</v></c>'

    body = "".join(
        f'<row r="{r + 1}">{"".join(cell(c, r, v) for c, v in enumerate(row))}</row>'
        for r, row in enumerate(rows)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    texts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.'
        'openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override '
        'PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'spreadsheetml.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}">'
        '<sheets><sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    return path


# --- the national table


def test_the_national_table_becomes_readings_with_flags_and_what_was_shown(tmp_path: Path):
    done = import_readings(national(tmp_path), tmp_path / "p", now=NOW)
    assert (done.added, done.suspect, done.stations) == (12, 6, 2)
    assert dict(done.notes) == {"rows_without_time": "1"}
    found = read_observations(tmp_path / "p" / READINGS, timezone=CHINA)
    assert set(found.time.tolist()) == {datetime(2024, 7, 20, 0, 0)}
    assert values(tmp_path / "p")["乙湖", "chl-a"] == 0.021
    assert ("甲桥", "chl-a") not in values(tmp_path / "p")
    assert ("乙湖", "NH3-N") not in values(tmp_path / "p")
    assert set(found.flag[found.station == "乙湖"].tolist()) == {SUSPECT}
    assert set(found.flag[found.station == "甲桥"].tolist()) == {GOOD}
    shown = published_classes(tmp_path / "p", zone=CHINA)
    assert shown is not None
    assert dict(zip(shown["station"], shown["class"], strict=True)) == {"甲桥": "Ⅲ", "乙湖": "--"}


def test_a_table_in_gb18030_reads_the_same(tmp_path: Path):
    import_readings(national(tmp_path, encoding="gb18030"), tmp_path / "p", now=NOW)
    assert values(tmp_path / "p")["甲桥", "NH3-N"] == 0.612


def test_a_workbook_reads_the_same_as_the_csv(tmp_path: Path):
    rows = [cell.split(",") for cell in (HEAD, *ROWS)]
    typed = [
        rows[0],
        *([float(c) if c.replace(".", "", 1).isdigit() else c for c in row] for row in rows[1:]),
    ]
    import_readings(national(tmp_path), tmp_path / "a", now=NOW)
    import_readings(workbook(tmp_path / "2024-07-20.xlsx", typed), tmp_path / "b", now=NOW)
    assert (tmp_path / "a" / READINGS).read_bytes() == (tmp_path / "b" / READINGS).read_bytes()


def test_the_json_of_the_page_gives_raw_values_and_beijing_time(tmp_path: Path):
    def cell(raw: str, shown: str) -> str:
        return f"<span data-toggle='tooltip' data-placement='right' title='原始值：{raw}'>{shown}</span>"

    head = [
        "断面名称",
        "监测时间",
        "水质类别",
        "氨氮<br/><span class='unit'>(mg/L)</span>",
        "总磷<br/><span class='unit'>(mg/L)</span>",
        "站点情况",
    ]
    name = "<span data-toggle='tooltip' title='所在地市:某市&#10;所属河流:某河'>甲桥</span>"
    body = [
        [name, "07-20 08:00", "Ⅲ", cell("0.50318", "0.503"), "<span title='极值过滤'>--</span>", "正常"],
        ["丁坝", None, "", "--", "*", "停站"],
    ]
    path = written(
        tmp_path,
        json.dumps({"result": 1, "thead": head, "tbody": body}, ensure_ascii=False),
        "2024-07-20.json",
    )
    done = import_readings(path, tmp_path / "p", now=NOW, timezone="UTC")
    found = stored_readings(tmp_path / "p", CHINA)
    assert found is not None
    assert values(tmp_path / "p") == {("甲桥", "NH3-N"): 0.50318}
    assert found.time[0] == np.datetime64("2024-07-20T00:00:00")
    assert done.kind == "national JSON"


@pytest.mark.parametrize(
    ("taken", "cell", "year"),
    [
        ("2024-01-01T02:00", "12-31 20:00", 2023),
        ("2024-01-01T02:00", "01-01 00:00", 2024),
        ("2023-03-01", "02-29 08:00", 2020),
    ],
)
def test_a_time_without_a_year_is_the_last_one_before_the_table_was_taken(
    tmp_path: Path, taken: str, cell: str, year: int
):
    path = national(tmp_path, ROWS[0].replace("07-20 08:00", cell), name="table.csv")
    import_readings(path, tmp_path / "p", now=NOW, taken=taken)
    clock = read_observations(tmp_path / "p" / READINGS, timezone=CHINA).time[0] + np.timedelta64(8, "h")
    assert str(clock).startswith(f"{year}-{cell[:5]}")


def test_without_any_word_of_when_a_table_was_taken_its_years_are_not_guessed(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"table.csv, row 2: times such as '07-20 08:00' have no year; say when .*--taken"
    ):
        import_readings(national(tmp_path, name="table.csv"), tmp_path / "p", now=NOW)
    assert not (tmp_path / "p").exists()


def test_sections_of_one_name_in_two_provinces_stay_two_in_later_files_too(tmp_path: Path):
    other = ROWS[0].replace("江苏省", "浙江省").replace("0.612", "0.9")
    import_readings(national(tmp_path, ROWS[0]), tmp_path / "p", now=NOW)
    done = import_readings(national(tmp_path, ROWS[0], other), tmp_path / "p", now=NOW)
    assert ("same_name", "甲桥(浙江省)") in done.notes
    assert {k: v for k, v in values(tmp_path / "p").items() if k[1] == "NH3-N"} == {
        ("甲桥", "NH3-N"): 0.612,
        ("甲桥(浙江省)", "NH3-N"): 0.9,
    }
    import_readings(national(tmp_path, other), tmp_path / "p", now=NOW)
    assert values(tmp_path / "p")["甲桥", "NH3-N"] == 0.612
    both = import_readings(national(tmp_path, ROWS[0], other), tmp_path / "q", now=NOW)
    assert ("same_name", "甲桥(江苏省), 甲桥(浙江省)") in both.notes


# --- again and again


def test_the_same_rows_twice_change_nothing_on_disk(tmp_path: Path):
    path = national(tmp_path)
    import_readings(path, tmp_path / "p", now=NOW)
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "p").iterdir()}
    done = import_readings(path, tmp_path / "p", now=NOW)
    assert (done.added, done.unchanged, done.revised, done.files) == (0, 12, 0, ())
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "p").iterdir()} == before


def test_a_revised_value_replaces_the_old_one_and_the_history_keeps_it(tmp_path: Path):
    import_readings(national(tmp_path), tmp_path / "p", now=NOW)
    for _ in range(2):
        revised = national(tmp_path, ROWS[0].replace("0.612", "0.480"), name="2024-07-20-late.csv")
        done = import_readings(revised, tmp_path / "p", now=NOW)
    assert values(tmp_path / "p")["甲桥", "NH3-N"] == 0.48
    history = pd.read_csv(tmp_path / "p" / HISTORY)
    assert history[["file", "station", "determinand", "before", "after"]].to_numpy().tolist() == [
        ["2024-07-20-late.csv", "甲桥", "NH3-N", 0.612, 0.48]
    ]
    assert done.revised == 0


def test_an_older_file_imported_again_does_not_bring_back_what_was_revised(tmp_path: Path):
    """A task that imports every file of a folder each hour must not swing to and fro."""
    first = national(tmp_path)
    late = national(tmp_path, ROWS[0].replace("0.612", "0.480"), name="2024-07-20-late.csv")
    for _ in range(3):
        done = [import_readings(path, tmp_path / "p", now=NOW) for path in (first, late)]
    assert values(tmp_path / "p")["甲桥", "NH3-N"] == 0.48
    assert (done[0].superseded, done[0].revised, done[1].revised) == (1, 0, 0)
    assert len(pd.read_csv(tmp_path / "p" / HISTORY)) == 1


def test_a_value_that_is_revised_and_revised_back_is_what_it_was_first(tmp_path: Path):
    """Also where the file is the same to the last byte: it was written later."""
    for value in ("0.612", "6.12", "0.612"):
        path = national(tmp_path, ROWS[0].replace("0.612", value))
        done = import_readings(path, tmp_path / "p", now=NOW)
    assert (done.superseded, done.revised) == (0, 1)
    assert values(tmp_path / "p")["甲桥", "NH3-N"] == 0.612
    assert pd.read_csv(tmp_path / "p" / HISTORY)["before"].tolist() == [0.612, 6.12]


def test_the_class_shown_stays_that_of_the_readings_when_an_older_file_is_imported_again(tmp_path: Path):
    first = national(tmp_path)
    late = national(tmp_path, ROWS[0].replace("Ⅲ", "Ⅳ").replace("0.612", "1.412"), name="2024-07-20-late.csv")
    for path in (first, late, first):
        import_readings(path, tmp_path / "p", now=NOW)
    shown = published_classes(tmp_path / "p", zone=CHINA)
    assert shown is not None
    own = dict(zip(shown["station"], shown["class"], strict=True))
    assert (own["甲桥"], values(tmp_path / "p")["甲桥", "NH3-N"]) == ("Ⅳ", 1.412)


def test_a_value_that_is_withdrawn_is_missing_afterwards_and_stays_in_the_history(tmp_path: Path):
    import_readings(national(tmp_path), tmp_path / "p", now=NOW)
    done = import_readings(national(tmp_path, ROWS[0].replace("0.612", "--")), tmp_path / "p", now=NOW)
    assert done.withdrawn == 1
    found = read_observations(tmp_path / "p" / READINGS, timezone=CHINA)
    row = (found.station == "甲桥") & (found.determinand == "NH3-N")
    assert np.isnan(found.value[row]).all()
    assert found.flag[row].tolist() == [MISSING]
    assert pd.read_csv(tmp_path / "p" / HISTORY)["before"].tolist() == [0.612]


def test_a_value_that_was_missing_for_a_while_and_a_flag_that_was_lifted_come_back(tmp_path: Path):
    for row in (ROWS[0], ROWS[0].replace("0.612", "--").replace("正常", "维护"), ROWS[0]):
        done = import_readings(national(tmp_path, row), tmp_path / "p", now=NOW)
    assert (done.superseded, done.revised) == (0, 6)
    assert values(tmp_path / "p")["甲桥", "NH3-N"] == 0.612
    found = stored_readings(tmp_path / "p", CHINA)
    assert found is not None
    assert set(found.flag.tolist()) == {GOOD}


def test_rows_of_the_users_own_without_an_offset_keep_their_time(tmp_path: Path):
    import_readings(national(tmp_path), tmp_path / "p", now=NOW)
    own = "time,station,determinand,value,unit,qualifier,flag,duration_s,sample_id\n2024-07-19 08:00,自测,NH3-N,0.7,mg/L,,,,\n"
    written(tmp_path / "p", own, READINGS)
    import_readings(national(tmp_path), tmp_path / "p", now=NOW)
    found = read_observations(tmp_path / "p" / READINGS, timezone=CHINA)
    assert found.time[found.station == "自测"].tolist() == [datetime(2024, 7, 19, 0, 0)]


def test_a_run_that_was_killed_after_the_history_adds_no_line_twice_when_it_is_run_again(tmp_path: Path):
    import_readings(national(tmp_path), tmp_path / "p", now=NOW)
    before = {name: (tmp_path / "p" / name).read_bytes() for name in (READINGS, IMPORTS)}
    late = national(
        tmp_path, ROWS[0].replace("0.612", "0.480").replace("0.131", "0.140"), name="2024-07-20-late.csv"
    )
    import_readings(late, tmp_path / "p", now=NOW)
    for name, data in before.items():
        (tmp_path / "p" / name).write_bytes(data)
    import_readings(late, tmp_path / "p", now=NOW)
    assert values(tmp_path / "p")["甲桥", "NH3-N"] == 0.48
    history = pd.read_csv(tmp_path / "p" / HISTORY)
    assert sorted(history["after"]) == [0.14, 0.48]


def test_a_value_that_is_withdrawn_again_is_in_the_history_each_time(tmp_path: Path):
    for cell in ("0.612", "--", "0.612", "--"):
        import_readings(national(tmp_path, ROWS[0].replace("0.612", cell)), tmp_path / "p", now=NOW)
    history = pd.read_csv(tmp_path / "p" / HISTORY)
    assert history["before"].fillna(0).tolist() == [0.612, 0, 0.612]


def test_of_two_imports_at_once_the_second_hears_of_the_first_and_one_that_was_killed_holds_nobody_up(
    tmp_path: Path,
):
    holder = (
        "import sys, time; from pathlib import Path; from suyuan.io.lock import locked\n"
        "with locked(Path(sys.argv[1]), what='', remedy=''):\n print('held', flush=True)\n time.sleep(60)"
    )
    (tmp_path / "p").mkdir()
    words = [sys.executable, "-c", holder, str(tmp_path / "p" / ".import.lock")]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"held"
        with pytest.raises(InputError, match=r"another import is running; wait until it has ended"):
            import_readings(national(tmp_path), tmp_path / "p", now=NOW)
        other.kill()
    assert {path.name for path in (tmp_path / "p").iterdir()} == {".import.lock"}
    assert import_readings(national(tmp_path), tmp_path / "p", now=NOW).added == 12
    assert not (tmp_path / "p" / ".import.lock").exists()


def test_more_digits_sharpen_a_value_and_fewer_leave_it(tmp_path: Path):
    import_readings(national(tmp_path), tmp_path / "p", now=NOW)
    raw = national(tmp_path, ROWS[0].replace("0.612", "0.61187"))
    assert import_readings(raw, tmp_path / "p", now=NOW).sharpened == 1
    again = import_readings(national(tmp_path), tmp_path / "p", now=NOW)
    assert (again.revised, again.sharpened) == (0, 0)
    assert values(tmp_path / "p")["甲桥", "NH3-N"] == 0.61187
    assert not (tmp_path / "p" / HISTORY).exists()


def test_of_several_scrapes_of_one_hour_the_last_taken_counts(tmp_path: Path):
    head = "station,time,nh3n_mgl,scraped_at\n"
    rows = "甲桥,2024-07-20 08:00,0.7,2024-07-20 11:00\n甲桥,2024-07-20 08:00,0.6,2024-07-20 09:00\n"
    done = import_readings(written(tmp_path, head + rows), tmp_path / "p", now=NOW)
    assert values(tmp_path / "p") == {("甲桥", "NH3-N"): 0.7}
    assert (done.added, done.revised) == (1, 1)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from([0.1, 0.25, float("nan")])),
        max_size=12,
    )
)
def test_merging_what_was_merged_changes_nothing(rows: list[tuple[int, int, float]]):
    n = len(rows)
    new = Observations(
        np.datetime64("2024-07-01T00:00:00") + np.array([r[0] for r in rows], "timedelta64[h]"),
        np.array([f"S{r[1]}" for r in rows], dtype="<U4"),
        np.full(n, "COD"),
        np.array([r[2] for r in rows], float),
        np.full(n, ""),
        np.array([MISSING if np.isnan(r[2]) else GOOD for r in rows], np.int8),
        np.zeros(n),
        np.full(n, ""),
    )
    noticed = np.datetime64("2024-07-20T00:00:00")
    once = merged(None, new, noticed=noticed)
    last = {
        (t, s): v for t, s, v in zip(new.time.tolist(), new.station.tolist(), new.value.tolist(), strict=True)
    }
    if once.readings is not None:
        twice = merged(once.readings, once.readings, noticed=noticed)
        assert not twice.is_changed
        held = dict(
            zip(
                zip(once.readings.time.tolist(), once.readings.station.tolist(), strict=True),
                once.readings.value,
                strict=True,
            )
        )
        assert all(last[key] == v or (np.isnan(v) and np.isnan(last[key])) for key, v in held.items())
    assert {k for k, v in last.items() if not np.isnan(v)} <= (
        set()
        if once.readings is None
        else set(zip(once.readings.time.tolist(), once.readings.station.tolist(), strict=True))
    )


def test_a_project_that_does_not_name_the_readings_is_told_to(tmp_path: Path):
    (tmp_path / "p").mkdir()
    written(tmp_path / "p", '[project]\ntimezone = "Asia/Shanghai"\n', "suyuan.toml")
    done = import_readings(national(tmp_path), tmp_path / "p", now=NOW)
    assert ("not_named", READINGS) in done.notes
    assert (tmp_path / "p" / "suyuan.toml").read_text("utf-8") == '[project]\ntimezone = "Asia/Shanghai"\n'


def test_of_a_project_with_a_network_only_its_stations_are_taken(tmp_path: Path):
    """Readings of stations that are not drawn would stop every other verb."""
    new_project(tmp_path / "new")
    river = tmp_path / "new" / "example"
    station = read_network(river / "network.gpkg").stations[0]
    row = ROWS[0].replace("甲桥", station.id)
    done = import_readings(national(tmp_path, row, *ROWS[:2]), river, now=NOW)
    assert ("not_in_network", "2: 乙湖, 甲桥") in done.notes
    assert {name for name, _ in values(river)} == {station.id}
    with pytest.raises(
        InputError, match=r"none of its 1 stations is in the network, such as '甲桥'; draw the station"
    ):
        import_readings(national(tmp_path, ROWS[0]), river, now=NOW)


# --- names of stations


def test_one_station_in_full_and_half_width_is_one(tmp_path: Path):
    import_readings(national(tmp_path, ROWS[0].replace("甲桥", "甲桥(老)")), tmp_path / "p", now=NOW)
    later = ROWS[0].replace("甲桥", "甲桥（老）").replace("07-20 08:00", "07-20 12:00")
    done = import_readings(national(tmp_path, later), tmp_path / "p", now=NOW)
    assert ("one_spelling", "甲桥（老） = 甲桥(老)") in done.notes
    assert {station for station, _ in values(tmp_path / "p")} == {"甲桥(老)"}


def test_two_names_with_the_same_readings_are_said_to_be_one_station(tmp_path: Path):
    rng = np.random.default_rng(2)
    rows = [
        f"2024-07-{d:02} 08:00,{s},{n:.3f},{p:.3f}"
        for d in range(1, 16)
        for n, p in [rng.uniform(0.1, 1, 2)]
        for s in ("甲桥", "甲桥断面")
    ]
    rows += [f"2024-07-{d:02} 08:00,丁坝,{v:.3f},0.05" for d in range(1, 16) for v in [rng.uniform(0.1, 1)]]
    text = "时间,断面,氨氮(mg/L),总磷(mg/L)\n" + "\n".join(rows) + "\n"
    done = import_readings(written(tmp_path, text), tmp_path / "p", now=NOW)
    assert [text for code, text in done.notes if code == "one_station"] == ["甲桥, 甲桥断面"]


# --- bad input


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("氨氮(mg/L)", "氨氯(mg/L)"),
            "2024-07-20.csv: column '氨氯(mg/L)': '氨氯' is not a known determinand",
        ),
        (
            ("氨氮(mg/L)", "氨氮(mg/m)"),
            "column '氨氮(mg/m)': 'mg/m' is not a unit of NH3-N; write one of: mg/l",
        ),
        (("07-20 08:00", "07-32 08:00"), "2024-07-20.csv, row 2: time '07-32 08:00' cannot be read"),
        (("0.612", "0,612x"), "row 2"),
        (("0.612", "0.6l2"), "2024-07-20.csv, row 2: value '0.6l2' is not a number"),
    ],
)
def test_what_cannot_be_read_is_named_and_nothing_is_written(
    tmp_path: Path, change: tuple[str, str], said: str
):
    text = "\n".join((HEAD, *ROWS)).replace(*change, 1)
    with pytest.raises(InputError) as error:
        import_readings(written(tmp_path, text), tmp_path / "p", now=NOW)
    assert said in str(error.value)
    assert not (tmp_path / "p").exists()


def test_readings_in_the_future_are_refused(tmp_path: Path):
    path = written(
        tmp_path, "time,station,determinand,value,unit\n2025-07-20 08:00,甲桥,TP,0.1,mg/L\n", "a.csv"
    )
    with pytest.raises(
        InputError,
        match=r"a.csv: 1 readings lie in the future, the first at 2025-07-20 08:00\+08:00; correct",
    ):
        import_readings(path, tmp_path / "p", now=NOW)


def test_an_hour_that_came_twice_when_clocks_went_back_needs_its_offset(tmp_path: Path):
    text = "time,station,determinand,value,unit\n2023-10-29 01:30,A,TP,0.1,mg/L\n"
    with pytest.raises(InputError, match=r"row 2: time '2023-10-29 01:30' cannot be read"):
        import_readings(written(tmp_path, text), tmp_path / "p", now=NOW, timezone="Europe/London")
    with_offset = written(tmp_path, text.replace("01:30", "01:30+01:00"))
    assert import_readings(with_offset, tmp_path / "p", now=NOW, timezone="Europe/London").added == 1


def test_a_table_of_no_known_kind_says_what_is_lacking(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"the columns a, b are those of no table known here; see docs/tables/imports.md"
    ):
        import_readings(written(tmp_path, "a,b\n1,2\n"), tmp_path / "p", now=NOW)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ('{"rows": []}', "has no thead and tbody"),
        ('{"thead": ["a"], "tbody": [["1", "2"]]}', "row 1: the row has not 1 cells"),
        ('{"thead": ["a"], "tbody": []}', "there is no row"),
    ],
)
def test_json_that_is_not_the_table_is_refused(tmp_path: Path, text: str, said: str):
    with pytest.raises(InputError) as error:
        import_readings(written(tmp_path, text, "a.json"), tmp_path / "p", now=NOW)
    assert said in str(error.value)


# --- Water Quality Portal

WQX2 = (
    "MonitoringLocationIdentifier,ActivityStartDate,ActivityStartTime/Time,ActivityStartTime/TimeZoneCode,CharacteristicName,"
    "ResultSampleFractionText,ResultMeasureValue,ResultMeasure/MeasureUnitCode,ResultDetectionConditionText,"
    "DetectionQuantitationLimitMeasure/MeasureValue,DetectionQuantitationLimitMeasure/MeasureUnitCode,ResultStatusIdentifier,"
    "ActivityMediaName,ActivityTypeCode,ActivityMediaSubdivisionName\n"
)
WQX_ROWS = (
    "USGS-1,2023-06-01,10:00:00,EDT,Phosphorus,Total,120,ug/l as P,,,,Accepted,Water,Sample-Routine,Surface Water\n"
    "USGS-1,2023-06-01,10:00:00,EDT,Phosphorus,Dissolved,0.05,mg/l as P,,,,Accepted,Water,Sample-Routine,Surface Water\n"
    "USGS-1,2023-06-01,10:00:00,EST,Ammonia and ammonium,Dissolved,1.29,mg/l as NH4,,,,Rejected,Water,Sample-Routine,\n"
    "USGS-1,2023-06-02,,,Nitrate,Dissolved,,,Not Detected,0.04,mg/l as N,Accepted,Water,Sample-Routine,Surface Water\n"
    "USGS-1,2023-06-02,09:00:00,UTC,Atrazine,Total,1,ug/l,,,,Accepted,Water,Sample-Routine,Surface Water\n"
    "USGS-1,2023-06-02,09:00:00,UTC,pH,,7.9,std units,,,,Accepted,Water,Quality Control Sample-Field Blank,Surface Water\n"
    "USGS-2,2023-06-02,09:00:00,UTC,pH,,7.2,std units,,,,Accepted,Water,Sample-Routine,Groundwater\n"
)


def test_results_of_the_water_quality_portal_become_readings(tmp_path: Path):
    done = import_readings(
        written(tmp_path, WQX2 + WQX_ROWS, "wqp.csv"), tmp_path / "p", now=NOW, timezone="UTC"
    )
    found = stored_readings(tmp_path / "p", CHINA)
    assert found is not None
    rows = dict(
        zip(
            found.determinand.tolist(),
            zip(found.time.tolist(), found.value, found.qualifier, found.flag, strict=True),
            strict=True,
        )
    )
    assert rows["TP"] == (datetime(2023, 6, 1, 14), pytest.approx(0.12), "", GOOD)
    assert rows["NH3-N"][0] == datetime(2023, 6, 1, 15)
    assert rows["NH3-N"][1] == pytest.approx(1.29 * 14.007 / 18.039)
    assert rows["NH3-N"][3] == 4
    assert rows["NO3-N"] == (datetime(2023, 6, 2, 12), pytest.approx(0.04), "<", GOOD)
    notes = dict(done.notes)
    assert notes == {
        "not_water": "2",
        "noon_taken": "1",
        "unknown_determinands": "2: Phosphorus (1), Atrazine (1)",
    }


def test_every_form_of_nitrogen_and_phosphorus_is_converted_and_what_cannot_be_is_left_out(tmp_path: Path):
    head = "MonitoringLocationIdentifier,ActivityStartDate,CharacteristicName,ResultSampleFractionText,ResultMeasureValue,"
    head += "ResultMeasure/MeasureUnitCode,MethodSpeciationName\n"
    rows = [
        "Nitrogen,Total,6.2004,mg/l,as NO3",  # 1.4007 as N
        "Kjeldahl nitrogen,Total,18.039,mg/l asNH4,",  # 14.007
        "Nitrite,Dissolved,4.6005,mg/l NO2,as NO2",  # 1.4007
        "Phosphorus,Total,0.94971,mg/l as PO4,",  # 0.30974
        "Orthophosphate,Dissolved,0.5,mg/l as P,as P",
        "Nitrate,Dissolved,1,mg/l as N,as NO3",  # two forms
        "Ammonia,Dissolved,1,mg/l,as CaCO3",
        "Dissolved oxygen (DO),,95,%,",
        "Dissolved oxygen (DO),,95,% saturatn,",
    ]
    text = head + "".join(f"USGS-1,2023-06-01,{row}\n" for row in rows)
    done = import_readings(written(tmp_path, text, "w.csv"), tmp_path / "p", now=NOW, timezone="UTC")
    found = {name: value for (_, name), value in values(tmp_path / "p").items()}
    assert found == pytest.approx({"TN": 1.4007, "TKN": 14.007, "NO2-N": 1.4007, "TP": 0.30974, "PO4-P": 0.5})
    notes = dict(done.notes)
    assert notes["unknown_forms"] == "2: NO3-N as NO3 mg/l as N (1), NH3-N as CaCO3 mg/l (1)"
    assert notes["other_units"] == "2: DO % (1), DO % saturatn (1)"
    assert any("a unit of another quantity, left out: 2: DO %" in words.en for words in import_words(done))


def test_the_newer_columns_of_the_portal_read_the_same(tmp_path: Path):
    text = (
        "Location_Identifier,Activity_StartDate,Activity_StartTime,Activity_StartTimeZone,Result_Characteristic,Result_Measure,"
        "Result_MeasureUnit\nUSGS-1,2023-06-01,10:00:00,EDT,Dissolved oxygen (DO),8.1,mg/l\n"
    )
    import_readings(written(tmp_path, text, "wqx3.csv"), tmp_path / "p", now=NOW, timezone="UTC")
    assert values(tmp_path / "p") == {("USGS-1", "DO"): 8.1}


def test_a_censored_result_that_is_converted_stays_censored_and_rows_left_out_may_have_any_clock(
    tmp_path: Path,
):
    """0.10 mg/L of nitrate as NO3 is 0.10 x 14.007 / 62.004 = 0.0226 mg/L of N."""
    text = (
        "MonitoringLocationIdentifier,ActivityStartDate,ActivityStartTime/Time,ActivityStartTime/TimeZoneCode,CharacteristicName,"
        "ResultMeasureValue,ResultMeasure/MeasureUnitCode,ActivityMediaName\n"
        "S1,2023-06-01,10:00:00,EDT,Nitrate,<0.10,mg/l as NO3,Water\nS1,2023-06-01,25:00:00,XYZ,Nitrate,1,mg/l,Air\n"
    )
    import_readings(written(tmp_path, text, "wqx.csv"), tmp_path / "p", now=NOW, timezone="UTC")
    found = stored_readings(tmp_path / "p", CHINA)
    assert found is not None
    assert found.value.tolist() == [pytest.approx(0.1 * 14.007 / 62.004)]
    assert found.qualifier.tolist() == ["<"]
    with pytest.raises(InputError, match="the time zone 'XYZ' is not known"):
        import_readings(written(tmp_path, text.replace("Air", "Water"), "wqx.csv"), tmp_path / "q", now=NOW)


# --- a real table


@pytest.mark.skipif(not NATIONAL.is_file(), reason="../shared/data is not here: no national table to import")
def test_a_national_snapshot_of_1900_sections_is_imported_whole_and_once(tmp_path: Path):
    """1,901 rows; names are unique in a province only (19 are not), and one section stands there twice."""
    table = pd.read_csv(NATIONAL)
    done = import_readings(NATIONAL, tmp_path / "p", now=NOW)
    found = stored_readings(tmp_path / "p", CHINA)
    assert found is not None
    cells = table[
        ["water_temp_c", "ph", "do_mgl", "ec_uscm", "turb_ntu", "codmn_mgl", "nh3n_mgl", "tp_mgl", "tn_mgl"]
    ]
    assert done.rows == int(cells.notna().to_numpy().sum())
    assert done.added == len(found) == done.rows - done.revised
    assert done.stations == len(table.drop_duplicates(["province", "station"]))
    assert import_readings(NATIONAL, tmp_path / "p", now=NOW).files == ()
    assert (tmp_path / "p" / PUBLISHED).is_file()
