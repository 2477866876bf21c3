"""Every example runs, in time, and the README shows them as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]
EXAMPLES = sorted((HOME / "examples").glob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_names_the_guilty_outfall_or_says_how_sure_it_is(script: Path, tmp_path: Path):
    run = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert run.returncode == 0, run.stderr
    assert "nobody" in run.stdout
    assert not list(tmp_path.iterdir())


def test_the_readme_shows_the_seven_calls_as_they_are_run():
    script = (HOME / "examples" / "seven_calls.py").read_text("utf-8")
    assert script in (HOME / "README.md").read_text("utf-8")
