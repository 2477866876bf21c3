"""Trace a project folder as `suyuan trace` does: python examples/trace_a_project.py [FOLDER [OUT]].

Without a FOLDER it makes the small example project in a temporary folder and traces that.
"""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from suyuan.asked import Ask
from suyuan.io.new_project import new_project
from suyuan.run import trace_folder


def main(folder: Path, out: Path) -> None:
    """Trace `folder`, write the results to `out`, and say what was found."""
    done = trace_folder(
        folder, Ask(seed=1, lang="en"), out=out, now=datetime.now(UTC), progress=lambda *_: None
    )
    if done.run.is_invented:
        print("All data of this project are invented.")
    print(done.traced.trace)
    print(f"the page to open: {done.files[0]}")


if __name__ == "__main__":
    named = [Path(word) for word in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as spare:
        if not named:
            new_project(Path(spare) / "river")
        source = named[0] if named else Path(spare) / "river" / "example"
        main(source, named[1] if len(named) > 1 else Path(spare) / "results")
