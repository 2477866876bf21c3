"""The verb `next`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suyuan.cli.options import AsJson, Folder, Language, Seed, language
from suyuan.cli.show import console, declare, print_json, progress_bar, this_moment
from suyuan.cli.verbs import app

if TYPE_CHECKING:
    from suyuan.advise import Advised

Crews = Annotated[int, typer.Option(help="Crews that go out.")]
Stops = Annotated[int, typer.Option(help="Most samples a crew takes.")]
BudgetText = Annotated[str, typer.Option("--budget", help="800: money on all; 6h: hours of each crew.")]
NowText = Annotated[str, typer.Option("--now", help="Samples come after this; the last reading if left out.")]
Ahead = Annotated[int, typer.Option(help="Hours to look ahead.")]
Hours = Annotated[str, typer.Option(help="Working hours on the project's clock, such as 08-18.")]
MethodNames = Annotated[
    list[str] | None, typer.Option(help="kit, strip or grab; may be repeated. Kit and grab if left out.")
]
KitLimit = Annotated[float | None, typer.Option(help="Concentration from which the kit says yes.")]
Confirm = Annotated[str, typer.Option(help="Confirm or clear this outfall.")]
Base = Annotated[str, typer.Option(help="Where crews start: a station, an outfall, or R7+1200.")]
Speed = Annotated[float, typer.Option(help="Speed on the road, km/h.")]
PlanFolder = Annotated[
    Path | None, typer.Option("--out", help="Where the plan goes; nothing is written if left out.")
]


@app.command(name="next")
def next_samples(  # noqa: PLR0913  (a verb's arguments are its options)
    *,
    folder: Folder = Path(),
    crews: Crews = 1,
    stops: Stops = 4,
    budget: BudgetText = "",
    now: NowText = "",
    ahead: Ahead = 24,
    hours: Hours = "08-18",
    method: MethodNames = None,
    kit_limit: KitLimit = None,
    confirm: Confirm = "",
    base: Base = "",
    speed: Speed = 30.0,
    out: PlanFolder = None,
    as_json: AsJson = False,
    seed: Seed = 1,
    lang: Language = "",
) -> None:
    """Say where, when and what to sample next, so as to learn most about who did it for the cost."""
    from suyuan.advise import Sampling, advise_folder
    from suyuan.asked import Ask
    from suyuan.report import advice_dict

    ways, limit = tuple(method or ()), float("nan") if kit_limit is None else kit_limit
    crew = Sampling(crews, stops, budget, hours=hours, methods=ways, base=base, speed_kmh=speed)
    sampling = replace(crew, now=now, ahead_h=ahead, kit_limit=limit, confirm=confirm)
    ask = Ask(seed=seed, lang=language(lang))
    with progress_bar() as progress:
        advised = advise_folder(folder, ask, sampling=sampling, out=out, now=this_moment(), progress=progress)
    if as_json:
        print_json(advice_dict(advised.advice, advised.plan))
    else:
        _show_plan(advised)


def _show_plan(advised: Advised) -> None:
    """Print what the plan promises, its stops, what must be known, and the files to open."""
    from suyuan.report import plan_headline, stops_table
    from suyuan.report.statements import assumption_words, note_words

    advice, zone, lang = advised.advice, advised.plan.zone, advised.plan.lang
    declare(advised.plan.is_invented)
    typer.echo(plan_headline(advice)._asdict()[lang])
    console().print(stops_table(advice, advised.network, zone=zone))
    for note in advice.notes:
        typer.echo(note_words(note)._asdict()[lang])
    for name, value in map(assumption_words, advice.assumptions):
        typer.echo(f"{name._asdict()[lang]}: {value._asdict()[lang]}")
    for path in advised.files:
        typer.echo(f"open {path}")
