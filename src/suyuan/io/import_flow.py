"""`suyuan import flow`: a hydraulic model's flow becomes that of a project, with its network where the project has none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.clock import clocked, iso
from suyuan.errors import InputError
from suyuan.flow import BalancedFlow, FlowField, balanced
from suyuan.io.atomic import require_writable, result_folder, write_atomically
from suyuan.io.files import require_file
from suyuan.io.flow import read_flow, write_flow
from suyuan.io.import_home import Home, require_free
from suyuan.io.lock import locked
from suyuan.io.models.model import Model
from suyuan.io.models.notes import NO_CALENDAR
from suyuan.io.models.read_model import form_of, read_model
from suyuan.io.network import read_network
from suyuan.io.network_writer import write_network
from suyuan.io.observations import COLUMNS, readings_in
from suyuan.io.project import SETTINGS
from suyuan.io.tables import read_table
from suyuan.io.times import instant_of, timezone_of

FORMER = "former"
"""The folder of what was there before an import."""

_LOCK = ".import.lock"

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class FlowAsk:
    """What the user asks: a network file of their own, the model's timezone, and when it begins; '' and None for none."""

    network: Path | None = None
    timezone: str = ""
    begin: str = ""


@dataclass(frozen=True)
class ImportedFlow:
    """What an import of flow did: the model, its flow closed, the clock it is shown in, notes (code, text), files written."""

    source: str
    model: Model
    closed: BalancedFlow
    zone: tzinfo
    notes: tuple[tuple[str, str], ...]
    files: tuple[Path, ...]
    is_invented: bool = False

    @property
    def is_changed(self) -> bool:
        """Whether the flow that was there, if any, was another."""
        return bool(self.files)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON; discharges in m3/s, shares of 1."""
        network, flow, report = self.model.network, self.model.flow, self.closed.balance
        kinds = [node.kind for node in network.nodes]
        order = np.argsort(-report.largest, kind="stable")
        return {
            "invented": self.is_invented,
            "source": self.source,
            "form": self.model.form,
            "reaches": len(network.reaches),
            "nodes": len(network.nodes),
            **{f"{kind}_nodes": kinds.count(kind) for kind in ("boundary", "outlet", "lake")},
            "structures": len(network.structures),
            "begin": iso(flow.start, self.zone),
            "end": iso(flow.until, self.zone),
            "bins": len(flow.edges) - 1,
            "bin_s": float(np.median(np.diff(flow.edges))),
            "units": {"discharge": "m3/s", "volume": "m3"},
            "closure": {
                "residual_before": report.residual_share,
                "residual_in_reaches_before": report.reach_share,
                "residual_after": report.residual_after,
                "dry": list(report.dry),
                "corrections": [self._correction(int(r)) for r in order],
            },
            "model_notes": [str(note) for note in self.model.notes],
            "notes": [{"code": code, "text": text} for code, text in self.notes],
            "files": [str(path) for path in self.files],
        }

    def _correction(self, r: int) -> dict[str, Any]:
        report, flow = self.closed.balance, self.model.flow
        when = flow.start + np.timedelta64(round(float(flow.edges[report.largest_bin[r]])), "s")
        return {
            "reach": report.reaches[r],
            "discharge_rms": float(report.discharge[r]),
            "largest": float(report.largest[r]),
            "largest_share": float(report.largest_share[r]),
            "largest_at": iso(when, self.zone),
            "rms": float(report.correction[r]),
            "rms_share": float(report.correction_share[r]),
        }


def import_flow(
    source: Path, folder: Path, *, ask: FlowAsk, now: datetime, progress: Progress
) -> ImportedFlow:
    """Read a hydraulic model, close its flow and write it to a project folder; say what was done.

    A folder without `suyuan.toml` gets one, with the model's network. A project that has a network keeps it, unless `ask.network`
    takes its place: its reaches are found in the model by their ids. The flow is written as the model gives it, since every verb
    closes it alike; what was there goes to the folder `former`. The same flow again changes nothing. Raises InputError, and
    writes nothing, where the flow does not close, or its period has nothing in common with the project's readings or window.
    """
    home = Home.of(folder, ask.timezone)
    own = home.fitting(ask.network)
    require_free(home, own)
    require_writable(folder)
    progress(f"reading {source.name}", 0.0)
    zone = timezone_of(ask.timezone, where="--timezone") if ask.timezone else home.zone
    is_known = not ask.timezone and form_of(require_file(source)).has_clock
    model = read_model(
        source,
        network=read_network(own) if own is not None else None,
        timezone=None if is_known else zone,
        progress=lambda done, due: progress(f"running {source.name}", 0.7 * done / max(due, 1)),
    )
    model = _begun(model, ask.begin, zone=zone)
    notes = _period(home, model.flow)
    progress("closing the water balance", 0.7)
    closed = balanced(model.flow, model.network)
    progress("writing", 0.9)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / _LOCK, what="another import is running", remedy="wait until it has ended"):
        files, said = _written(home, model, own=own, now=now, zone=zone)
    is_invented = home.project is not None and home.project.is_invented
    return ImportedFlow(source.name, model, closed, home.zone, (*notes, *said), files, is_invented)


def _begun(model: Model, begin: str, *, zone: tzinfo) -> Model:
    """Return a model whose clock is set so that it begins at `begin`, where that is said."""
    if not begin:
        return model
    found = instant_of(begin, zone)
    if found is None:
        raise InputError("--begin", f"'{begin}' is not a time", "write 2024-07-20T00:00")
    notes = tuple(note for note in model.notes if note.key != NO_CALENDAR)
    return replace(model, flow=replace(model.flow, start=found), notes=notes)


def _period(home: Home, flow: FlowField) -> tuple[tuple[str, str], ...]:
    """Return notes where the flow covers part of the window or of the readings; raises InputError where it covers nothing."""
    if home.project is None:
        return ()
    since, until = home.project.trace.since, home.project.trace.until
    spans = []
    if since is not None or until is not None:
        spans.append(("window", since or flow.start, until or flow.until))
    tables = [read_table(path, COLUMNS) for path in home.project.files.observations if path.is_file()]
    readings = [readings_in(table, home.zone, network=None).time for table in tables if len(table)]
    if readings:
        times = np.concatenate(readings)
        spans.append(("readings", times.min(), times.max()))
    covered = f"{clocked(flow.start, home.zone)} to {clocked(flow.until, home.zone)}"
    notes = []
    for what, first, last in spans:
        asked = f"{clocked(first, home.zone)} to {clocked(last, home.zone)}"
        if first > flow.until or last < flow.start:
            said = f"the flow covers {covered}, but the project's {what} {asked}: they have no hour in common"
            remedy = (
                f"run the model for that period, say when it begins with --begin, correct since and until in {SETTINGS}, "
                "or import it into another folder"
            )
            raise InputError(flow.source, said, remedy)
        if first < flow.start or last > flow.until:
            notes.append((f"part_of_{what}", f"{covered} / {asked}"))
    return tuple(notes)


def _written(
    home: Home, model: Model, *, own: Path | None, now: datetime, zone: tzinfo
) -> tuple[tuple[Path, ...], tuple[tuple[str, str], ...]]:
    """Write what is new into the folder, the former files set aside, and return the files and what to do about suyuan.toml."""
    texts: dict[str, Callable[[Path], object]] = {}
    if not _is_there(home, model.flow):
        texts[home.flow.name] = lambda path: write_flow(model.flow, path, timezone=zone)
    if home.gets_network(own):
        texts[home.network.name] = lambda path: (
            write_network(model.network, path) if own is None else shutil.copy2(own, path)
        )
    if not texts:
        return (), (("unchanged", home.flow.name),)
    kept = [_set_aside(path, now=now) for path in (home.flow, home.network) if path.name in texts]
    network = home.network if own is None or home.network.name in texts else own
    if home.project is None:
        texts[SETTINGS] = lambda path: path.write_text(
            _settings(home, network.name, zone=zone), "utf-8", newline="\n"
        )
    with result_folder(home.folder) as made:
        for name, write in texts.items():
            write(made / name)
    former = [path for path in kept if path is not None]
    notes = [("former", path.relative_to(home.folder).as_posix()) for path in former]
    return (*(home.folder / name for name in texts), *former), (*notes, *_to_do(home, model, network=network))


def _to_do(home: Home, model: Model, *, network: Path) -> Iterator[tuple[str, str]]:
    """Yield what suyuan.toml does not name yet, and what a new project still lacks in its network."""
    if home.project is None and not (model.network.outfalls and model.network.stations):
        yield "draw", network.name
    if home.project is not None and home.project.files.flow != home.flow:
        yield "name_flow", home.flow.name
    if home.project is not None and home.project.files.network.resolve() != network.resolve():
        yield "name_network", network.name


def _is_there(home: Home, flow: FlowField) -> bool:
    """Return whether the folder holds this flow already."""
    try:
        return home.flow.is_file() and _same(read_flow(home.flow, timezone=home.zone), flow)
    except InputError:  # a broken file is another one
        return False


def _set_aside(path: Path, *, now: datetime) -> Path | None:
    """Copy a file that is there to the folder of former ones, whole or broken: it is the user's; return the copy."""
    if not path.is_file():
        return None
    former = path.parent / FORMER / f"{path.stem}-{now:%Y%m%dT%H%M%SZ}{path.suffix}"
    with write_atomically(former) as partial:
        shutil.copy2(path, partial)
    return former


