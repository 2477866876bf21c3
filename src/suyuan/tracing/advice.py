"""Advice on the next samples: where, when and what, and what each may say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suyuan.tracing.methods import MethodName
from suyuan.tracing.places import Place
from suyuan.tracing.statements import Assumption, Note

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Stop:
    """One sample to take.

    `crew` and `number` count from 1; `time` is datetime64[s] UTC, `known_at` when its result is; `gain` [bits] is what it tells
    beyond the samples chosen before it, `cost` what it costs with the crew's time. `chance_yes` is the chance that a kit
    says yes (NaN for others), `expected` the 5, 50 and 95 % of the first substance. `if_high` and `if_low` are the leading label
    and its probability after a yes or a high reading, and after a no or a low one. `chance_lawful` is the chance of a yes at an
    outfall's mouth though it did nothing wrong (NaN elsewhere).
    """

    crew: int
    number: int
    place: Place
    time: np.datetime64
    known_at: np.datetime64
    method: MethodName
    gain: float
    cost: float
    chance_yes: float
    expected: tuple[float, float, float]
    if_high: tuple[str, float]
    if_low: tuple[str, float]
    chance_lawful: float = float("nan")


@dataclass(frozen=True)
class Advice:
    """Which samples to take next; stops by crew and time.

    `question` is 'who', or the outfall to confirm or clear. `unsure` and `unsure_after` [bits] are the entropies of who did
    it now and, expected, after all stops; `leading` is the leading label now with its probability, `surest_after` the
    probability that the leading one is expected to have then. `kit_limit` is the concentration from which a kit says
    yes (NaN without kits). `substances` are ids and units of what a laboratory should find, the first is the `determinand`
    of kits and strips. `notes` are sentences a reader must know.
    """

    question: str
    now: np.datetime64
    until: np.datetime64
    determinand: str
    unit: str
    kit_limit: float
    stops: tuple[Stop, ...]
    leading: tuple[str, float]
    unsure: float
    unsure_after: float
    surest_after: float
    cost: float
    substances: tuple[tuple[str, str], ...] = ()
    notes: tuple[Note, ...] = ()
    assumptions: tuple[Assumption, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return one row a stop, times in UTC."""
        import pandas as pd

        return pd.DataFrame([_row(stop) for stop in self.stops])

    def to_dict(self) -> dict[str, Any]:
        """Return what `next.json` holds: plain numbers and strings, times in UTC."""
        return {
            "question": self.question,
            "now": f"{self.now}Z",
            "until": f"{self.until}Z",
            "determinand": self.determinand,
            "unit": self.unit,
            "kit_limit": self.kit_limit,
            "stops": [{**_row(s), "time": f"{s.time}Z", "known_at": f"{s.known_at}Z"} for s in self.stops],
            "leading": {"label": self.leading[0], "probability": self.leading[1]},
            "unsure_bits": self.unsure,
            "unsure_after_bits": self.unsure_after,
            "surest_after": self.surest_after,
            "cost": self.cost,
            "notes": [str(note) for note in self.notes],
            "assumptions": {a.name: a.value for a in self.assumptions},
        }

    def __str__(self) -> str:
        head = (
            f"{'crew':>4}{'stop':>5}  {'time (UTC)':<17}{'place':<14}{'method':<7}{'bits':>5}{'cost':>7}  yes"
        )
        lines = [head]
        for s in self.stops:
            yes = f"{s.chance_yes:.2f}" if np.isfinite(s.chance_yes) else ""
            when = str(s.time)[:16]
            row = f"{s.crew:>4}{s.number:>5}  {when:<17}{s.place.id:<14}{s.method:<7}{s.gain:5.2f}{s.cost:7.0f}  {yes}"
            lines.append(row)
        lines.append(f"unsure now {self.unsure:.2f} bits, expected after {self.unsure_after:.2f}")
        return "\n".join([*lines, *map(str, self.notes)])


def _row(stop: Stop) -> dict[str, Any]:
    return {
        "crew": stop.crew,
        "stop": stop.number,
        "time": stop.time,
        "station": stop.place.id,
        "kind": stop.place.kind,
        "reach": stop.place.reach,
        "chainage_m": stop.place.chainage_m,
        "method": stop.method,
        "gain_bits": stop.gain,
        "cost": stop.cost,
        "known_at": stop.known_at,
        "chance_yes": stop.chance_yes,
        "chance_yes_if_lawful": stop.chance_lawful,
        "expected_q05": stop.expected[0],
        "expected_q50": stop.expected[1],
        "expected_q95": stop.expected[2],
        "if_high": stop.if_high[0],
        "if_high_probability": stop.if_high[1],
        "if_low": stop.if_low[0],
        "if_low_probability": stop.if_low[1],
    }
