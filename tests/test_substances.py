"""Names and units of what is measured."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from suyuan.errors import InputError
from suyuan.substances import _shipped, determinand, determinands

STANDARDS = Path(__file__).parents[2] / "shared" / "data" / "standards"
HJ212 = Path(__file__).parents[2] / "shared" / "data" / "hj212"


@pytest.mark.parametrize(
    "name", ["NH3-N", "nh3n", "氨氮", " 氨氮 ", "w21003", "W21003", "Ammonia Nitrogen", "060"]
)
def test_ammonia_has_many_names_and_one_id(name: str):
    assert determinand(name).id == "NH3-N"


def test_no_alias_belongs_to_two_determinands():
    named = [
        alias.lower()
        for row in _shipped()["determinand"]
        for alias in {row["id"].lower(), row["name"].lower(), row["name_zh"].lower(), *row["aliases"]}
    ]
    assert [name for name, count in Counter(named).items() if count > 1] == []


def test_a_microgram_is_a_thousandth_of_a_milligram():
    ammonia = determinand("NH3-N")
    spellings = ("ug/L", "µg/L", "μg/l", "微克/升", "ug / L", "mg/m³")
    assert {ammonia.factor(unit) for unit in spellings} == {1e-3}
    assert determinand("EC").factor("mS/cm") == 1000.0
    assert determinand("EC").factor("dS/m") == 1000.0
    assert determinand("algal_density").factor("万个/L") == 10_000.0
    assert determinand("water_temp").factor("℃") == 1.0


def test_acidity_needs_no_unit_and_ammonia_does():
    assert determinand("pH").factor("") == 1.0
    with pytest.raises(InputError, match="unit of NH3-N is missing; write one of: mg/l"):
        determinand("NH3-N").factor(" ")


def test_an_unknown_unit_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="'mol/L' is not a unit of NH3-N; write one of: mg/l"):
        determinand("NH3-N").factor("mol/L")


def test_an_unknown_determinand_names_its_neighbour():
    with pytest.raises(InputError, match="'NH3N-' is not a known determinand; did you mean 'NH3-N'"):
        determinand("NH3N-")


def test_what_does_not_keep_mass_is_not_traced():
    kept = {d.id for d in determinands().values() if not d.is_traceable}
    assert kept == {
        "DO",
        "pH",
        "water_temp",
        "turbidity",
        "chl-a",
        "algal_density",
        "ORP",
        "transparency",
        "discharge",
    }


def test_bounds_enclose_the_usual_and_every_unit_knows_itself():
    for known in determinands().values():
        assert known.lowest <= known.usual_lowest < known.usual_highest <= known.highest
        assert known.factor(known.unit) == 1.0
        assert all(factor > 0.0 for factor in known.factors.values())


def test_every_item_of_the_class_table_is_known_by_key_name_and_code():
    table = STANDARDS / "gb3838_2002_table1.csv"
    if not table.exists():
        pytest.skip("../shared/data/standards is not here: no class table to compare with")
    for row in csv.DictReader(table.read_text("utf-8").splitlines()):
        ids = {determinand(row[key]).id for key in ("key", "name_zh", "name_en", "hj212_code") if row[key]}
        assert len(ids) == 1, row
        assert determinand(row["key"]).factor(row["unit"]) == 1.0


def test_the_columns_of_the_national_platform_are_known():
    table = STANDARDS / "cnemc_columns.csv"
    if not table.exists():
        pytest.skip("../shared/data/standards is not here: no column table to compare with")
    for row in csv.DictReader(table.read_text("utf-8").splitlines()):
        if row["unit"]:
            assert determinand(row["name_zh"]).id == determinand(row["key"]).id
            assert determinand(row["key"]).factor(row["unit"]) == 1.0


def test_telemetry_codes_mean_what_the_protocol_says():
    table = HJ212 / "water_codes.csv"
    if not table.exists():
        pytest.skip("../shared/data/hj212 is not here: no code table to compare with")
    names = {alias for row in _shipped()["determinand"] for alias in row["aliases"]}
    for row in csv.DictReader(table.read_text("utf-8").splitlines()):
        if row["code"] in names:
            assert determinand(row["code"]).id == determinand(row["name_zh"]).id
            assert not row["code_2005"] or determinand(row["code_2005"]).id == determinand(row["code"]).id
