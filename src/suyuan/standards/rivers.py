"""Rivers: the grade of several sections together, and what their classes add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suyuan.errors import InputError
from suyuan.standards.assessment import Assessment, Note, judge, mean_of_means, unverified
from suyuan.standards.scheme import Grade
from suyuan.standards.section import Section


@dataclass(frozen=True)
class River:
    """The grade of a river or lake: by the shares of its sections' classes, or by the mean of each item.

    `by_mean` is the assessment of those means, None where shares were used. `sections` are those with a class, `counts`
    how many there are by class id. `notes` name the sections without one, and the rules known from memory only.
    """

    sections: tuple[Assessment, ...]
    counts: Mapping[str, int]
    grade: Grade
    by_mean: Assessment | None
    main_pollutants: tuple[str, ...]
    notes: tuple[Note, ...] = ()


def rate_river(assessments: Sequence[Assessment]) -> River:
    """Return the grade of a river or lake from the assessments of its sections over one period (环办〔2011〕22号).

    Five and more sections: shares of classes I to III and of those worse than V. Fewer, and lakes always (from memory):
    each item's mean over the sections, rounded, then the worst class. All given sections count for that, those without a
    class too, which are then left out and named. Main pollutants are the items beyond class III at most sections, or
    those of the means.
    """
    rated = tuple(one for one in assessments if one.class_index is not None)
    if not rated:
        raise InputError("river", "no section has a class", "choose a period with readings")
    waters = sorted({one.section.water_type for one in rated})
    if len(waters) > 1:
        named = "; ".join(
            f"{water}: {', '.join(one.section.station for one in rated if one.section.water_type == water)}"
            for water in waters
        )
        remedy = "rate rivers and lakes apart: they have limits of their own"
        raise InputError("river", f"the sections are of several types of water ({named})", remedy)
    _require_one_selection(rated)
    scheme, counts = rated[0].scheme, _counts(rated)
    is_by_mean = len(assessments) < scheme.few_sections or waters[0] in scheme.waters_by_means
    notes = _notes(assessments, waters[0], is_by_mean=is_by_mean)
    if is_by_mean:
        mean = _by_mean(rated)
        index = mean.class_index
        if index is None:
            raise InputError("river", "no item has a mean over the sections", "choose a period with readings")
        return River(rated, counts, scheme.classes[index], mean, mean.main_pollutants, notes)
    good = sum(one.class_index <= scheme.exceedance_class for one in rated if one.class_index is not None)
    beyond = sum(one.class_index == len(scheme.classes) - 1 for one in rated)
    shares = good / len(rated), beyond / len(rated)
    rows = (r for r in scheme.river_rows if shares[0] >= r.good_at_least and shares[1] < r.beyond_below)
    row = next(rows, None)
    if row is None:
        what = f"no [[river_grade]] holds for {shares[0]:.0%} good sections and {shares[1]:.0%} beyond all classes"
        raise InputError(scheme.id, what, "add one to the scheme, or leave out --with")
    return River(rated, counts, row.grade, None, _most_often(rated), notes)


def _notes(assessments: Sequence[Assessment], water: str, *, is_by_mean: bool) -> tuple[Note, ...]:
    scheme = assessments[0].scheme
    unrated = [one.section.station for one in assessments if one.class_index is None]
    notes = [Note("unrated_sections", (", ".join(unrated),))] if unrated else []
    rules = ["lake_grade"] if water in scheme.waters_by_means else []
    rules.append("main_pollutants" if is_by_mean else "river_pollutants")
    return (*notes, *(note for rule in rules for note in unverified(scheme, rule)))


def _counts(rated: Sequence[Assessment]) -> dict[str, int]:
    found = Counter(one.class_index for one in rated)
    return {grade.id: found[i] for i, grade in enumerate(rated[0].scheme.classes)}


def _require_one_selection(rated: Sequence[Assessment]) -> None:
    """Raise InputError where sections are judged by different selections of items: their classes do not compare."""
    stations: dict[str, list[str]] = {}
    for one in rated:
        name = one.scheme.selection(one.section.selection).id
        stations.setdefault(name, []).append(one.section.station)
    if len(stations) > 1:
        named = "; ".join(f"{name}: {', '.join(own)}" for name, own in sorted(stations.items()))
        what = f"the sections have several selections of items ({named})"
        raise InputError("river", what, "give them one selection in [sections]")


def _by_mean(rated: Sequence[Assessment]) -> Assessment:
    """Return the assessment of the mean of each item that is judged at any section, over all that have readings of it."""
    first = rated[0]
    section = Section(
        "、".join(one.section.station for one in rated),
        first.section.water_type,
        selection=first.section.selection,
        extra_items=tuple(dict.fromkeys(name for one in rated for name in one.section.extra_items)),
    )
    items = {judged.item.id: judged.item for one in rated for judged in one.judged}
    means = [{judged.item.id: judged.mean for judged in (*one.judged, *one.beside)} for one in rated]
    together = mean_of_means(means, list(items.values()))
    return judge(
        together, section, scheme=first.scheme, since=first.since, until=first.until, period=first.period
    )


def _most_often(rated: Sequence[Assessment]) -> tuple[str, ...]:
    """Return up to three items by the number of sections at which they are beyond the exceedance class."""
    over = Counter(
        judged.item.id
        for one in rated
        for judged in one.judged
        if judged.class_index > one.scheme.exceedance_class
    )
    return tuple(name for name, _ in sorted(over.items(), key=lambda pair: (-pair[1], pair[0]))[:3])
