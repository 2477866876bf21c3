"""The report and the files of a run: what an inspector sees must be what was found."""

from __future__ import annotations

import ast
import csv
import html.parser
import io
import json
import re
import string
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import made_up
import numpy as np
import pytest
from matplotlib import font_manager
from rich.console import Console

import suyuan
from suyuan.io.models.notes import NO_CALENDAR
from suyuan.io.models.notes import NOTES as MODEL_NOTES
from suyuan.network import Network, Node, Reach
from suyuan.plot import CHINESE_FONTS, drawn_lines, network_map, percent, point_at
from suyuan.report import PlanInfo, RunInfo, trace_dict, write_advice, write_results
from suyuan.report.figures import FONTS, svg
from suyuan.report.model_notes import NOTES_ZH as MODEL_NOTES_ZH
from suyuan.report.statements import ASSUMPTIONS_ZH, NOTES_ZH
from suyuan.report.table import ranking_table
from suyuan.report.why import why_words
from suyuan.report.words import headline, likelihood, mass_words, prior_words, shares
from suyuan.tracing.counts import LEAST_TEMPERATURE
from suyuan.tracing.reasons import Suspicion
from suyuan.tracing.result import Trace
from suyuan.tracing.statements import ASSUMPTIONS, NOTES


def _written(folder: Path, trace: Trace, run: RunInfo | None = None) -> Path:
    write_results(trace, made_up.network(), flow=made_up.flow(), run=run or made_up.run(), out=folder)
    return folder


def _planned(folder: Path, plan: PlanInfo) -> str:
    write_advice(made_up.advice(), made_up.network(), flow=made_up.flow(), plan=plan, out=folder)
    return (folder / "next.html").read_text("utf-8")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(tmp_path_factory.mktemp("run") / "results", made_up.trace())


