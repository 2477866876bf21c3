"""Limits, rounding, classes, grades and trends of the standards."""

from __future__ import annotations

import csv
import itertools
import math
from datetime import UTC
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suyuan.errors import InputError
from suyuan.observations import FAIL, GOOD, SUSPECT, Observations
from suyuan.report.section import realtime_headline, record_words, section_headline
from suyuan.standards import (
    NOT_JUDGED,
    Section,
    algal_grade,
    assess,
    assess_months,
    classify,
    critical,
    months_between,
    rate_river,
    rounded,
    scheme,
    scheme_of,
    trend,
    trophic_level,
)
from suyuan.standards.means import statistic_of
from suyuan.standards.published import agreement, misses, water_type_of_classes
from suyuan.standards.realtime import classes_of
from suyuan.substances import determinand

FIGURES = Path(__file__).parents[1].parent / "shared" / "data" / "standards"
needs_figures = pytest.mark.skipif(
    not FIGURES.is_dir(), reason="../shared/data/standards is not here: no figures to compare with"
)
JULY = np.datetime64("2024-07-01T00:00:00"), np.datetime64("2024-08-01T00:00:00")
CLASSES = ("I", "II", "III", "IV", "V")


def figures(name: str) -> list[dict[str, str]]:
    with (FIGURES / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def readings(*rows: tuple, station: str = "S1", first: str = "2024-07-01T00") -> Observations:
    """Rows of determinand, value, and perhaps qualifier and flag, four hours apart within a determinand."""
    full = [(*row, "", GOOD)[:4] if len(row) == 2 else (*row, GOOD)[:4] for row in rows]
    seen: dict[str, int] = {}
    times = []
    for name, *_ in full:
        times.append(np.datetime64(first, "s") + np.timedelta64(4 * seen.get(name, 0), "h"))
        seen[name] = seen.get(name, 0) + 1
    n = len(full)
    return Observations(
        np.array(times),
        np.full(n, station),
        np.array([r[0] for r in full]),
        np.array([r[1] for r in full], float),
        np.array([r[2] for r in full], dtype="<U1"),
        np.array([r[3] for r in full], np.int8),
        np.zeros(n),
        np.full(n, ""),
    )


def july(*rows: tuple, section: Section | None = None, **options):
    return assess(readings(*rows), section or Section("S1"), since=JULY[0], until=JULY[1], **options)


# --- figures


@needs_figures
def test_every_limit_and_every_number_of_decimals_is_that_of_the_figures_read_elsewhere():
    """The figures were typed in from a scan; this compares all 22 judged items, river and lake, cell by cell."""
    digits = {r["key"]: r for r in figures("decimals_2020.csv")}
    compared = 0
    for row in figures("gb3838_2002_table1.csv"):
        if row["key"] == "water_temp":
            continue
        item = scheme().item(row["key"])
        assert item.determinand == determinand(row["hj212_code"]).id
        assert item.decimals == int(digits[row["key"]]["assessment_decimals"])
        assert (item.id in scheme().selection("21").items) == (row["in_21"] == "1")
        for water in ("river", "lake"):
            cells = [row[f"{c}_lake"] if water == "lake" and row["I_lake"] else row[c] for c in CLASSES]
            if not cells[0]:
                assert water not in item.limits
                continue
            for cell, (low, high) in zip(cells, item.limits[water], strict=True):
                want = {"le": (None, cell), "ge": (cell, None), "range": tuple(cell.split("-"))}[
                    row["direction"]
                ]
                assert (low, high) == tuple(None if w is None else Decimal(w) for w in want)
                compared += 1
    assert compared == 5 * (22 * 2 + 1)


@needs_figures
def test_weights_of_the_trophic_index_are_those_recomputed_elsewhere():
    rows = figures("tli_parameters.csv")
    weights = {row["parameter"]: float(row["w5"]) for row in rows}
    assert sum(weights.values()) == pytest.approx(1.0, abs=2e-4)
    means = {"chl-a": 0.02, "TP": 0.05, "TN": 1.0, "transparency": 0.5, "CODMn": 4.0}
    found = trophic_level(means)
    assert found is not None
    assert found.is_whole
    keys = {"chl-a": "chla", "TP": "tp", "TN": "tn", "transparency": "sd", "CODMn": "codmn"}
    by_table = sum(found.parts[name] * weights[key] for name, key in keys.items())
    assert found.index == pytest.approx(by_table, abs=0.02)


def test_critical_values_of_the_rank_correlation_come_from_counting_all_orders():
    """Of n! orders of time, at most 5 % (1 %) may reach the critical value; the next lower rho is reached by more."""
    for n in (5, 6, 7, 8):
        rank = np.arange(n)
        squares = np.array([np.sum((rank - p) ** 2) for p in map(np.array, itertools.permutations(range(n)))])
        for level, share in (("0.05", 0.05), ("0.01", 0.01)):
            values = np.unique(squares)
            held = [s for s in values if np.mean(squares <= s) <= share + 1e-12]
            rho = 1.0 - 6.0 * max(held) / (n**3 - n)
            assert critical(n, level) == pytest.approx(rho, abs=6e-4), (n, level)


# --- rounding and means


@pytest.mark.parametrize(
    ("value", "decimals", "written"),
    [
        ("0.145", 2, "0.14"),
        ("0.155", 2, "0.16"),
        ("2.675", 2, "2.68"),
        ("5.5", 0, "6"),
        ("8.5", 0, "8"),
        ("0.0004", 3, "0.0004"),
    ],
)
def test_halves_go_to_the_even_digit_and_no_value_rounds_to_nothing(value: str, decimals: int, written: str):
    assert str(rounded(Decimal(value), decimals)) == written


@given(st.fractions(0, 50, max_denominator=10_000), st.integers(0, 5))
def test_rounding_moves_a_value_by_half_a_digit_at_most(value: Fraction, decimals: int):
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    found = rounded(exact, decimals)
    assert abs(found - exact) <= Decimal(1).scaleb(-decimals) / 2
    assert (found == 0) == (exact == 0)


def test_a_mean_on_the_half_is_seen_though_its_float_is_not():
    """(0.1 + 0.2 + 0.135) / 3 is 0.145 exactly; in floats it is 0.14500000000000002, which would round up."""
    assert (0.1 + 0.2 + 0.135) / 3 > 0.145
    assert str(july(("NH3-N", 0.1), ("NH3-N", 0.2), ("NH3-N", 0.135)).judged[0].value) == "0.14"


def test_the_mean_of_ph_is_the_ph_of_the_mixed_hydrogen_ions():
    exact = -math.log10((1e-6 + 1e-9) / 2.0)
    assert float(statistic_of([Decimal(6), Decimal(9)], "hydrogen_mean")) == pytest.approx(exact, rel=1e-12)
    assert exact < 7.5


def test_readings_below_detection_count_half_their_limit_in_the_assessment_mode():
    found = july(("NH3-N", 0.05, "<"), ("NH3-N", 0.275))
    assert found.judged[0].mean.value == Decimal("0.15")
    assert found.judged[0].mean.below == 1


# --- assessment


def test_the_worst_item_decides_and_water_of_the_best_class_has_none_that_does():
    found = july(("DO", 4.0), ("TP", 0.15), ("NH3-N", 0.1))
    assert scheme().classes[found.class_index].id == "IV"
    assert found.deciding == ("DO",)
    assert july(("DO", 9.0), ("NH3-N", 0.1)).deciding == ()


def test_a_lake_is_judged_by_its_own_phosphorus_limits():
    given_ = ("TP", 0.06)
    assert july(given_).class_index == 1
    assert july(given_, section=Section("S1", "lake")).class_index == 3


def test_nitrogen_of_a_lake_is_told_beside_the_class_and_a_river_has_no_limit_for_it():
    lake = july(("TP", 0.01), ("TN", 5.0), section=Section("S1", "lake"))
    assert lake.class_index == 0
    assert [one.item.id for one in lake.beside] == ["TN"]
    assert july(("TP", 0.01), ("TN", 5.0)).beside == ()


def test_main_pollutants_are_three_heavy_metals_first_then_the_worst_class_then_the_factor():
    found = july(("CODMn", 16.0), ("NH3-N", 1.4), ("TP", 0.29), ("Pb", 0.06), ("BOD5", 5.0))
    assert found.main_pollutants == ("Pb", "CODMn", "TP")
    factors = {one.item.id: one.exceedance_factor for one in found.judged}
    assert factors["TP"] == Decimal("0.45")
    assert factors["CODMn"] == Decimal(10) / Decimal(6)
    assert [n.code for n in found.notes].count("unverified") == 1


def test_oxygen_and_ph_have_no_exceedance_factor():
    found = july(("DO", 2.5), ("pH", 9.6))
    assert [one.exceedance_factor for one in found.judged] == [None, None]
    assert set(found.main_pollutants) == {"DO", "pH"}


def test_a_target_is_met_at_its_limit_and_missed_one_digit_beyond():
    section = Section("S1", target_class="Ⅱ类")
    assert july(("NH3-N", 0.5), section=section).is_met is True
    over = july(("NH3-N", 0.51), section=section)
    assert over.is_met is False
    assert over.judged[0].over_target == Decimal("0.02")
    assert over.judged[0].exceedance_factor is None


def test_without_a_target_compliance_is_not_judged_and_that_is_said():
    found = july(("NH3-N", 0.5))
    assert found.is_met is None
    assert ("no_target", ("S1",)) in [(n.code, n.values) for n in found.notes]


def test_few_readings_are_counted_in_a_note():
    found = july(*[("NH3-N", 0.5)] * 7)
    assert ("few_readings", ("NH3-N 7",)) in [(n.code, n.values) for n in found.notes]
    assert "few_readings" not in [n.code for n in july(*[("NH3-N", 0.5)] * 70).notes]


def test_readings_under_maintenance_are_left_out_unless_asked_for_and_failed_ones_always():
    rows = (("TP", 0.1), ("TP", 0.3, "", SUSPECT), ("TP", 9.0, "", FAIL))
    assert july(*rows).judged[0].mean.value == Decimal("0.1")
    assert july(*rows).judged[0].mean.left_out == 2
    assert july(*rows, uses_suspect=True).judged[0].mean.value == Decimal("0.2")


def test_nine_plus_x_judges_the_basic_items_and_the_extra_ones():
    section = Section("S1", selection="9+X", extra_items=("氟化物",))
    found = july(("CODMn", 3.0), ("fluoride", 1.2), ("COD", 100.0), section=section)
    assert [one.item.id for one in found.judged] == ["CODMn", "fluoride"]
    assert [one.item.id for one in found.beside] == ["COD"]
    assert found.class_index == 3


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (Section("S1", "sea"), "'sea' is not a type of water of GB3838-2002; known are: lake, river"),
        (Section("S1", target_class="VII"), "'VII' is not a class of GB3838-2002; write one of: I, II"),
        (
            Section("S1", target_class="劣Ⅴ"),
            "the target class '劣Ⅴ' has no limits; write one of: I, II, III, IV, V",
        ),
        (Section("S1", extra_items=("TN",)), "TN has no limit for river in GB3838-2002"),
        (Section("S1", extra_items=("chloride",)), "'chloride' is not judged by this scheme"),
        (Section("S1", selection="22"), "'22' is not a selection of items"),
    ],
)
def test_a_section_that_cannot_be_assessed_says_why(section: Section, said: str):
    with pytest.raises(InputError) as error:
        july(("TP", 0.1), section=section)
    assert said in str(error.value)


