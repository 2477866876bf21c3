"""From a hydraulic model to a project's flow and the page that says how far it had to go to close."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from suyuan.io.import_flow import FlowAsk, ImportedFlow, Progress, import_flow
from suyuan.io.project import read_project
from suyuan.report import Lang
from suyuan.report.imported_flow import ClosureInfo, write_closure

RESULTS = "results"
"""The folder of results of a project."""


def import_flow_with_page(
    source: Path, folder: Path, *, ask: FlowAsk, now: datetime, lang: Lang, progress: Progress
) -> ImportedFlow:
    """Import a flow and, where it is new, write `results/closure.html` and `closure.png` about it."""
    done = import_flow(source, folder, ask=ask, now=now, progress=progress)
    if not done.is_changed:
        return done
    project = read_project(folder, needs_network=False, reads=())
    info = ClosureInfo(project.name, now.astimezone(project.zone), lang, done.is_invented)
    progress("drawing", 0.95)
    pages = write_closure(done, info, out=folder / RESULTS)
    return replace(done, files=(*done.files, *pages))
