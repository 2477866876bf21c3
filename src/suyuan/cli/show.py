"""What several verbs show: how far they are, tables, that data are invented, what a file says."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from suyuan.run import Progress


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Give a function that moves a bar on stderr: what is being done, and the share that is done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
    screen = Console(stderr=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bars:
        task = bars.add_task("", total=1.0)
        yield lambda what, share: bars.update(task, description=what, completed=share)


def console() -> Console:
    """Return what prints tables: as wide as the screen, or 200 where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)


def text_of(files: Sequence[Path], name: str) -> str:
    """Return what the file of this name says, of those that a run wrote."""
    return next(path for path in files if path.name == name).read_text("utf-8")


def print_json(whole: object) -> None:
    """Print an answer for machines: Chinese as it is, and never NaN, which JSON does not know."""
    typer.echo(json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False))


def declare(is_invented: bool) -> None:
    """Say before anything else that the data are invented, where the project says so."""
    if is_invented:
        typer.echo("All data of this project are invented. 本项目的全部数据均为虚构。")


def this_moment() -> datetime:
    """Return the time of the run."""
    return datetime.now(UTC)
