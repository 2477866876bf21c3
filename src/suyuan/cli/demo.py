"""The verb `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suyuan.cli.options import Language, Seed, language
from suyuan.cli.show import progress_bar, this_moment
from suyuan.cli.trace import show_done
from suyuan.cli.verbs import app


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
    from suyuan.asked import Ask
    from suyuan.demo import demonstrate

    ask = Ask(seed=seed, lang=language(lang))
    with compiled_ahead(), progress_bar() as progress:
        done, truth = demonstrate(folder, ask, now=this_moment(), is_forced=force, progress=progress)
    show_done(done)
    typer.echo(truth)
