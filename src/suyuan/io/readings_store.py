"""Readings that grow by imports: the same row twice changes nothing, a revised value keeps what it was.

`readings.csv` is a table of readings like any other. `readings_history.csv` has one row for every value that was replaced,
`published.csv` the class and the state that the source showed for a station and time, and `imports.csv` the files that were read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import stamped
from suyuan.io.atomic import write_atomically
from suyuan.io.digest import digest
from suyuan.io.observations import joined, read_observations, write_observations
from suyuan.io.tables import read_cells
from suyuan.io.times import utc_of
from suyuan.observations import MISSING, Observations
from suyuan.standards.scheme import scheme

if TYPE_CHECKING:
    import pandas as pd

READINGS, HISTORY, PUBLISHED = "readings.csv", "readings_history.csv", "published.csv"
IMPORTS = "imports.csv"

SHOWN = ("time", "station", "province", "class", "status")
"""Columns of what a source showed."""

_KEY = ("station", "determinand", "time", "duration_s", "sample_id")
_HISTORY = (
    *("noticed", "file", "time", "station", "determinand"),
    *("before", "before_qualifier", "before_flag", "after", "after_qualifier", "after_flag"),
)


@dataclass(frozen=True)
class Merged:
    """What an import made of what was there: all readings, rows of history, and how many rows did what.

    `sharpened` are values that came again with more digits; `unchanged` came again as they are, or with fewer digits;
    `superseded` are values of a file imported before that a later one has replaced.
    """

    readings: Observations | None
    history: tuple[dict[str, Any], ...]
    added: int = 0
    unchanged: int = 0
    superseded: int = 0
    sharpened: int = 0
    revised: int = 0
    withdrawn: int = 0

    @property
    def is_changed(self) -> bool:
        """Whether anything has to be written."""
        return bool(self.added or self.sharpened or self.revised or self.withdrawn)


def stored_readings(folder: Path, zone: tzinfo) -> Observations | None:
    """Return the readings that imports have gathered in a folder, None where there are none.

    Times without an offset, such as a user's own rows, are in `zone`, as every other verb reads them.
    """
    path = folder / READINGS
    return read_observations(path, timezone=zone) if path.is_file() else None


@dataclass(frozen=True)
class Version:
    """One state of a file: its name, when it was last changed (UTC) and the digest of what it holds."""

    file: str
    changed: str
    digest: str

    @classmethod
    def of(cls, path: Path) -> Version:
        """Return that in which a file is now."""
        changed = np.datetime64(path.stat().st_mtime_ns, "ns")
        return cls(path.name, f"{changed}Z", digest(path.read_bytes()))


def imported_versions(folder: Path) -> frozenset[Version]:
    """Return the states of files that were imported into a folder."""
    path = folder / IMPORTS
    if not path.is_file():
        return frozenset()
    table = read_cells(path)
    columns = (table.text(name).tolist() for name in ("file", "changed", "digest"))
    return frozenset(Version(*row) for row in zip(*columns, strict=True))


def note_version(folder: Path, version: Version, *, noticed: np.datetime64, zone: tzinfo) -> None:
    """Add a file's state to those that were imported into a folder."""
    import pandas as pd

    path, columns = folder / IMPORTS, ("noticed", "file", "changed", "digest")
    row = (str(stamped(np.array([noticed]), zone)[0]), version.file, version.changed, version.digest)
    lines = pd.DataFrame([row], columns=list(columns))
    if path.is_file():
        table = read_cells(path)
        lines = pd.concat([pd.DataFrame({c: table.text(c) for c in columns}), lines], ignore_index=True)
    with write_atomically(path) as partial:
        lines.to_csv(partial, index=False, lineterminator="\n")


def merged(
    old: Observations | None,
    new: Observations,
    *,
    noticed: np.datetime64,
    is_again: bool = False,
) -> Merged:
    """Return old readings with new ones merged in, row by row, in the order of the new ones.

    A row is known by station, determinand, time, duration and sample. A missing value withdraws one that was there
    and is not kept otherwise. New ones that were merged before, as `is_again` says, leave what is there as it is: what
    differs was replaced since.
    """
    keys: dict[tuple[Any, ...], int] = {}
    if old is not None:
        keys = {key: i for i, key in enumerate(_keys(old))}
    count = len(old) if old is not None else 0
    everything = new if old is None else joined([old, new])
    source, value = np.arange(len(everything)), everything.value
    current = np.arange(count).tolist()
    tally = dict.fromkeys(("added", "unchanged", "superseded", "sharpened", "revised", "withdrawn"), 0)
    history = []
    for row, key in enumerate(_keys(new), start=count):
        at = keys.get(key)
        if at is None:
            if np.isfinite(value[row]):
                keys[key] = len(current)
                current.append(row)
                tally["added"] += 1
            continue
        what = _change(everything, current[at], row=row)
        if what != "unchanged" and is_again and current[at] < count:
            what = "superseded"
        tally[what] += 1
        if what in ("revised", "withdrawn"):
            history.append(_line(everything, current[at], row=row, noticed=noticed))
        if what not in ("unchanged", "superseded"):
            current[at] = row
    kept = everything.where(source[np.array(current, dtype=np.int64)])
    kept = replace(kept, flag=np.where(np.isnan(kept.value), MISSING, kept.flag).astype(np.int8))
    order = np.lexsort((kept.determinand, kept.station, kept.time))
    return Merged(kept.where(order) if len(kept) else None, tuple(history), **tally)