def test_several_months_count_once_each_however_many_readings_they_have():
    busy, sparse = readings(*[("TP", 0.1)] * 50), readings(("TP", 0.3), first="2024-08-05T00")
    both = Observations(
        *(
            np.concatenate([getattr(busy, n), getattr(sparse, n)])
            for n in (
                "time",
                "station",
                "determinand",
                "value",
                "qualifier",
                "flag",
                "duration_s",
                "sample_id",
            )
        )
    )
    periods = months_between(JULY[0], np.datetime64("2024-09-01"), zone=UTC)
    record = assess_months(both, Section("S1", target_class="III"), periods=periods, scheme=scheme())
    assert record.whole.judged[0].value == Decimal("0.200")
    assert record.compliance_rate == 0.5


def spread(name: str, values: dict[str, float], *, other: str = "pH") -> Observations:
    """A reading at noon of each day given, and pH 7 each day."""
    rows = [(day, name, value) for day, value in values.items()]
    rows += [(day, other, 7.0) for day in values]
    n = len(rows)
    return Observations(
        np.array([f"{day}T12:00:00" for day, *_ in rows], dtype="datetime64[s]"),
        np.full(n, "S1"),
        np.array([r[1] for r in rows]),
        np.array([r[2] for r in rows], float),
        np.full(n, ""),
        np.full(n, GOOD, np.int8),
        np.zeros(n),
        np.full(n, ""),
    )


