"""The verbs `budget` and `forecast`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suyuan.cli.options import AsJson, Folder, Language, Seed, language
from suyuan.cli.show import console, declare, print_json, progress_bar, this_moment
from suyuan.cli.verbs import app

if TYPE_CHECKING:
    from suyuan.outlook_run import Budgeted, Foretold
    from suyuan.report import Lang

Station = Annotated[str, typer.Argument(help="The section: id or name.")]
At = Annotated[
    str,
    typer.Option(
        help="Moment that is taken as now: only readings until then are used. The day of the last reading if left out."
    ),
]
Scheme = Annotated[
    str, typer.Option(help="A shipped scheme or a file of one; that of the project if left out.")
]
Out = Annotated[Path | None, typer.Option(help="Where page and JSON go; nothing is written if left out.")]


@app.command()
def budget(  # noqa: PLR0913  (a verb's arguments are its options)
    folder: Folder,
    station: Station,
    *,
    at: At = "",
    scheme: Scheme = "",
    seed: Seed = 1,
    out: Out = None,
    as_json: AsJson = False,
    lang: Language = "",
) -> None:
    """Say how the month may end at a section: mean so far, what the rest may carry, the chance to miss the target."""
    from suyuan.outlook_run import OutlookAsk, budget_folder
    from suyuan.report.outlook import assumed_words
    from suyuan.report.outlook_page import write_budget
    from suyuan.report.section_page import PageInfo

    spoken = language(lang)
    with progress_bar() as progress:
        ask = OutlookAsk(station, at, scheme=scheme, seed=seed)
        found = budget_folder(folder, ask, now=this_moment(), progress=progress)
    files: Sequence[Path] = ()
    if out is not None:
        made = this_moment().astimezone(found.zone)
        page = PageInfo(found.project, made, spoken, found.is_invented)
        files = write_budget(
            found.budget,
            found.rolled,
            assumed=assumed_words(found.assumed, found.zone),
            page=page,
            whole=found.to_dict(),
            out=out,
        )
    if as_json:
        print_json(found.to_dict())
    else:
        _show_budget(found, files, lang=spoken)


@app.command()
def forecast(  # noqa: PLR0913  (a verb's arguments are its options)
    folder: Folder,
    station: Station,
    *,
    days: Annotated[int, typer.Option(help="Days ahead, 1 to 7.")] = 7,
    determinand: Annotated[
        list[str] | None, typer.Option(help="Only this determinand; may be repeated.")
    ] = None,
    at: At = "",
    out: Out = None,
    as_json: AsJson = False,
    lang: Language = "",
) -> None:
    """Forecast the daily means of a station, with probabilities and with the skill that such forecasts had."""
    from suyuan.outlook_run import OutlookAsk, forecast_folder
    from suyuan.report.outlook import assumed_words
    from suyuan.report.outlook_page import write_forecasts
    from suyuan.report.section_page import PageInfo

    spoken = language(lang)
    with progress_bar() as progress:
        ask = OutlookAsk(station, at, days, tuple(determinand or ()))
        found = forecast_folder(folder, ask, now=this_moment(), progress=progress)
    files: Sequence[Path] = ()
    if out is not None:
        made = this_moment().astimezone(found.zone)
        page = PageInfo(found.project, made, spoken, found.is_invented)
        files = write_forecasts(
            found.forecasts,
            short=found.unforeseen,
            assumed=assumed_words(found.assumed, found.zone),
            page=page,
            whole=found.to_dict(),
            out=out,
        )
    if as_json:
        print_json(found.to_dict())
    else:
        _show_forecasts(found, files, lang=spoken)


def _show_budget(found: Budgeted, files: Sequence[Path], *, lang: Lang) -> None:
    """Print the headline, the items, what it would take and what must be known."""
    from suyuan.report.outlook import assumed_words, budget_headline, budget_table, budget_words

    declare(found.is_invented)
    for words in (*assumed_words(found.assumed, found.zone), budget_headline(found.budget)):
        typer.echo(words._asdict()[lang])
    console().print(budget_table(found.budget, lang))
    for words in budget_words(found.budget):
        typer.echo(words._asdict()[lang])
    for path in files:
        typer.echo(f"open {path}")


def _show_forecasts(found: Foretold, files: Sequence[Path], *, lang: Lang) -> None:
    """Print, for each determinand, the days ahead and the skill."""
    from suyuan.report.outlook import (
        DAILY_MEANS,
        SKILL_MEANS,
        assumed_words,
        forecast_table,
        forecast_title,
        short_words,
        skill_table,
    )
    from suyuan.report.section import HANDS_OFF

    declare(found.is_invented)
    for words in assumed_words(found.assumed, found.zone):
        typer.echo(words._asdict()[lang])
    for one in found.forecasts:
        typer.echo(forecast_title(one)._asdict()[lang])
        console().print(forecast_table(one, lang))
        console().print(skill_table(one, lang))
    for words in (*short_words(found.unforeseen), SKILL_MEANS, DAILY_MEANS, HANDS_OFF):
        typer.echo(words._asdict()[lang])
    for path in files:
        typer.echo(f"open {path}")
