"""Bars B1, B2 (the budget of the month) and P1 to P4 (forecasts) on the ten Taihu stations.

Budget: every month with 60 readings or more, asked on day 15 (B1) and on each of days 5 to 25 (B2), from readings up to then
alone: the motion is refitted at the start of each month. A question counts where a reading every other day lies before it and
one a day after it. The published record states no target classes: classes II and III are both taken as the target of every
section.

Forecasts: the motion, the helpers, the error distributions and the simple rivals are learnt on 2021-06 to 2023-06 and then
kept; only the state follows the readings. Daily means of all ten stations' determinands with 100 days before and 30 after.
RMSE is taken on the scale of the forecast (logarithms for concentrations); in the unit of the reading beside it.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np

from benchmarks.section_standards import LAKES, TAIHU, ZONE
from suyuan.clock import local
from suyuan.io.import_readings import import_readings
from suyuan.io.readings_store import stored_readings
from suyuan.outlook.budget import expected_readings, month_means
from suyuan.outlook.daily import daily_of
from suyuan.outlook.joint import Ends, chance_of_any
from suyuan.outlook.level import follow
from suyuan.outlook.paths import past_means, rest_means
from suyuan.outlook.rolled import Refit, refits_of, roll
from suyuan.outlook.simple import simple_of
from suyuan.outlook.spread import at_least, members_of
from suyuan.qc import flag, screen
from suyuan.scoring import crps_members, crps_normal
from suyuan.standards.assessment import item_means
from suyuan.standards.rounding import rounded
from suyuan.standards.scheme import scheme

SPLIT = np.datetime64("2023-07-01")
"""The first day of the test."""
FEWEST = 60
"""Readings of a month that is measured by."""
DAYS = range(5, 26)
ITEMS = ("pH", "DO", "CODMn", "NH3-N", "TP")
TARGETS = ("II", "III")
HORIZONS = (1, 3, 7)
LAKE_CELLS = ("DO", "TP", "algal_density")
LINEAR = ("DO", "water_temp", "EC", "pH")


def bars() -> dict[str, dict]:
    """Return B1, B2 and P1 to P4; none where the shared record is not beside the repository."""
    if not TAIHU.is_file():
        print(f"{TAIHU} is not here: B1, B2 and P1 to P4 are left out", file=sys.stderr)
        return {}
    with tempfile.TemporaryDirectory() as folder:
        import_readings(TAIHU, Path(folder), now=datetime.now(UTC))
        readings = stored_readings(Path(folder), ZONE)
    days = local(readings.time, ZONE).astype("datetime64[D]")
    asked, cells = [], []
    for station in sorted(set(readings.station.tolist())):
        own = readings.where(readings.station == station)
        dailies = daily_of(screen(own).observations, zone=ZONE, first=days.min(), last=days.max())
        refits = refits_of(dailies, most=99)
        asked += _questions(station, own, dailies=dailies, refits=refits)
        cells += _forecasts(station, dailies, refits=refits)
    return {**_budget_bars(asked), **_forecast_bars(cells)}


def _questions(station: str, own: object, *, dailies: dict, refits: tuple) -> list[dict]:
    """Return what was asked of each item, month and day of a station, and what came."""
    own, rng, found = flag(own), np.random.default_rng(1), []
    clock = local(own.time, ZONE)
    day_of, month_of = clock.astype("datetime64[D]"), clock.astype("datetime64[M]")
    for name in ITEMS:
        rolled, item = roll(dailies, name, refits=refits), scheme().item(name)
        mine = (own.determinand == name) & np.isfinite(own.value) & (own.flag == 1)
        for month in np.unique(month_of):
            rows = np.flatnonzero(mine & (month_of == month))
            if len(rows) < FEWEST:
                continue
            full = item_means(own.where(rows), [item])[name]
            first, last = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
            for number in DAYS:
                today = first + (number - 1)
                left = int((last - today) / np.timedelta64(1, "D")) - 1
                before = rows[day_of[rows] <= today]
                row = int((today - rolled.daily.first) / np.timedelta64(1, "D"))
                is_thin = len(before) < max(2, number / 2) or len(rows) - len(before) < left
                if is_thin or rolled.row_refit[row] < 0 or not np.isfinite(rolled.mean[row, 0]):
                    continue
                so_far = item_means(own.where(before), [item])[name]
                rest = rest_means(rolled, row, days=left, rng=rng)
                ahead = expected_readings(rolled.daily.count[: row + 1], left)
                means = month_means(rolled.daily.scale, so_far, rest=rest, ahead=ahead)
                in_order = means[np.argsort(rest, kind="stable")]
                asked = _answered(item, station, number=number, means=in_order, so_far=so_far, full=full)
                past = past_means(rolled, row, days=left)
                found.append({**asked, "month": (station, str(month)), "past": past})
    return found


def _answered(
    item: object, station: str, *, number: int, means: np.ndarray, so_far: object, full: object
) -> dict:
    water = "lake" if station in LAKES else "river"

    def ends(value: object) -> int:
        return item.class_of(rounded(Decimal(str(value)), item.decimals), water)

    classes, targets = (
        np.array([ends(value) for value in means.tolist()]),
        [*map(scheme().class_index, TARGETS)],
    )
    low, middle, high = np.quantile(means, (0.05, 0.5, 0.95))
    came = float(full.value)
    return {
        "item": item.id,
        "day": number,
        "ours": abs(middle - came) / abs(came),
        "so_far": abs(float(so_far.value) - came) / abs(came),
        "inside": low - 1e-12 <= came <= high + 1e-12,
        "misses": [classes > t for t in targets],
        "events": [((classes > t).mean(), ends(so_far.value) > t, ends(full.value) > t) for t in targets],
    }


def _budget_bars(asked: list[dict]) -> dict[str, dict]:
    """Return B1 and B2."""
    middle = {name: [one for one in asked if one["item"] == name and one["day"] == 15] for name in ITEMS}
    errors = {
        name: {key: round(float(np.median([one[key] for one in ones])), 4) for key in ("ours", "so_far")}
        for name, ones in middle.items()
    }
    gain = {name: round(1.0 - errors[name]["ours"] / errors[name]["so_far"], 3) for name in ITEMS}
    stated = {"NH3-N": 0.107, "TP": 0.077}
    b1 = {
        "value": {name: gain[name] for name in stated},
        "on": f"taihu_auto_4h, day 15 of {len(middle['TP'])} station months with {FEWEST} readings",
        "beside": {
            "median_error": errors,
            "gain_over_stated": {n: round(1.0 - errors[n]["ours"] / v, 3) for n, v in stated.items()},
            "met": all(gain[n] >= 0.15 and errors[n]["ours"] <= 0.85 * v for n, v in stated.items()),
        },
    }
    by_day = {day: _brier_skill([one for one in asked if one["day"] == day]) for day in DAYS}
    covered = {
        name: round(float(np.mean([one["inside"] for one in asked if one["item"] == name])), 3)
        for name in ITEMS
    }
    pooled, band = _brier_skill(asked), float(np.mean([one["inside"] for one in asked]))
    b2 = {
        "value": {"pooled": pooled, "worst_day": min(by_day.values()), "covered_90": round(band, 4)},
        "on": f"taihu_auto_4h, {len(asked)} questions about {', '.join(ITEMS)} on days 5 to 25, targets II and III",
        "beside": {
            "by_day": by_day,
            "covered_by_item": covered,
            "any_item": _joint_skill(asked),
            "by_target": {
                name: _brier_skill([{"events": [one["events"][k]]} for one in asked])
                for k, name in enumerate(TARGETS)
            },
            "met": pooled > 0 and min(by_day.values()) > 0 and 0.87 <= band <= 0.93,
        },
    }
    return {"B1": b1, "B2": b2}


def _joint_skill(asked: list[dict]) -> dict[str, float]:
    """Return the Brier skill, against the class so far, of the chance that any item misses: joined, and as a product of
    independent ones, with the mean of both chances and how often one did.
    """
    together: dict[tuple, list[dict]] = defaultdict(list)
    for one in asked:
        together[*one["month"], one["day"]].append(one)
    cases = []
    for items in (items for items in together.values() if len(items) > 1):
        for k in range(len(TARGETS)):
            own, so_far, came = zip(*(one["events"][k] for one in items), strict=True)
            joined = chance_of_any([Ends(one["misses"][k], one["past"]) for one in items])
            cases.append((joined, 1.0 - np.prod(1.0 - np.array(own)), any(so_far), any(came)))
    chances = np.array(cases, float)
    joined, apart, reference = ((chances[:, k] - chances[:, 3]) ** 2 for k in range(3))
    return {
        "cases": len(cases),
        "joined": round(1.0 - float(joined.mean() / reference.mean()), 4),
        "independent": round(1.0 - float(apart.mean() / reference.mean()), 4),
        **dict(
            zip(
                ("mean_joined", "mean_independent", "_", "came"),
                chances.mean(axis=0).round(3).tolist(),
                strict=True,
            )
        ),
    }


def _brier_skill(asked: list[dict]) -> float:
    events = np.array([event for one in asked for event in one["events"]], float)
    ours, reference = ((events[:, k] - events[:, 2]) ** 2 for k in (0, 1))
    return round(1.0 - float(ours.mean() / reference.mean()), 3)


def _forecasts(station: str, dailies: dict, *, refits: tuple) -> list[tuple]:
    """Return, for each determinand and horizon, what came after SPLIT and what was forecast by whom."""
    days = next(iter(dailies.values())).days
    start, n = int((SPLIT - days[0]) / np.timedelta64(1, "D")), len(days)
    frozen = next(refit for refit in refits if refit.start == start)
    past = [refit for refit in refits if refit.start < start]
    followed = {
        name: follow(
            dailies[name].level,
            days,
            motion=one.motion,
            floor=dailies[name].until(days[start - 1]).floor_level,
        )
        for name, one in frozen.followed.items()
    }
    found = []
    for name in followed:
        level = dailies[name].level
        if np.isfinite(level[:start]).sum() < 100 or np.isfinite(level[start:]).sum() < 30:
            continue
        errors = roll(dailies, name, refits=past).known_errors(start - 1)
        ours = roll(dailies, name, refits=(Refit(start, n, followed),))
        floor = dailies[name].until(days[start - 1]).floor_level
        for h in HORIZONS:
            came = ours.came[:, h - 1]
            rows = np.flatnonzero(np.isfinite(came) & np.isfinite(level) & (np.arange(n) >= start - 1))
            simple = simple_of(level, days, learnt=start, horizon=h)
            mean, sd = ours.mean[rows, h - 1], ours.sd[rows, h - 1]
            members = np.maximum(mean[:, None] + sd[:, None] * members_of(errors[:, h - 1]), floor)
            rivals = (simple.persistence[rows], simple.damped[rows], simple.climatology[rows])
            found.append(
                (
                    station,
                    name,
                    h,
                    came[rows],
                    at_least(mean, sd, floor=floor),
                    rivals,
                    members,
                    simple.damped_sd,
                )
            )
    return found


def _forecast_bars(cells: list[tuple]) -> dict[str, dict]:
    """Return P1 to P4."""
    ratios, natural = _ratios(cells, is_natural=False), _ratios(cells, is_natural=True)
    lake = [cell for cell in cells if cell[0] in LAKES]
    lake_ratios = _ratios(lake, is_natural=False)
    p2 = {name: round(1.0 - lake_ratios[f"{name} {3} d"], 3) for name in LAKE_CELLS}
    worst = max(ratios, key=lambda cell: ratios[cell])
    scores, rival, inside = defaultdict(list), defaultdict(list), {80: [], 90: []}
    for _, name, h, came, _, rivals, members, sd in cells:
        scores[name, h].append(crps_members(came, members))
        rival[name, h].append(crps_normal(came, rivals[1], sd=np.full(len(came), sd)))
        for width, held in inside.items():
            low, high = np.quantile(members, (0.5 - width / 200, 0.5 + width / 200), axis=1)
            held.append((came >= low - 1e-9) & (came <= high + 1e-9))
    gains = {
        f"{name} {h} d": 1.0
        - float(np.concatenate(scores[name, h]).mean() / np.concatenate(rival[name, h]).mean())
        for name, h in scores
    }
    covered = {width: float(np.concatenate(held).mean()) for width, held in inside.items()}
    count = sum(len(cell[3]) for cell in cells)
    on = f"taihu_auto_4h, learnt to 2023-06, {count} forecasts of 2023-07..12 in {len(ratios)} cells"
    return {
        "P1": {
            "value": round(ratios[worst], 3),
            "on": f"{on}; RMSE over that of the best rival, worst cell: {worst}",
            "beside": {
                "met": ratios[worst] <= 1.02,
                "cells_missed": {cell: r for cell, r in ratios.items() if r > 1.02},
                "cells": ratios,
                "in_units_of_readings": natural,
            },
        },
        "P2": {
            "value": p2,
            "on": f"{on}; lake stations, 3 d, share by which RMSE is below the best rival's",
            "beside": {
                "met": min(p2.values()) >= 0.03,
                "in_units_of_readings": {
                    name: round(1.0 - _ratios(lake, is_natural=True)[f"{name} {3} d"], 3)
                    for name in LAKE_CELLS
                },
            },
        },
        "P3": {
            "value": round(float(np.mean(list(gains.values()))), 4),
            "on": f"{on}; mean over cells of the share by which CRPS is below damped persistence with normal error",
            "beside": {
                "met": bool(np.mean(list(gains.values())) >= 0.05),
                "cells": {c: round(g, 3) for c, g in gains.items()},
            },
        },
        "P4": {
            "value": {f"{width} %": round(share, 4) for width, share in covered.items()},
            "on": on,
            "beside": {"met": 0.75 <= covered[80] <= 0.85 and 0.86 <= covered[90] <= 0.94},
        },
    }


def _ratios(cells: list[tuple], *, is_natural: bool) -> dict[str, float]:
    """Return by determinand and horizon our RMSE over that of the best rival, over all stations."""
    squares: dict[str, list[np.ndarray]] = defaultdict(list)
    for _, name, h, came, point, rivals, _, _ in cells:
        back = np.exp if is_natural and name not in LINEAR else np.asarray
        squares[f"{name} {h} d"].append((back(np.stack([point, *rivals])) - back(came)) ** 2)
    found = {}
    for cell, parts in squares.items():
        mean = np.concatenate(parts, axis=1).mean(axis=1)
        found[cell] = round(float(np.sqrt(mean[0] / mean[1:].min())), 3)
    return found


if __name__ == "__main__":
    print(bars())
