"""Flows given as an ensemble: what is drawn beside them, what the readings make of them, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import networks
import numpy as np
import pytest
import tracing_worlds as worlds

from suyuan.ensemble import Ensemble, Water, ensemble_of, told
from suyuan.errors import InputError
from suyuan.flow import BalancedFlow, FlowField, balanced
from suyuan.io.digest import digest
from suyuan.io.flow_members import FlowMembers, read_flow_members, write_flow_members
from suyuan.network import Network
from suyuan.observations import Observations
from suyuan.rolling import matrices_of
from suyuan.tracing.given_members import given_members, middle_of, spread_of, where_they_differ
from suyuan.tracing.members import FlowErrors, FlowMember, flow_members
from suyuan.tracing.posterior import trace
from suyuan.tracing.result import Trace

EXACT = FlowErrors(travel_common=0.0, travel_reach=0.0, dispersion=0.0)


def silent(what: str, share: float) -> None:
    """Hear nothing."""


def field_of(network: Network, flow: BalancedFlow) -> FlowField:
    ids = tuple(reach.id for reach in network.reaches)
    return FlowField(flow.start, flow.edges, ids, flow.discharge_start, flow.discharge_end, flow.volume)


def of_fields(fields: dict[str, FlowField], network: Network) -> FlowMembers:
    """Return members that stand in no file."""
    readers = tuple((lambda one=one: one) for one in fields.values())
    return FlowMembers("members.nc", tuple(fields), readers, network)


def ensemble(
    network: Network, fields: dict[str, FlowField], *, flow: FlowField | None = None, seed: int = 3
) -> Ensemble:
    return ensemble_of(
        Water(flow, of_fields(fields, network)),
        network,
        run_on=lambda flow: flow,
        rng=np.random.default_rng(seed),
        progress=silent,
    )


def traced(observations: Observations, members: Sequence[FlowMember], *, seed: int = 5) -> Trace:
    world = worlds.meeting()
    matrices = matrices_of(
        world.network, members, observations=observations, edges=world.matrix.edges, progress=silent
    )
    return trace(
        observations,
        matrices,
        substances=worlds.substances(),
        fingerprints=worlds.FINGERPRINTS,
        prior=world.prior,
        rng=np.random.default_rng(seed),
    )


@cache
def at_night() -> Observations:
    """Return the readings of `meeting` where O2 lets out 3 g/s of ammonium for six hours."""
    world = worlds.meeting()
    return worlds.read(world, {"O2": (worlds.history(40, 6), worlds.rates("domestic", 3.0))})


def steady(a: float, b: float) -> BalancedFlow:
    network = worlds.meeting().network
    return networks.steady(network, np.array([a, b, a + b]), hours=worlds.LAST_HOUR + 1)


def test_members_from_a_file_give_the_trace_that_the_same_members_give_when_they_are_drawn(tmp_path: Path):
    world = worlds.meeting()
    drawn = flow_members(
        world.network, world.flow, count=4, rng=np.random.default_rng(8), errors=FlowErrors(dispersion=0.0)
    )
    fields = (field_of(world.network, member.flow) for member in drawn)
    write_flow_members(fields, tmp_path / "m.nc", names=[f"{i}" for i in range(4)])
    read = read_flow_members(tmp_path / "m.nc", timezone="UTC", network=world.network)
    flows = [balanced(each, world.network) for each in read]
    given = given_members(world.network, flows, rng=np.random.default_rng(1), errors=EXACT)
    ours, theirs = traced(at_night(), drawn), traced(at_night(), given)
    assert ours.findings[0].probability > 0.5
    for one, other in zip(ours.findings, theirs.findings, strict=True):
        assert one.candidate.id == other.candidate.id
        assert one.probability == pytest.approx(other.probability, abs=1e-6)
    np.testing.assert_allclose(ours.member_weights, theirs.member_weights, atol=1e-6)
    assert sum(ours.member_weights) == pytest.approx(1.0 - ours.no_source_probability)


def test_flows_that_hold_the_true_one_find_the_source_that_a_wrong_mean_flow_misses():
    """Truth: 1 m3/s from A and 3 from B. The mean of what a model gave is 3 and 1: water of B then comes three times too late."""
    wrong = {f"{a:g}": steady(a, 4.0 - a) for a in (3.0, 2.6, 3.4, 1.0)}
    network = worlds.meeting().network
    fields = {name: field_of(network, flow) for name, flow in wrong.items()}
    about = flow_members(network, wrong["3"], count=5, rng=np.random.default_rng(4))
    missed = worlds.probability(traced(at_night(), about), "O2")
    given = ensemble(network, fields, flow=fields["3"])
    found = traced(at_night(), given.members)
    assert missed < 0.01
    assert worlds.probability(found, "O2") > 0.25  # evidence is weakened until 2.4 of the four carry weight
    weight = dict(zip(given.names, found.member_weights, strict=True))
    assert max(weight, key=lambda name: weight[name]) == "1"
    (note,) = told(given, network, weights=found.member_weights)
    assert str(note).startswith("Flow: 4 flows used, 4 members given; after the readings they count as")
    assert "most of all 1 " in str(note)


def test_the_order_of_members_in_their_file_changes_nothing():
    network = worlds.meeting().network
    fields = {f"{a:g}": field_of(network, steady(a, 4.0 - a)) for a in (0.8, 1.0, 1.3, 1.5, 2.0)}
    turned = {name: fields[name] for name in ("1.3", "2", "0.8", "1", "1.5")}
    for flow in (None, field_of(network, steady(1.1, 2.9))):
        ours, theirs = ensemble(network, fields, flow=flow), ensemble(network, turned, flow=flow)
        assert ours.names == theirs.names
        assert ours.names[0] == ("1.3" if flow is None else "flow")
        assert digest(list(ours.members)) == digest(list(theirs.members))


def test_a_member_that_is_the_given_flow_counts_once():
    network = worlds.meeting().network
    fields = {f"{a:g}": field_of(network, steady(a, 4.0 - a)) for a in (0.8, 1.0, 1.3)}
    found = ensemble(network, fields, flow=fields["1"])
    assert (found.names[0], sorted(found.names[1:])) == ("flow", ["0.8", "1.3"])


def test_of_too_many_members_some_are_taken_as_if_by_chance_and_it_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("suyuan.io.flow_members.MOST_GIVEN", 3)
    network = worlds.meeting().network
    fields = {f"run {i}": field_of(network, steady(1.0 + 0.05 * i, 3.0)) for i in range(9)}
    found = ensemble(network, fields)
    assert (len(found.members), found.given) == (3, 9)
    assert set(found.names) != {"run 0", "run 1", "run 2"}
    assert found.names == ensemble(network, dict(reversed(fields.items()))).names
    (note,) = told(found, network, weights=[0.5, 0.5, 0.0])
    assert "3 flows used, 9 members given; after the readings they count as 2.0" in str(note)


def test_travel_times_err_by_as_much_as_the_members_leave_out():
    """Twenty samples that differ in discharge alone tell nothing of the water held; runs that hold 30 % more or less tell all."""
    network, flow = networks.single_reach()
    rng = np.random.default_rng(6)
    alike = [
        networks.steady(network, np.array([q]), hours=24) for q in np.exp(0.1 * rng.standard_normal(400))
    ]
    spread = spread_of(network, alike)
    assert spread.travel_common == pytest.approx(0.0, abs=1e-12)
    assert spread.discharge[0] == pytest.approx(0.1, rel=0.1)
    members = given_members(network, alike, rng=np.random.default_rng(2))
    held = np.log([m.flow.volume[0, 0] / f.volume[0, 0] for m, f in zip(members[1:], alike[1:], strict=True)])
    assert held.std() == pytest.approx(np.hypot(0.10, 0.12), rel=0.15)
    assert np.log([m.dispersion_factor for m in members[1:]]).std() == pytest.approx(0.5, rel=0.15)
    wide = [replace(flow, volume=flow.volume * share) for share in (0.7, 1.0, 1.3)]
    assert spread_of(network, wide).travel_common > 0.2
    own = given_members(network, wide, rng=np.random.default_rng(2), errors=FlowErrors(travel_reach=0.0))
    for member, given in zip(own, wide, strict=True):
        np.testing.assert_array_equal(member.flow.volume, given.volume)


def test_deeper_water_that_comes_with_more_of_it_is_no_error_of_travel_times():
    """Half as much again of both: the water is as quick as before."""
    network, flow = networks.single_reach()
    more = replace(
        flow,
        discharge_start=1.5 * flow.discharge_start,
        discharge_end=1.5 * flow.discharge_end,
        volume=1.5 * flow.volume,
    )
    assert spread_of(network, [flow, more]).travel_common == pytest.approx(0.0, abs=1e-12)
    assert spread_of(network, [flow, more]).discharge[0] == pytest.approx(0.5 * np.log(1.5))


def test_members_differ_most_in_the_arm_that_is_named_and_less_once_readings_have_spoken():
    network = worlds.meeting().network
    flows = [steady(1.0, 3.0), steady(2.0, 2.0), steady(1.0, 3.0)]
    assert middle_of(flows) in (0, 2)
    before = where_they_differ(network, flows, weight=np.full(3, 1.0 / 3.0))
    assert [name for name, _, _ in before][:2] == ["RA", "RB"]
    assert before[0][1] == pytest.approx(np.log(2.0) * np.sqrt(2.0) / 3.0)
    after = where_they_differ(network, flows, weight=np.array([0.5, 0.0, 0.5]))
    assert after[0][1] == before[0][1]
    assert after[0][2] == pytest.approx(0.0, abs=1e-12)


def test_every_member_that_does_not_close_is_named():
    network = worlds.meeting().network
    fields = {f"{a:g}": field_of(network, steady(a, 4.0 - a)) for a in (0.8, 1.0, 1.3)}
    for name in ("1", "1.3"):
        lost = fields[name].discharge_start.copy()
        lost[:, 2] *= 0.3
        fields[name] = replace(fields[name], discharge_start=lost, discharge_end=lost)
    with pytest.raises(InputError) as caught:
        ensemble(network, fields)
    said = [str(fault) for fault in caught.value.faults]
    assert [text.partition(":")[0] for text in said] == ["members.nc, member '1'", "members.nc, member '1.3'"]
    assert "the flow misses continuity by" in said[0]


def test_members_of_other_hours_than_the_flow_are_refused():
    network = worlds.meeting().network
    fields = {f"{a:g}": field_of(network, steady(a, 4.0 - a)) for a in (0.8, 1.0)}
    longer = field_of(network, networks.steady(network, np.array([1.0, 3.0, 4.0]), hours=200))
    with pytest.raises(InputError, match=r"member '0.8': its 97 bins run from .*those of the flow 200 bins"):
        ensemble(network, fields, flow=longer)
