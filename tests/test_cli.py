"""The command line: what an inspector types, what comes back, and what is left on disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from suyuan import __version__
from suyuan.cli import app
from suyuan.cli.options import language
from suyuan.cli.verbs import ORDER

INVENTED = "All data of this project are invented. 本项目的全部数据均为虚构。"

FILES = ("report.html", "trace.json", "ranking.csv", "release.csv", "figures/map.svg")


def _suyuan(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def river(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small whole project: the example that `suyuan new` writes."""
    folder = tmp_path_factory.mktemp("new") / "river"
    assert _suyuan("new", folder).exit_code == 0
    return folder / "example"


@pytest.fixture(scope="module")
def traced(river: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    out = tmp_path_factory.mktemp("traced") / "results"
    return _suyuan("trace", river, "--out", out, "--seed", "3", "--lang", "zh"), out


def test_a_new_project_names_its_files_and_its_example_passes_the_check(river: Path):
    result = _suyuan("check", river)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == INVENTED
    assert json.loads(_suyuan("check", river, "--json").stdout)["invented"] is True


def test_data_that_the_project_does_not_call_invented_are_not_called_so(river: Path, tmp_path: Path):
    real = tmp_path / "real"
    shutil.copytree(river, real)
    settings = (real / "suyuan.toml").read_text("utf-8")
    (real / "suyuan.toml").write_text(settings.replace("invented = true\n", ""), "utf-8")
    assert INVENTED not in _suyuan("check", real).output
    assert json.loads(_suyuan("check", real, "--json").stdout)["invented"] is False


def test_a_new_project_never_overwrites_another(river: Path):
    result = _suyuan("new", river)
    assert result.exit_code == 1
    assert str(river) in result.stderr


def test_check_lists_every_fault_and_exits_one(river: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    subprocess.run(
        [sys.executable, "-c", f"import shutil; shutil.copytree({str(river)!r}, {str(broken)!r})"], check=True
    )
    readings = broken / "observations.csv"
    lines = readings.read_text("utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("time")) + 1
    lines[first] = lines[first].replace("mg/L", "mg").replace("uS/cm", "mg")
    readings.write_text("\n".join(lines), "utf-8")
    result = _suyuan("check", broken)
    assert result.exit_code == 1
    assert "observations.csv" in result.output
    assert "'mg'" in result.output
    listed = json.loads(_suyuan("check", broken, "--json").stdout)
    assert listed["faults"][0]["where"].endswith("observations.csv")


def test_a_missing_project_is_one_sentence_and_no_traceback(tmp_path: Path):
    result = _suyuan("trace", tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "nowhere" in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_tracing_prints_the_ranking_and_writes_the_files(traced: tuple[Result, Path]):
    result, out = traced
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == INVENTED
    assert "invented, for demonstration only" in (out / "report.html").read_text("utf-8")
    assert "未见异常排放" in result.stdout
    assert "水量平衡" in result.stdout
    assert str(out / "report.html") in result.stdout.replace("\n", "")
    for name in FILES:
        assert (out / name).stat().st_size > 0


def test_same_seed_same_answer(traced: tuple[Result, Path], river: Path, tmp_path: Path):
    _, out = traced
    again = _suyuan("trace", river, "--out", tmp_path / "again", "--seed", "3", "--lang", "zh")
    assert again.exit_code == 0
    assert (tmp_path / "again/ranking.csv").read_bytes() == (out / "ranking.csv").read_bytes()
    assert (tmp_path / "again/release.csv").read_bytes() == (out / "release.csv").read_bytes()


def test_json_on_stdout_is_the_file_that_was_written(river: Path, tmp_path: Path):
    result = _suyuan("trace", river, "--out", tmp_path / "json", "--json")
    assert json.loads(result.stdout) == json.loads((tmp_path / "json/trace.json").read_text("utf-8"))
    found = json.loads(result.stdout)
    assert found["invented"] is True
    assert 0.0 <= found["no_source_probability"] <= 1.0
    assert all(0.0 <= c["probability"] <= 1.0 for c in found["candidates"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--station", "Yaoxang"), "Yaoxang"),
        (("--determinand", "NH5-N"), "NH5-N"),
        (("--since", "yesterday"), "yesterday"),
        (("--since", "2030-01-01"), "2030"),
        (("--lang", "fr"), "fr"),
    ],
)
def test_a_wrong_option_says_which_value_and_writes_nothing(
    words: tuple[str, str], said: str, river: Path, tmp_path: Path
):
    result = _suyuan("trace", river, "--out", tmp_path / "never", *words)
    assert result.exit_code == 1, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_leaves_nothing_half_written(river: Path, tmp_path: Path):
    """The signal comes when every file is written under its temporary name and none is in place."""
    code = """
import os, signal
import suyuan.io.atomic as atomic
from suyuan.cli import app
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is born deaf to it
sync = atomic._sync
def interrupted(path):
    print("written", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    sync(path)
atomic._sync = interrupted
app()
"""
    out = tmp_path / "stopped"
    run = subprocess.Popen(
        [sys.executable, "-c", code, "trace", str(river), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    said, heard = run.communicate(timeout=240)
    assert said.startswith(b"written"), heard.decode()
    assert run.returncode == 130, heard.decode()
    assert b"Traceback" not in heard
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("system", "expected"), [("Chinese (Simplified)_China", "zh"), ("zh_CN", "zh"), ("English_Ireland", "en")]
)
def test_a_system_that_names_its_language_elsewhere_is_heard(
    system: str, expected: str, monkeypatch: pytest.MonkeyPatch
):
    """Windows sets none of LC_ALL, LC_MESSAGES and LANG."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("locale.getlocale", lambda: (system, "936"))
    assert language("") == expected


def test_version_is_the_package_s_own():
    result = _suyuan("version")
    assert result.exit_code == 0
    assert f"suyuan {__version__}" in result.stdout


def test_the_help_lists_every_verb_in_the_order_in_which_they_are_met():
    listed = [line.split()[1] for line in _suyuan("--help").stdout.splitlines() if line.startswith("│ ")]
    assert [word for word in listed if word in ORDER] == list(ORDER)


def test_every_verb_explains_itself():
    for verb in ORDER:
        result = _suyuan(verb, "--help")
        assert result.exit_code == 0
        assert "Usage" in result.stdout
