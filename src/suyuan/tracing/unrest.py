"""Unrest of the background: what river water does, without any release, that no Gaussian process of one temper does.

Real rivers are calm for days and then move by half an order of magnitude within a few hours: a shower over one catchment, a
sluice opened, another water pushed past the station, an intake that draws in mud. A stationary process either thinks such
a day next to impossible or makes every day like it; in both cases a release is believed for want of anything else. So the
background may have a few events: at one station, at all of them together, or in the water of one boundary, which carries it
along. An event begins at some hour, and dies away within hours or stays; it moves each determinand up or down, or not at
all. Events are found one by one by their Bayes factors (amplitudes integrated out), as outliers and level shifts are in
intervention analysis (Box and Tiao, 1975; Chen and Liu, 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from suyuan.transport.matrix import Means, SourceReceptorMatrix

Array = NDArray[np.float64]

HOUR_S = 3600.0

FADES_S = (6.0 * HOUR_S, 18.0 * HOUR_S, 48.0 * HOUR_S, np.inf)
"""How fast an event dies away (e-folding time); the last is a step. At a station also a single reading."""

EVERY_S = 3.0 * HOUR_S
"""Hours between the beginnings of events that are looked for where no reading gives the hour."""

SIZES = (0.3, 1.0, 3.0)
"""Standard deviations of an event's amplitude, one as likely as the other, as shares of the median reading."""

A_WEEK = 0.7
"""Events expected in a week at each station alone."""

TOGETHER_A_WEEK, BROUGHT_A_WEEK = 0.3, 0.6
"""The same at all stations together, and in the water of all boundaries together."""

ROUGH, ROUGH_S = 0.3, 12.0 * HOUR_S
"""What an event's course gets wrong of the event, as a share of it, and for how long at one station."""

MOST_EVENTS, MOST_TRIES = 8, 12
LEAST_GAIN = 0.5
"""Log evidence that a further event must bring."""

LEAST_COURSE = 0.05
"""Events that nowhere reach this share of their amplitude are not looked for."""

MUCH_ALIKE = 0.5
"""Cosine of two courses from which one may stand in the place of the other."""


@dataclass(frozen=True)
class Courses:
    """Events that may be: `course` (event, receptor) at unit amplitude, and how many of each are `expected` (event,).

    `name` (event,) tells where each begins: the station, `*` for all, or the boundary; `begin` (event,) when, in hours after the
    first reading. `likeness` (receptor, receptor) is what an event's covariance between receptors is over the product of its
    courses there.
    """

    course: Array
    expected: Array
    name: NDArray[np.str_]
    begin: Array
    likeness: Array

    def none(self, substances: int) -> Unrest:
        """Return no events at all, in so many substances."""
        return Unrest(
            self.course[:0],
            np.empty((substances, 0)),
            self.name[:0],
            self.begin[:0],
            self.likeness,
            log_prior=np.empty(0),
        )


