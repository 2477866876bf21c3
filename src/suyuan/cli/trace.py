"""The verb `trace`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suyuan.cli.options import AsJson, Folder, Language, Seed, Workers, language
from suyuan.cli.show import console, declare, progress_bar, text_of, this_moment
from suyuan.cli.verbs import app
from suyuan.errors import InputError

if TYPE_CHECKING:
    from suyuan.asked import Ask
    from suyuan.run import Done


@app.command()
def trace(  # noqa: PLR0913  (a verb's arguments are its options)
    *,
    folder: Folder = Path(),
    station: Annotated[list[str] | None, typer.Option(help="Only this station; may be repeated.")] = None,
    determinand: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    since: Annotated[str, typer.Option(help="First time, ISO 8601; else in the project's zone.")] = "",
    until: Annotated[str, typer.Option(help="Last time; a reading at this time counts.")] = "",
    out: Annotated[Path | None, typer.Option(help="Where results go; FOLDER/results if left out.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Trace again whenever the project's files change, until Ctrl-C.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at the files.")] = 60.0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep and use what was computed, for runs with newer readings.")
    ] = False,
    workers: Workers = "",
    as_json: AsJson = False,
    seed: Seed = 1,
    lang: Language = "",
) -> None:
    """Find who most likely released what, and write the ranking, the release histories and a report."""
    from suyuan.asked import Ask
    from suyuan.follow import changes

    ask = Ask(
        tuple(station or ()),
        tuple(determinand or ()),
        since=since,
        until=until,
        seed=seed,
        lang=language(lang),
        keeps_rows=keep or follow,
        workers=workers,
    )
    for count in changes(folder, every_s=every) if follow else (0,):
        _trace(folder, ask, out=out, as_json=as_json, is_first=count == 0)


def _trace(folder: Path, ask: Ask, *, out: Path | None, as_json: bool, is_first: bool) -> None:
    """Trace once and show what was found; later than at first a fault is told and no more."""
    from suyuan.ahead import compiled_ahead
    from suyuan.run import trace_folder

    try:
        with compiled_ahead(), progress_bar() as progress:
            done = trace_folder(folder, ask, out=out, now=this_moment(), progress=progress)
    except InputError as error:  # a file caught half-written, or a faulty row: the next change may mend it
        if is_first:
            raise
        typer.echo(str(error), err=True)
        return
    if as_json:
        typer.echo(text_of(done.files, "trace.json"))
    else:
        show_done(done)
    sys.stdout.flush()


def show_done(done: Done) -> None:
    """Print the headline, the ranking, what must be known, the water balance and the files to open."""
    from suyuan.report.statements import note_words
    from suyuan.report.table import balance_words, ranking_table
    from suyuan.report.words import headline
    from suyuan.rolling import kept_words

    traced, zone = done.traced, done.run.zone
    declare(done.run.is_invented)
    typer.echo(headline(traced.trace, traced.network, zone=zone)._asdict()[done.run.lang])
    console().print(ranking_table(traced.trace, traced.network, zone=zone, lang=done.run.lang))
    for line in (
        *(note_words(note)._asdict()[done.run.lang] for note in traced.trace.notes),
        balance_words(traced.flow.balance)._asdict()[done.run.lang],
        *([kept_words(done.kept)._asdict()[done.run.lang]] if done.kept else []),
        *(f"open {p}" for p in done.files if p.parent.name != "figures"),
    ):
        typer.echo(line)