def recorded(given: Observations, since: str, until: str, *, section: Section | None = None):
    periods = months_between(np.datetime64(since, "s"), np.datetime64(until, "s"), zone=UTC)
    return assess_months(
        given, section or Section("S1", target_class="III"), periods=periods, scheme=scheme()
    )


def test_a_month_of_three_days_weighs_three_days_and_counts_for_no_compliance():
    """April whole at 0.1, the first three of May's 31 days at 0.4: (0.1 + 0.4 * 3 / 31) / (1 + 3 / 31) = 0.1265."""
    found = recorded(spread("TP", {"2024-04-10": 0.1, "2024-05-02": 0.4}), "2024-04-01", "2024-05-04")
    values = {one.item.id: one.value for one in found.whole.judged}
    assert values["TP"] == Decimal("0.126")  # 0.12647
    assert found.compliance_rate == 1.0
    assert found.cut == ("2024-05-01..2024-05-03",)
    notes = {n.code: n.values for n in found.whole.notes}
    assert notes["months_cut"] == ("2024-05-01..2024-05-03",)
    assert notes["few_readings"] == ("2024-04: pH 1, TP 1; 2024-05-01..2024-05-03: pH 1, TP 1",)


def test_a_month_that_is_not_over_weighs_what_is_over_of_it():
    may = months_between(np.datetime64("2024-05-01"), np.datetime64("2024-06-01"), zone=UTC)[0]
    assert may.share == 1
    assert may.until_now(np.datetime64("2024-05-01T00:00:00") + np.timedelta64(31 * 12, "h")).share == 0.5
    assert may.until_now(np.datetime64("2024-07-01T00:00:00")).share == 1
    assert may.until_now(np.datetime64("2024-04-01T00:00:00")).share == 0


