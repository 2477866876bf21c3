"""The verbs of a section: `import readings`, `assess`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suyuan.cli.options import AsJson, Folder, Language, language
from suyuan.cli.show import console, declare, print_json, this_moment
from suyuan.cli.verbs import app
from suyuan.errors import InputError

if TYPE_CHECKING:
    from suyuan.assess_run import AssessAsk, Assessed, Classified
    from suyuan.report import Lang

imports = typer.Typer(no_args_is_help=True)
app.add_typer(imports, name="import", help="Take over what others publish.")


@imports.callback()
def import_group() -> None:
    """Take over what others publish."""


@imports.command("readings")
def import_readings(
    file: Annotated[
        Path,
        typer.Argument(help="National real-time table (CSV, workbook, JSON), long table, or WQX results."),
    ],
    *,
    to: Annotated[Path, typer.Option(help="The project folder; one without suyuan.toml gets one.")],
    taken: Annotated[str, typer.Option(help="When a table whose times have no year was taken.")] = "",
    timezone: Annotated[str, typer.Option(help="Timezone of a new project; Asia/Shanghai if left out.")] = "",
    as_json: AsJson = False,
    lang: Language = "",
) -> None:
    """Merge a table of readings into FOLDER/readings.csv; run it again at will, revised values keep their history."""
    from suyuan.io.import_readings import import_readings as take_over
    from suyuan.report.imported import import_words

    spoken = language(lang)
    done = take_over(file, to, now=this_moment(), taken=taken, timezone=timezone)
    if as_json:
        print_json(done.to_dict())
        return
    for words in import_words(done):
        typer.echo(words._asdict()[spoken])
    for path in done.files:
        typer.echo(f"open {path}")


@app.command()
def assess(  # noqa: PLR0913  (a verb's arguments are its options)
    folder: Folder,
    station: Annotated[str, typer.Argument(help="The section: id or name.")],
    period: Annotated[
        str,
        typer.Argument(
            help="2024-07, 2024, 2024-07-01..2024-07-15; the last month with readings if left out."
        ),
    ] = "",
    *,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="Class every reading, unrounded, instead of rounded means.")
    ] = False,
    along: Annotated[
        list[str] | None,
        typer.Option("--with", help="Rate this section with it as one river; may be repeated."),
    ] = None,
    scheme: Annotated[
        str, typer.Option(help="A shipped scheme or a file of one; that of the project if left out.")
    ] = "",
    with_suspect: Annotated[
        bool,
        typer.Option("--with-suspect", help="Take readings under maintenance and suspect ones into means."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Where the page and tables go; nothing is written if left out.")
    ] = None,
    as_json: AsJson = False,
    lang: Language = "",
) -> None:
    """Say of which class a section is, what decides it, and whether its target is met."""
    from suyuan.assess_run import AssessAsk, assess_folder, write_page

    spoken = language(lang)
    ask = AssessAsk(station, period, tuple(along or ()), scheme, uses_suspect=with_suspect)
    if realtime:
        _classify(folder, ask, out=out, as_json=as_json, lang=spoken)
        return
    assessed = assess_folder(folder, ask, now=this_moment())
    if out is not None:
        files = write_page(assessed, lang=spoken, made=this_moment(), out=out)
    _show_assessed(assessed, files if out else (), as_json=as_json, lang=spoken)


def _classify(folder: Path, ask: AssessAsk, *, out: Path | None, as_json: bool, lang: Lang) -> None:
    """Class every reading and show the counts and the last ones."""
    from suyuan.assess_run import classify_folder

    if out is not None:
        raise InputError("--out", "realtime classes have no page", "leave it out, or --realtime")
    classified = classify_folder(folder, ask, now=this_moment())
    if as_json:
        print_json(classified.to_dict())
    else:
        _show_classes(classified, lang)


def _show_assessed(assessed: Assessed, files: Sequence[Path], *, as_json: bool, lang: Lang) -> None:
    """Print the headline, the items, the months where there are several, what must be known, and the files to open."""
    from suyuan.report.section import items_table, months_table, record_words, river_words, section_headline

    if as_json:
        print_json(assessed.to_dict())
        return
    record = assessed.record
    declare(assessed.is_invented)
    typer.echo(section_headline(record)._asdict()[lang])
    if record.whole.judged or record.whole.beside:
        console().print(items_table(record.whole, lang))
    if len(record.months) > 1:
        console().print(months_table(record, lang))
    if assessed.river is not None:
        typer.echo(river_words(assessed.river)._asdict()[lang])
    for words in record_words(record):
        typer.echo(words._asdict()[lang])
    for path in files:
        typer.echo(f"open {path}")


def _show_classes(classified: Classified, lang: Lang) -> None:
    """Print the counts, the last classes beside the published ones, and what must be known."""
    from suyuan.report.section import published_words, realtime_headline, realtime_table

    found = classified.realtime
    declare(classified.is_invented)
    typer.echo(realtime_headline(found)._asdict()[lang])
    console().print(realtime_table(found, classified.published, zone=classified.zone, lang=lang))
    for words in published_words(
        found, classified.misses, agreement=classified.agreement, fits=classified.fits
    ):
        typer.echo(words._asdict()[lang])
