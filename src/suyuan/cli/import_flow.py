"""The verb `import flow`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suyuan.cli.options import AsJson, Language, language
from suyuan.cli.section import imports
from suyuan.cli.show import console, declare, print_json, progress_bar, this_moment


@imports.command("flow")
def import_flow(  # noqa: PLR0913  (a verb's arguments are its options)
    source: Annotated[
        Path,
        typer.Argument(
            help="A model: SWMM, EPANET, D-Flow FM, HEC-RAS, Ribasim, DSM2, MIKE, or a table of flow."
        ),
    ],
    *,
    to: Annotated[Path, typer.Option(help="The project folder; one without suyuan.toml gets one.")],
    network: Annotated[
        Path | None, typer.Option(help="A network of your own whose reach ids are the model's.")
    ] = None,
    timezone: Annotated[
        str, typer.Option(help="What the model's clock shows; the project's if left out.")
    ] = "",
    begin: Annotated[str, typer.Option(help="When the model begins, to set its clock anew.")] = "",
    as_json: AsJson = False,
    lang: Language = "",
) -> None:
    """Take over the flow of a hydraulic model, closed, and its network; the flow that was there is kept."""
    from suyuan.import_run import import_flow_with_page
    from suyuan.io.import_flow import FlowAsk
    from suyuan.report.imported_flow import closure_words, corrections_table, flow_notes, imported_headline

    spoken, ask = language(lang), FlowAsk(network, timezone, begin)
    with progress_bar() as progress:
        done = import_flow_with_page(source, to, ask=ask, now=this_moment(), lang=spoken, progress=progress)
    if as_json:
        print_json(done.to_dict())
        return
    declare(done.is_invented)
    for words in (imported_headline(done), *closure_words(done)):
        typer.echo(words._asdict()[spoken])
    console().print(corrections_table(done, spoken))
    for words in flow_notes(done):
        typer.echo(f"- {words._asdict()[spoken]}")
    for path in done.files:
        typer.echo(f"open {path}")
