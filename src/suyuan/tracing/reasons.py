"""Why one explanation is believed rather than another: what each reading says, and which one would change it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

NOBODY = "nobody"

HOURS = 6
"""What readings say is summed over so many hours of a station and determinand."""

LEAST_SAID, LEAST_SHARE = 0.05, 0.05
"""Log ratio, and share of the largest, below which what readings say is not written to files."""


@dataclass(frozen=True)
class Delay:
    """How much later than the flow says a candidate's plume must pass a station to fit, [h], and the error reckoned with [h]."""

    candidate: str
    station: str
    hours: float
    sd_hours: float


@dataclass(frozen=True)
class Suspicion:
    """One answer to who did it: nobody (no `candidates`), one, or two at once.

    `waters` (candidate,) are the kinds of water the leading explanation takes theirs to be.
    """

    candidates: tuple[str, ...]
    probability: float
    waters: tuple[str, ...] = ()
    delays: tuple[Delay, ...] = ()

    @property
    def label(self) -> str:
        """Return the ids joined by '+'.

        >>> Suspicion(("O3", "O7"), 0.4).label, Suspicion((), 0.1).label
        ('O3+O7', 'nobody')
        """
        return "+".join(self.candidates) or NOBODY


@dataclass(frozen=True)
class Speech:
    """What the readings of one determinand at one station within some hours say.

    `log_ratio` above 0 speaks for the one, below 0 for its rival. `since` and `until` (datetime64[s] UTC) are where the
    first reading begins and the last ends; `observed`, `expected` and `rival_expected` their means: as
    read, and as the one and its rival expected them from all that was read before those hours.
    """

    station: str
    determinand: str
    unit: str
    since: np.datetime64
    until: np.datetime64
    log_ratio: float
    observed: float
    expected: float
    rival_expected: float


Side = Literal["or less", "or more", "about"]


@dataclass(frozen=True)
class Overturn:
    """The reading that, had it been `value` instead of `observed`, would have made the one and its rival equally probable.

    Of all readings the one for which this is least surprising: `value` lies `surprise` standard deviations from `expected`,
    which is what all other readings let the one expect there. A mean or composite sample
    was drawn from `since` to `time`, others at `time`. `side` says which values beyond overturn too. It holds for the
    leading explanations found, under the same background: a new trace may find others.
    """

    station: str
    determinand: str
    unit: str
    since: np.datetime64
    time: np.datetime64
    observed: float
    is_below: bool
    value: float
    side: Side
    expected: float
    surprise: float


@dataclass(frozen=True)
class Contest:
    """Why the leading suspicion `one` is believed rather than its `rival`, in natural logs.

    `log_odds` of their probabilities is the sum of `speeches` (the readings, in hours of a station and determinand), `water`
    (how usual strength and mix of substances are for the kind of water, and that they show), `prior` (of place, kind and
    release history before any reading, and of the river's own movement) and `others` (all other histories, flows and
    backgrounds in which either may have done it). The first three compare the leading explanation of either alone; readings
    and water are weakened by `tempering`, as the probabilities are. `overturn` is None where no plausible reading would change
    the order.
    """

    one: Suspicion
    rival: Suspicion
    log_odds: float
    speeches: tuple[Speech, ...]
    water: float
    prior: float
    others: float
    tempering: float = 1.0
    overturn: Overturn | None = None

    @property
    def readings(self) -> float:
        """Sum of what the readings say."""
        return float(sum(speech.log_ratio for speech in self.speeches))

    def to_dict(self, written: Callable[[np.datetime64], str] = "{}Z".format) -> dict[str, Any]:
        """Return plain numbers and strings, times as `written`, in UTC unless told; what says little is left out of the list."""
        least = max(LEAST_SAID, LEAST_SHARE * max((abs(s.log_ratio) for s in self.speeches), default=0.0))
        return {
            "one": _suspicion(self.one),
            "rival": _suspicion(self.rival),
            "log_odds": self.log_odds,
            "readings": self.readings,
            "water": self.water,
            "prior": self.prior,
            "others": self.others,
            "tempering": self.tempering,
            "parts": [
                {**_plain(speech), "since": written(speech.since), "until": written(speech.until)}
                for speech in self.speeches
                if abs(speech.log_ratio) >= least
            ],
            "overturn": {
                **_plain(self.overturn),
                "since": written(self.overturn.since),
                "time": written(self.overturn.time),
            }
            if self.overturn
            else None,
        }


def _suspicion(suspicion: Suspicion) -> dict[str, Any]:
    whole = _plain(suspicion)
    return {**whole, "delays": [_plain(delay) for delay in suspicion.delays]}


def _plain(thing: Any) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in vars(thing).items()}


QUIET_SHARE = 0.1
"""Speeches that say less than this share of what the loudest says are joined to no other."""

LONGEST = np.timedelta64(24, "h")
"""Speeches are joined over no more than this."""


def spells(contest: Contest) -> tuple[Speech, ...]:
    """Return the speeches of each station and determinand, joined while they speak for the same side, the weightiest first.

    Means are over the joined speeches, each counted once.
    """
    quiet = QUIET_SHARE * max((abs(s.log_ratio) for s in contest.speeches), default=0.0)
    groups: list[list[Speech]] = []
    for speech in sorted(contest.speeches, key=lambda s: (s.station, s.determinand, s.since)):
        if groups and _go_on(groups[-1], speech) and _least(groups[-1][-1], speech) >= quiet:
            groups[-1].append(speech)
        else:
            groups.append([speech])
    return tuple(sorted(map(_joined, groups), key=lambda s: -abs(s.log_ratio)))


def _go_on(group: list[Speech], speech: Speech) -> bool:
    """Return whether a speech says the same as those of its group, of the same station and determinand."""
    first, last = group[0], group[-1]
    return (
        (last.station, last.determinand) == (speech.station, speech.determinand)
        and last.log_ratio * speech.log_ratio > 0.0
        and bool(speech.until - first.since <= LONGEST)
    )


def _least(*both: Speech) -> float:
    return min(abs(speech.log_ratio) for speech in both)


def _joined(parts: list[Speech]) -> Speech:
    first, last = parts[0], parts[-1]
    means = {
        name: float(np.mean([getattr(part, name) for part in parts]))
        for name in ("observed", "expected", "rival_expected")
    }
    total = float(sum(part.log_ratio for part in parts))
    return Speech(first.station, first.determinand, first.unit, first.since, last.until, total, **means)
