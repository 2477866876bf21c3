"""The verb `version`."""

from __future__ import annotations

import typer

from suyuan.cli.verbs import app


@app.command()
def version() -> None:
    """Print the version of suyuan and of what it stands on."""
    from suyuan.run import versions

    typer.echo("\n".join(f"{name} {number}" for name, number in versions()))
