"""The files of a run: trace.json, ranking.csv, release.csv, report.html and figures, all or none."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.clock import iso
from suyuan.flow import BalancedFlow
from suyuan.io.atomic import result_folder
from suyuan.network import Network
from suyuan.plot import (
    answers_moved,
    blind_hours,
    leading,
    network_map,
    readings,
    release_histories,
    speeches,
)
from suyuan.report.figures import standalone, svg
from suyuan.report.page import BLIND_ROWS, Drawn, RunInfo, page, partly_blind
from suyuan.tracing.history import Answer
from suyuan.tracing.result import Trace


def write_results(
    trace: Trace,
    network: Network,
    *,
    flow: BalancedFlow,
    run: RunInfo,
    out: Path,
    history: Sequence[Answer] = (),
) -> tuple[Path, ...]:
    """Write everything a run found into the folder `out` and return the files, report.html first.

    A folder that is not there yet appears whole; in one that is, files are replaced one by one, each
    whole. Raises InputError where it cannot be written. Where the `history`, this run's answer included, holds two or more
    answers the page shows how they moved.
    """
    drawn = draw(trace, network, flow=flow, run=run, history=history)
    texts = {
        "report.html": page(trace, network, flow=flow, run=run, drawn=drawn),
        "trace.json": json.dumps(trace_dict(trace, run), ensure_ascii=False, indent=1, allow_nan=False),
        "ranking.csv": ranking_csv(trace, run.zone),
        "release.csv": release_csv(trace, run.zone),
        **{f"figures/{name}.svg": standalone(f, lang=run.lang) for name, f in _named(drawn).items()},
    }
    with result_folder(out) as folder:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8-sig" if name.endswith(".csv") else "utf-8", newline="\n")
    return tuple(out / name for name in texts)


def draw(
    trace: Trace, network: Network, *, flow: BalancedFlow, run: RunInfo, history: Sequence[Answer] = ()
) -> Drawn:
    """Return every figure of the report."""
    stations = {
        s: [f for f in trace.fits if f.station == s] for s in dict.fromkeys(f.station for f in trace.fits)
    }
    blind = partly_blind(trace)[:BLIND_ROWS]
    return Drawn(
        network=svg(network_map(trace, network, flow=flow), "map"),
        releases=svg(release_histories(trace, zone=run.zone), "releases") if leading(trace) else "",
        readings={s: svg(readings(fits, zone=run.zone), s) for s, fits in stations.items()},
        panels={s: len(fits) for s, fits in stations.items()},
        blind=svg(blind_hours(blind, trace, zone=run.zone), "blind") if blind else "",
        moved=svg(answers_moved(history, zone=run.zone), "moved") if len(history) > 1 else "",
        why=svg(speeches(trace.why[0], trace, zone=run.zone), "why") if trace.why else "",
    )


def trace_dict(trace: Trace, run: RunInfo) -> dict[str, Any]:
    """Return what trace.json holds: the trace with local times, and what was run."""
    whole = trace.to_dict()
    if run.members:
        whole["flow_members"] = dict(zip(run.members, trace.member_weights, strict=True))
    for entry, finding in zip(whole["candidates"], trace.findings, strict=True):
        if finding.start:
            entry["start"] = {q: iso(getattr(finding.start, q), run.zone) for q in ("q05", "q50", "q95")}
    for entry, contest in zip(whole["why"], trace.why, strict=True):
        entry.update(contest.to_dict(written=lambda time: iso(time, run.zone)))
    about = {
        "project": run.project,
        "invented": run.is_invented,
        "since": iso(run.since, run.zone),
        "until": iso(run.until, run.zone),
        "stations": list(run.stations),
        "determinands": list(run.determinands),
        "readings": run.readings,
        "means": run.means,
        "seed": run.seed,
        "versions": dict(run.versions),
        "seconds": round(run.seconds, 3),
    }
    clean: dict[str, Any] = without_nan({**whole, **about})
    return clean


def ranking_csv(trace: Trace, zone: tzinfo) -> str:
    """Return the ranking as CSV, every candidate a row and a last row for nobody; times with their offset."""
    frame = trace.ranking()
    for q in ("q05", "q50", "q95"):
        frame[f"start_{q}"] = [iso(getattr(f.start, q), zone) if f.start else "" for f in trace.findings]
    frame["is_in_credible_set"] = [f.candidate.id in trace.credible_set for f in trace.findings]
    nobody = {"id": "nobody", "kind": "nobody", "probability": trace.no_source_probability}
    sheet = io.StringIO()
    table = csv.DictWriter(sheet, fieldnames=list(frame.columns), lineterminator="\n")
    table.writeheader()
    table.writerows([*(without_nan(row) for row in frame.to_dict("records")), nobody])
    return sheet.getvalue()


def release_csv(trace: Trace, zone: tzinfo) -> str:
    """Return the release histories as CSV: time (start of bin), candidate, q05, q50, q95 [g/s for mg/L]."""
    starts = trace.start + np.round(trace.edges[:-1]).astype("timedelta64[s]")
    times = [iso(t, zone) for t in starts]
    sheet = io.StringIO()
    table = csv.writer(sheet, lineterminator="\n")
    table.writerow(["time", "candidate", "q05", "q50", "q95"])
    for finding in trace.findings:
        if finding.release is not None:
            for time, values in zip(times, finding.release.T, strict=True):
                table.writerow([time, finding.candidate.id, *(f"{v:.6g}" for v in values)])
    return sheet.getvalue()


def _named(drawn: Drawn) -> dict[str, str]:
    single = {
        "map": drawn.network,
        "releases": drawn.releases,
        "blind-spots": drawn.blind,
        "history": drawn.moved,
        "why": drawn.why,
    }
    by_station = {f"readings-{_file_name(station)}": figure for station, figure in drawn.readings.items()}
    return {name: figure for name, figure in {**single, **by_station}.items() if figure}


def _file_name(name: str) -> str:
    return "".join(ch if ch.isalnum() or ch in "-_" else "_" for ch in name)


def without_nan(value: Any) -> Any:
    """Return plain numbers, and None for NaN and infinities: JSON has no word for them."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
