"""The verbs under `flow`: `flow reconcile`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suyuan.cli.options import AsJson, Folder, Language, Seed, language
from suyuan.cli.show import console, declare, progress_bar, text_of
from suyuan.cli.verbs import app

if TYPE_CHECKING:
    from suyuan.reconcile_run import ReconciledRun
    from suyuan.report import Lang

flows = typer.Typer(no_args_is_help=True)
app.add_typer(flows, name="flow", help="Make flow where no model gives it.")


@flows.callback()
def flow_group() -> None:
    """Make flow where no model gives it."""


@flows.command("reconcile")
def flow_reconcile(
    folder: Folder = Path(),
    *,
    members: Annotated[
        int | None, typer.Option(min=2, help="Flows to draw; left out: what suyuan.toml says, else 50.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where results go; FOLDER/results if left out.")] = None,
    as_json: AsJson = False,
    seed: Seed = 1,
    lang: Language = "",
) -> None:
    """Reconcile gauges by continuity: flow of every reach, with what remains possible."""
    from suyuan.reconcile_run import reconcile_folder

    speaks = language(lang)
    with progress_bar() as progress:
        done = reconcile_folder(folder, lang=speaks, out=out, members=members, seed=seed, progress=progress)
    if as_json:
        typer.echo(text_of(done.files, "reconciled.json"))
    else:
        _show(done, speaks, folder=folder)


def _show(done: ReconciledRun, lang: Lang, *, folder: Path) -> None:
    """Print the headline, the gauges, what is not sure, and what to write into suyuan.toml."""
    from suyuan.report.reconciled import gauges_table, reconciled_headline, reconciled_notes

    declare(done.is_invented)
    typer.echo(reconciled_headline(done.found, done.sd)._asdict()[lang])
    console().print(gauges_table(done.found, lang))
    for words in reconciled_notes(done.found):
        typer.echo(f"- {words._asdict()[lang]}")
    for path in done.files:
        typer.echo(f"open {path}")
    typer.echo("[files]")
    for key, path in zip(("flow", "flow_members"), done.files, strict=False):
        typer.echo(f'{key} = "{Path(os.path.relpath(path, folder)).as_posix()}"')
