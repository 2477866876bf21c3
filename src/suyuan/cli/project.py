"""Verbs about the files of a project: `check` and `new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suyuan.cli.options import AsJson, Folder
from suyuan.cli.show import declare, print_json
from suyuan.cli.verbs import app


@app.command()
def check(*, folder: Folder = Path(), as_json: AsJson = False) -> None:
    """List every fault of every file of a project at once; exit code 1 if there is any."""
    from suyuan.io.check import check as check_folder

    found = check_folder(folder)
    if as_json:
        print_json(found.to_dict())
    else:
        declare(found.is_invented)
        typer.echo(str(found))
    if found.faults:
        raise typer.Exit(1)


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it must not hold a project yet.")],
) -> None:
    """Make an empty project: commented templates of every file, and a small worked example."""
    from suyuan.io.new_project import new_project

    for path in new_project(folder):
        typer.echo(path)
