"""An invented event written as a project folder with its truth; text files say that they are invented."""

from __future__ import annotations

import json
from pathlib import Path

from suyuan.clock import iso
from suyuan.io.atomic import result_folder
from suyuan.io.fingerprints import write_fingerprints
from suyuan.io.flow import write_flow
from suyuan.io.network_writer import write_network
from suyuan.io.observations import write_observations
from suyuan.io.project import SETTINGS
from suyuan.io.times import timezone_of
from suyuan.synthetic import Event

NOTICE = "Invented data: no such county, no such readings. 本数据纯属虚构。"
ZONE = "Asia/Shanghai"
TRUTH = "truth.json"


def write_event(event: Event, folder: str | Path) -> tuple[Path, ...]:
    """Write an event as a project that `suyuan check` and `suyuan trace` take, and its answer as truth.json.

    Returns the files. A folder that does not exist yet appears whole or not at all; in one that exists the files are replaced.
    """
    folder = Path(folder)
    with result_folder(folder) as partial:
        write_network(event.network, partial / "network.gpkg")
        write_flow(event.flow, partial / "flow.nc")
        write_observations(event.observations, partial / "observations.csv")
        write_fingerprints(event.fingerprints, partial / "fingerprints.csv")
        for name in ("observations.csv", "fingerprints.csv"):
            _declare(partial / name)
        (partial / SETTINGS).write_text(_settings(event, folder.absolute().name), "utf-8")
        truth = json.dumps({"notice": NOTICE, **event.truth.to_dict()}, ensure_ascii=False, indent=1)
        (partial / TRUTH).write_text(truth + "\n", "utf-8")
        names = sorted(path.name for path in partial.iterdir())
    return tuple(folder / name for name in names)


def _declare(path: Path) -> None:
    path.write_text(f"# {NOTICE}\n{path.read_text('utf-8')}", "utf-8")


def _settings(event: Event, name: str) -> str:
    decay = "\n".join(f'"{key}" = {value}' for key, value in event.decay_per_day.items())
    return f"""# {NOTICE}
[project]
name = {json.dumps(name, ensure_ascii=False)}
timezone = "{ZONE}"
invented = true

[files]
network = "network.gpkg"
flow = "flow.nc"
observations = "observations.csv"
fingerprints = "fingerprints.csv"

[trace]
determinand = "NH3-N"
since = {iso(event.since, timezone_of(ZONE))}
until = {iso(event.until, timezone_of(ZONE))}

[decay_per_day]
{decay}
"""