class _Page(html.parser.HTMLParser):
    """Collects tags and visible text, and fails on tags that do not nest."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(results: Path) -> _Page:
    page = _Page()
    page.feed((results / "report.html").read_text("utf-8"))
    return page


def test_a_run_writes_page_json_tables_and_figures(results: Path):
    names = {str(p.relative_to(results)) for p in results.rglob("*") if p.is_file()}
    assert {"report.html", "trace.json", "ranking.csv", "release.csv", "figures/map.svg"} <= names
    assert {"figures/readings-S1.svg", "figures/releases.svg", "figures/blind-spots.svg"} <= names


def test_the_page_needs_no_network_and_is_small(results: Path):
    page = _page(results)
    assert page.open == []
    assert [link for link in page.links if not link.startswith("#")] == []
    assert "@import" not in (results / "report.html").read_text("utf-8")
    assert (results / "report.html").stat().st_size < 2_000_000


def test_the_page_says_everything_in_both_languages(results: Path):
    text = _page(results).text
    for zh, en in [
        ("候选排名", "Ranking"),
        ("排放过程", "Release histories"),
        ("实测与拟合", "Readings beside what was expected"),
        ("盲区", "Blind spots"),
        ("水量平衡", "Water balance"),
        ("假定", "What was assumed"),
        ("为什么", "Why"),
        ("未见异常排放", "nobody"),
        ("名录外污染源", "an unlisted source"),
        ("不是定责的结论", "not a verdict"),
        ("背景", "background"),
    ]:
        assert zh in text
        assert en in text


@pytest.mark.parametrize(
    ("english", "chinese"), [(ASSUMPTIONS, ASSUMPTIONS_ZH), (NOTES, NOTES_ZH), (MODEL_NOTES, MODEL_NOTES_ZH)]
)
def test_every_assumption_and_note_is_said_in_both_languages_with_the_same_gaps(
    english: dict[str, Any], chinese: dict[str, Any]
):
    assert chinese.keys() == english.keys()
    for key, text in english.items():
        ours, theirs = ("".join(t) for t in (text, chinese[key]))
        assert _gaps(ours) == _gaps(theirs), key
        assert not re.search("[\u4e00-\u9fff]", ours), key
        assert re.search("[\u4e00-\u9fff]", theirs), key


def _gaps(text: str) -> set[str | None]:
    return {gap for _, gap, *_ in string.Formatter().parse(text)} - {None}


def test_no_statement_is_made_that_has_no_text():
    """Keys stand in the code as plain words: each that is used must be in the tables, and each there is used."""
    used: dict[str, set[str]] = {"Assumption": set(), "Note": set()}
    for path in Path(suyuan.__file__).parent.rglob("*.py"):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)) if "suyuan.tracing.statements import" in text else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) in used:
                keys = [c.value for c in ast.walk(node.args[0]) if isinstance(c, ast.Constant)]
                used[ast.unparse(node.func)] |= {key for key in keys if isinstance(key, str)}
    assert used == {"Assumption": set(ASSUMPTIONS), "Note": set(NOTES)}


def test_no_reader_makes_a_note_that_has_no_text_or_leaves_a_gap_open():
    """Keys stand in the readers as plain words, with the values beside them: each has its text, and each text is used."""
    words: set[str] = {NO_CALENDAR}
    for path in (Path(suyuan.__file__).parent / "io" / "models").glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8")))) if path.name != "notes.py" else []
        words |= {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        for call in (n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) == "Note"):
            key, *rest = call.args
            values = rest[0].keys if rest and isinstance(rest[0], ast.Dict) else []
            if isinstance(key, ast.Constant) and (values or not rest):
                assert {ast.literal_eval(v) for v in values if v} == _gaps(MODEL_NOTES[str(key.value)]), (
                    key.value
                )
    assert words >= MODEL_NOTES.keys()


def test_assumptions_and_notes_stand_in_the_page_in_both_languages_and_in_json_in_english(results: Path):
    text = _page(results).text
    for said in (
        "未见异常排放的先验概率",
        "prior of nobody",
        "噪声 2.1%",
        "noise 2.1%",
        "两个污染源比一个更能解释读数。",
    ):
        assert said in text
    found = json.loads((results / "trace.json").read_text("utf-8"))
    assert found["assumptions"]["prior of nobody"] == "0.10"
    assert found["assumptions"]["EC"] == "noise 2.1%, decay 0 per day, 96 values weighed"
    assert found["notes"] == ["Two sources explain the readings better than one."]


def test_the_page_tells_readings_from_the_means_they_were_averaged_to(results: Path):
    text = _page(results).text
    assert "读数 288 个，合并为 192 个均值" in text
    assert "288 readings, averaged to 192 means" in text
    found = json.loads((results / "trace.json").read_text("utf-8"))
    assert (found["readings"], found["means"]) == (288, 192)


def test_names_from_the_project_cannot_become_markup(results: Path):
    source = (results / "report.html").read_text("utf-8")
    assert "染厂<b>" not in source
    assert "染厂&lt;b&gt;&amp;Co" in source
    assert "染厂<b>&Co</b>" in _page(results).text
    assert "染厂<b>" not in (results / "figures/map.svg").read_text("utf-8")


def test_every_figure_has_a_text_for_those_who_cannot_see_it(results: Path):
    page = _page(results)
    assert page.tags.count("svg") == 6
    assert page.tags.count("title") == 1 + 6


def test_every_table_has_headers_for_columns_and_rows(results: Path):
    source = (results / "report.html").read_text("utf-8")
    assert source.count("<table") == source.count("<thead>")
    assert source.count('scope="row"') >= 5


def test_trace_json_has_local_times_and_only_plain_numbers(results: Path):
    found = json.loads((results / "trace.json").read_text("utf-8"))
    first = found["candidates"][0]
    assert first["id"] == "O1"
    assert first["probability"] == pytest.approx(0.83)
    assert first["start"]["q50"] == "2024-07-20T23:00:00+08:00"
    assert found["credible_set"] == ["O1", "O2"]
    assert found["no_source_probability"] == pytest.approx(0.01)
    assert found["seconds"] == pytest.approx(3.21)
    assert found["seed"] == 7
    throughout, in_part = found["blind_spots"][1:]
    assert throughout == {"id": "O3", "test_mass_kg": 50.0, "blind_share": 1.0, "unseen_share": 1.0}
    assert in_part == {"id": "reach:R1", "test_mass_kg": 50.0, "blind_share": 1.0, "unseen_share": 0.25}


def test_a_reach_of_which_a_part_is_unseen_is_drawn_and_not_called_unseen_throughout(results: Path):
    assert "Unseen throughout: O3</p>" in re.sub(
        "</?span[^>]*>", "", (results / "report.html").read_text("utf-8")
    )
    assert "reach:R1  25 %" in (results / "figures/blind-spots.svg").read_text("utf-8")


def test_trace_json_writes_missing_numbers_as_null():
    broken = replace(made_up.trace(), effective_members=float("nan"))
    assert trace_dict(broken, made_up.run())["effective_members"] is None


def test_ranking_lists_every_candidate_and_nobody(results: Path):
    rows = list(csv.DictReader(io.StringIO((results / "ranking.csv").read_text("utf-8-sig"))))
    assert [row["id"] for row in rows] == ["O1", "O2", "reach:R1", "boundary:B1", "O3", "nobody"]
    assert float(rows[0]["mass_kg_q50"]) == pytest.approx(1912.0)
    assert rows[0]["start_q05"] == "2024-07-20T20:00:00+08:00"
    assert rows[0]["is_in_credible_set"] == "True"
    assert rows[4]["mass_kg_q50"] == ""


def test_release_table_sums_to_the_mass_that_was_let_in(results: Path):
    rows = list(csv.DictReader(io.StringIO((results / "release.csv").read_text("utf-8-sig"))))
    first = made_up.trace().findings[0]
    assert first.release is not None
    middle = [float(row["q50"]) for row in rows if row["candidate"] == "O1"]
    assert sum(middle) == pytest.approx(float(first.release[1].sum()), rel=1e-4)
    assert rows[0]["time"] == "2024-07-20T00:00:00+08:00"


def test_same_trace_same_files(tmp_path: Path, results: Path):
    again = _written(tmp_path / "again", made_up.trace())
    for path in (p for p in results.rglob("*") if p.is_file()):
        assert path.read_bytes() == (again / path.relative_to(results)).read_bytes(), path.name


def test_the_headline_names_who_when_how_much_and_how_sure():
    said = headline(made_up.trace(), made_up.network(), zone=made_up.CHINA)
    assert said.en == (
        "It is likely (83 %) that the release came from outfall O1 染厂<b>&Co</b>, beginning between "
        "07-20 20:00 and 07-21 02:00, about 1,900 kg of NH3-N (960–3,400)."
    )
    assert said.zh.startswith("较可能（83 %）是排口 O1")


def test_the_headline_accuses_nobody_when_nobody_is_likeliest():
    quiet = made_up.trace(top=0.04, nobody=0.93)
    said = headline(quiet, made_up.network(), zone=made_up.CHINA)
    assert said.en == (
        "No release shows in these readings (very likely, 93 %): background alone explains them. A release of 50 kg "
        "within one hour would have stayed unseen in 30 % of all candidates' hours (blind spots)."
    )
    assert said.zh.startswith("读数中未见排放迹象（很可能，93 %）")
    assert "30 %" in said.zh
    assert "O1" not in said.zh


def test_the_bayes_factor_is_free_of_the_prior_of_nobody():
    once = replace(made_up.trace(nobody=0.20), prior_nobody=0.10)
    factor = (0.80 / 0.20) * (0.10 / 0.90)
    odds = factor * 0.5 / 0.5
    again = replace(once, prior_nobody=0.50, no_source_probability=1.0 / (1.0 + odds))
    assert once.bayes_factor == pytest.approx(factor)
    assert again.bayes_factor == pytest.approx(factor)
    assert "0.44 times" in prior_words(once).en
    assert "10 %" in prior_words(once).zh
    assert "more than a million times" in prior_words(replace(once, no_source_probability=0.0)).en


def test_the_page_does_not_call_its_probabilities_calibrated(results: Path):
    text = _page(results).text
    assert "校准过" not in text
    assert "invented rivers and invented releases only" in text
    assert "Bayes factor" in text
    assert "贝叶斯因子" in text


def test_the_headline_asks_for_samples_when_no_candidate_stands_out():
    open_case = made_up.trace(top=0.35, nobody=0.05)
    said = headline(open_case, made_up.network(), zone=made_up.CHINA)
    assert said.en.startswith("Not settled: the most probable is outfall O1")
    assert "Sample before concluding" in said.en


def test_the_headline_names_both_where_two_released():
    one = made_up.trace(top=0.83)
    second = replace(one.findings[1], probability=0.70)
    both = replace(one, findings=(one.findings[0], second, *one.findings[2:]), pairs=(("O1", "O2", 0.66),))
    said = headline(both, made_up.network(), zone=made_up.CHINA)
    for text in (said.zh, said.en):
        assert "O1" in text
        assert "O2" in text
        assert "83 %" in text
        assert "70 %" in text
        assert "66 %" in text


def _going_on() -> Trace:
    one = made_up.trace()
    release = np.ones((3, made_up.BINS)) * np.array([0.5, 1.0, 1.5])[:, None]
    return replace(one, findings=(replace(one.findings[0], release=release), *one.findings[1:]))


def test_the_mass_of_a_release_that_goes_on_is_that_until_the_end_of_the_window(tmp_path: Path):
    assert not made_up.trace().findings[0].is_going_on
    said = headline(_going_on(), made_up.network(), zone=made_up.CHINA)
    assert "until the end of the window" in said.en
    assert "截至时段末" in said.zh
    results = _written(tmp_path / "on", _going_on())
    assert "still going on" in _page(results).text
    assert json.loads((results / "trace.json").read_text("utf-8"))["candidates"][0]["is_going_on"] is True


def test_the_90_percent_set_is_said_to_hold_only_if_somebody_released(results: Path):
    said = headline(made_up.trace(top=0.35, nobody=0.05), made_up.network(), zone=made_up.CHINA)
    assert "given that one source released" in said.en
    assert "若确有一处排放" in said.zh
    assert "90 % set (if one released)" in _page(results).text
    assert "given that one source released" in _table("en")
    assert "so far" in _table("en")
    assert "以确有一处排放为前提" in _table("zh")
    assert "截至时段末" in _table("zh")


def _table(lang: str) -> str:
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(ranking_table(_going_on(), made_up.network(), zone=made_up.CHINA, lang=lang))
    return console.export_text()


def test_the_table_is_in_one_language():
    assert "candidate" not in _table("zh")
    assert "候选" not in _table("en")


def test_a_quiet_river_still_gets_a_page(tmp_path: Path):
    quiet = made_up.trace(top=0.0, nobody=0.99)
    quiet = replace(
        quiet, findings=tuple(replace(f, release=None, mass_kg=None, start=None) for f in quiet.findings)
    )
    page = _page(_written(tmp_path / "quiet", quiet))
    assert "no release history is drawn" in page.text


def test_conductivity_has_its_own_unit_of_release(tmp_path: Path):
    results = _written(tmp_path / "ec", made_up.trace(unit="uS/cm"))
    assert "(uS/cm)·m3/s" in (results / "figures/releases.svg").read_text("utf-8")


def test_an_english_run_opens_in_english(tmp_path: Path):
    results = _written(tmp_path / "en", made_up.trace(), made_up.run("en"))
    assert 'data-lang="en"' in (results / "report.html").read_text("utf-8")
    assert "observed" in (results / "figures/readings-S1.svg").read_text("utf-8")


@pytest.mark.parametrize(
    ("lang", "marked"), [("zh", ["true", "false", "false"]), ("en", ["false", "true", "false"])]
)
def test_report_and_plan_mark_the_language_they_open_in(lang: str, marked: list[str], tmp_path: Path):
    _written(tmp_path / "report", made_up.trace(), made_up.run(lang))
    _planned(tmp_path / "plan", made_up.plan(lang))
    switches = []
    for name in ("report/report.html", "plan/next.html"):
        source = (tmp_path / name).read_text("utf-8")
        assert f'<html lang="{lang}" data-lang="{lang}">' in source
        assert re.findall(r'<button[^>]*aria-pressed="(\w+)"', source) == marked
        switches.append(re.findall(r"<script>.*?</script>", source, re.DOTALL))
    assert switches[0] == switches[1]
    assert len(switches[0]) == 1


def test_an_invented_plan_is_declared_on_top_of_its_page(tmp_path: Path):
    invented = replace(made_up.plan(), is_invented=True)
    assert "invented, for demonstration only" in _planned(tmp_path / "invented", invented)
    assert "invented, for demonstration only" not in _planned(tmp_path / "real", made_up.plan())


def test_an_invented_river_is_declared_on_top_of_the_page(tmp_path: Path):
    results = _written(tmp_path / "invented", made_up.trace(), replace(made_up.run(), is_invented=True))
    assert "invented, for demonstration only" in _page(results).text
    assert json.loads((results / "trace.json").read_text("utf-8"))["invented"] is True


def test_a_real_river_is_not_called_invented(results: Path):
    assert 'class="invented"' not in (results / "report.html").read_text("utf-8")
    assert json.loads((results / "trace.json").read_text("utf-8"))["invented"] is False


def test_many_stations_stay_under_two_megabytes(tmp_path: Path):
    one = made_up.trace().fits[0]
    long = np.arange(192) * np.timedelta64(3600, "s") + made_up.START
    fit = replace(
        one,
        time=long,
        duration_s=np.full(192, 7200.0),
        observed=np.tile(one.observed, 2),
        is_used=np.tile(one.is_used, 2),
        is_below=np.tile(one.is_below, 2),
        background=np.tile(one.background, 2),
        fitted=np.tile(one.fitted, 2),
    )
    stations = tuple(made_up.Station(f"S{i}", "R3", 100.0 * i) for i in range(12))
    network = replace(made_up.network(), stations=stations)
    fits = tuple(
        replace(fit, station=s.id, determinand=d) for s in stations for d in ("NH3-N", "TP", "CODMn", "EC")
    )
    crowded = replace(made_up.trace(), fits=fits)
    run = replace(made_up.run(), stations=tuple(s.id for s in stations))
    write_results(crowded, network, flow=made_up.flow(), run=run, out=tmp_path / "many")
    assert (tmp_path / "many/report.html").stat().st_size < 2_000_000
    assert len(list((tmp_path / "many/figures").glob("readings-*.svg"))) == 12
    assert "The other 6 stations are in the folder figures." in _page(tmp_path / "many").text


def test_places_follow_chainage_along_the_drawn_line():
    line = np.array([[0.0, 0.0], [300.0, 0.0], [300.0, 100.0]])
    assert point_at(line, 0.75).tolist() == [300.0, 0.0]
    assert point_at(line, 1.0).tolist() == [300.0, 100.0]


def test_a_network_without_coordinates_is_still_drawn():
    nodes = (Node("A", "boundary"), Node("B", "boundary"), Node("C"), Node("D", "outlet"))
    reaches = (Reach("R1", "A", "C", 900.0), Reach("R2", "B", "C", 900.0), Reach("R3", "C", "D", 900.0))
    bare = Network(nodes, reaches)
    lines = drawn_lines(bare)
    assert len({tuple(line.ravel()) for line in lines.values()}) == 3
    nobody = replace(made_up.trace(), findings=(), fits=(), blind_spots=())
    assert len(network_map(nobody, bare).axes) == 1


def test_figures_are_drawn_in_a_chinese_font_where_there_is_one_and_their_svg_names_many(
    monkeypatch: pytest.MonkeyPatch,
):
    fonts = font_manager.fontManager.ttflist
    bare = [f for f in fonts if f.name not in CHINESE_FONTS]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", bare)
    without = network_map(made_up.trace(), made_up.network())
    assert without.axes[0].texts[0].get_fontfamily() == ["DejaVu Sans"]
    path = font_manager.findfont("DejaVu Sans")
    added = [font_manager.FontEntry(fname=path, name=name) for name in ("SimHei", "WenQuanYi Zen Hei")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*bare, *added])
    there = network_map(made_up.trace(), made_up.network())
    assert there.axes[0].texts[0].get_fontfamily() == ["DejaVu Sans", "WenQuanYi Zen Hei"]
    families = set(re.findall('font-family: ([^;"]*)', svg(there, "map")))
    assert families == {FONTS} == set(re.findall('font-family: ([^;"]*)', svg(without, "map")))
    assert ">姚巷 Yaoxiang</text>" in svg(there, "map")


def test_probability_words_never_claim_certainty():
    assert percent(0.0) == "<1 %"
    assert percent(1.0) == ">99 %"
    assert likelihood(0.995).en == "virtually certain"
    assert likelihood(0.0).en == "exceptionally unlikely"


def test_kinds_of_answer_count_every_candidate_once():
    by_kind = {words.en: p for words, p in shares(made_up.trace())}
    assert sum(by_kind.values()) == pytest.approx(1.0)


def test_an_unknown_mass_is_left_blank():
    assert mass_words(None) == ""


def test_the_made_up_run_has_a_time_with_an_offset():
    assert isinstance(made_up.run().made, datetime)
    assert made_up.run().made.utcoffset() is not None


def test_the_page_says_which_readings_speak_for_and_against_and_which_one_would_overturn(results: Path):
    text = _page(results).text
    for said in (
        "O1 (83 %) against O2 (8 %)",
        "NH3-N at S2, 07-21 00:00–04:00 (+4.1): measured 1.43 mg/L in the mean; by what was read before, "
        "1.39 was expected if O1, 0.81 if O2.",
        "S2 的 NH3-N，07-21 00:00–04:00（+4.1）：平均实测 1.43 mg/L；按此前读数推算，若为 O1 应为 1.39，若为 O2 应为 0.81。",
        "NH3-N at 姚巷 Yaoxiang, 07-21 00:00–04:00 (-0.80)",
        "If it was O1, its plume must pass 姚巷 Yaoxiang 3.2 h earlier than the flow says",
        "A reading of NH3-N of 0.4 mg/L or less at S2 on 07-21 06:00 would put O2 first, by the explanations found "
        "(1.4 was measured; all other readings let 1.5 expect, 2.6 standard deviations away).",
        "Flow members disagree, so the evidence was divided by 3.4.",
        "若无异常排放应为 0.81",
        "没有哪一个读数取另一个可信的值就能使未见异常排放领先。",
    ):
        assert said in text
    assert "S2 0.2 h later" not in text  # no delay worth saying
    assert "(+0.02)" not in text


def test_trace_json_says_why_in_local_time_and_without_what_says_little(results: Path):
    first, second = json.loads((results / "trace.json").read_text("utf-8"))["why"]
    assert first["one"]["candidates"] == ["O1"]
    assert second["rival"]["candidates"] == []
    assert [part["log_ratio"] for part in first["parts"]] == [-0.8, 4.1]
    assert first["parts"][0]["since"] == "2024-07-21T00:00:00+08:00"
    assert first["overturn"]["time"] == "2024-07-21T06:00:00+08:00"
    assert second["overturn"] is None
    assert first["readings"] == pytest.approx(-0.8 + 0.02 + 4.1)


def test_pairs_and_unlisted_sources_are_called_by_words_in_the_reasons():
    trace = made_up.trace()
    pair = Suspicion(("O2", "reach:R1"), 0.08)
    (said,) = why_words(
        replace(trace, why=(replace(trace.why[0], rival=pair),)), made_up.network(), zone=made_up.CHINA
    )
    assert said.rival.en == "O2 and an unlisted source on reach 新河 New Canal together"
    assert said.rival.zh == "O2 与 河段 新河 New Canal 上的名录外污染源 同时排放"


@pytest.mark.parametrize(
    ("tempering", "said"), [(LEAST_TEMPERATURE, "How far models err"), (3.4, "Flow members disagree")]
)
def test_flow_members_are_said_to_disagree_only_where_they_do(tempering: float, said: str):
    trace = made_up.trace()
    contest = replace(trace.why[0], tempering=tempering)
    (words,) = why_words(replace(trace, why=(contest,)), made_up.network(), zone=made_up.CHINA)
    assert said in words.parts.en


def test_a_label_stands_beside_a_canal_and_not_on_it():
    """One station on a canal that runs north: beside it, not above on the canal."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from suyuan.plot.network_map import Label, _covered, _dotted, _place_labels

    axes = Figure(figsize=(8.0, 4.0)).add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0.0, 10.0), ylim=(0.0, 5.0))
    canal = np.array([[5.0, 0.0], [5.0, 5.0]])
    _place_labels(axes, [Label("Town inlet", np.array([5.0, 2.5]), 8.5, False)], lines=[canal])
    (text,) = axes.texts
    box = text.get_window_extent(FigureCanvasAgg(axes.figure).get_renderer())
    dots = _dotted(axes.transData.transform(canal))
    assert _covered((box.x0, box.y0, box.x1, box.y1), dots) == 0
    assert len(dots) == 100
    assert _covered((0.0, -1.0, 800.0, 800.0), dots) == 100


def test_against_a_pair_it_is_said_why_a_second_source_is_hard_to_believe():
    trace = made_up.trace()
    contest = replace(trace.why[0], tempering=5.0, rival=Suspicion(("O2", "O3"), 0.08))
    (words,) = why_words(replace(trace, why=(contest,)), made_up.network(), zone=made_up.CHINA)
    assert "A second plume takes up" in words.parts.en


def test_without_reasons_the_page_has_no_such_section(tmp_path: Path):
    bare = _written(tmp_path / "bare", replace(made_up.trace(), why=()))
    assert "为什么" not in _page(bare).text
    assert not (bare / "figures/why.svg").exists()
