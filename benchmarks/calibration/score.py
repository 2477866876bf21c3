"""What one traced event says: the definitions of the shared scorer, and ranks of the truth among stated quantiles.

`near` of a row names the reaches that share a node with the true one; all else is read off truth and result.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np

Row = dict[str, Any]

CHINA = timezone(timedelta(hours=8))
SURE = 1e-4
"""No probability is taken for smaller than this, nor for nearer to 1, in the loss."""

WORTH_AN_INTERVAL = 0.01
ACCUSED, SUSPECTED, NAMED = 0.5, 0.2, 0.3


@dataclass(frozen=True)
class Judged:
    """A true mass or start beside its stated quantiles.

    `ranks` (quantile + 1,) is 1 in the bin between quantiles that holds the truth, and shared between two bins where it
    equals the quantile between them; all 0 where no interval was given. `width` is q95 / q05 of a mass (NaN where
    q05 is 0), hours of a start; `ratio` is the median mass over the true one.
    """

    quantity: str
    levels: tuple[float, ...]
    ranks: tuple[float, ...]
    covers: bool
    width: float
    ratio: float = np.nan


@dataclass(frozen=True)
class Scored:
    """One event scored.

    `stated` and `right` (candidate,), most probable first; `none` is the stated probability of nobody. What cannot be
    asked of an event is None: `top1`, `top3` of a quiet one, `in_set` unless there is one source, and so on.
    `loss_of_guessing` is the loss of saying 0.1 nobody and the rest evenly over all candidates.
    """

    name: str
    network_class: str
    kind: str
    stated: tuple[float, ...]
    right: tuple[bool, ...]
    none: float
    loss: float
    loss_of_guessing: float
    accused_wrongly: bool
    listed_accused: bool
    top1: bool | None
    top3: bool | None
    p_true: float | None
    in_set: bool | None
    set_size: int | None
    both_named: bool | None
    near3: bool | None
    judged: tuple[Judged, ...]
    seconds: float

    @property
    def top(self) -> float:
        """The largest stated probability of a candidate."""
        return self.stated[0] if self.stated else 0.0


def scored(row: Row) -> Scored:
    """Return the scores of one row of results."""
    true = {source["candidate"]: source for source in row["truth"]["sources"]}
    result = row["result"]
    candidates = sorted(result["candidates"], key=lambda c: -c["probability"])
    ids = [c["id"] for c in candidates]
    stated, right = tuple(c["probability"] for c in candidates), tuple(name in true for name in ids)
    none = result.get("no_source_probability", 0.0)
    named = [c for c in candidates if c["id"] in true]
    one = len(true) == 1
    return Scored(
        name=row["set"],
        network_class=row["class"],
        kind=row["truth"]["family"],
        stated=stated,
        right=right,
        none=none,
        loss=_loss(stated, right, none=none, true=len(true)),
        loss_of_guessing=_loss(tuple(0.9 / len(ids) for _ in ids), right, none=0.1, true=len(true)),
        accused_wrongly=bool(ids) and stated[0] > ACCUSED and not right[0],
        listed_accused=any(
            p > ACCUSED and not hit and ":" not in i for p, hit, i in zip(stated, right, ids, strict=True)
        ),
        top1=(right[:1] == (True,)) if true else None,
        top3=any(right[:3]) if true else None,
        p_true=sum(c["probability"] for c in named) / len(true) if true else None,
        in_set=set(true) <= set(result["credible_set"]) if one else None,
        set_size=len(result["credible_set"]) if one else None,
        both_named=_both_named(named, true=len(true)),
        near3=_near3(row, ids) if row["truth"]["family"] == "unlisted" else None,
        judged=tuple(
            judged
            for c in named
            if c["probability"] >= WORTH_AN_INTERVAL
            for judged in (_mass(c, true[c["id"]]), _start(c, true[c["id"]]))
        ),
        seconds=result.get("seconds", np.nan),
    )


def _loss(stated: tuple[float, ...], right: tuple[bool, ...], *, none: float, true: int) -> float:
    """Return the sum of binary log losses of all candidates and of nobody; a source never named counts as probability 0.

    >>> round(_loss((0.5, 0.25), (True, False), none=0.0, true=1), 4)  # ln 2 + ln 4/3 and no more than 1e-4
    0.9809
    """
    chance = np.array([*stated, none, *(0.0 for _ in range(true - sum(right)))])
    came = np.array([*right, true == 0, *(True for _ in range(true - sum(right)))])
    chance = np.clip(chance, SURE, 1.0 - SURE)
    return float(-np.log(np.where(came, chance, 1.0 - chance)).sum())


def _both_named(named: list[Row], *, true: int) -> bool | None:
    if true < 2:
        return None
    return sum(c["probability"] >= NAMED for c in named) == true


def _near3(row: Row, ids: list[str]) -> bool:
    reach = row["truth"]["sources"][0]["reach"]
    return bool({f"reach:{r}" for r in row["near"].get(reach, [reach])} & set(ids[:3]))


def _mass(candidate: Row, source: Row) -> Judged:
    stated = candidate.get("mass_kg") or {}
    low, middle, high = (stated.get(q, np.nan) for q in ("q05", "q50", "q95"))
    width = high / low if low > 0.0 else np.nan
    return _judged("mass", stated, truth=source["mass_kg"], width=width, ratio=middle / source["mass_kg"])


def _start(candidate: Row, source: Row) -> Judged:
    stated = {q: _when(text) for q, text in (candidate.get("start") or {}).items()}
    width = (stated["q95"] - stated["q05"]) / 3600.0 if stated else np.nan
    return _judged("start", stated, truth=_when(source["start"]), width=width)


def _judged(
    quantity: str, stated: dict[str, float], *, truth: float, width: float, ratio: float = np.nan
) -> Judged:
    names = sorted(name for name in stated if name[0] == "q" and name[1:].isdigit())
    levels, values = [float(f"0.{name[1:]}") for name in names], np.array([stated[name] for name in names])
    ranks = np.zeros(len(values) + 1)
    if len(values):
        ranks[np.searchsorted(values, truth, "left")] += 0.5
        ranks[np.searchsorted(values, truth, "right")] += 0.5
    covers = bool(len(values)) and stated["q05"] <= truth <= stated["q95"]
    return Judged(quantity, tuple(levels), tuple(map(float, ranks)), covers, float(width), float(ratio))


def _when(text: str) -> float:
    """Return a time as seconds; one without an offset is UTC+8.

    >>> _when("1970-01-01T08:00:00"), _when("1970-01-01T00:00:10Z")
    (0.0, 10.0)
    """
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=CHINA)).astimezone(UTC).timestamp()
