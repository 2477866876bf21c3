"""The text of a SWMM model: sections, units and shapes as SWMM takes them, whatever the encoding."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from swmm_texts import CHANNEL

from suyuan.errors import InputError
from suyuan.io.models.swmm_inp import Inp, read_inp
from suyuan.io.models.swmm_network import Sewers, parts_of, sewers_of


def inp_of(tmp_path: Path, text: str, *, encoding: str = "utf-8", name: str = "town.inp") -> Inp:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return read_inp(path)


def of(tmp_path: Path, text: str) -> Sewers:
    return sewers_of(inp_of(tmp_path, text))


def with_row(old: str, new: str) -> str:
    assert old in CHANNEL
    return CHANNEL.replace(old, new)


def test_conduits_are_reaches_and_structures_are_short_ones(tmp_path: Path):
    found = of(tmp_path, CHANNEL)
    reaches = {reach.id: reach for reach in found.reaches}
    assert reaches["AB"].kind == "canal"
    assert reaches["CO"].kind == "storm_sewer"
    assert reaches["AB"].length_m == 400.0
    assert reaches["AB"].width_m == 7.0  # bottom 4 m, banks 1:1, 3 m deep: mean width
    assert reaches["CO"].width_m * reaches["CO"].depth_m == pytest.approx(math.pi)
    assert reaches["AB"].line == ((0.0, 0.0), (200.0, 50.0), (400.0, 0.0))
    assert reaches["W"].length_m == reaches["PU"].length_m == 1.0
    assert found.structures == {"W": "weir", "PU": "pump"}


def test_feet_become_metres(tmp_path: Path):
    found = of(tmp_path, with_row("FLOW_UNITS CMS", "FLOW_UNITS GPM"))
    assert found.reaches[0].length_m == pytest.approx(121.92)
    assert found.reaches[0].width_m == pytest.approx(7.0 * 0.3048)
    assert found.reaches[0].roughness == 0.025


def test_an_unknown_unit_of_flow_is_refused(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"town.inp: flow unit 'M3H \(in OPTIONS\)' is not known; give one of: CMS"
    ):
        of(tmp_path, with_row("FLOW_UNITS CMS", "FLOW_UNITS M3H"))


def test_a_unit_that_only_epanet_knows_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"flow unit 'AFD"):
        of(tmp_path, with_row("FLOW_UNITS CMS", "FLOW_UNITS AFD"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_chinese_ids_are_the_same_in_every_encoding(tmp_path: Path, encoding: str):
    text = CHANNEL.replace("AB ", "北河段 ")
    inp = inp_of(tmp_path, text, encoding=encoding, name="太湖 模型.inp")
    assert sewers_of(inp).reaches[0].id == "北河段"
    assert inp.encoding == ("gb18030" if encoding == "gb18030" else "utf-8")


def test_sections_are_found_in_any_case_and_comments_left_out(tmp_path: Path):
    text = (
        CHANNEL.replace("[CONDUITS]", "  [Conduits]")
        .replace("AB A B 400", ";gone\nAB\tA  B   400;")
        .replace("\n", "\r\n")
    )
    with pytest.raises(InputError, match=r"the roughness of 'AB' is missing"):  # the comment took it away
        of(tmp_path, text)


def test_quoted_names_keep_their_blanks(tmp_path: Path):
    found = of(tmp_path, CHANNEL.replace("AB ", '"north arm" '))
    assert found.reaches[0].id == "north arm"


def test_a_misspelled_section_that_is_needed_is_named(tmp_path: Path):
    text = (
        CHANNEL.replace("[JUNCTIONS]", "[NODES_]")
        .replace("[OUTFALLS]", "[OUTFLOWS]")
        .replace("[STORAGE]", "[TANKS]")
    )
    with pytest.raises(InputError, match=r"town.inp: has no node.*\[OUTFLOWS\] may mean \[OUTFALLS\]"):
        of(tmp_path, text)


def test_a_link_to_a_node_that_is_not_there_is_named_with_the_sections_that_were_not_read(tmp_path: Path):
    text = CHANNEL.replace("[STORAGE]", "[TANKS]")
    with pytest.raises(InputError, match=r"node 'P' of link 'W' is not in the model.*\[TANKS\]") as caught:
        of(tmp_path, text)
    assert len(caught.value.faults) == 2


def test_an_id_that_is_there_twice_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"row 24: link 'AB' is also in row 23"):
        of(tmp_path, with_row("BC B C 400", "AB B C 400"))


@pytest.mark.parametrize("text", ["just words\n", "[NOTHING]\nhere\n"])
def test_other_texts_are_refused(tmp_path: Path, text: str):
    with pytest.raises(InputError, match=r"has no section of a SWMM 5 input file"):
        inp_of(tmp_path, text)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    path = tmp_path / "a.inp"
    path.write_bytes(b"[JUNCTIONS]\n\0\0\0")
    with pytest.raises(InputError, match="it holds null bytes"):
        read_inp(path)


def test_a_length_that_is_no_number_is_named_with_its_line(tmp_path: Path):
    with pytest.raises(InputError, match=r"row 23: the length of 'AB' '4OO' is no number"):
        of(tmp_path, with_row("AB A B 400", "AB A B 4OO"))


def test_a_natural_section_is_as_wide_as_its_area_over_its_depth(tmp_path: Path):
    transect = "[TRANSECTS]\nNC 0.05 0.05 0.03\nX1 T 4 0 10 0 0 0 0 2 0\nGR 5 0 3 2 3 6\nGR 5 8\n"
    text = with_row("AB TRAPEZOIDAL 3 4 1 1 1", "AB IRREGULAR T") + transect
    reach = of(tmp_path, text).reaches[0]
    assert (reach.kind, reach.depth_m, reach.roughness) == ("river", 2.0, 0.03)
    assert reach.width_m == pytest.approx(2.0 * 6.0)  # a trapezoid 8 m wide above, 4 m below, stretched twice


def test_waters_that_do_not_meet_are_counted(tmp_path: Path):
    text = CHANNEL.replace("[OUTFALLS]", "X 1 2 0 0 0\n[OUTFALLS]\nY 0 FREE NO").replace(
        "[WEIRS]", "XY X Y 50 0.013 0 0 0 0\n[WEIRS]"
    )
    count, part = parts_of(of(tmp_path, text))
    assert count == 2
    assert sorted(part.tolist()) == [0, 0, 0, 0, 0, 1, 1]
