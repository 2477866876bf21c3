"""Running a SWMM 5 `.inp` where there is no `.out`: in a temporary folder and a process of its own (extra `swmm`)."""

from __future__ import annotations

import importlib.util
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from suyuan.errors import Fault, InputError
from suyuan.io.atomic import ending_cleanly
from suyuan.io.models.swmm_engine import engine
from suyuan.io.models.swmm_inp import Inp, header_of, outside_files, section_of

Progress = Callable[[int, int], None]
"""Called with the seconds that are simulated and those that are due."""

FINEST_REPORT_S = 30
"""Length of the report step that a bin is cut into: volume at an edge is the mean of the two steps beside it."""

LEAST_BIN_S = 60.0
"""Shortest bin of a run, unless a shorter one is asked for."""

LARGEST_OUT = 400e6
"""Bytes that the results may take before the report step is lengthened."""

_BYTES_A_LINK, _BYTES_A_NODE = 20, 24
_DATES = ("%m/%d/%Y", "%m-%d-%Y", "%b/%d/%Y", "%b-%d-%Y")
_PIECES = 100
_DROPPED_REPORT = ("AVERAGES", "NODES", "LINKS", "SUBCATCHMENTS", "INPUT", "CONTROLS", "LID")


@dataclass(frozen=True)
class Span:
    """From when to when a model runs, seconds between, and the steps [s] at which it routes and reports."""

    begin: datetime
    end: datetime
    report_s: float
    routing_s: float

    @property
    def seconds(self) -> int:
        """The simulated time."""
        return int((self.end - self.begin).total_seconds())


def span_of(inp: Inp) -> Span:
    """Return the period of a model by its OPTIONS, with SWMM's own defaults; raises InputError for one that does not last."""
    begin = _moment(inp, "START", day="01/01/2004")
    end = _moment(inp, "END", day="01/01/2004")
    if end <= begin:
        what = f"ends {end:%Y-%m-%d %H:%M}, which is not after its start {begin:%Y-%m-%d %H:%M}"
        raise InputError(inp.source, what, "set END_DATE and END_TIME in OPTIONS")
    report = _seconds(inp, "REPORT_STEP", default="00:15:00")
    return Span(begin, end, report, _seconds(inp, "ROUTING_STEP", default="00:00:20"))


def usual_bin(inp: Inp) -> float:
    """Return the bins [s] of a run that nobody asked for another length of: the model's report step, LEAST_BIN_S at least."""
    return max(span_of(inp).report_s, LEAST_BIN_S)


@contextmanager
def ran(inp: Inp, *, bin_s: float, size: tuple[int, int], progress: Progress | None) -> Iterator[Path]:
    """Run a model and yield its `.out`, which is gone afterwards; nothing is written beside the user's file.

    All links and nodes are reported as means, `bin_s` [s] cut so fine that volume at its edges is
    near the truth; `size` counts nodes and links. Water quality is not computed. Raises ImportError
    without swmm-toolkit, and InputError where SWMM refuses the model, crashes or hangs, or outside files are missing.
    """
    if importlib.util.find_spec("swmm") is None:
        raise ImportError(
            f"{inp.source} has no .out beside it, and running it needs swmm-toolkit: pip install 'suyuan[swmm]'"
        )
    span = span_of(inp)
    step = report_step(span, bin_s, size=size)
    stride = step * max(1, round(span.seconds / step / _PIECES))

    def told(seconds: float) -> None:
        if progress is not None:
            progress(min(round(seconds), span.seconds), span.seconds)

    with ending_cleanly(), tempfile.TemporaryDirectory(prefix="suyuan-swmm-") as name:
        folder = Path(name)
        text = _prepared(inp, _copied(inp, folder), step=step)
        (folder / "model.inp").write_text(text, "utf-8", newline="\n")
        with engine(folder, inp.source, stride_s=stride, told=told) as out:
            told(span.seconds)
            yield out


