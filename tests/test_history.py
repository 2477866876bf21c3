"""The history of a results folder: a line a run, whatever happened in between."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import made_up
import numpy as np
import pytest
from typer.testing import CliRunner

from suyuan.cli import app
from suyuan.errors import InputError
from suyuan.io.history import HISTORY, answer_dict, append_answer, read_history
from suyuan.io.new_project import new_project
from suyuan.plot import answers_moved
from suyuan.plot.history import leading_names
from suyuan.report import write_results
from suyuan.report.figures import standalone, svg
from suyuan.tracing.history import Answer, Run, answer_of, with_answer

CHINA = ZoneInfo("Asia/Shanghai")


def answer(hour: int, top: float, nobody: float = 0.01) -> Answer:
    made = made_up.START + np.timedelta64(hour, "h")
    run = Run(made, made_up.START, made, 10 * hour, 1, "0.1.0", f"{hour:032x}")
    return answer_of(made_up.trace(top, nobody), run)


def test_what_is_appended_is_read_in_order_and_the_same_inputs_count_once(tmp_path: Path):
    answers = [answer(hour, 0.1 * hour) for hour in (1, 2, 3)]
    assert read_history(tmp_path) == ()
    for each in answers:
        append_answer(tmp_path, each)
    found = read_history(tmp_path)
    assert [a.run for a in found] == [a.run for a in answers]
    assert [answer_dict(a) for a in found] == [answer_dict(a) for a in answers]
    assert with_answer(found, answers[1]) == found
    append_answer(tmp_path, answers[1])
    assert read_history(tmp_path) == found


@pytest.mark.parametrize(
    "rest", ["{", '{"made": "2024-07-20T00', "[]\n", "null", "\xff\xfe\n", '{"made": 3}\n']
)
def test_a_line_cut_off_by_a_power_cut_costs_that_line_alone(tmp_path: Path, rest: str):
    append_answer(tmp_path, answer(1, 0.3))
    with (tmp_path / HISTORY).open("ab") as file:
        file.write(rest.encode("latin-1"))
    append_answer(tmp_path, answer(2, 0.6))
    assert [a.run.readings for a in read_history(tmp_path)] == [10, 20]


def test_a_line_whose_probability_is_no_number_is_no_answer_and_stays_out_of_the_json(tmp_path: Path):
    append_answer(tmp_path, answer(1, 0.3, 0.125))
    path = tmp_path / HISTORY
    path.write_text(path.read_text("utf-8").replace("0.125", "NaN"), "utf-8")
    append_answer(tmp_path, answer(2, 0.6))
    assert [a.run.readings for a in read_history(tmp_path)] == [20]


def test_lines_of_many_runs_at_once_all_stay_whole(tmp_path: Path):
    code = (
        "import sys; from pathlib import Path; import test_history as t\n"
        "for i in range(25): t.append_answer(Path(sys.argv[1]), t.answer(25 * int(sys.argv[2]) + i + 1, 0.5))\n"
    )
    here = Path(__file__).parent
    runs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(k)], cwd=here) for k in range(3)]
    assert [run.wait(120) for run in runs] == [0, 0, 0]
    assert sorted(a.run.readings for a in read_history(tmp_path)) == [10 * (i + 1) for i in range(75)]


def test_a_history_that_cannot_be_written_is_an_input_error(tmp_path: Path):
    (tmp_path / HISTORY).mkdir()
    with pytest.raises(InputError, match=r"history.jsonl: cannot be read"):
        read_history(tmp_path)
    with pytest.raises(InputError, match=r"history.jsonl: cannot be written"):
        append_answer(tmp_path, answer(1, 0.3))


def test_the_figure_names_who_led_at_any_time_in_both_languages():
    history = [answer(1, 0.2, 0.7), answer(2, 0.5, 0.2), answer(3, 0.9)]
    assert leading_names(history)[0] == "O1"
    drawn = svg(answers_moved(history, zone=CHINA), "moved")
    assert "O1, 90 %" in drawn
    assert "nobody, 1 %" in drawn
    assert "未见异常排放, 1 %" in standalone(drawn, lang="zh")
    assert "07-20 03:00" in drawn  # 19 July 16:00 UTC and three hours


def test_the_page_shows_how_the_answer_moved_from_the_second_run_on(tmp_path: Path):
    how = {"flow": made_up.flow(), "run": made_up.run()}
    history = (answer(1, 0.4), answer(2, 0.83))
    write_results(made_up.trace(), made_up.network(), **how, out=tmp_path / "one", history=history[:1])
    write_results(made_up.trace(), made_up.network(), **how, out=tmp_path / "two", history=history)
    assert "How the answer moved" not in (tmp_path / "one/report.html").read_text("utf-8")
    page = (tmp_path / "two/report.html").read_text("utf-8")
    assert "How the answer moved" in page
    assert "答案的变化" in page
    assert (tmp_path / "two/figures/history.svg").exists()


def test_the_verb_shows_a_row_a_run_and_says_where_there_is_none(tmp_path: Path):
    new_project(tmp_path / "project")
    river = tmp_path / "project" / "example"
    empty = CliRunner().invoke(app, ["history", str(river), "--lang", "zh"])
    assert empty.exit_code == 0
    assert "还没有历史记录" in empty.stdout
    (river / "results").mkdir()
    for each in (answer(1, 0.3, 0.6), replace(answer(2, 0.83), leading=())):
        append_answer(river / "results", each)
    said = CliRunner().invoke(app, ["history", str(river), "--lang", "en"]).stdout.splitlines()
    assert len(said) == 3
    assert re.search(r"2024-07-20 01:00 +10 +O1 +30 % +60 % +2 +1$", said[1].rstrip())
    assert re.search(r" 20 +- ", said[2])
    listed = json.loads(CliRunner().invoke(app, ["history", str(river), "--json"]).stdout)
    assert [a["readings"] for a in listed] == [10, 20]
    assert listed[0]["leading"][0] == {"id": "O1", "probability": 0.3}
