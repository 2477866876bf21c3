"""The verb `explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suyuan.cli.options import AsJson, Folder, Language, Seed, language
from suyuan.cli.show import console, declare, print_json, progress_bar, this_moment
from suyuan.cli.verbs import app
from suyuan.errors import InputError

if TYPE_CHECKING:
    from suyuan.between_run import BetweenAsk
    from suyuan.explain_run import ExplainAsk, Explained
    from suyuan.report import Lang


NO_PERIODS = "a balance takes no STATION, --against, --upstream or --rain"


@app.command()
def explain(  # noqa: PLR0913  (a verb's arguments are its options)
    folder: Folder,
    station: Annotated[str, typer.Argument(help="The section: id or name.")] = "",
    *,
    since: Annotated[
        str, typer.Option(help="First time of the period, or a day; seven days if left out.")
    ] = "",
    until: Annotated[str, typer.Option(help="Last time, or a day with all its hours.")] = "",
    against: Annotated[
        str, typer.Option(help="SINCE..UNTIL to hold it against; the same length just before if left out.")
    ] = "",
    determinand: Annotated[
        list[str] | None, typer.Option(help="Only this determinand; may be repeated.")
    ] = None,
    upstream: Annotated[str, typer.Option(help="The station above, where no network and flow tell.")] = "",
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(help="IN OUT: stations where water enters and leaves a town; several with commas."),
    ] = None,
    rain: Annotated[Path | None, typer.Option(help="A table of rain: time, rain_mm.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the page and tables go; nothing is written if left out.")
    ] = None,
    as_json: AsJson = False,
    seed: Seed = 1,
    lang: Language = "",
) -> None:
    """Say why a section moved, the parts of its change adding up; or what enters and leaves a town."""
    from suyuan.between_run import BetweenAsk
    from suyuan.explain_run import ExplainAsk

    spoken, names = language(lang), tuple(determinand or ())
    if between is not None:
        if station or against or upstream or rain is not None:
            raise InputError("--between", NO_PERIODS, "leave them out")
        asked = BetweenAsk(*between, since, until, names, seed=seed)
        _between(folder, asked, out=out, as_json=as_json, lang=spoken)
        return
    if not station:
        raise InputError("STATION", "no station is named", "write suyuan explain FOLDER STATION")
    ask = ExplainAsk(station, since, until, against, names, upstream=upstream, rain=rain, seed=seed)
    _explain(folder, ask, out=out, as_json=as_json, lang=spoken)


def _explain(folder: Path, ask: ExplainAsk, *, out: Path | None, as_json: bool, lang: Lang) -> None:
    """Explain why a section moved, and show it."""
    from suyuan.explain_run import explain_folder, write_page

    with progress_bar() as progress:
        explained = explain_folder(folder, ask, now=this_moment(), progress=progress)
        files = () if out is None else write_page(explained, lang=lang, made=this_moment(), out=out)
    if as_json:
        print_json(explained.to_dict())
        return
    _show(explained, lang)
    for path in files:
        typer.echo(f"open {path}")


def _between(folder: Path, ask: BetweenAsk, *, out: Path | None, as_json: bool, lang: Lang) -> None:
    """Balance what enters and leaves, and show it."""
    from suyuan.between_run import balance_folder, write_balance
    from suyuan.report import between as say
    from suyuan.report.words_table import words_table

    with progress_bar() as progress:
        found = balance_folder(folder, ask, now=this_moment(), progress=progress)
        files = () if out is None else write_balance(found, lang=lang, made=this_moment(), out=out)
    if as_json:
        print_json(found.to_dict())
        return
    declare(found.is_invented)
    typer.echo(say.between_headline(found.balances, found.info, zone=found.zone)._asdict()[lang])
    console().print(words_table(say.HEADINGS, say.balance_rows(found.balances), lang=lang, right={5}))
    console().print(
        words_table(say.STATION_HEADINGS, say.station_rows(found.balances), lang=lang, right={4, 5, 6})
    )
    for words in say.between_notes(found.balances, found.info):
        typer.echo(words._asdict()[lang])
    for path in files:
        typer.echo(f"open {path}")


def _show(explained: Explained, lang: Lang) -> None:
    """Print the sentence, the parts of the leading change, all changes, the mixture, what would have been, the notes."""
    from suyuan.report import explain as say
    from suyuan.report.words_table import words_table

    found = explained.explanation
    declare(explained.is_invented)
    typer.echo(say.explain_headline(found, explained.name, zone=explained.zone)._asdict()[lang])
    console().print(words_table(say.PART_HEADINGS, say.part_rows(found.leading), lang=lang, right={1, 3, 4}))
    if len(found.changes) > 1:
        console().print(words_table(say.CHANGE_HEADINGS, say.change_rows(found), lang=lang, right={1, 2, 3}))
    typer.echo(say.mixing_words(found)._asdict()[lang])
    for words in (*say.instead_words(found.leading), *say.explain_notes(found)):
        typer.echo(words._asdict()[lang])