def test_the_trophic_index_takes_the_mean_of_month_means_as_the_class_beside_it():
    """Nine days of April at 0.01 mg/L of chlorophyll and one of May at 0.03: the months' mean is 0.02."""
    days = {f"2024-04-{d:02}": 1.0 for d in range(1, 10)} | {"2024-05-01": 3.0}
    parts = [
        spread(name, {day: level * v for day, v in days.items()})
        for name, level in (("chl-a", 0.01), ("TP", 0.03), ("TN", 1.0), ("CODMn", 3.0))
    ]
    names = ("time", "station", "determinand", "value", "qualifier", "flag", "duration_s", "sample_id")
    given = Observations(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))
    found = recorded(given, "2024-04-01", "2024-06-01", section=Section("S1", "lake")).trophic
    want = trophic_level({"chl-a": 0.02, "TP": 0.06, "TN": 2.0, "CODMn": 6.0})
    assert found is not None
    assert want is not None
    assert found.index == pytest.approx(want.index, rel=1e-12)


def test_the_state_of_a_lake_is_that_of_the_index_as_printed():
    """Chlorophyll and two others such that all parts are 50.03: printed 50.0, which is mesotrophic."""

    def means(index: float) -> dict[str, float]:
        found = {"chl-a": 0.02, "TP": 0.05, "TN": 1.0}
        for _ in range(60):
            known = trophic_level(found)
            assert known is not None
            found = {n: v * np.exp((index - known.parts[n]) / 10 / 2) for n, v in found.items()}
        return found

    for index, words in ((50.03, "mesotrophic"), (50.07, "light eutrophic")):
        lake = trophic_level(means(index))
        assert lake is not None
        assert lake.index == pytest.approx(index, abs=1e-6)
        assert lake.state.words == words


def test_a_month_with_acidity_alone_is_counted_beside_the_compliance_rate():
    given = spread("TP", {"2024-04-10": 0.1, "2024-05-02": 0.1})
    june = spread("pH", {"2024-06-03": 7.0}, other="DO").where(np.array([True, False]))
    names = ("time", "station", "determinand", "value", "qualifier", "flag", "duration_s", "sample_id")
    both = Observations(*(np.concatenate([getattr(p, n) for p in (given, june)]) for n in names))
    found = recorded(both, "2024-04-01", "2024-07-01")
    assert (found.compliance_rate, found.lacking_items) == (1.0, 1)
    assert "(1 of the months lack items that others have)" in section_headline(found).en
    live = classify(both, Section("S1", target_class="III"))
    assert (live.compliance_rate, live.lacking_items) == (1.0, 1)
    assert "（其中 1 个时次缺其他时候有的指标）" in realtime_headline(live).zh


