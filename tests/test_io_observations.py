"""Readings as bureaus write them, and what is said when they cannot be read."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suyuan.errors import InputError
from suyuan.io.observations import read_observations, write_observations
from suyuan.io.tables import Column, read_table
from suyuan.network import Network, Node, Reach, Station
from suyuan.observations import FAIL, GOOD, MISSING, SUSPECT, Observations
from suyuan.substances import determinands

HEADER = "time,station,determinand,value,unit,qualifier\n"
CHINA = "Asia/Shanghai"


def network() -> Network:
    nodes = (Node("A", "boundary"), Node("B", "outlet"))
    stations = (
        Station("S1", "R1", 100.0, "姚巷"),
        Station("S2", "R1", 200.0, "Wujin"),
        Station("S3", "R1", 300.0, "Wujin"),
    )
    return Network(nodes, (Reach("R1", "A", "B", 1000.0),), (), stations)


def written(folder: Path, text: str, encoding: str = "utf-8", name: str = "nh3n.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def read(folder: Path, *rows: str, header: str = HEADER) -> Observations:
    return read_observations(written(folder, header + "\n".join(rows)), timezone=CHINA, network=network())


def refused(folder: Path, *rows: str, header: str = HEADER) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(folder, *rows, header=header)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_chinese_export_reads_the_same_in_every_encoding(tmp_path: Path, encoding: str):
    header = "时间,断面,指标,数值,单位,标识\r\n"
    rows = "2024-07-20 08:00,姚巷,氨氮,0.25,毫克/升,<\r\n2024/7/20 9:00,S1,总磷,80,μg/L,\r\n"
    readings = read_observations(
        written(tmp_path, header + rows, encoding), timezone=CHINA, network=network()
    )
    assert readings.station.tolist() == ["S1", "S1"]
    assert readings.determinand.tolist() == ["NH3-N", "TP"]
    np.testing.assert_allclose(readings.value, [0.25, 0.08])
    assert readings.qualifier.tolist() == ["<", ""]
    assert (
        readings.time.tolist() == np.array(["2024-07-20T00:00", "2024-07-20T01:00"], "datetime64[s]").tolist()
    )


@pytest.mark.parametrize(
    ("written_time", "utc"),
    [
        ("2024-07-20T08:00:00+08:00", "2024-07-20T00:00:00"),
        ("2024-07-20T00:00:00Z", "2024-07-20T00:00:00"),
        ("2024-07-20 08:00:00 +0800", "2024-07-20T00:00:00"),
        ("2024-07-20T08:00", "2024-07-20T00:00:00"),
        ("2024-07-20 08:00:00.25", "2024-07-20T00:00:00"),
        ("2024-07-20", "2024-07-19T16:00:00"),
        ("2024/7/20 8:05", "2024-07-20T00:05:00"),
        ("2024年7月20日8时", "2024-07-20T00:00:00"),
        ("2024年07月20日 08:30", "2024-07-20T00:30:00"),
    ],
)
def test_a_time_without_offset_is_the_projects(tmp_path: Path, written_time: str, utc: str):
    assert read(tmp_path, f"{written_time},S1,TP,0.1,mg/L,").time[0] == np.datetime64(utc)


def test_times_with_and_without_offset_may_be_mixed(tmp_path: Path):
    readings = read(tmp_path, "2024-07-20T08:00,S1,TP,1,mg/L,", "2024-07-20T08:00+00:00,S1,TP,1,mg/L,")
    assert (readings.time[1] - readings.time[0]) == np.timedelta64(8, "h")


@pytest.mark.parametrize(
    ("cell", "value", "qualifier"),
    [
        ("<0.05", 0.05, "<"),
        ("< 0.05", 0.05, "<"),
        ("＜0.05", 0.05, "<"),
        ("0.05L", 0.05, "<"),
        (">200", 200.0, ">"),
    ],
)
def test_the_detection_limit_may_stand_in_the_value(tmp_path: Path, cell: str, value: float, qualifier: str):
    readings = read(tmp_path, f"2024-07-20,S1,TP,{cell},mg/L,")
    assert (readings.value[0], readings.qualifier[0]) == (value, qualifier)


def test_a_limit_in_micrograms_is_converted_with_its_reading(tmp_path: Path):
    readings = read(tmp_path, "2024-07-20,S1,TP,<50,ug/L,")
    assert (readings.value[0], readings.qualifier[0]) == (0.05, "<")


@pytest.mark.parametrize("cell", ["", "--", "NA", "缺测", "*"])
def test_a_missing_value_is_kept_and_flagged(tmp_path: Path, cell: str):
    readings = read(tmp_path, f"2024-07-20,S1,TP,{cell},mg/L,", "2024-07-21,S1,TP,0.1,mg/L,")
    assert np.isnan(readings.value[0])
    assert readings.flag.tolist() == [MISSING, GOOD]


def test_flags_samples_and_composites_are_kept(tmp_path: Path):
    header = "time,station,determinand,value,unit,flag,sample_id,duration_s\n"
    rows = (
        "2024-07-20,S1,TP,0.1,mg/L,3,a-7,7200",
        "2024-07-20,S1,TP,0.1,mg/L,4,,",
        "2024-07-20,S1,TP,0.1,mg/L,,,",
    )
    readings = read(tmp_path, *rows, header=header)
    assert readings.flag.tolist() == [SUSPECT, FAIL, GOOD]
    assert readings.sample_id.tolist() == ["a-7", "", ""]
    assert readings.duration_s.tolist() == [7200.0, 0.0, 0.0]


def test_spreadsheets_leave_comments_blank_lines_and_empty_rows(tmp_path: Path):
    header = '"# exported, by hand",,,,,\n\n' + HEADER
    readings = read(
        tmp_path, "2024-07-20,S1,TP,0.1,mg/L,", "", ",,,,,", "2024-07-21,S1,TP,0.2,mg/L,", header=header
    )
    assert readings.value.tolist() == [0.1, 0.2]


def test_semicolons_and_tabs_separate_too(tmp_path: Path):
    for separator in ";\t":
        header, row = HEADER.replace(",", separator), "2024-07-20,S1,TP,0.1,mg/L,".replace(",", separator)
        assert read(tmp_path, row, header=header).value.tolist() == [0.1]


def test_several_files_are_read_as_one_and_all_their_faults_reported(tmp_path: Path):
    first = written(tmp_path, HEADER + "2024-07-20,S1,TP,0.1,mg/L,\n", name="a.csv")
    second = written(tmp_path, HEADER + "2024-07-21,S1,TP,0.2,mg/L,\n", name="b.csv")
    readings = read_observations([first, second], timezone=CHINA, network=network())
    assert readings.value.tolist() == [0.1, 0.2]
    for path in (first, second):
        path.write_text(HEADER + "2024-07-21,S9,TP,0.2,mg/L,\n")
    with pytest.raises(InputError) as caught:
        read_observations([first, second], timezone=CHINA, network=network())
    assert [f.where for f in caught.value.faults] == ["a.csv", "b.csv"]


def test_parquet_with_real_times_and_numbers_reads_the_same(tmp_path: Path):
    frame = pd.DataFrame(
        {
            "time": pd.to_datetime(["2024-07-20T08:00:00+08:00", "2024-07-20T09:00:00+08:00"]),
            "station": ["S1", "姚巷"],
            "determinand": ["TP", "氨氮"],
            "value": [0.1, np.nan],
            "unit": "mg/L",
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    frame.assign(time=frame["time"].dt.tz_localize(None)).to_parquet(tmp_path / "b.parquet")
    for name in ("a.parquet", "b.parquet"):
        readings = read_observations(tmp_path / name, timezone=CHINA, network=network())
        assert readings.time[0] == np.datetime64("2024-07-20T00:00:00")
        assert readings.station.tolist() == ["S1", "S1"]
        assert readings.flag.tolist() == [GOOD, MISSING]


def test_every_fault_of_a_table_is_reported_at_once_with_row_value_and_remedy(tmp_path: Path):
    faults = refused(
        tmp_path,
        "2024-07-20,Yaoxang,TP,0.1,mg/L,",
        "20 July,S1,TP,0.1,mg/L,",
        "2024-07-20,S1,NH3N-,0.1,mg/L,",
        "",
        "2024-07-20,S1,TP,0.1,mol/L,",
        "2024-07-20,S1,TP,0.1,,",
        '2024-07-20,S1,TP,"0,1",mg/L,',
        "2024-07-20,S1,TP,0.1,mg/L,about",
        "2024-07-20,S1,TP,ND,mg/L,",
    )
    expected = [
        "nh3n.csv, row 2: station 'Yaoxang' is not in the network; known are: S1, S2, S3, 姚巷",
        "nh3n.csv, row 3: time '20 July' cannot be read; write 2024-07-20T08:00:00+08:00",
        "nh3n.csv, row 4: 'NH3N-' is not a known determinand; did you mean 'NH3-N'?",
        "nh3n.csv, row 6: unit: 'mol/L' is not a unit of TP; write one of: mg/l, g/m3",
        "nh3n.csv, row 7: unit: the unit of TP is missing; write one of: mg/l, g/m3",
        "nh3n.csv, row 8: value '0,1' is not a number; write a number with a decimal point, or <0.05",
        "nh3n.csv, row 9: qualifier 'about' is not known; write < (below the limit given as value)",
        "nh3n.csv, row 10: value 'ND' does not say below which limit; write the limit as value",
    ]
    assert len(faults) == len(expected)
    for fault, start in zip(faults, expected, strict=True):
        assert fault.startswith(start)


def test_a_fault_in_many_rows_is_reported_once_and_counted(tmp_path: Path):
    rows = [f"2024-07-20T{h:02}:00,S1,TP,0.1,mol/L," for h in range(24)]
    assert [f.split(";")[0] for f in refused(tmp_path, *rows)] == [
        "nh3n.csv, row 2: unit: 'mol/L' is not a unit of TP (and in 23 more rows)"
    ]


def test_hundreds_of_different_faults_do_not_flood_the_screen(tmp_path: Path):
    faults = refused(tmp_path, *(f"2024-07-20,S1,TP,x{i},mg/L," for i in range(300)))
    assert len(faults) == 21
    assert "280 more rows have 280 other values with the same fault" in faults[-1]


def test_a_name_that_two_stations_share_is_refused(tmp_path: Path):
    assert refused(tmp_path, "2024-07-20,Wujin,TP,0.1,mg/L,") == [
        "nh3n.csv, row 2: station 'Wujin' is the name of 2 stations; write the station's id"
    ]


def test_signs_that_contradict_and_limits_that_are_missing_are_refused(tmp_path: Path):
    faults = refused(tmp_path, "2024-07-20,S1,TP,<0.1,mg/L,>", "2024-07-20,S1,TP,,mg/L,<")
    assert faults[0].startswith("nh3n.csv, row 2: qualifier > beside <0.1 contradict each other; keep")
    assert faults[1].startswith("nh3n.csv, row 3: qualifier '<' has no value; write the detection limit")


def test_flags_and_durations_that_cannot_be_are_refused(tmp_path: Path):
    header = "time,station,determinand,value,unit,flag,duration_s\n"
    faults = refused(tmp_path, "2024-07-20,S1,TP,1,mg/L,good,", "2024-07-20,S1,TP,1,mg/L,,-5", header=header)
    assert "row 2: flag 'good' is not a quality flag; write 1 (good)" in faults[0]
    assert "row 3: duration_s '-5' is below 0; write the seconds" in faults[1]


def test_hours_of_composite_samples_are_read_in_either_language_and_blank_is_a_grab(tmp_path: Path):
    for header in ("composite_h", "混合时长"):
        text = f"time,station,determinand,value,unit,{header}\n"
        rows = "2024-07-20,S1,TP,1,mg/L,24\n2024-07-21,S1,TP,1,mg/L,\n2024-07-22,S1,TP,1,mg/L,0\n2024-07-23,S1,TP,1,mg/L,0.1\n"
        readings = read_observations(written(tmp_path, text + rows), timezone=CHINA)
        assert readings.duration_s.tolist() == [86400.0, 0.0, 0.0, 360.0]


def test_hours_and_seconds_of_a_sample_must_agree(tmp_path: Path):
    header = "time,station,determinand,value,unit,composite_h,duration_s\n"
    same = "2024-07-20,S1,TP,1,mg/L,2,7200\n2024-07-21,S1,TP,1,mg/L,,60\n"
    readings = read_observations(written(tmp_path, header + same), timezone=CHINA)
    assert readings.duration_s.tolist() == [7200.0, 60.0]
    faults = refused(tmp_path, "2024-07-20,S1,TP,1,mg/L,2,120", header=header)
    assert "row 2: duration_s '120' is not as long as composite_h says; write one of them" in faults[0]


def test_a_column_named_composite_is_not_passed_over(tmp_path: Path):
    faults = refused(
        tmp_path, "2024-07-20,S1,TP,1,mg/L,24", header="time,station,determinand,value,unit,composite\n"
    )
    assert "the column 'composite' is not known; did you mean 'composite_h'?" in faults[0]


def test_missing_and_misspelt_columns_name_their_neighbours(tmp_path: Path):
    faults = refused(tmp_path, "2024-07-20,S1,TP,1,<", header="time,station,parameter,value,qualifer\n")
    assert faults[0].startswith(
        "nh3n.csv: the column 'determinand' is missing; add it, named determinand or 指标"
    )
    assert faults[1].startswith("nh3n.csv: the column 'qualifer' is not known; did you mean 'qualifier'?")
    assert faults[2].startswith("nh3n.csv: the column 'unit' is missing;")


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path):
    assert (
        "columns 'station' and '断面' both mean station; keep one"
        in refused(tmp_path, "a,b,c,d,e,f,g", header=HEADER.replace("\n", ",断面\n"))[0]
    )
    assert (
        "row 1: the column 'unit' is there twice"
        in refused(tmp_path, "a,b,c,d,e,f,g", header=HEADER.replace("\n", ",unit\n"))[0]
    )


def test_columns_without_a_name_are_passed_over(tmp_path: Path):
    """A spreadsheet adds ',,' to every line, the header too."""
    header = HEADER.replace("\n", ",,\n")
    path = written(tmp_path, header + "2024-07-20,S1,TP,0.1,mg/L,,,\n,,,,,,,\n")
    assert read_observations(path, timezone=CHINA, network=network()).value.tolist() == [0.1]


def test_long_numeric_ids_with_a_gap_stay_apart(tmp_path: Path):
    """Parquet holds the column as floats because of the gap."""
    frame = pd.DataFrame({"sample_id": [3202811001.0, 3202811002.0, np.nan, 12.5]})
    frame.to_parquet(tmp_path / "ids.parquet")
    table = read_table(tmp_path / "ids.parquet", (Column("sample_id"),))
    assert table.text("sample_id").tolist() == ["3202811001", "3202811002", "", "12.5"]


def test_rows_that_are_too_long_or_never_end_are_named(tmp_path: Path):
    good = "2024-07-20,S1,TP,0.1,mg/L,"
    assert refused(tmp_path, good, good + ",,", good, "2024-07-20,S1") == [
        f"nh3n.csv, row 3: the row '{good},,' has 8 cells where the header has 6; give it 6 cells",
        "nh3n.csv, row 5: the row '2024-07-20,S1' has 2 cells where the header has 6; give it 6 cells",
    ]
    assert (
        "row 3: a quotation mark is not closed" in refused(tmp_path, good, good.replace("S1", '"S1'), good)[0]
    )


def test_an_hour_that_the_clock_showed_twice_needs_an_offset(tmp_path: Path):
    path = written(tmp_path, HEADER + "2024-10-27T02:30,S1,TP,0.1,mg/L,\n")
    with pytest.raises(
        InputError, match=r"row 2: time '2024-10-27T02:30' cannot be read; write 2024-07-20T08:00"
    ):
        read_observations(path, timezone="Europe/Berlin")


@pytest.mark.parametrize("data", [b"", b"   \n", b"# only a comment\n"])
def test_an_empty_file_says_so(tmp_path: Path, data: bytes):
    (tmp_path / "nh3n.csv").write_bytes(data)
    with pytest.raises(
        InputError, match=r"nh3n.csv: (the file is empty|there is no header line); (export|name)"
    ):
        read_observations(tmp_path / "nh3n.csv", timezone=CHINA)


def test_a_header_without_rows_says_so(tmp_path: Path):
    assert refused(tmp_path) == ["nh3n.csv: there is no reading; export at least one row below the header"]


def test_a_missing_file_names_its_neighbour(tmp_path: Path):
    written(tmp_path, HEADER, name="observations.csv")
    with pytest.raises(
        InputError, match=r"observation.csv: there is no such file; .* mean 'observations.csv'"
    ):
        read_observations(tmp_path / "observation.csv", timezone=CHINA)


def test_text_in_no_known_encoding_names_the_line(tmp_path: Path):
    (tmp_path / "nh3n.csv").write_bytes(HEADER.encode() + b"2024-07-20,\xff\xff,TP,1,mg/L,\n")
    with pytest.raises(
        InputError, match=r"nh3n.csv, row 2: the byte 0xff is neither UTF-8 nor GB 18030; save"
    ):
        read_observations(tmp_path / "nh3n.csv", timezone=CHINA)
    with pytest.raises(InputError, match="the text is in UTF-16; save it as 'CSV UTF-8'"):
        read_observations(written(tmp_path, HEADER, "utf-16"), timezone=CHINA)


def test_a_half_written_parquet_says_so(tmp_path: Path):
    pd.DataFrame({"time": ["2024-07-20"] * 100}).to_parquet(tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"a.parquet: cannot be read as Parquet, it may be half-written"):
        read_observations(tmp_path / "a.parquet", timezone=CHINA)


def test_an_unknown_kind_of_file_or_timezone_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"a.docx: '.docx' is not a kind of table; save it as one of: .csv"):
        read_observations(written(tmp_path, HEADER, name="a.docx"), timezone=CHINA)
    with pytest.raises(
        InputError, match="timezone 'Asia/Shangai' is not known; did you mean 'Asia/Shanghai'"
    ):
        read_observations(written(tmp_path, HEADER), timezone="Asia/Shangai")


_READING = st.tuples(
    st.integers(0, 2_000_000_000),
    st.sampled_from(["S1", "断面 A", "a,b", "07"]),
    st.sampled_from(sorted(determinands())),
    st.one_of(st.floats(-1e12, 1e12), st.just(float("nan"))),
    st.sampled_from(["", "<", ">"]),
    st.sampled_from([GOOD, SUSPECT, FAIL]),
    st.integers(0, 86_400),
    st.sampled_from(["", "x-1", "样品"]),
)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(_READING, min_size=1, max_size=20), ending=st.sampled_from([".csv", ".parquet"]))
def test_what_is_written_reads_the_same(rows: list[tuple[object, ...]], ending: str):
    time_, station, named, value, sign, flag, duration, sample = (
        list(column) for column in zip(*rows, strict=True)
    )
    values = np.array(value, dtype=float)
    readings = Observations(
        time=np.array(time_, dtype="datetime64[s]"),
        station=np.array(station),
        determinand=np.array(named),
        value=values,
        qualifier=np.where(np.isnan(values), "", np.array(sign)),
        flag=np.where(np.isnan(values), MISSING, np.array(flag)).astype(np.int8),
        duration_s=np.array(duration, dtype=float),
        sample_id=np.array(sample),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"readings{ending}"
        write_observations(readings, path, timezone=CHINA)
        again = read_observations(path, timezone="America/New_York")
    for name in ("time", "station", "determinand", "value", "qualifier", "flag", "duration_s", "sample_id"):
        np.testing.assert_array_equal(getattr(again, name), getattr(readings, name), err_msg=name)


def test_a_million_readings_take_seconds(tmp_path: Path):
    hours = np.datetime_as_string(np.datetime64("2000-01-01T00") + np.arange(62_500))
    rows = [
        f"{t}:00+08:00,S{1 + i % 3},{d},0.{i % 97},{u},\n" for i, t in enumerate(hours) for d, u in _SERIES
    ]
    path = written(tmp_path, HEADER + "".join(rows))
    began = time.perf_counter()
    readings = read_observations(path, timezone=CHINA, network=network())
    assert len(readings) == 1_000_000
    assert time.perf_counter() - began < 60.0  # a few seconds on a free core; a loop over rows takes minutes
    assert set(readings.station.tolist()) == {"S1", "S2", "S3"}


_SERIES = [
    (d, u) for d in ("NH3-N", "氨氮", "TP", "TN", "CODMn", "COD", "Cu", "Zn") for u in ("mg/L", "ug/L")
]
