"""The program that holds the verbs: their order, and how bad input ends.

A new verb is a function under `@app.command()` in a file of this folder; the file is imported in `__init__.py`, and the
verb has its place in ORDER.
"""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from suyuan.errors import InputError

ORDER = (
    *("check", "new", "import", "flow", "qc", "assess", "budget", "forecast", "explain", "episodes", "loads"),
    *("trace", "history", "next", "place", "demo", "version"),
)
"""The verbs as the help lists them."""


class Verbs(TyperGroup):
    """The verbs; bad input ends in its own text on stderr and exit code 1, never in a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs in their ORDER, whichever file they come from."""
        return sorted(super().list_commands(ctx), key=ORDER.index)

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


@app.callback()
def suyuan() -> None:
    """溯源: which outfall, or unlisted stretch, most likely polluted the river; when, how much, how sure."""
