"""What a result says in words: the key of a text and what fills its gaps, so that it can be said in any language.

English stands here, for Python and the JSON files; other languages stand with the reports, under the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class AssumptionText(NamedTuple):
    """The name of what was assumed and its value, both texts with gaps."""

    name: str
    value: str


ASSUMPTIONS = {
    "nobody": AssumptionText("prior of nobody", "{share}"),
    "pair": AssumptionText("prior of two sources", "{share}"),
    "unlisted": AssumptionText("prior share of unlisted sources among single ones", "{share}"),
    "nights": AssumptionText(
        "share of daily releases that begin at night (18:00 to 04:00)", "{share} ({zone})"
    ),
    "rate": AssumptionText("release rate, median and 90 % range a priori", "{middle} g/s ({low} to {high})"),
    "members": AssumptionText("flow members", "{count}"),
    "temperature": AssumptionText("evidence divided by", "{temperature}"),
    "count": AssumptionText("evidence for a second source divided by", "{temperature}"),
    "readings": AssumptionText(
        "{determinand}", "noise {noise}, decay {decay} per day, {count} values weighed"
    ),
    "scenarios": AssumptionText("scenarios", "{count}"),
    "background": AssumptionText("background", "{level} +- {sd} {unit}"),
    "travel": AssumptionText("travel", "{speed} km/h, roads {factor} times the straight line"),
    "stop": AssumptionText("at a stop", "{minutes} min"),
    "prices": AssumptionText("prices", "{crew} a crew hour, {answer} an hour without the answer"),
    "kit": AssumptionText("kit", "yes from {limit} {unit}, {yes} false yes, {no} false no, {price} each"),
    "strip": AssumptionText("strip", "{error} of the concentration, {price} each"),
    "grab": AssumptionText(
        "laboratory", "{error} of the concentration, result after {hours} h, {price} each"
    ),
}
"""Every number that a trace or an advice may say it assumed."""

NOTES = {
    "outside the window": "Not used: {count} readings outside the window {first} to {last} ({before} before, {after} after); "
    "move since or until to use them.",
    "not above 0": "No usable reading above 0 of {determinands}: not used.",
    "poor fit": "The fit is poor, doubt the model or the instruments: of readings foretold half a day at a time from all others, "
    "{shares} lie outside the 90 % interval (about 10 % should).",
    "no rate": "{determinands}: lost on the way, but without a rate in [decay_per_day] it is taken to keep its mass: masses from "
    "far away come out too low, and the ratios of fingerprints shift.",
    "too high for its kind": "The fingerprint does not fit: for the water of {candidate} to be of the kind {kind}, too high is "
    "{determinands} (by more than {spreads} standard deviations).",
    "too low for its kind": "The fingerprint does not fit: for the water of {candidate} to be of the kind {kind}, too low is "
    "{determinands} (by more than {spreads} standard deviations).",
    "few members": "Fewer than four flow members: travel time errors are hardly accounted for.",
    "members disagree": "Flow members disagree strongly about the readings; the evidence was weakened until three of them "
    "carry weight.",
    "given members": "Flow: {used} flows used, {given} members given; after the readings they count as {effective}, "
    "most of all {leading}. They differ most in the discharge of (reach, spread before -> after the readings): {reaches}.",
    "no fingerprints": "No fingerprints: which water it was played no part.",
    "moved": "Taken for the river's own movement (rain, sluices, another water, a fault), not for a release: {events} after "
    "the first reading (* means at all stations).",
    "restless": "That is {count} movements where about {usual} are usual: doubt the flow, or the instruments.",
    "two sources": "Two sources explain the readings better than one.",
    "sure": "Nothing is unsure: no sample would change the answer.",
    "no sample": "No sample within reach, hours and budget would tell anything about who did it.",
    "mouth": "A kit at an outfall's mouth is judged on the spot, and is also positive if it discharges lawfully water above the "
    "limit; suyuan trace reads samples of river and pipe water only.",
    "flow ends": "The given flow ends at {end}; after that its last day is taken to repeat itself.",
}
"""Every sentence that a trace or an advice may want read."""


@dataclass(frozen=True)
class Assumption:
    """A number that was assumed: its key in ASSUMPTIONS, and the `values` that fill the gaps.

    >>> nobody = Assumption("nobody", {"share": "0.10"})
    >>> nobody.name, nobody.value
    ('prior of nobody', '0.10')
    """

    key: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return what was assumed, in English."""
        return ASSUMPTIONS[self.key].name.format(**self.values)

    @property
    def value(self) -> str:
        """Return the value, in English."""
        return ASSUMPTIONS[self.key].value.format(**self.values)


@dataclass(frozen=True)
class Note:
    """A sentence that a reader must know: its key in NOTES, and the `values` that fill the gaps.

    >>> print(Note("flow ends", {"end": "2024-07-28"}))
    The given flow ends at 2024-07-28; after that its last day is taken to repeat itself.
    """

    key: str
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return NOTES[self.key].format(**self.values)
