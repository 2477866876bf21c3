"""Fingerprints of outfalls, and what is said of tables that are none."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from suyuan.errors import InputError
from suyuan.fingerprints import Fingerprints
from suyuan.io.fingerprints import read_fingerprints, write_fingerprints

HEADER = "kind,determinand,unit,median,log_sd\n"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    (folder / "fingerprints.csv").write_text(header + "\n".join(rows), "utf-8")
    return folder / "fingerprints.csv"


def refused(folder: Path, *rows: str, header: str = HEADER) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_fingerprints(written(folder, *rows, header=header))
    return [str(fault) for fault in caught.value.faults]


def test_medians_are_in_the_own_unit_and_gaps_stay_open(tmp_path: Path):
    prints = read_fingerprints(
        written(tmp_path, "domestic,氨氮,mg/L,25,0.4", "O7,TP,ug/L,3500,0.3", "domestic,EC,mS/cm,0.5,0.4")
    )
    assert prints.kinds == ("domestic", "O7")
    assert prints.determinands == ("NH3-N", "TP", "EC")
    np.testing.assert_allclose(prints.median, [[25.0, np.nan, 500.0], [np.nan, 3.5, np.nan]])
    np.testing.assert_allclose(prints.log_sd, [[0.4, np.nan, 0.4], [np.nan, 0.3, np.nan]])


def test_every_fault_is_reported_at_once(tmp_path: Path):
    faults = refused(
        tmp_path,
        "domestic,NH3-N,mg/L,25,0.4",
        "domestic,氨氮,mg/L,20,0.4",
        ",TP,mg/L,1,0.4",
        "storm,TPP,mg/L,1,0.4",
        "storm,TP,,1,0.4",
        "storm,TN,mg/L,0,-1",
        "storm,COD,mg/L,many,",
    )
    above = "write a number above 0, or leave the row out"
    assert [fault.replace("fingerprints.csv, ", "") for fault in faults] == [
        "row 3: kind 'domestic' has two rows for NH3-N; keep one",
        "row 4: kind is missing; name a kind of outfall (industrial, domestic ...) or an outfall's id",
        "row 5: 'TPP' is not a known determinand; did you mean 'TP'?",
        faults[3].replace("fingerprints.csv, ", ""),
        f"row 7: log_sd '-1' is not above 0; {above}",
        f"row 7: median '0' is not above 0; {above}",
        f"row 8: log_sd '' is not above 0; {above}",
        faults[-1].replace("fingerprints.csv, ", ""),
    ]
    assert "row 8: median 'many' is not a number; write a number" in faults[-1]
    assert "row 6: unit: the unit of TP is missing; write one of: mg/l" in faults[3]


def test_a_table_without_rows_says_so(tmp_path: Path):
    assert refused(tmp_path) == ["fingerprints.csv: there is no row; list at least one kind of outfall"]


@settings(max_examples=40, deadline=None)
@given(
    median=arrays(float, (3, 2), elements=st.one_of(st.floats(1e-6, 1e6), st.just(np.nan))),
    ending=st.sampled_from([".csv", ".parquet"]),
)
def test_what_is_written_reads_the_same(median: np.ndarray, ending: str):  # type: ignore[type-arg]
    median[0], median[:, 0] = 7.0, 5.0  # every kind and determinand has a row, in this order
    log_sd = np.where(np.isnan(median), np.nan, 0.4)
    prints = Fingerprints(("domestic", "排口 7", "storm"), ("NH3-N", "EC"), median, log_sd)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"prints{ending}"
        write_fingerprints(prints, path)
        again = read_fingerprints(path)
    assert (again.kinds, again.determinands) == (prints.kinds, prints.determinands)
    np.testing.assert_array_equal(again.median, prints.median)
    np.testing.assert_array_equal(again.log_sd, prints.log_sd)
