"""The command line: every verb calls one function and shows what it returns."""

from __future__ import annotations

import json
import locale
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from suyuan.errors import InputError

if TYPE_CHECKING:
    from suyuan.advise import Advised
    from suyuan.place_run import Placed
    from suyuan.report import Lang
    from suyuan.run import Ask, Done, Progress


class Verbs(TyperGroup):
    """The verbs; bad input ends in its own text on stderr and exit code 1, never in a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that was asked for."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # an old console must not fail over a character it lacks
                stream.reconfigure(errors="replace")
        try:
            return super().invoke(ctx)
        except InputError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None


app = typer.Typer(cls=Verbs, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Folder = Annotated[Path, typer.Argument(help="The project folder: where suyuan.toml is.")]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same answer.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]
Language = Annotated[str, typer.Option(help="Language in which the report opens: zh or en. It holds both.")]

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


@app.callback()
def suyuan() -> None:
    """溯源: which outfall, or unlisted stretch, most likely polluted the river; when, how much, how sure."""


@app.command()
def check(*, folder: Folder = Path(), as_json: AsJson = False) -> None:
    """List every fault of every file of a project at once; exit code 1 if there is any."""
    from suyuan.io.check import check as check_folder

    found = check_folder(folder)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=1))
    else:
        _declare(found.is_invented)
        typer.echo(str(found))
    if found.faults:
        raise typer.Exit(1)


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it must not hold a project yet.")],
) -> None:
    """Make an empty project: commented templates of every file, and a small worked example."""
    from suyuan.io.new_project import new_project

    for path in new_project(folder):
        typer.echo(path)


@app.command()
def trace(  # noqa: PLR0913  (a verb's arguments are its options)
    *,
    folder: Folder = Path(),
    station: Annotated[list[str] | None, typer.Option(help="Only this station; may be repeated.")] = None,
    determinand: Annotated[
        list[str] | None, typer.Option(help="Only this determinand; may be repeated.")
    ] = None,
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
    as_json: AsJson = False,
    seed: Seed = 1,
    lang: Language = "",
) -> None:
    """Find who most likely released what, and write the ranking, the release histories and a report."""
    from suyuan.follow import changes
    from suyuan.run import Ask

    stations, determinands = tuple(station or ()), tuple(determinand or ())
    ask = Ask(
        stations,
        determinands,
        since=since,
        until=until,
        seed=seed,
        lang=_language(lang),
        keeps_rows=keep or follow,
    )
    for count in changes(folder, every_s=every) if follow else (0,):
        _trace(folder, ask, out=out, as_json=as_json, is_first=count == 0)


def _trace(folder: Path, ask: Ask, *, out: Path | None, as_json: bool, is_first: bool) -> None:
    """Trace once and show what was found; later than at first a fault is told and no more."""
    from suyuan.ahead import compiled_ahead
    from suyuan.run import trace_folder

    try:
        with compiled_ahead(), _progress() as progress:
            done = trace_folder(folder, ask, out=out, now=_now(), progress=progress)
    except InputError as error:  # a file caught half-written, or a faulty row: the next change may mend it
        if is_first:
            raise
        typer.echo(str(error), err=True)
        return
    if as_json:
        typer.echo(_text(done.files, "trace.json"))
    else:
        _show(done)
    sys.stdout.flush()


@app.command()
def history(
    *,
    folder: Folder = Path(),
    out: Annotated[Path | None, typer.Option(help="The results; FOLDER/results if left out.")] = None,
    as_json: AsJson = False,
    lang: Language = "",
) -> None:
    """Show how the answer moved from run to run as readings came: when, who led, how sure, how many are left."""
    from rich.console import Console

    from suyuan.io.history import answer_dict, read_history
    from suyuan.io.project import read_project
    from suyuan.report import history_table, no_history

    zone, results, speaks = read_project(folder).zone, out or folder / "results", _language(lang)
    answers = read_history(results)
    if as_json:
        typer.echo(json.dumps([answer_dict(answer) for answer in answers], ensure_ascii=False, indent=1))
    elif answers:
        console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
        console.print(history_table(answers, zone=zone, lang=speaks))
    else:
        typer.echo(no_history(str(results))._asdict()[speaks])


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
    from suyuan.report import advice_dict
    from suyuan.run import Ask

    ways, limit = tuple(method or ()), float("nan") if kit_limit is None else kit_limit
    crew = Sampling(crews, stops, budget, hours=hours, methods=ways, base=base, speed_kmh=speed)
    sampling = replace(crew, now=now, ahead_h=ahead, kit_limit=limit, confirm=confirm)
    ask = Ask(seed=seed, lang=_language(lang))
    with _progress() as progress:
        advised = advise_folder(folder, ask, sampling=sampling, out=out, now=_now(), progress=progress)
    if as_json:
        typer.echo(json.dumps(advice_dict(advised.advice, advised.plan), ensure_ascii=False, indent=1))
    else:
        _show_plan(advised)


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
    speaks = _language(lang)
    with _progress() as progress:
        placed = place_folder(folder, ask, lang=speaks, out=out, progress=progress)
    if as_json:
        typer.echo(_text(placed.files, "placement.json"))
    else:
        _show_placed(placed, speaks)


@app.command()
def demo(
    *,
    folder: Annotated[Path, typer.Argument(help="Where the invented county goes.")] = Path("suyuan-demo"),
    seed: Seed = 1,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier demo in the folder, but no file of yours.")
    ] = False,
    lang: Language = "",
) -> None:
    """Invent a county with a nightly release, trace it, and show the true answer beside the finding."""
    from suyuan.ahead import compiled_ahead
    from suyuan.demo import demonstrate
    from suyuan.run import Ask

    ask = Ask(seed=seed, lang=_language(lang))
    with compiled_ahead(), _progress() as progress:
        done, truth = demonstrate(folder, ask, now=_now(), is_forced=force, progress=progress)
    _show(done)
    typer.echo(truth)


@app.command()
def version() -> None:
    """Print the version of suyuan and of what it stands on."""
    from suyuan.run import versions

    typer.echo("\n".join(f"{name} {number}" for name, number in versions()))


@contextmanager
def _progress() -> Iterator[Progress]:
    """Give a function that moves a bar on stderr: what is being done, and the share that is done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=1.0)
        yield lambda what, share: bars.update(task, description=what, completed=share)


