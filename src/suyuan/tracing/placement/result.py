"""The result: which stations to add, what each brings, and how good any other choice could be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suyuan.network import Station
from suyuan.tracing.placement.choose import Choice, choose, substitutes
from suyuan.tracing.placement.places import Places
from suyuan.tracing.placement.responses import TrialRelease
from suyuan.tracing.placement.worth import Array, SeenAndApart
from suyuan.tracing.prior import Prior
from suyuan.tracing.result import Candidate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Placement:
    """Where to put stations; the one that adds most first.

    `stations` (n,) are new, `kept` stand already. `worth`, `seen`, `hours`, `apart` (n + 1,) hold with the kept stations
    alone, with the first new one, with two ...: the worth that was maximised (0 to 1), the probability that a release of
    median size is seen within the horizon, the mean time to its first reading above detection [h] (unseen ones count as
    the horizon), and how well the best single station tells two sources apart (0 to 1). `bound` is a worth that no other n
    places can exceed. `instead` (n,) is the best other place for each station ('' if there is none) and `instead_costs` (n,)
    the worth that would cost. `member_hours` (flow member,) is the last of `hours` in each flow member. `candidates` with
    `candidate_seen` and `candidate_hours` say what all stations together see of each possible source.
    """

    stations: tuple[Station, ...]
    kept: tuple[Station, ...]
    choice: Choice
    seen: Array
    hours: Array
    apart: Array
    instead: tuple[str, ...]
    instead_costs: Array
    member_hours: Array
    candidates: tuple[Candidate, ...]
    candidate_seen: Array
    candidate_hours: Array
    test: TrialRelease
    apart_share: float
    tried: int

    @property
    def worth(self) -> Array:
        """The worth with the kept stations alone, with one new one, with two ..., (n + 1,)."""
        return self.choice.worth

    @property
    def blind(self) -> tuple[Candidate, ...]:
        """Candidates whose release of median size stays unseen more often than not, with all stations."""
        return tuple(c for c, p in zip(self.candidates, self.candidate_seen, strict=True) if p < 0.5)

    @property
    def assumptions(self) -> tuple[tuple[str, str], ...]:
        """What was assumed: name and value in words."""
        test = self.test
        return (
            (
                "release",
                f"median raises {test.discharge:.3g} m3/s by twice the background, for {test.hours:g} h",
            ),
            ("log-sd of its size", f"{test.log_sd:g}"),
            ("seen from a rise of", f"{test.seen_at * test.noise_share:.0%} of the background"),
            ("readings", f"every hour until {test.horizon_h:g} h after its begin"),
            ("decay", f"{test.decay_per_s * 86400.0:.3g} per day"),
            ("flow members", f"{len(self.member_hours)}"),
            ("share of the worth for telling apart", f"{self.apart_share:g}"),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row a station, kept ones first with rank 0."""
        import pandas as pd

        return pd.DataFrame(self._rows())

    def to_dict(self) -> dict[str, Any]:
        """Return what `placement.json` holds: plain numbers and strings."""
        before = {"seen": float(self.seen[0]), "hours": float(self.hours[0]), "apart": float(self.apart[0])}
        return {
            "stations": [row for row in self._rows() if row["rank"] > 0],
            "kept": [{"id": s.id, "reach": s.reach, "chainage_m": s.chainage_m} for s in self.kept],
            "before": {**before, "worth": float(self.worth[0])},
            "worth": float(self.worth[-1]),
            "bound": float(self.choice.bound),
            "assured": self.choice.assured,
            "is_best": self.choice.is_best,
            "how": self.choice.how,
            "places_tried": self.tried,
            "member_hours": self.member_hours.tolist(),
            "candidates": [
                {"id": c.id, "kind": c.kind, "seen": float(p), "hours": float(h)}
                for c, p, h in zip(self.candidates, self.candidate_seen, self.candidate_hours, strict=True)
            ],
            "blind": [c.id for c in self.blind],
            "assumptions": dict(self.assumptions),
        }

    def __str__(self) -> str:
        lines = [f"{'station':<20}{'reach':<10}{'m':>8}{'seen':>7}{'hours':>7}{'apart':>7}"]
        for row in self._rows():
            rank = f"{row['rank']}. " if row["rank"] else "   "
            shown = "" if row["seen"] is None else f"{row['seen']:7.0%}{row['hours']:7.1f}{row['apart']:7.2f}"
            lines.append(f"{rank + row['id']:<20}{row['reach']:<10}{row['chainage_m']:8.0f}{shown}")
        sure = (
            "no other choice is better"
            if self.choice.is_best
            else f"at least {self.choice.assured:.0%} of the best"
        )
        return "\n".join([*lines, f"worth {self.worth[-1]:.3f}: {sure}"])

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [
            {
                **_where(s),
                "rank": 0,
                "worth": None,
                "seen": None,
                "hours": None,
                "apart": None,
                "instead": "",
                "instead_costs": None,
            }
            for s in self.kept
        ]
        for i, station in enumerate(self.stations):
            numbers = {
                name: float(getattr(self, name)[i + 1]) for name in ("worth", "seen", "hours", "apart")
            }
            cost = float(self.instead_costs[i]) if self.instead[i] else None
            rows.append(
                {
                    **_where(station),
                    "rank": i + 1,
                    **numbers,
                    "instead": self.instead[i],
                    "instead_costs": cost,
                }
            )
        return rows


def _where(station: Station) -> dict[str, Any]:
    return {
        "rank": 0,
        "id": station.id,
        "name": station.name,
        "reach": station.reach,
        "chainage_m": station.chainage_m,
    }


def place(
    table: SeenAndApart, count: int, *, places: Places, prior: Prior, test: TrialRelease, members: int
) -> Placement:
    """Return where to put `count` stations beside the kept ones.

    `table` is that of `table_of` for these places, its looks in order of the flow members.
    """
    choice = choose(table, count, kept=places.kept)
    sets = [(*choice.kept, *choice.chosen[:n]) for n in range(count + 1)]
    other = substitutes(table, choice)
    first = table.first_hours(sets[-1])
    share = np.bincount(table.candidate, minlength=len(prior.candidates))

    def by_candidate(values: Array) -> Array:
        summed = np.bincount(table.candidate, weights=values, minlength=len(prior.candidates))
        return np.asarray(summed / np.maximum(share, 1))

    return Placement(
        stations=tuple(places.stations[j] for j in choice.chosen),
        kept=tuple(places.stations[j] for j in choice.kept),
        choice=choice,
        seen=np.array([table.seen(chosen) for chosen in sets]),
        hours=np.array([table.mean_hours(chosen) for chosen in sets]),
        apart=np.array([table.apart(chosen) for chosen in sets]),
        instead=tuple(places.stations[j].id if j >= 0 else "" for j, _ in other),
        instead_costs=np.array([cost for _, cost in other]),
        member_hours=np.array(
            [part.mean(axis=0) @ table.weight_of for part in np.array_split(first, members)]
        ),
        candidates=prior.candidates,
        candidate_seen=by_candidate((first < table.horizon_h).mean(axis=0)),
        candidate_hours=by_candidate(first.mean(axis=0)),
        test=test,
        apart_share=table.apart_share,
        tried=places.free,
    )