def write_merged(folder: Path, found: Merged, *, zone: tzinfo) -> tuple[Path, ...]:
    """Write history, then readings, each whole or not at all, and return the files; nothing where nothing changed.

    History first: a run that is killed between the two finds its values unreplaced, replaces them again, and adds
    no line twice.
    """
    if found.readings is None or not found.is_changed:
        return ()
    files = [folder / READINGS]
    if found.history:
        files.append(folder / HISTORY)
        _write_history(folder / HISTORY, found.history, zone=zone)
    write_observations(found.readings, folder / READINGS, timezone=zone)
    return tuple(files)


def write_published(
    folder: Path, shown: pd.DataFrame, *, zone: tzinfo, is_again: bool = False
) -> tuple[Path, ...]:
    """Add the classes and states that a source showed; a later one of a station and time replaces the earlier.

    Those of a file that was imported before, as `is_again` says, replace nothing.
    """
    import pandas as pd

    path = folder / PUBLISHED
    if shown.empty:
        return ()
    fresh = shown.copy()
    fresh["time"] = stamped(fresh["time"].to_numpy().astype("datetime64[s]"), zone)
    held = read_cells(path) if path.is_file() else None
    before = pd.DataFrame(dict(held.columns)) if held is not None else fresh.iloc[:0]
    parts = [before[list(SHOWN)], fresh[list(SHOWN)]]
    together = pd.concat(parts[::-1] if is_again else parts, ignore_index=True)
    together = together.drop_duplicates(["time", "station"], keep="last")
    together = together.sort_values(["time", "station"], ignore_index=True)
    if held is not None and together.equals(before[list(together)].reset_index(drop=True)):
        return ()
    with write_atomically(path) as partial:
        together[list(SHOWN)].to_csv(partial, index=False, lineterminator="\n")
    return (path,)


def published_classes(folder: Path, *, zone: tzinfo) -> pd.DataFrame | None:
    """Return what a source showed: time (UTC), station, province, class and status as written; None where nothing
    was imported.
    """
    import pandas as pd

    path = folder / PUBLISHED
    if not path.is_file():
        return None
    table = read_cells(path)
    found = pd.DataFrame({name: table.text(name) for name in SHOWN[1:]})
    found.insert(0, "time", utc_of(table.text("time"), zone))
    return found


def _keys(readings: Observations) -> list[tuple[Any, ...]]:
    return list(zip(*(getattr(readings, name).tolist() for name in _KEY), strict=True))


def _change(everything: Observations, old: int, *, row: int) -> str:
    """Return what a reading that comes again does: unchanged, sharpened, revised or withdrawn."""
    before, after = float(everything.value[old]), float(everything.value[row])
    if np.isnan(after):
        return "unchanged" if np.isnan(before) else "withdrawn"
    same_rest = (
        everything.qualifier[old] == everything.qualifier[row]
        and everything.flag[old] == everything.flag[row]
    )
    if before == after:
        return "unchanged" if same_rest else "revised"
    digits = _shown_decimals(str(everything.determinand[row]))
    if same_rest and digits is not None and abs(before - after) <= 0.5 * 10.0**-digits * (1.0 + 1e-6):
        decimals = _decimals(before), _decimals(after)
        if decimals[0] > digits >= decimals[1]:
            return "unchanged"
        if decimals[1] > digits >= decimals[0]:
            return "sharpened"
    return "revised"


def _shown_decimals(name: str) -> int | None:
    """Return how many decimals published readings of a determinand have, None where no scheme says."""
    known = {item.determinand: item.shown_decimals for item in scheme().items}
    return {"water_temp": 1, "EC": 1, "turbidity": 1, "chl-a": 3, "algal_density": 0, **known}.get(name)


def _decimals(value: float) -> int:
    text = np.format_float_positional(value, trim="-")
    return len(text.partition(".")[2])


def _line(everything: Observations, old: int, *, row: int, noticed: np.datetime64) -> dict[str, Any]:
    found: dict[str, Any] = {"noticed": noticed, "file": everything.source.rsplit(", ", 1)[-1]}
    found |= {name: getattr(everything, name)[row] for name in ("time", "station", "determinand")}
    for when, at in (("before", old), ("after", row)):
        found |= {
            when: everything.value[at],
            f"{when}_qualifier": everything.qualifier[at],
            f"{when}_flag": int(everything.flag[at]),
        }
    return found


def _write_history(path: Path, lines: tuple[dict[str, Any], ...], *, zone: tzinfo) -> None:
    import pandas as pd

    fresh = pd.DataFrame(list(lines), columns=list(_HISTORY))
    for name in ("noticed", "time"):
        fresh[name] = stamped(fresh[name].to_numpy().astype("datetime64[s]"), zone)
    fresh = fresh.astype(object).where(fresh.notna(), "").astype("str")
    if path.is_file():
        table = read_cells(path)
        held = pd.DataFrame({name: table.text(name) for name in _HISTORY})
        fresh = pd.concat([held, fresh[~_is_held(held.tail(len(fresh)), fresh)]], ignore_index=True)
    with write_atomically(path) as partial:
        fresh.to_csv(partial, index=False, lineterminator="\n")


def _is_held(held: pd.DataFrame, fresh: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which lines (line,) are the last that the history holds of their change, as after a run that was killed."""
    named, before, after = (list(_HISTORY[a:b]) for a, b in ((2, 5), (5, 8), (8, 11)))

    def parts(lines: pd.DataFrame) -> list[tuple[tuple[str, ...], ...]]:
        columns = (lines[[*named, *some]].itertuples(index=False, name=None) for some in (before, after))
        return list(zip(*columns, strict=True))

    last: dict[tuple[str, ...], tuple[str, ...]] = {}
    for was, became in parts(held):
        last.pop(was, None)  # what became of it is undone by this line
        last[became] = was
    return np.array([last.get(became) == was for was, became in parts(fresh)], dtype=np.bool_)