def monthly(count: int) -> Observations:
    months = [np.datetime64("2020-01") + k for k in range(count)]
    return spread("TP", {f"{month}-10": 0.02 + 0.001 * k for k, month in enumerate(months)})


def test_a_trend_over_months_needs_two_years_and_says_that_it_is_one_sided_and_from_memory():
    assert recorded(monthly(23), "2020-01-01", "2021-12-01").trends == {}
    found = recorded(monthly(24), "2020-01-01", "2022-01-01")
    assert found.trends["TP"].direction == "rising"
    said = [words.zh for words in record_words(found)]
    assert any("显著上升（rs = 1.00, n = 24, 0.01，单侧）" in words for words in said)
    assert any("10 个以上时段的秩相关系数临界值" in words for words in said)


def test_oxygen_that_is_class_one_by_saturation_alone_is_noted_and_stays_class_two():
    """Water of 30 degC holds 7.56 mg/L at saturation (Benson and Krause): 7.0 is 93 % of it."""
    both = readings(("DO", 7.0), ("water_temp", 30.0))
    record = assess_months(both, Section("S1"), periods=months_between(*JULY, zone=UTC), scheme=scheme())
    assert record.whole.class_index == 1
    assert ("oxygen_saturation", ("93%", "90%")) in [(n.code, n.values) for n in record.whole.notes]


# --- realtime


def test_realtime_classes_do_not_round_where_the_assessment_does():
    row = ("NH3-N", 1.004)
    assert classify(readings(row), Section("S1")).class_index.tolist() == [3]
    assert july(row).class_index == 2


@pytest.mark.parametrize(("value", "index"), [(5.99, 5), (6.0, 0), (9.0, 0), (9.01, 5)])
def test_acidity_is_class_one_inside_its_range_and_worse_than_five_outside(value: float, index: int):
    assert classify(readings(("pH", value)), Section("S1")).class_index.tolist() == [index]


@given(st.floats(0, 40), st.floats(0, 40))
def test_more_ammonia_never_makes_a_better_class_and_more_oxygen_never_a_worse_one(a: float, b: float):
    low, high = sorted((a, b))
    column = np.array([[low], [high]])
    ammonia = classes_of(column, [scheme().item("NH3-N")], water_type="river").ravel()
    oxygen = classes_of(column, [scheme().item("DO")], water_type="river").ravel()
    assert ammonia[0] <= ammonia[1]
    assert oxygen[0] >= oxygen[1]


def test_the_two_modes_are_two_types_and_say_which_they_are():
    assert classify(readings(("TP", 0.1)), Section("S1")).mode == "realtime"
    assert july(("TP", 0.1)).mode == "assessment"


def test_published_classes_that_differ_are_explained():
    values = [("TP", v) for v in (0.2, 0.15, 0.35, 0.05, 0.05)]
    found = classify(readings(*values), Section("S1"))
    published = np.array([3, 2, 2, 5, NOT_JUDGED])
    missed = misses(found, published)
    assert [(m.row, m.cause, m.item) for m in missed] == [
        (0, "last digit", "TP"),
        (2, "reading before", ""),
        (3, "not known", ""),
    ]
    assert agreement(found, published) == 0.25


def test_a_lake_that_is_published_with_river_limits_is_found_by_its_classes():
    rng = np.random.default_rng(1)
    found = classify(
        readings(*[("TP", v) for v in rng.uniform(0.02, 0.3, 60).round(3)]), Section("S1", "lake")
    )
    as_river = classes_of(found.value, found.items, water_type="river").max(axis=1)
    assert water_type_of_classes(found, as_river) == "river"
    assert {m.cause for m in misses(found, as_river, fits="river")} == {"other water"}
    assert water_type_of_classes(found, found.class_index) == "lake"
    few = np.where(np.arange(60) < 20, as_river, NOT_JUDGED)
    assert water_type_of_classes(found, few) == ""


def test_an_item_without_which_the_published_class_comes_out_is_named():
    found = classify(readings(("TP", 0.15), ("DO", 2.5)), Section("S1"))
    assert [(m.cause, m.item) for m in misses(found, np.array([2]))] == [("one item", "DO")]


# --- rivers, lakes, trends


