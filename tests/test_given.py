"""What the verbs of one station read: names that are one station's, and days that end when they end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import single_reach

from suyuan.errors import InputError
from suyuan.given import Given, moment
from suyuan.io.observations import read_observations
from suyuan.io.project import read_project
from suyuan.io.times import timezone_of
from suyuan.network import Station

SHANGHAI = timezone_of("Asia/Shanghai")
SETTINGS = """[project]
name = "pumps"
timezone = "Asia/Shanghai"
[files]
observations = "readings.csv"
[sections."S3"]
names = ["旧站"]
"""


def given(folder: Path, *, read: tuple[str, ...]) -> Given:
    """Two stations called 泵站, one called 姚巷桥 that was called 旧站 before; readings of some of them."""
    (folder / "suyuan.toml").write_text(SETTINGS, "utf-8")
    named = (("S1", "泵站"), ("S2", "泵站"), ("S3", "姚巷桥"))
    network = replace(
        single_reach()[0],
        stations=tuple(Station(i, "R", 1000.0 * k, name) for k, (i, name) in enumerate(named)),
    )
    lines = [f"2024-07-20 08:00,{station},TP,0.1,mg/L" for station in read]
    (folder / "readings.csv").write_text("\n".join(["time,station,determinand,value,unit", *lines]), "utf-8")
    readings = read_observations((folder / "readings.csv",), timezone=SHANGHAI, network=network)
    return Given(read_project(folder, needs_network=False), network, readings)


def test_a_name_that_two_stations_bear_is_neither_ones(tmp_path: Path):
    both = given(tmp_path, read=("S1", "S2", "S3"))
    with pytest.raises(InputError, match="'泵站' is the name of S1 and S2; write the id of one"):
        both.station("泵站")
    assert both.station("姚巷桥") == both.station("旧站") == "S3"
    assert both.names("S1") == ("S1",)
    assert set(both.names("S3")) == {"S3", "姚巷桥", "旧站"}


@pytest.mark.parametrize(
    ("day", "end"), [("2024-03-31", "2024-03-31T21:59:59"), ("2024-10-27", "2024-10-27T22:59:59")]
)
def test_the_day_on_which_clocks_change_ends_at_midnight(day: str, end: str):
    """In Paris 31 March 2024 has 23 hours and 27 October 25."""
    assert moment(day, timezone_of("Europe/Paris"), where="--until", is_end=True) == np.datetime64(end)
