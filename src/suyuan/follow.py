"""Following a project: when its files have changed, and have come to rest."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

from suyuan.errors import InputError
from suyuan.io.project import SETTINGS, read_project

SETTLED_S = 2.0
"""How long a changed file must stay as it is before it counts as written to its end."""

Stamps = tuple[tuple[str, int, int], ...]


def changes(folder: Path, *, every_s: float) -> Iterator[int]:
    """Yield 0 at once and then 1, 2, ... each time that files of the project have changed, looking every `every_s` [s].

    A change is told by time and size of suyuan.toml and of every file that it names. While files still change, none is told;
    what changes while the caller works is told at the next look.
    """
    seen = stamps(folder)
    for count in itertools.count():
        yield count
        seen = _next_stamps(folder, seen, every_s=every_s)


def stamps(folder: Path) -> Stamps:
    """Return name, time [ns] and size of every file of a project; where suyuan.toml has a fault, of it alone."""
    settings = folder / SETTINGS
    try:
        named = read_project(folder).files
    except InputError:
        return _stamps((settings,))
    single = (settings, named.network, named.flow, named.fingerprints)
    return _stamps((*(path for path in single if path), *named.flow_members, *named.observations))


def _stamps(paths: tuple[Path, ...]) -> Stamps:
    found = []
    for path in paths:
        try:
            about = path.stat()
            found.append((path.name, about.st_mtime_ns, about.st_size))
        except OSError:  # being replaced at this moment
            found.append((path.name, 0, -1))
    return tuple(found)


def _next_stamps(folder: Path, seen: Stamps, *, every_s: float) -> Stamps:
    """Return the stamps once they differ from those seen and two looks agree."""
    before = seen
    while True:
        time.sleep(every_s if before == seen else min(every_s, SETTLED_S))
        found = stamps(folder)
        if found == before and found != seen:
            return found
        before = found
