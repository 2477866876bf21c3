"""Options that several verbs share."""

from __future__ import annotations

import locale
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suyuan.errors import InputError

if TYPE_CHECKING:
    from suyuan.report import Lang

Folder = Annotated[Path, typer.Argument(help="The project folder: where suyuan.toml is.")]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same answer.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]
Workers = Annotated[
    str,
    typer.Option(
        help="Processes for the flow members, or a dask scheduler, tcp://HOST:PORT; else two threads."
    ),
]
Language = Annotated[str, typer.Option(help="Language in which the report opens: zh or en. It holds both.")]


def language(lang: str) -> Lang:
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