def section_of_class(name: str, value: float, *, water: str = "river"):
    return assess(
        readings(("NH3-N", value), station=name), Section(name, water), since=JULY[0], until=JULY[1]
    )


def test_a_river_of_ten_sections_is_rated_by_shares():
    values = [0.3] * 7 + [1.2] * 1 + [3.0] * 2
    found = rate_river([section_of_class(f"S{i}", v) for i, v in enumerate(values)])
    assert found.grade.words_zh == "中度污染"  # 70 % good, 20 % worse than V: no longer below 20 %
    assert found.main_pollutants == ("NH3-N",)
    nine = rate_river([section_of_class(f"S{i}", v) for i, v in enumerate([0.3] * 9 + [3.0])])
    assert nine.grade.words == "excellent"


def test_a_river_of_few_sections_is_rated_by_the_means_of_its_items():
    found = rate_river([section_of_class("A", 0.4), section_of_class("B", 1.8)])
    assert found.by_mean is not None
    assert found.by_mean.judged[0].value == Decimal("1.10")
    assert found.grade.words_zh == "轻度污染"


def test_the_extra_items_of_the_sections_count_in_the_mean_of_a_river():
    """Fluoride of 1.8 mg/L is worse than class V (1.5 mg/L) at both sections, and so in their mean."""
    rows = readings(("CODMn", 1.0), ("fluoride", 1.8))
    sections = [Section("S1", selection="9+X", extra_items=(name,)) for name in ("氟化物", "fluoride")]
    found = rate_river([assess(rows, one, since=JULY[0], until=JULY[1]) for one in sections])
    assert found.by_mean is not None
    assert found.by_mean.deciding == ("fluoride",)
    assert found.grade.words_zh == "重度污染"


def test_sections_with_several_selections_of_items_are_not_rated_together():
    rows = readings(("CODMn", 1.0))
    sections = [Section("S1", selection=name) for name in ("21", "9+X")]
    with pytest.raises(InputError, match=r"several selections of items \(21: S1; 9\+X: S1\)"):
        rate_river([assess(rows, one, since=JULY[0], until=JULY[1]) for one in sections])


def empty_section(name: str):
    return assess(readings(("NH3-N", 0.1), station="elsewhere"), Section(name), since=JULY[0], until=JULY[1])


def test_a_lake_is_rated_by_the_means_of_its_points_however_many_they_are():
    """Six points at 0.3 and one at 9.0 mg/L of ammonia: 86 % are of class II, the mean of 1.54 is of class V."""
    points = [section_of_class(f"S{i}", v, water="lake") for i, v in enumerate([0.3] * 6 + [9.0])]
    found = rate_river(points)
    assert found.by_mean is not None
    assert found.by_mean.judged[0].value == Decimal("1.54")
    assert found.grade.words == "moderate pollution"
    assert any("不论点位多少" in note.values[1] for note in found.notes)


def test_sections_without_a_class_count_as_sections_of_the_river_and_are_named():
    """Four rated and one empty section are five: shares. 3 of 4 are good: 75 %."""
    four = [section_of_class(f"S{i}", v) for i, v in enumerate([0.3, 0.3, 0.3, 9.0])]
    assert rate_river(four).by_mean is not None
    found = rate_river([*four, empty_section("S4")])
    assert found.by_mean is None
    assert ("unrated_sections", ("S4",)) in [(n.code, n.values) for n in found.notes]
    assert any("most sections" in n.values[0] for n in found.notes if n.code == "unverified")


def test_lakes_and_rivers_are_not_rated_together():
    with pytest.raises(
        InputError, match=r"several types of water \(lake: B; river: A\); rate rivers and lakes apart"
    ):
        rate_river([section_of_class("A", 0.4), section_of_class("B", 0.4, water="lake")])


def test_algal_density_has_its_grade_from_the_lower_bound_on():
    assert algal_grade(np.array([np.nan, 0.0, 1e7, 9.99e7])).tolist() == [-1, 0, 2, 3]


def test_a_lake_without_chlorophyll_has_no_trophic_index():
    assert trophic_level({"TP": 0.1, "TN": 2.0, "CODMn": 5.0}) is None


def test_a_steady_rise_is_a_trend_and_equal_years_are_none():
    assert trend([1, 2, 3, 4, 5]).level == "0.01"
    assert trend([5, 4, 3, 2, 1]).direction == "falling"
    assert trend([1, 2, 3, 4]) is None
    assert trend([2, 2, 2, 2, 2]) is None


