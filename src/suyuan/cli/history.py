"""The verb `history`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suyuan.cli.options import AsJson, Folder, Language, language
from suyuan.cli.show import console, print_json
from suyuan.cli.verbs import app


@app.command()
def history(
    *,
    folder: Folder = Path(),
    out: Annotated[Path | None, typer.Option(help="The results; FOLDER/results if left out.")] = None,
    as_json: AsJson = False,
    lang: Language = "",
) -> None:
    """Show how the answer moved from run to run as readings came: when, who led, how sure, how many are left."""
    from suyuan.io.history import answer_dict, read_history
    from suyuan.io.project import read_project
    from suyuan.report import history_table, no_history

    zone, results, speaks = (
        read_project(folder, needs_network=False, reads=()).zone,
        out or folder / "results",
        language(lang),
    )
    answers = read_history(results)
    if as_json:
        print_json([answer_dict(answer) for answer in answers])
    elif answers:
        console().print(history_table(answers, zone=zone, lang=speaks))
    else:
        typer.echo(no_history(str(results))._asdict()[speaks])
