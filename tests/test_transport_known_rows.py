"""Rows that an earlier run found are taken over, and nothing in the answer shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import networks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suyuan.transport import operator as transport
from suyuan.transport.known_rows import KnownRows, matrix_with, rows_of
from suyuan.transport.matrix import Receptors, Source, SourceReceptorMatrix
from suyuan.transport.operator import TransportOperator, compile_operator
from suyuan.transport.source_receptor import source_receptor_matrix

HOUR = 3600.0
NAMES = ("confluence", "loop", "tidal", "gate", "drain_tree", "lake")
OPERATORS = {name: compile_operator(*networks.ALL[name](), dx_m=200.0) for name in NAMES}


@pytest.fixture(autouse=True, scope="module")
def short_stretches() -> Iterator[None]:
    """March in many short stretches, as through months of flow, so that spent water is dropped on the way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "STRETCH_BYTES", 60_000)
        yield


def sources_of(operator: TransportOperator) -> tuple[Source, ...]:
    network = operator.network
    points = [Source(f"reach:{r.id}", "reach", r.id, 0.4 * r.length_m) for r in network.reaches]
    heads = [Source(f"boundary:{n.id}", "boundary", node=n.id) for n in network.nodes if n.kind == "boundary"]
    return (*points, *heads)


def readings(operator: TransportOperator, hours: list[float], durations: list[float]) -> Receptors:
    """Return readings at every station and in the middle of every reach in turn."""
    places = [(f"{r.id}", 0.55 * r.length_m) for r in operator.network.reaches]
    chosen = [places[i % len(places)] for i in range(len(hours))]
    return Receptors(
        station=np.array([f"{reach}+{x:.0f}" for reach, x in chosen], np.str_),
        reach=np.array([reach for reach, _ in chosen], np.str_),
        chainage_m=np.array([x for _, x in chosen]),
        time=networks.START + np.round(np.array(hours) * HOUR).astype("timedelta64[s]"),
        duration_s=np.minimum(np.array(durations), np.array(hours) * HOUR),
    )


def known_of(matrix: SourceReceptorMatrix) -> KnownRows:
    return KnownRows(matrix.receptors, matrix.edges, matrix.values, matrix.fraction, matrix.initial)  # type: ignore[arg-type]


def assert_same(one: SourceReceptorMatrix, other: SourceReceptorMatrix) -> None:
    """Every bit of every number."""
    for field in fields(SourceReceptorMatrix):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, field.name
            assert a.tobytes() == b.tobytes(), field.name
        elif isinstance(a, Receptors):
            assert all((getattr(a, f.name) == getattr(b, f.name)).all() for f in fields(Receptors))
        else:
            assert a == b, field.name


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    hours=st.lists(st.floats(0.5, 24.0), min_size=1, max_size=70, unique=True),
    data=st.data(),
)
def test_a_row_is_the_same_to_the_last_bit_whatever_it_is_computed_with(name, hours, data):
    operator = OPERATORS[name]
    durations = data.draw(
        st.lists(st.sampled_from([0.0, 3600.0, 5000.0]), min_size=len(hours), max_size=len(hours))
    )
    receptors = readings(operator, hours, durations)
    how = {"sources": sources_of(operator), "edges": np.arange(0.0, 24.5 * HOUR, HOUR)}
    whole = source_receptor_matrix(operator, receptors, **how)
    some = np.array(data.draw(st.lists(st.booleans(), min_size=len(hours), max_size=len(hours))))
    part = source_receptor_matrix(operator, rows_of(receptors, some), **how)
    assert part.values.tobytes() == whole.values[some].tobytes()
    assert part.fraction.tobytes() == whole.fraction[some].tobytes()
    assert part.initial.tobytes() == whole.initial[some].tobytes()


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    since=st.sampled_from([0.0, 1.0, 2.5]),
    first=st.sampled_from([6.0, 7.0, 9.25]),
    steps=st.lists(st.sampled_from([0.25, 1.0, 1.0, 1.6, 3.0]), min_size=1, max_size=4),
    late=st.lists(st.floats(3.0, 6.0), max_size=3, unique=True),
)
def test_as_readings_arrive_the_matrix_is_the_one_made_from_nothing(name, since, first, steps, late):
    operator, now, files, receptors = OPERATORS[name], first, [], None
    for step in [0.0, *steps]:
        now += step
        hours = [*np.arange(since + 0.5, now, 0.75), now, *late[: len(files)]]
        receptors = readings(operator, hours, [1800.0 * (i % 3) for i in range(len(hours))])
        edges = np.append(np.arange(since * HOUR, now * HOUR, HOUR), now * HOUR)
        how = {"sources": sources_of(operator), "edges": edges}
        found = matrix_with(operator, receptors, **how, known=files)
        assert_same(found.matrix, source_receptor_matrix(operator, receptors, **how))
        assert found.is_new.all() or files
        new = rows_of(receptors, found.is_new)
        files.append(known_of(source_receptor_matrix(operator, new, **how)))


def test_hourly_readings_need_only_their_own_rows():
    operator, files, counts = OPERATORS["tidal"], [], []
    for now in range(6, 12):
        receptors = readings(operator, [float(h) for h in range(1, now + 1)], [0.0] * now)
        edges = HOUR * np.arange(now + 1.0)
        found = matrix_with(operator, receptors, sources=sources_of(operator), edges=edges, known=files)
        counts.append(int(found.is_new.sum()))
        files.append(known_of(found.matrix))
    assert counts == [6, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("moved", ["later", "earlier", "off the hour"])
def test_bins_that_were_not_known_are_computed(moved):
    operator = OPERATORS["tidal"]
    receptors = readings(operator, [8.0, 11.0, 12.0], [0.0, 0.0, 3600.0])
    sources, edges = sources_of(operator), HOUR * np.arange(3.0, 13.0)
    known = known_of(source_receptor_matrix(operator, receptors, sources=sources, edges=edges))
    shift = {"later": HOUR, "earlier": -HOUR, "off the hour": 600.0}[moved]
    wanted = np.append(np.arange(edges[0] + shift, edges[-1], HOUR), edges[-1])
    found = matrix_with(operator, receptors, sources=sources, edges=wanted, known=[known])
    assert_same(found.matrix, source_receptor_matrix(operator, receptors, sources=sources, edges=wanted))
    assert found.is_new.all() == (moved != "later")
