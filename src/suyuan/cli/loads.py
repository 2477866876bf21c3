"""The verb `loads`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suyuan.cli.options import AsJson, Folder, Language, language
from suyuan.cli.show import console, declare, print_json, progress_bar, this_moment
from suyuan.cli.verbs import app

if TYPE_CHECKING:
    from suyuan.loads_run import LoadsFound


@app.command()
def loads(  # noqa: PLR0913  (a verb's arguments are its options)
    folder: Folder,
    station: Annotated[str, typer.Argument(help="The station: id or name.")],
    *,
    determinand: Annotated[str, typer.Option(help="Of what; the project's own if left out.")] = "",
    method: Annotated[
        str,
        typer.Option(help="wrtds (weighted regressions; years of readings) or rating (one rating curve)."),
    ] = "wrtds",
    out: Annotated[
        Path | None, typer.Option(help="Where the page and tables go; nothing is written if left out.")
    ] = None,
    as_json: AsJson = False,
    lang: Language = "",
) -> None:
    """Say what load passed a station in each year, and whether it rises or falls once flow is taken out."""
    from suyuan.loads_run import LoadsAsk, loads_of_folder

    ask = LoadsAsk(station, determinand, method, lang=language(lang))
    with progress_bar() as progress:
        found = loads_of_folder(folder, ask, out=out, now=this_moment(), progress=progress)
    if as_json:
        print_json(found.to_dict())
    else:
        _show(found)


def _show(found: LoadsFound) -> None:
    """Print the trend, the years, what must be known, and the files to open."""
    from suyuan.report.loads import loads_headline, loads_notes, years_table

    declare(found.info.is_invented)
    typer.echo(loads_headline(found.loads, found.info)._asdict()[found.info.lang])
    console().print(years_table(found.loads, found.info.lang))
    for words in loads_notes(found.loads, found.info):
        typer.echo(words._asdict()[found.info.lang])
    for path in found.files:
        typer.echo(f"open {path}")
