"""The verb `place`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suyuan.cli.options import AsJson, Folder, Language, Seed, language
from suyuan.cli.show import console, declare, progress_bar, text_of
from suyuan.cli.verbs import app

if TYPE_CHECKING:
    from suyuan.place_run import Placed
    from suyuan.report import Lang


@app.command()
def place(  # noqa: PLR0913  (a verb's arguments are its options)
    *,
    folder: Folder = Path(),
    count: Annotated[int, typer.Option(min=1, help="How many stations to add.")],
    candidates: Annotated[
        Path | None, typer.Option(help="Table of places to try: id, reach, chainage_m.")
    ] = None,
    candidate: Annotated[
        list[str] | None, typer.Option(help="A place to try, REACH:CHAINAGE; may be repeated.")
    ] = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Plan as if no station stood yet.")
    ] = False,
    apart: Annotated[
        float,
        typer.Option(help="Share of the worth for telling sources apart, 0 to 1; the rest for early sight."),
    ] = 0.5,
    out: Annotated[Path | None, typer.Option(help="Where results go; FOLDER/results if left out.")] = None,
    as_json: AsJson = False,
    seed: Seed = 1,
    lang: Language = "",
) -> None:
    """Find where fixed stations should stand, so that releases are seen early and told apart."""
    from suyuan.place_run import PlaceAsk, place_folder

    at = tuple(candidate or ())
    ask = PlaceAsk(count, candidates, at=at, from_scratch=from_scratch, apart_share=apart, seed=seed)
    speaks = language(lang)
    with progress_bar() as progress:
        placed = place_folder(folder, ask, lang=speaks, out=out, progress=progress)
    if as_json:
        typer.echo(text_of(placed.files, "placement.json"))
    else:
        _show_placed(placed, speaks)


def _show_placed(placed: Placed, lang: Lang) -> None:
    """Print the headline, the stations, what stays unseen and the files to open."""
    from suyuan.report.placement import blind_words, placement_headline, placement_table

    declare(placed.is_invented)
    typer.echo(placement_headline(placed.placement)._asdict()[lang])
    console().print(placement_table(placed.placement, lang))
    for line in (blind_words(placed.placement)._asdict()[lang], *(f"open {p}" for p in placed.files)):
        if line:
            typer.echo(line)
