"""The tables of docs/calibration.md and of the screen, from summaries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.calibration.summary import POOLED

Table = dict[str, Any]

SIZES = ("n", "loss", "loss_of_guessing", "calibration_error", "top1", "top3", "set_covers", "set_size")
INTERVALS = ("mass_covers", "mass_width", "mass_ratio", "start_covers", "start_width_h")
ACCUSATIONS = (
    *("accused_wrongly", "missed", "quiet_nobody", "quiet_accused", "quiet_suspected"),
    *("both_named", "unlisted_near3", "listed_accused"),
)


def markdown(tables: dict[str, Table]) -> str:
    """Return all tables as Markdown, one row a set; ranks and reliability of what is pooled alone, if anything is."""
    pooled = {name: table for name, table in tables.items() if name in POOLED} or tables
    parts = [
        *(_table(tables, keys) for keys in (SIZES, INTERVALS, ACCUSATIONS)),
        _ranks(pooled),
        _reliability(pooled),
    ]
    return "\n\n".join(parts) + "\n"


def _table(tables: dict[str, Table], keys: tuple[str, ...]) -> str:
    return _rows(
        ("set", *keys), [(name, *(cell(table[key]) for key in keys)) for name, table in tables.items()]
    )


def _ranks(tables: dict[str, Table]) -> str:
    rows = []
    for name, table in tables.items():
        for quantity in ("mass", "start"):
            found = table["ranks"][quantity]
            if found["n"]:
                bins = zip(found["shares"], found["expected"], strict=True)
                shares = " / ".join(f"{share:.2f} ({expected:.2f})" for share, expected in bins)
                rows.append((name, quantity, str(found["n"]), shares, f"{found['p']:.2g}"))
    return _rows(("set", "of", "n", "share of truths between quantiles (expected)", "chi-square p"), rows)


def _reliability(tables: dict[str, Table]) -> str:
    rows = []
    for name, table in tables.items():
        for found in table["reliability"]:
            if found["n"]:
                rows.append(
                    (
                        name,
                        f"{found['stated']:.2f}",
                        cell({k: found[k] for k in ("low", "high", "n")} | {"value": found["right"]}),
                    )
                )
    return _rows(("set", "stated", "released"), rows)


def _rows(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: Any) -> str:
    """Return a number as the tables show it, with its interval and count where it has them.

    >>> cell({"value": 0.9, "low": 0.61, "high": 0.98, "n": 10}), cell(None), cell(12), cell(2.345)
    ('0.90 (0.61-0.98, n 10)', '', '12', '2.35')
    """
    if isinstance(value, dict):
        if value["value"] is None:
            return ""
        by_chance = f", chance {value['by_chance']:.3f}" if "by_chance" in value else ""
        shown: Callable[[float], str] = (lambda x: f"{x:.3f}") if by_chance else (lambda x: f"{x:.2f}")
        return f"{shown(value['value'])} ({shown(value['low'])}-{shown(value['high'])}, n {value['n']}{by_chance})"
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.2f}"
