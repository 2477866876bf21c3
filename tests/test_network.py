"""Stations by id and by name: whose readings they are is never a matter of the order of rows."""

from __future__ import annotations

import pytest

from suyuan.errors import InputError
from suyuan.network import Network, Node, Reach, Station


def _watched(*stations: Station) -> Network:
    nodes = (Node("A", "boundary"), Node("B", "outlet"))
    return Network(nodes, (Reach("R1", "A", "B", 1000.0),), stations=stations)


def test_a_station_is_found_by_its_id_or_by_a_name_that_it_alone_bears():
    network = _watched(Station("S1", "R1", 100.0, name="Yaoxiang"), Station("S2", "R1", 900.0))
    assert network.station("S1").chainage_m == network.station("Yaoxiang").chainage_m == 100.0


def test_a_name_that_two_stations_bear_is_refused_with_their_ids():
    network = _watched(Station("S1", "R1", 100.0, name="Bridge"), Station("S2", "R1", 900.0, name="Bridge"))
    with pytest.raises(InputError, match="'Bridge' is the name of 2 stations; write an id: S1, S2"):
        network.station("Bridge")


def test_a_station_named_like_the_id_of_another_is_a_fault_of_the_network():
    """S1 stands first and is called S2: it would take over what is read at S2."""
    with pytest.raises(
        InputError, match=r"layer stations, .*1.*name 'S2' of station 'S1' is the id of another"
    ):
        _watched(Station("S1", "R1", 100.0, name="S2"), Station("S2", "R1", 900.0))


def test_a_station_may_be_named_like_itself():
    assert _watched(Station("S1", "R1", 100.0, name="S1")).station("S1").chainage_m == 100.0