def courses_of(matrix: SourceReceptorMatrix) -> Courses:
    """Return the events of the background that the receptors of a matrix could have seen."""
    receptors = matrix.receptors
    time = (receptors.time - receptors.time.min()) / np.timedelta64(1, "s")
    weeks = time.max() / (7.0 * 24.0 * HOUR_S)
    stations, families = np.unique(receptors.station), []
    for name in stations:
        own = receptors.station == name
        begins = np.unique(time[own])
        course = np.concatenate([own * _begun(time, begins), own * (time == begins[:, None])])
        each = np.concatenate([np.repeat(begins, len(FADES_S)), begins])
        families.append(_Family.of(str(name), each, course=course, expected=A_WEEK * weeks))
    if len(stations) > 1:
        begins = np.arange(0.0, time.max() + 1.0, EVERY_S)
        each = np.repeat(begins, len(FADES_S))
        families.append(_Family.of("*", each, course=_begun(time, begins), expected=TOGETHER_A_WEEK * weeks))
    hour = 0.5 * (matrix.flow_edges[1:] + matrix.flow_edges[:-1])
    first = (receptors.time.min() - matrix.start) / np.timedelta64(1, "s")
    for b, name in enumerate(matrix.boundaries):
        begins = np.arange(hour[0], hour[-1], EVERY_S)
        course = _begun(hour, begins) @ matrix.fraction[:, b].T
        each = np.repeat(begins - first, len(FADES_S))
        expected = BROUGHT_A_WEEK * weeks / len(matrix.boundaries)
        families.append(_Family.of(f"boundary:{name}", each, course=course, expected=expected))
    same = receptors.station[:, None] == receptors.station[None, :]
    likeness = 1.0 + ROUGH**2 * same * np.exp(-np.abs(time[:, None] - time[None, :]) / ROUGH_S)
    course, expected, name, begin = (
        np.concatenate([getattr(one, part) for one in families])
        for part in ("course", "expected", "name", "begin")
    )
    seen = course.max(axis=1) > LEAST_COURSE
    return Courses(course[seen], expected[seen], name[seen], begin[seen], likeness)


@dataclass(frozen=True)
class _Family:
    """Events at one place, each as likely as the other; arrays as of Courses."""

    course: Array
    expected: Array
    name: NDArray[np.str_]
    begin: Array

    @classmethod
    def of(cls, place: str, begins: Array, *, course: Array, expected: float) -> _Family:
        """Return events at a place that begin so many seconds after the first reading, (event,)."""
        each = np.full(len(course), expected / max(len(course), 1))
        return cls(course, each, np.full(len(course), place), begins / HOUR_S)


def _begun(time: Array, begins: Array) -> Array:
    """Return what events of each beginning and fading are at each time, (event, time)."""
    since = (time[None, :] - begins[:, None])[:, None, :]
    fades = np.array(FADES_S)[None, :, None]
    return np.where(since >= 0.0, np.exp(-np.maximum(since, 0.0) / fades), 0.0).reshape(-1, len(time))


@dataclass(frozen=True)
class Unrest:
    """The events found: `course` (event, receptor), the standard deviations `size` (substance, event) of their amplitudes.

    `name` and `begin` (event,) and `likeness` as of Courses; `log_prior` (event,) is the log prior of each, those as good in its
    place counted with it.
    """

    course: Array
    size: Array
    name: NDArray[np.str_]
    begin: Array
    likeness: Array
    log_prior: Array

    def and_one(self, courses: Courses, event: int, *, size: Array, log_prior: float) -> Unrest:
        """Return these events and one more of the `courses`, of this `size` (substance,)."""
        return Unrest(
            np.concatenate([self.course, courses.course[event : event + 1]]),
            np.concatenate([self.size, size[:, None]], axis=1),
            np.append(self.name, courses.name[event]),
            np.append(self.begin, courses.begin[event]),
            self.likeness,
            np.append(self.log_prior, log_prior),
        )

    def without(self, event: int) -> Unrest:
        """Return all events but one."""
        others = np.arange(len(self.course)) != event
        return replace(
            self,
            course=self.course[others],
            size=self.size[:, others],
            name=self.name[others],
            begin=self.begin[others],
            log_prior=self.log_prior[others],
        )

    def covariance(self, substance: int, means: Means) -> Array:
        """Return what the events add to the covariance of a substance's readings, (reading, reading)."""
        moved = self.course * self.size[substance][:, None]
        return means.between((moved.T @ moved) * self.likeness)


@dataclass(frozen=True)
class Sought:
    """A substance's readings in which events are sought.

    `covariance` (reading, reading) is theirs without events, `residual` (reading,) what they lie above the `level`, in which
    sizes are told, `means` which receptors each is the mean of.
    """

    covariance: Array
    residual: Array
    means: Means
    level: float


