"""The verb `episodes`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suyuan.cli.options import AsJson, Folder, Language, language
from suyuan.cli.show import console, declare, print_json, progress_bar, this_moment
from suyuan.cli.verbs import app

if TYPE_CHECKING:
    from suyuan.episodes_run import EpisodesFound
    from suyuan.report import Lang


@app.command()
def episodes(  # noqa: PLR0913  (a verb's arguments are its options)
    *,
    folder: Folder = Path(),
    station: Annotated[list[str] | None, typer.Option(help="Only this station; may be repeated.")] = None,
    determinand: Annotated[
        list[str] | None, typer.Option(help="Only this determinand; may be repeated.")
    ] = None,
    since: Annotated[str, typer.Option(help="List episodes from this time or day on.")] = "",
    until: Annotated[str, typer.Option(help="List episodes up to this time or day.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Where the page and tables go; nothing is written if left out.")
    ] = None,
    as_json: AsJson = False,
    lang: Language = "",
) -> None:
    """List what stands above its baseline: start, end, size, how many are false alarms, and the command to trace each."""
    from suyuan.episodes_run import EpisodesAsk, find_in_folder, write_found

    spoken = language(lang)
    ask = EpisodesAsk(tuple(station or ()), tuple(determinand or ()), since, until)
    with progress_bar() as progress:
        found = find_in_folder(folder, ask, now=this_moment(), progress=progress)
        files = () if out is None else write_found(found, lang=spoken, made=this_moment(), out=out)
    if as_json:
        print_json(found.to_dict())
        return
    _show(found, spoken)
    for path in files:
        typer.echo(f"open {path}")


def _show(found: EpisodesFound, lang: Lang) -> None:
    """Print the headline, the episodes, how often chance makes one, the commands and the notes."""
    from suyuan.report import episodes as say
    from suyuan.report.words_table import words_table

    declare(found.is_invented)
    typer.echo(say.episodes_headline(found.found, found.watched)._asdict()[lang])
    if found.found:
        rows = say.episode_rows(found.found, found.info, zone=found.zone)
        console().print(words_table(say.HEADINGS, rows, lang=lang, right={4, 5, 6, 7, 8}))
    rates = say.rate_rows(found.watched, found.info)
    console().print(words_table(say.RATE_HEADINGS, rates, lang=lang, right={2, 3, 4, 5}))
    for command in say.commands(found.found):
        typer.echo(command)
    for words in say.episode_notes(found.found, found.info):
        typer.echo(words._asdict()[lang])
