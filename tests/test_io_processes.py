"""What suyuan.toml says of the way from source to station, and that a trace heeds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from suyuan.asked import Ask
from suyuan.errors import InputError
from suyuan.io.network import read_network
from suyuan.io.network_writer import write_network
from suyuan.io.new_project import new_project
from suyuan.io.project import read_project
from suyuan.run import prepare
from suyuan.tracing.members import StillWater
from suyuan.transport.storage import TransientStorage


@pytest.fixture
def river(tmp_path: Path) -> Path:
    new_project(tmp_path / "project")
    return tmp_path / "project" / "example"


def say(folder: Path, text: str) -> None:
    settings = folder / "suyuan.toml"
    settings.write_text(settings.read_text("utf-8") + "\n" + text, "utf-8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[transport]\ndispersion = "fisher"', r"dispersion 'fisher' is not known; did you mean 'fischer'"),
        ("[transport]\ndispersion = -3.0", r"dispersion is -3\.0; write a number from 0 to 100000"),
        ("[transport]\nmixing = 3.0", r"'mixing' in \[transport\] is not known"),
        ("[water]\ntemperature_c = 90.0", r"temperature_c is 90\.0; write a number from -5 to 60"),
        ('[water]\ntemperature = "warm.csv"', r"temperature 'warm.csv' is not in the folder"),
        ("[water]\ntheta = 0.5", r"theta is 0\.5; write a number from 1 to 1\.3"),
        ("[settling_m_per_day]\nTP = -1", r"TP is -1; write a number from 0 to 1000"),
        ("[settling_m_per_day]\nlead9 = 1", r"'lead9' is not a known determinand"),
        ("[settling_m_per_day]\npH = 1", r"pH does not keep its mass in the water and cannot settle; leave"),
        (
            "[transient_storage]\narea_ratio = 0.2",
            r"exchange_per_day is missing; write exchange_per_day under",
        ),
        (
            '[transient_storage]\narea_ratio = 0.2\nexchange_per_day = 5\nreaches = "R1"',
            r"reaches is 'R1'; write a list",
        ),
        (
            "[transient_storage]\ndrawn = 1",
            r"row \d+: drawn in \[transient_storage\] is 1, neither true nor false; write drawn = true, or leave it out$",
        ),
        (
            "[transient_storage]\ndrawn = true\nexchange_per_day = 0",
            r"exchange_per_day is 0; write a number from 0\.0001 to 100000",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_key_and_remedy(river: Path, text: str, message: str):
    say(river, text)
    with pytest.raises(InputError, match=message):
        read_project(river)


def test_all_four_tables_are_read(river: Path):
    (river / "warm.csv").write_text(
        "time,temperature_c\n2024-07-19T00:00:00+08:00,24\n2024-07-25T00:00:00+08:00,30\n"
    )
    say(
        river,
        '[transport]\ndispersion = "fischer"\n[water]\ntemperature = "warm.csv"\ntheta = 1.08\n[settling_m_per_day]\nTP = 0.4\n'
        '[transient_storage]\narea_ratio = 0.2\nexchange_per_day = 8.64\nreaches = ["R1"]',
    )
    found = read_project(river).processes
    assert found.mixing.dispersion == "fischer"
    assert found.mixing.storage == TransientStorage(0.2, 1e-4, ("R1",))
    phosphorus = found.substance("TP", 0.0864)
    assert (phosphorus.decay_per_s, phosphorus.settling_m_per_s) == pytest.approx((1e-6, 0.4 / 86400.0))
    assert phosphorus.temperature is not None
    assert phosphorus.temperature.celsius == (24.0, 30.0)
    assert phosphorus.temperature.time[0] == np.datetime64("2024-07-18T16:00:00")


def test_still_water_that_nobody_measured_is_drawn_about_the_numbers_given(
    river: Path, monkeypatch: pytest.MonkeyPatch
):
    say(river, "[transient_storage]\ndrawn = true\narea_ratio = 0.4")
    said = read_project(river).processes
    assert said.mixing.storage is None
    assert said.still == StillWater(area_ratio=0.4)
    monkeypatch.setattr("suyuan.ensemble.DRAWN", 2)
    first, other = prepare(read_project(river), Ask(), progress=lambda *_: None).members
    assert first.mixing.storage is None
    assert other.mixing.storage is not None


def test_a_table_of_impossible_water_temperatures_is_refused(river: Path):
    (river / "warm.csv").write_text("time,temperature_c\n2024-07-19T00:00:00+08:00,240\n")
    say(river, '[water]\ntemperature = "warm.csv"')
    with pytest.raises(InputError, match="temperature_c is 240, which water never is"):
        read_project(river)


def test_a_trace_heeds_dispersion_temperature_settling_and_storage(
    river: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("suyuan.ensemble.DRAWN", 1)
    plain = prepare(read_project(river), Ask(), progress=lambda *_: None)
    network = read_network(river / "network.gpkg")
    wide = replace(network, reaches=tuple(replace(r, width_m=10.0) for r in network.reaches))
    (river / "network.gpkg").unlink()
    write_network(wide, river / "network.gpkg")
    traced = plain.substances[0].determinand.id
    say(
        river,
        f'[transport]\ndispersion = 40.0\n[water]\ntemperature_c = 30.0\n[settling_m_per_day]\n"{traced}" = 2.0\n'
        "[transient_storage]\narea_ratio = 0.5\nexchange_per_day = 20",
    )
    ready = prepare(read_project(river), Ask(), progress=lambda *_: None)
    before, after = plain.matrices[0], ready.matrices[0]
    substance = ready.substances[0]
    # settling takes away: less arrives in all than without it
    assert 0.0 < after.values_of(substance).sum() < 0.98 * after.values.sum()
    # at 30 C decay is 1.047^10 times as quick
    np.testing.assert_allclose(
        after.age_s(substance), before.age_s(plain.substances[0]) * 1.047**10, rtol=1e-3, atol=60.0
    )
    # storage and mixing spread what comes over more hours
    each = [np.maximum(m.values.astype(float), 0.0) for m in (before, after)]
    peak = [values.max(axis=2).sum() / values.sum() for values in each]
    assert peak[1] < 0.95 * peak[0]
