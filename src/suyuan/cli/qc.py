"""The verb `qc`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suyuan.cli.options import AsJson, Folder, Language, language
from suyuan.cli.show import console, declare, print_json, progress_bar, this_moment
from suyuan.cli.verbs import app

if TYPE_CHECKING:
    from suyuan.qc_run import Screened


@app.command()
def qc(  # noqa: PLR0913  (a verb's arguments are its options)
    *,
    folder: Folder = Path(),
    station: Annotated[str, typer.Argument(help="Only this station, id or name; all if left out.")] = "",
    determinand: Annotated[
        list[str] | None, typer.Option(help="Only this determinand; may be repeated.")
    ] = None,
    since: Annotated[str, typer.Option(help="First time shown, ISO 8601; else in the project's zone.")] = "",
    until: Annotated[str, typer.Option(help="Last time shown.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Where flags, page and figures go; nothing if left out.")
    ] = None,
    parquet: Annotated[bool, typer.Option("--parquet", help="Write the flags as Parquet, not CSV.")] = False,
    as_json: AsJson = False,
    lang: Language = "",
) -> None:
    """Say which readings are suspect or fail, by which check and why; nothing is deleted."""
    from suyuan.qc_run import QcAsk, screen_folder
    from suyuan.report.quality import quality_dict

    ask = QcAsk(
        station, tuple(determinand or ()), since=since, until=until, lang=language(lang), is_parquet=parquet
    )
    with progress_bar() as progress:
        found = screen_folder(folder, ask, out=out, now=this_moment(), progress=progress)
    if as_json:
        whole = quality_dict(found.seen, found.alarms, shown=found.rows, info=found.info)
        print_json(whole)
    else:
        _show_screened(found)


def _show_screened(found: Screened) -> None:
    """Print the headline, what was flagged and why, and the files to open."""
    from suyuan.report.quality import Counts, quality_headline, quality_table, summary

    declare(found.info.is_invented)
    typer.echo(quality_headline(Counts.of(found.seen, found.rows))._asdict()[found.info.lang])
    rows = summary(found.seen, found.alarms, shown=found.rows, info=found.info)
    if rows:
        console().print(quality_table(rows, info=found.info))
    for path in found.files:
        if path.parent.name != "figures":
            typer.echo(f"open {path}")
