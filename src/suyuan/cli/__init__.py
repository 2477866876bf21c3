"""The command line: every verb calls one function and shows what it returns."""

from __future__ import annotations

from suyuan.cli import (
    about,
    demo,
    episodes,
    explain,
    flow,
    history,
    import_flow,
    loads,
    next_samples,
    outlook,
    place,
    project,
    qc,
    section,
    trace,
)
from suyuan.cli.verbs import app

__all__ = [
    "about",
    "app",
    "demo",
    "episodes",
    "explain",
    "flow",
    "history",
    "import_flow",
    "loads",
    "next_samples",
    "outlook",
    "place",
    "project",
    "qc",
    "section",
    "trace",
]