def _language(lang: str) -> Lang:
    """Return the language asked for, or the system's."""
    if lang in ("zh", "en"):
        return "zh" if lang == "zh" else "en"
    if lang:
        raise InputError("--lang", f"'{lang}' is not a language of the report", "write zh or en")
    spoken = next(
        (os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), ""
    )
    spoken = spoken or locale.getlocale()[0] or ""  # Windows keeps it to itself: 'Chinese (Simplified)_China'
    return "zh" if spoken.lower().startswith(("zh", "chinese")) else "en"


def _text(files: Sequence[Path], name: str) -> str:
    """Return what the file of this name says, of those that a run wrote."""
    return next(path for path in files if path.name == name).read_text("utf-8")


def _declare(is_invented: bool) -> None:
    """Say before anything else that the data are invented, where the project says so."""
    if is_invented:
        typer.echo("All data of this project are invented. 本项目的全部数据均为虚构。")


def _show(done: Done) -> None:
    """Print the headline, the ranking, what must be known, the water balance and the files to open."""
    from rich.console import Console

    from suyuan.report.statements import note_words
    from suyuan.report.table import balance_words, ranking_table
    from suyuan.report.words import headline
    from suyuan.rolling import kept_words

    traced, zone = done.traced, done.run.zone
    _declare(done.run.is_invented)
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    typer.echo(headline(traced.trace, traced.network, zone=zone)._asdict()[done.run.lang])
    console.print(ranking_table(traced.trace, traced.network, zone=zone, lang=done.run.lang))
    for line in (
        *(note_words(note)._asdict()[done.run.lang] for note in traced.trace.notes),
        balance_words(traced.flow.balance)._asdict()[done.run.lang],
        *([kept_words(done.kept)._asdict()[done.run.lang]] if done.kept else []),
        *(f"open {p}" for p in done.files if p.parent.name != "figures"),
    ):
        typer.echo(line)


def _show_placed(placed: Placed, lang: Lang) -> None:
    """Print the headline, the stations, what stays unseen and the files to open."""
    from rich.console import Console

    from suyuan.report.placement import blind_words, placement_headline, placement_table

    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    _declare(placed.is_invented)
    typer.echo(placement_headline(placed.placement)._asdict()[lang])
    console.print(placement_table(placed.placement, lang))
    for line in (blind_words(placed.placement)._asdict()[lang], *(f"open {p}" for p in placed.files)):
        if line:
            typer.echo(line)


def _show_plan(advised: Advised) -> None:
    """Print what the plan promises, its stops, what must be known, and the files to open."""
    from rich.console import Console

    from suyuan.report import plan_headline, stops_table
    from suyuan.report.statements import assumption_words, note_words

    advice, zone, lang = advised.advice, advised.plan.zone, advised.plan.lang
    _declare(advised.plan.is_invented)
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    typer.echo(plan_headline(advice)._asdict()[lang])
    console.print(stops_table(advice, advised.network, zone=zone))
    for note in advice.notes:
        typer.echo(note_words(note)._asdict()[lang])
    for name, value in map(assumption_words, advice.assumptions):
        typer.echo(f"{name._asdict()[lang]}: {value._asdict()[lang]}")
    for path in advised.files:
        typer.echo(f"open {path}")


def _now() -> datetime:
    return datetime.now(UTC)
