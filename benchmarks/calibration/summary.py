"""Scores of many events together: by set, pooled, and as the bars of the project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.calibration import doubt
from benchmarks.calibration.draw import CLASSES, WRONG
from benchmarks.calibration.score import ACCUSED, SUSPECTED, Judged, Scored

Table = dict[str, Any]

SEED_OF_BOOTSTRAP = 7

POOLED = {"all classes": tuple(CLASSES), "all wrong worlds": WRONG}

MUST: dict[str, dict[str, object]] = {
    "C3'": {"both_named": 0.45, "unlisted_near3": 0.5, "each on at least": 100},
    "C4'": {
        "calibration_error": 0.03,
        "set_covers": [0.87, 0.93],
        "mass_covers": [0.87, 0.93],
        "start_covers": [0.87, 0.93],
    },
    "C5'": {"set_covers": 0.80},
    "C6'": {"listed_accused": 0.10},
    "backgrounds": {"quiet_accused": 0.05},
}
"""What is asked for; shares that are to be kept low are those of wrong accusations and of error."""


def summary(events: Sequence[Scored]) -> Table:
    """Return the scores of `events` with intervals of 95 %."""
    rng = np.random.default_rng(SEED_OF_BOOTSTRAP)
    pairs = [(e.stated, e.right) for e in events]
    judged = [j for e in events for j in e.judged]
    source, quiet = [e for e in events if e.top1 is not None], [e for e in events if e.kind == "quiet"]
    return {
        "n": len(events),
        "kinds": {kind: sum(e.kind == kind for e in events) for kind in sorted({e.kind for e in events})},
        "loss": doubt.mean([e.loss for e in events], rng=rng),
        "loss_of_guessing": float(np.mean([e.loss_of_guessing for e in events])) if events else None,
        "calibration_error": _calibration_error(pairs, rng=rng),
        "reliability": doubt.reliability(pairs).to_rows(),
        "stated_minus_right": _mean([e.top - bool(e.top1) for e in source]),
        "top1": doubt.share([e.top1 for e in source]),
        "top3": doubt.share([e.top3 for e in source]),
        "p_true": _mean([e.p_true for e in source if e.p_true is not None]),
        "set_covers": doubt.share([e.in_set for e in events]),
        "set_size": _mean([e.set_size for e in events if e.set_size is not None]),
        **{
            f"{of}_covers": doubt.share([j.covers for j in judged if j.quantity == of])
            for of in ("mass", "start")
        },
        "mass_width": _median([j.width for j in judged if j.quantity == "mass"]),
        "mass_ratio": _median([j.ratio for j in judged if j.quantity == "mass"]),
        "start_width_h": _median([j.width for j in judged if j.quantity == "start"]),
        "ranks": {of: _ranks([j for j in judged if j.quantity == of]) for of in ("mass", "start")},
        "accused_wrongly": doubt.share([e.accused_wrongly for e in events]),
        "missed": doubt.share([e.none > 0.5 for e in source]),
        "quiet_nobody": _mean([e.none for e in quiet]),
        "quiet_accused": doubt.share([e.top > ACCUSED for e in quiet]),
        "quiet_suspected": doubt.share([e.top > SUSPECTED for e in quiet]),
        "both_named": doubt.share([e.both_named for e in events]),
        "unlisted_near3": doubt.share([e.near3 for e in events]),
        "listed_accused": doubt.share([e.listed_accused for e in events if e.kind == "unlisted"]),
        "seconds": _median([e.seconds for e in events]),
    }


def _calibration_error(
    pairs: Sequence[tuple[Sequence[float], Sequence[bool]]], *, rng: np.random.Generator
) -> Table:
    if not any(p >= doubt.LEAST for stated, _ in pairs for p in stated):
        return {"value": None, "low": None, "high": None, "by_chance": None, "n": 0}
    found = doubt.reliability(pairs)
    low, high = found.interval(rng)
    by_chance = doubt.chance_error(pairs, rng=rng)
    return {
        "value": found.error(),
        "low": low,
        "high": high,
        "by_chance": by_chance,
        "n": int(found.count.sum()),
    }


def _ranks(judged: Sequence[Judged]) -> Table:
    """Return the rank histogram over those that have an interval; of one set of quantiles, the most frequent."""
    having = [j for j in judged if j.levels]
    if not having:
        return {"shares": None, "p": None, "n": 0}
    levels = max({j.levels for j in having}, key=lambda found: sum(j.levels == found for j in having))
    return doubt.ranks(levels, np.sum([j.ranks for j in having if j.levels == levels], axis=0))


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _median(values: Sequence[float]) -> float | None:
    finite = [v for v in values if np.isfinite(v)]
    return float(np.median(finite)) if finite else None


def sets(events: Sequence[Scored]) -> dict[str, Table]:
    """Return the summary of each set, of the four classes pooled and of the wrong worlds pooled."""
    names = list(dict.fromkeys(e.name for e in events))
    table = {name: summary([e for e in events if e.name == name]) for name in names}
    for pooled, members in POOLED.items():
        inside = [e for e in events if e.name in members]
        if inside:
            table[pooled] = summary(inside)
    return table


def bars(events: Sequence[Scored]) -> dict[str, Table]:
    """Return one object a bar: its value, what it must be, and on how many events it stands."""
    of = sets(events)
    right = summary([e for e in events if e.name in CLASSES])
    twos = [e for e in events if e.kind == "two" and e.name in (*CLASSES, "two")]
    unlisted = [e for e in events if e.kind == "unlisted" and e.name in (*CLASSES, "missing")]
    listed = [e for e in events if e.kind in ("plain", "two") and e.name in CLASSES]
    four = (
        "calibration_error",
        "loss",
        "set_covers",
        "set_size",
        "mass_covers",
        "start_covers",
        "mass_width",
        "start_width_h",
    )
    found = {
        "C3'": {
            "both_named": doubt.share([e.both_named for e in twos]),
            "unlisted_near3": doubt.share([e.near3 for e in unlisted]),
            "top1_listed": doubt.share([e.top1 for e in listed]),
            "top3_listed": doubt.share([e.top3 for e in listed]),
        },
        "C4'": {
            **{key: right[key] for key in four},
            "by class": {name: {key: of[name][key] for key in four} for name in CLASSES if name in of},
        },
        "C5'": {
            name: {key: of[name][key] for key in ("set_covers", "set_size", "loss")}
            for name in WRONG
            if name in of
        },
        "C6'": of["missing"]["listed_accused"] if "missing" in of else None,
        "backgrounds": _backgrounds(of),
    }
    return {name: {"value": value, "must": MUST[name], "on": _on(events)} for name, value in found.items()}


def _backgrounds(of: dict[str, Table]) -> Table | None:
    if "real_quiet" not in of:
        return None
    quiet, planted = of["real_quiet"], of.get("real_planted", {})
    return {
        **{key: quiet[key] for key in ("quiet_accused", "quiet_suspected", "quiet_nobody")},
        "planted": {
            key: planted.get(key)
            for key in ("top1", "top3", "missed", "accused_wrongly", "set_covers", "set_size")
        },
    }


def _on(events: Sequence[Scored]) -> str:
    counts = {name: sum(e.name == name for e in events) for name in dict.fromkeys(e.name for e in events)}
    return ", ".join(f"{n} {name}" for name, n in counts.items())