def report_step(span: Span, bin_s: float, *, size: tuple[int, int]) -> int:
    """Return the report step [s] for bins of a length: a part of it, near FINEST_REPORT_S, as far as size and routing allow."""
    if bin_s < 1.0 or bin_s != round(bin_s) or bin_s > span.seconds:
        what = f"bins of {bin_s:g} s do not fit a run of {span.seconds} s"
        raise InputError("bin_s", what, "give whole seconds, less than the model runs")
    nodes, links = size
    record = 72 + _BYTES_A_NODE * nodes + _BYTES_A_LINK * links
    least = max(FINEST_REPORT_S, span.routing_s, span.seconds * record / LARGEST_OUT)
    parts = max(1, int(bin_s // least))
    while bin_s % parts:
        parts -= 1
    return int(bin_s // parts)


def _copied(inp: Inp, folder: Path) -> dict[str, str]:
    """Copy the outside files into the folder and return their new names; raises InputError that names all missing ones."""
    names: dict[str, str] = {}
    faults = []
    for line, said in outside_files(inp):
        there = inp.path.parent / said.replace("\\", "/")
        if not there.is_file():
            what = f"the outside file '{said}' is not there"
            faults.append(Fault(inp.source, line, what, f"put it into the folder of {inp.source}"))
        elif said not in names:
            names[said] = f"outside{len(names) + 1}.dat"
            shutil.copyfile(there, folder / names[said])
    if faults:
        raise InputError.of(faults)
    return names


def _prepared(inp: Inp, renamed: dict[str, str], *, step: int) -> str:
    """Return the text to run: as given, line by line, but for what is reported, saved, read from outside, or not SWMM's."""
    lines, section = [], "TITLE"
    for line in inp.lines:
        if line.strip().startswith("["):
            section = section_of(header_of(line))
        word = line.split(maxsplit=1)[0].upper() if line.strip() else ""
        is_dropped = (
            not section
            or (section == "OPTION" and word in ("REPORT_STEP", "IGNORE_QUALITY"))
            or (section == "REPORT" and word in _DROPPED_REPORT)
            or (section == "FILE" and word == "SAVE")
        )
        lines.append("" if is_dropped else _renamed(line, section, renamed=renamed))
    report = "NODES ALL\nLINKS ALL\nSUBCATCHMENTS NONE\nAVERAGES YES\nINPUT NO\nCONTROLS NO"
    hours, rest = divmod(step, 3600)
    clock = f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
    asked = f"[OPTIONS]\nREPORT_STEP {clock}\nIGNORE_QUALITY YES\n[REPORT]\n{report}\n"
    return "\n".join(lines) + "\n" + asked


def _renamed(line: str, section: str, *, renamed: dict[str, str]) -> str:
    if section == "LID_USAGE" and not line.lstrip().startswith((";", "[")):
        cells = line.partition(";")[0].split()  # the ninth names a file to write
        return " ".join([*cells[:8], "*", *cells[9:]]) if len(cells) > 8 else line
    if section in ("RAINGAGE", "TIMESERIES", "TEMPERATURE", "FILE"):
        for said, name in renamed.items():
            pattern = rf'"{re.escape(said)}"|(?<!\S){re.escape(said)}(?!\S)'
            line = re.sub(pattern, f'"{name}"', line)
    return line


def _moment(inp: Inp, which: str, *, day: str) -> datetime:
    said = inp.option(f"{which}_DATE", day)
    date = next((found for form in _DATES if (found := _parsed(said, form))), None)
    if date is None:
        raise InputError(
            inp.source, f"{which}_DATE '{said}' cannot be read", "write month/day/year as SWMM does"
        )
    seconds = _clock_seconds(inp.option(f"{which}_TIME", "00:00:00"))
    if seconds is None:
        said = inp.option(f"{which}_TIME", "00:00:00")
        raise InputError(inp.source, f"{which}_TIME '{said}' cannot be read", "write hours:minutes:seconds")
    return date + timedelta(seconds=seconds)


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None


def _seconds(inp: Inp, option: str, *, default: str) -> float:
    """Return a step [s], written as seconds or as a clock shows it."""
    said = inp.option(option, default)
    found = float(said) if re.fullmatch(r"\d*\.?\d+|\d+\.", said) else _clock_seconds(said)
    if not found:
        raise InputError(inp.source, f"{option} '{said}' is no step", "write hours:minutes:seconds")
    return found


def _clock_seconds(text: str) -> float | None:
    """Return hours:minutes:seconds as seconds; a number alone is hours."""
    parts = text.split(":")
    if len(parts) > 3 or not all(re.fullmatch(r"\d+(\.\d*)?", p) for p in parts):
        return None
    return sum(float(p) * size for p, size in zip(parts, (3600.0, 60.0, 1.0), strict=False))