# --- other schemes

OTHER = """
id = "X"
version = "invented for this test"
water_types = ["upland", "lowland"]
exceedance_class = "good"
[[class]]
id = "good"
[[class]]
id = "fail"
[[item]]
id = "Pb mean"
determinand = "Pb"
at_most = { any = [0.0013] }
decimals = 4
[[item]]
id = "Pb most"
determinand = "Pb"
statistic = "max"
at_most = { any = [0.014] }
decimals = 4
[[item]]
determinand = "NH3-N"
statistic = "p90"
at_most = { upland = [0.2], lowland = [0.3] }
decimals = 2
"""


def test_another_scheme_is_another_file_with_two_statistics_of_one_determinand_and_its_own_waters():
    other = scheme_of(OTHER)
    rows = [("Pb", 0.001)] * 9 + [("Pb", 0.003)] + [("NH3-N", v) for v in (0.1, 0.1, 0.5)]
    section = Section("S1", "lowland", "good", selection="all")
    found = july(*rows, section=section, scheme=other)
    values = {one.item.id: (float(one.value), one.is_met) for one in found.judged}
    assert values == {"Pb mean": (0.0012, True), "Pb most": (0.003, True), "NH3-N": (0.42, False)}
    assert found.deciding == ("NH3-N",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ('statistic = "max"', 'statistic = "maxx"'),
            "item Pb most: 'maxx' is not a statistic; did you mean 'max'?",
        ),
        (
            ("any = [0.014]", "any = [0.014, 1]"),
            "item Pb most has 2 limits for upland, where 1 classes have limits",
        ),
        (("upland = [0.2]", "uplnd = [0.2]"), "limits for the water type 'uplnd'; did you mean 'upland'?"),
        (('determinand = "NH3-N"', 'determinand = "NH3-X"'), "'NH3-X' is not a known determinand"),
        (("decimals = 2", ""), "item NH3-N has no decimals"),
        (
            ("decimals = 2", "decimals = 2.5"),
            "decimals of item NH3-N is Decimal('2.5'); write a whole number",
        ),
        (
            ('determinand = "NH3-N"', ""),
            "item 3 has no determinand; write determinand; see docs/standards.md",
        ),
        (("{ any = [0.014] }", "[1, 2]"), "at_most of item Pb most is [1, 2]; write a table, such as { any"),
        (
            ("any = [0.014]", "any = 0.014"),
            "any of at_most of item Pb most is Decimal('0.014'); write a list",
        ),
        (("[0.014]", '["a"]'), "a limit of item Pb most for upland is 'a'; write a number without quotes"),
        (("at_most = { any = [0.014]", "within = { any = [6]"), "write the lowest and the highest: [6, 9]"),
        (("decimals = 2", 'decimals = 2\n[[rule]]\nid = "r"\nsays = "s"'), "rule r has no source"),
        (("decimals = 2", 'decimals = 2\n[[document]]\nid = "d"'), "document d has no checked"),
        (("decimals = 2", 'decimals = 2\n[selection.a]\nsays = "s"'), "selection 'a' has no items"),
        (("decimals = 2", "decimals = 2\n[selection]\na = 1"), "a of selection is 1; write a table"),
        (("decimals = 2", "decimals = 2\n[[river_grade]]\nid = 'x'"), "river_grade x has no grade"),
        (('id = "fail"', ""), "class 2 has no id"),
        (('["upland", "lowland"]', '"upland"'), "water_types of the scheme is 'upland'; write a list"),
        (
            ('exceedance_class = "good"', 'exceedance_class = "fail"'),
            "exceedance_class 'fail' is not a class with limits",
        ),
    ],
)
def test_a_faulty_scheme_is_refused_with_its_item(change: tuple[str, str], said: str):
    with pytest.raises(InputError) as error:
        scheme_of(OTHER.replace(*change), source="x.toml")
    assert said in str(error.value)
    assert str(error.value).startswith("x.toml: ")


def test_a_scheme_without_grades_of_rivers_rates_none():
    other = scheme_of(OTHER)
    found = july(("Pb", 0.001), section=Section("S1", "upland", selection="all"), scheme=other)
    with pytest.raises(InputError, match=r"X: no \[\[river_grade\]\] holds for 100% good sections"):
        rate_river([found, found])