def unrest_of(courses: Courses, readings: Sequence[Sought], *, begin: Unrest) -> Unrest:
    """Return the events in the background of these substances, the likeliest first, after those to `begin` with.

    Each is proposed as if its course were known and kept if it still explains enough with a course that may err.
    """
    found = begin
    each = [_Explained.by(found, courses, substance=d, of=of) for d, of in enumerate(readings)]
    is_open = courses.expected > 0.0
    log_each = np.log(np.where(is_open, courses.expected, 1.0))
    for _ in range(MOST_TRIES):
        if not is_open.any() or len(found.course) == MOST_EVENTS:
            break
        gains = np.stack([one.gains for one in each])
        log_bayes = np.where(is_open, log_each + _log_mean(gains), -np.inf)
        best = int(np.argmax(log_bayes))
        log_here = _log_here(courses, log_bayes, best=best)
        if log_here < LEAST_GAIN:
            break
        is_open[best] = False
        more = found.and_one(
            courses,
            best,
            size=_sizes(gains[:, :, best], readings),
            log_prior=log_here - float(gains[:, :, best].max(axis=1).sum()),
        )
        after = [
            _Explained.by(more, courses, substance=d, of=of) if more.size[d, -1] else each[d]
            for d, of in enumerate(readings)
        ]
        gained = sum(b.log_density - a.log_density for a, b in zip(each, after, strict=True))
        if more.log_prior[-1] + gained > LEAST_GAIN:
            found, each = more, after
    return found


def _log_here(courses: Courses, log_bayes: Array, *, best: int) -> float:
    """Return the log of the chance of an event where the `best` is, times the mean Bayes factor of those in its place.

    `log_bayes` (event,) are Bayes factors times the number expected. Events come at random (Poisson), so the chance is
    1 - exp(-n) where n are expected among the courses much like the best.
    """
    norm = np.linalg.norm(courses.course, axis=1)
    here = courses.course @ courses.course[best] > MUCH_ALIKE * norm * norm[best]
    expected = float(courses.expected[here].sum())
    return float(np.log(-np.expm1(-expected) / expected) + np.logaddexp.reduce(log_bayes[here]))


def _sizes(gains: Array, readings: Sequence[Sought]) -> Array:
    """Return the likeliest size of an event in each substance, (substance,), from gains (substance, size)."""
    level = np.array([of.level for of in readings])
    return np.asarray(level * np.array([0.0, *SIZES])[gains.argmax(axis=1)])


@dataclass(frozen=True)
class _Explained:
    """A substance's readings with the events found so far: their log density, and `gains` (size, event) of each further one.

    Gains are log Bayes factors of each size, none first.
    """

    log_density: float
    gains: Array

    @classmethod
    def by(cls, found: Unrest, courses: Courses, *, substance: int, of: Sought) -> _Explained:
        factor = np.linalg.cholesky(of.covariance + found.covariance(substance, of.means))
        whiten = solve_triangular(factor, np.eye(len(factor)), lower=True, check_finite=False)
        events, left = whiten @ of.means.of(courses.course.T), whiten @ of.residual
        information, score = np.einsum("re,re->e", events, events), left @ events
        variance = (np.array([0.0, *SIZES])[:, None] * of.level) ** 2
        explained = 0.5 * variance * score**2 / (1.0 + variance * information)
        log_density = -0.5 * float(left @ left) - float(np.log(np.diag(factor)).sum())
        return cls(log_density, np.asarray(explained - 0.5 * np.log1p(variance * information)))


def _log_mean(gains: Array) -> Array:
    """Return the log of the mean Bayes factor over sizes, (event,), of `gains` (substance, size, event), none first.

    A substance is as often left alone as it is moved, but some substance is moved.
    """
    share = np.log(np.array([0.5, *np.full(len(SIZES), 0.5 / len(SIZES))]))
    every = np.logaddexp.reduce(gains + share[:, None], axis=1).sum(axis=0)
    none = len(gains) * np.log(0.5)
    return np.asarray(every + np.log1p(-np.exp(none - every)) - np.log1p(-np.exp(none)))
