"""Storage by tables: a canal or lake of any shape gains what its table says when the gauge rises."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from test_hydraulics import HOUR, START, canal, gauge, one_reach

from suyuan.errors import InputError
from suyuan.flow import balanced
from suyuan.hydraulics.doubts import Errors
from suyuan.hydraulics.gauges import Gauge, Gauges, StorageTable
from suyuan.hydraulics.reconcile import Reconciled, reconcile
from suyuan.io.flow_settings import FlowSettings
from suyuan.io.gauges import read_gauges
from suyuan.io.storage_tables import read_storage
from suyuan.network import Network, Node, Reach

Array = NDArray[np.float64]
RISING = np.linspace(-0.5, 0.5, 13)
"""A stage that rises by a metre in 12 h."""


def level(reach: str, *, at: float = 500.0, datum: float = 100.0) -> Gauge:
    return Gauge("H", "stage", datum + RISING, np.full(13, 0.001), reach, at, offset=3.0)


def funnel(place: str, *, datum: float = 100.0) -> StorageTable:
    """Return one that widens upwards: 20,000 m3 at the mean, surface 4,000 m2 below and 12,000 m2 above."""
    return StorageTable(place, datum + np.array([-1.0, 0.0, 1.0]), np.array([16e3, 20e3, 32e3]))


def run(network: Network, *gauges: Gauge, tables: tuple[StorageTable, ...]) -> Reconciled:
    given = Gauges(START, np.arange(13) * HOUR, gauges, tables=tables)
    errors = Errors(conveyance=0.05)
    return reconcile(network, given, rng=np.random.default_rng(1), errors=errors)


@pytest.mark.parametrize("datum", [0.0, 100.0])
def test_a_canal_holds_what_its_table_says_at_every_stage_whatever_the_datum(datum: float):
    done = run(
        one_reach(depth_m=3.0),
        gauge("R1", 2.0, bins=12, at=0.0),
        level("R1", datum=datum),
        tables=(funnel("R1", datum=datum),),
    )
    # A twelfth of a metre an hour: 333 m3 an hour below the kink, 1,000 above; 18,000 m3 at the bottom, 26,000 at the top.
    np.testing.assert_allclose(
        np.diff(done.flow.volume[:, 0]), np.repeat([1000.0 / 3.0, 1000.0], 6), rtol=0.05
    )
    assert done.flow.volume[[0, -1], 0] - done.flow.volume[6, 0] == pytest.approx([-2000.0, 6000.0], rel=0.02)
    for flow in (done.flow, *done.sampled(3, np.random.default_rng(2))):
        by_table = np.interp(RISING, [-1.0, 0.0, 1.0], [16e3, 20e3, 32e3])
        np.testing.assert_allclose(flow.volume[:, 0], by_table, atol=100.0)  # it is right, depth is not asked
        assert balanced(flow, done.network).balance.residual_share < 1e-12


def test_a_lake_takes_what_its_table_says():
    nodes = (Node("A", "boundary"), Node("P", "lake", area_m2=1.0, volume_m3=20e3), Node("B", "outlet"))
    network = canal(nodes=nodes, ends="A-P P-B", length_m=100.0)
    none = Gauge("rain", "inflow", np.zeros(12), np.full(12, 1e-4), node="P")
    done = run(
        network,
        gauge("R1", 2.0, bins=12, at=100.0, sd=0.01),
        none,
        level("R2", at=0.0),
        tables=(funnel("P"),),
    )
    kept = done.flow.discharge_end[:, 0] - done.flow.discharge_start[:, 1]
    np.testing.assert_allclose(kept * HOUR, np.repeat([1000.0 / 3.0, 1000.0], 6), rtol=0.05)


def pond(*, rain: float = 0.0, sd: float = 0.001, volume_m3: float = 1000.0) -> Reconciled:
    """Return a lake whose stage rises by 1.8 m: 1,000 m3 at the bottom, 10,000 in the middle, 28,000 at the top."""
    nodes = (Node("A", "boundary"), Node("P", "lake", area_m2=1.0, volume_m3=volume_m3), Node("B", "outlet"))
    stage = Gauge("H", "stage", 100.0 + 1.8 * RISING, np.full(13, sd), "R2", 0.0, offset=3.0)
    return run(
        canal(nodes=nodes, ends="A-P P-B", length_m=100.0),
        gauge("R1", 2.0, bins=12, at=100.0, sd=0.01),
        Gauge("rain", "inflow", np.full(12, rain), np.full(12, 1e-4), node="P"),
        stage,
        tables=(StorageTable("P", 100.0 + np.array([-1.0, 0.0, 1.0]), np.array([0.0, 10e3, 30e3])),),
    )


def test_a_lake_holds_what_its_table_says_in_the_flow_that_is_written():
    done = pond(rain=1.0)
    closed = balanced(done.flow, done.network)
    by_table = np.interp(1.8 * RISING, [-1.0, 0.0, 1.0], [0.0, 10e3, 30e3])
    np.testing.assert_allclose(closed.lake_volume[:, 1], by_table, atol=300.0)
    np.testing.assert_allclose(
        closed.external[:, 1], 1.0, atol=0.01
    )  # rain stays rain, what is stored is stored
    assert closed.balance.residual_share < 1e-12


def test_rain_on_a_lake_without_a_table_stays_rain_in_the_flow_that_is_written():
    nodes = (Node("A", "boundary"), Node("P", "lake", area_m2=1e4, volume_m3=20e3), Node("B", "outlet"))
    done = run(
        canal(nodes=nodes, ends="A-P P-B", length_m=100.0),
        gauge("R1", 2.0, bins=12, at=100.0, sd=0.01),
        Gauge("rain", "inflow", np.full(12, 1.0), np.full(12, 1e-4), node="P"),
        level("R2", at=0.0),
        tables=(),
    )
    closed = balanced(done.flow, done.network)
    np.testing.assert_allclose(closed.external[:, 1], 1.0, atol=0.01)
    np.testing.assert_allclose(closed.lake_volume[:, 1], 20e3 + 1e4 * (RISING - RISING[0]), atol=300.0)


def test_a_lake_never_holds_less_than_nothing_in_a_draw():
    done = pond(sd=0.2)
    noise = np.random.default_rng(4).standard_normal((*done.fit.unknown.shape, 20))
    deviation, _ = done.fit.factor.drawn(noise, np.zeros((len(done.fit.still), 20)))
    assert min(done.fit.lakes(done.fit.unknown + d).min() for d in np.moveaxis(deviation, 2, 0)) < 0.0
    for flow in done.sampled(20, np.random.default_rng(4)):
        assert flow.lake_volume.min() >= 0.0
        assert balanced(flow, done.network).balance.residual_share < 1e-12


def test_a_lake_with_a_table_but_no_volume_of_its_own_is_refused():
    with pytest.raises(
        InputError, match=r"lake 'P' has a storage table but volume_m3 0, .* the table says 1e\+04"
    ):
        pond(volume_m3=0.0)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (replace(funnel("R1"), place="R9"), "'R9' of a storage table is neither a canal nor a lake"),
        (
            funnel("R1", datum=0.0),
            r"stage at 'H' reads 100\.5 m, outside the storage table of 'R1' \(-1 to 1 m\)",
        ),
        (StorageTable("R1", np.array([90.0]), np.array([1.0])), "1 stage and 1 volume for 'R1'"),
        (StorageTable("R1", np.array([90.0, 99.0]), np.array([1.0])), "2 stages and 1 volume for 'R1'"),
        (
            StorageTable("R1", np.array([90.0, 90.0]), np.array([1.0, 2.0])),
            "stage 90 m of 'R1' is given twice",
        ),
        (
            StorageTable("R1", np.array([99.0, 90.0]), np.array([1.0, 2.0])),
            "stage of 'R1' falls from 99 to 90 m",
        ),
        (StorageTable("R1", np.array([90.0, np.nan]), np.array([1.0, 2.0])), "'R1' holds 2 m3 at nan m"),
        (StorageTable("R1", np.array([90.0, 99.0]), np.array([1.0, np.inf])), "'R1' holds inf m3 at 99 m"),
        (
            StorageTable("R1", np.array([90.0, 91.0, 99.0]), np.array([-5.0, 10.0, 12.0])),
            "'R1' is -5 m3 at 90 m",
        ),
        (
            StorageTable("R1", np.array([90.0, 110.0]), np.array([2.0, 2.0])),
            "storage of 'R1' does not rise with stage: 2 m3 at 90 m, 2 m3 at 110 m",
        ),
    ],
)
def test_a_table_that_cannot_be_is_refused(table: StorageTable, said: str):
    with pytest.raises(InputError, match=said):
        run(one_reach(), gauge("R1", 2.0, bins=12), level("R1"), tables=(table,))


def test_a_table_without_its_gauge_or_twice_is_refused():
    with pytest.raises(InputError, match="'R1' has a storage table and 0 gauges of stage"):
        run(one_reach(), gauge("R1", 2.0, bins=12), tables=(funnel("R1"),))
    with pytest.raises(InputError, match="'R1' has two storage tables"):
        run(one_reach(), gauge("R1", 2.0, bins=12), level("R1"), tables=(funnel("R1"), funnel("R1")))


def test_an_id_that_node_and_reach_share_says_not_where_water_enters_or_is_held(tmp_path: Path):
    nodes = (Node("1", "boundary"), Node("2", "lake", volume_m3=1e4), Node("3", "outlet"))
    reaches = tuple(Reach(i, a, b, 1000.0, width_m=10.0, depth_m=2.0) for i, a, b in ("212", "423"))
    network, said = (
        Network(nodes, reaches),
        r"'2' is both node '2' \(lake\) and reach '2' \(from '1' to '2'\)",
    )
    with pytest.raises(InputError, match=said):
        run(network, gauge("4", 2.0, bins=12), level("4"), tables=(funnel("2"),))
    rows = [f"2024-07-01 0{h}:00,{place},inflow,1,m3/s" for h in range(4) for place in "12"]
    (tmp_path / "gauges.csv").write_text("time,station,determinand,value,unit\n" + "\n".join(rows), "utf-8")
    with pytest.raises(InputError, match=said) as refused:
        read_gauges(tmp_path / "gauges.csv", network, zone=UTC, settings=FlowSettings())
    assert refused.value.faults[0].row == 3  # '1' is a node alone


def test_tables_are_read_by_place_with_chinese_names_too(tmp_path: Path):
    (tmp_path / "s.csv").write_text("名称,水位,蓄水量\n塘,2,300\n塘,1,100\nR1,0,5\nR1,1,9\n", "utf-8")
    pond, canal_ = read_storage(tmp_path / "s.csv")
    assert (pond.place, pond.stage.tolist(), pond.volume.tolist()) == ("塘", [1.0, 2.0], [100.0, 300.0])
    assert (canal_.place, canal_.volume.tolist()) == ("R1", [5.0, 9.0])
    (tmp_path / "s.csv").write_text("place,stage_m,volume_m3\nP,1,\nP,2,much\n", "utf-8")
    with pytest.raises(InputError, match=r"volume_m3 'much' is not a number"):
        read_storage(tmp_path / "s.csv")
    (tmp_path / "s.csv").write_text("place,stage_m,volume_m3\nP,1,\nP,2,3\n", "utf-8")
    with pytest.raises(InputError, match=r"volume_m3 of 'P' is missing"):
        read_storage(tmp_path / "s.csv")


def test_what_cannot_be_in_a_storage_table_is_told_by_its_row(tmp_path: Path):
    rows = ["P,3,12", "P,1,-5", "P,2,10", "Q,1,1", "R1,2,7", "R1,1,7", "Q,2,2", "Q,1,3"]
    (tmp_path / "s.csv").write_text("place,stage_m,volume_m3\n" + "\n".join(rows) + "\n", "utf-8")
    with pytest.raises(InputError) as refused:
        read_storage(tmp_path / "s.csv")
    assert [(f.row, f.what) for f in refused.value.faults] == [
        (3, "storage of 'P' is -5 m3 at 1 m"),
        (6, "storage of 'R1' does not rise with stage: 7 m3 at 1 m, 7 m3 at 2 m"),
        (9, "stage 1 m of 'Q' is given twice"),
    ]