def _same(old: FlowField, new: FlowField) -> bool:
    """Return whether two flows say the same, to the last digit."""
    if any(getattr(old, name) != getattr(new, name) for name in ("start", "reaches", "boundaries", "lakes")):
        return False
    names = ("edges", "discharge_start", "discharge_end", "volume", "inflow", "lateral", "lake_volume")
    return all(np.array_equal(getattr(old, n), getattr(new, n), equal_nan=True) for n in names)


def _settings(home: Home, network: str, *, zone: tzinfo) -> str:
    name = home.folder.resolve().name.replace('"', "")
    return _NEW.format(name=name, timezone=str(zone), network=network, flow=home.flow.name)


_NEW = """# Made by 'suyuan import flow'. 由导入命令生成。
[project]
name = "{name}"
timezone = "{timezone}"            # for times without an offset   未写时区的时间按此时区

[files]
network = "{network}"       # the model's; add outfalls and stations in QGIS   模型的河网，请在 QGIS 中补充排口和监测点
flow = "{flow}"                # what was imported; import again to replace it   导入的水流，重新导入即可替换
# observations = ["observations.csv"]   # readings, docs/tables/observations.md   监测数据
# fingerprints = "fingerprints.csv"

# [trace]
# determinand = "NH3-N"
# since = 2024-07-20T00:00:00+08:00
# until = 2024-07-28T00:00:00+08:00
"""
