"""DSM2: tidefiles built here from the layout that HYDRO writes, one by hand and one on the real channels of the Delta."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from level_pool import INTO_A, INTO_B, LENGTH, SECONDS, WIDTH, depth, discharge

from suyuan.errors import InputError
from suyuan.flow import balanced

if find_spec("h5py") is None:
    pytest.skip("DSM2 needs h5py (extra `models`)", allow_module_level=True)

import h5py

from suyuan.io.models.dsm2 import read_dsm2
from suyuan.io.models.dsm2_tables import read_dsm2_network
from suyuan.network import Reach

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))
DELTA = ROOT.parent / "shared/data/dsm2_delta/hydro_2009calibration_navd88.inp"
FOOT = 0.3048
AREA = 5e4
"""Surface of the reservoir [m2]."""

RELEASED, EXPORTED = 1.0, 0.4


def table(data: h5py.File, name: str, rows: list[dict[str, object]]) -> None:
    kinds = {int: "i4", float: "f8", str: "S32"}
    dtype = np.dtype([(key, kinds[type(value)]) for key, value in rows[0].items()])
    filled = np.zeros(len(rows), dtype)
    for row, values in zip(filled, rows, strict=True):
        for key, value in values.items():
            row[key] = value
    data[name] = filled


def channels(data: h5py.File, reaches: tuple[Reach, ...]) -> None:
    rows = [
        {
            "chan_no": int(r.id),
            "length": round(r.length_m / FOOT),
            "manning": 0.03,
            "upnode": int(r.from_node),
            "downnode": int(r.to_node),
        }
        for r in reaches
    ]
    table(data, "hydro/input/channel", rows)
    data["hydro/geometry/channel_number"] = np.array([int(r.id) for r in reaches], dtype="i4")


def record(data: h5py.File, name: str, values: np.ndarray) -> None:
    data[f"hydro/data/{name}"] = values
    for key, text in (("start_time", "2024-07-01 00:00:00"), ("interval", "60min")):
        data[f"hydro/data/{name}"].attrs[key] = np.array([text.encode()])


def shifted(means: np.ndarray, *, is_late: bool) -> np.ndarray:
    """Return rows of flow: each the interval that ends, or begins, at the row's time; the odd row out is nonsense."""
    odd = np.full_like(means[:1], 77.0)
    return np.concatenate([odd, means] if is_late else [means, odd])


def tidefile(path: Path, *, is_late: bool = True, sign: float = 1.0, bottom: float = -2.0) -> Path:
    """Write the level pool, nodes 1 and 2 above 3 above 4, with a reservoir at 3 that is pumped from, and users."""
    length = round(LENGTH / FOOT) * FOOT
    reaches = (Reach("7", "1", "3", length), Reach("8", "2", "3", length), Reach("9", "3", "4", length))
    t = SECONDS
    hours = 0.5 * (t[1:] + t[:-1])
    with h5py.File(path, "w") as data:
        channels(data, reaches)
        table(
            data,
            "hydro/input/reservoir",
            [{"name": "lake", "area": AREA / FOOT**2 / 1e6, "bot_elev": bottom / FOOT}],
        )
        table(
            data,
            "hydro/geometry/reservoir_node_connect",
            [{"res_name": "lake", "ext_node_no": 3, "connect_index": 1}],
        )
        qext = [
            ("sac", "1", INTO_A),
            ("sjr", "2", INTO_B),
            ("dicu", "3", -RELEASED),
            ("swp", "lake", -EXPORTED),
        ]
        table(
            data,
            "hydro/geometry/qext",
            [
                {"name": n, "attach_obj_name": at, "attached_obj_type": 2, "attached_obj_no": 1}
                for n, at, _ in qext
            ],
        )
        table(data, "hydro/geometry/stage_boundaries", [{"name": "mtz", "int_node_no": 4, "ext_node_no": 4}])
        table(
            data,
            "hydro/input/gate",
            [{"name": "g", "from_obj": "channel", "from_identifier": "9", "to_node": 4}],
        )
        ends = np.stack(
            [np.column_stack([discharge(b, x, hours) for b in ("AJ", "BJ", "JC")]) for x in (0.0, LENGTH)],
            axis=2,
        )
        record(data, "channel flow", shifted(ends, is_late=is_late) / FOOT**3)
        section = WIDTH * depth(t)[:, None] * LENGTH / length / FOOT**2
        record(data, "channel avg area", np.repeat(section, 3, axis=1))
        stage = 1.0 - (RELEASED + EXPORTED) * t / AREA
        record(data, "reservoir height", stage[:, None] / FOOT)
        steady = np.full((len(hours), 1), sign * RELEASED)
        record(data, "reservoir flow", shifted(steady, is_late=is_late) / FOOT**3)
        users = np.tile([q for _, _, q in qext], (len(hours), 1))
        record(data, "qext flow", shifted(users, is_late=is_late) / FOOT**3)
        record(data, "transfer flow", np.zeros((len(t), 1)))
    return path


@pytest.mark.parametrize(("is_late", "sign"), [(True, 1.0), (False, 1.0), (True, -1.0)])
def test_channels_reservoir_and_users_close_whatever_the_rows_mean(
    tmp_path: Path, is_late: bool, sign: float
) -> None:
    model = read_dsm2(tidefile(tmp_path / "hist.h5", is_late=is_late, sign=sign))
    assert model.flow.reaches == ("7", "8", "9", "lake-3", "lake-outside")
    middle = 0.5 * (SECONDS[1:] + SECONDS[:-1])
    for column, branch in enumerate(("AJ", "BJ", "JC")):
        np.testing.assert_allclose(model.flow.discharge_start[:, column], discharge(branch, 0.0, middle))
        np.testing.assert_allclose(model.flow.discharge_end[:, column], discharge(branch, LENGTH, middle))
    np.testing.assert_allclose(model.flow.volume[:, 0], WIDTH * LENGTH * depth(SECONDS))
    np.testing.assert_allclose(model.flow.discharge_start[:, 3], RELEASED)
    np.testing.assert_allclose(model.flow.discharge_start[:, 4], -EXPORTED)
    balance = balanced(model.flow, model.network).balance
    assert max(balance.residual_share, balance.reach_share) < 1e-12
    assert balance.correction.max() < 1e-11
    assert ("before" if is_late else "after") in str(model.notes[-1])


def test_reservoirs_are_lakes_and_external_flows_known_at_their_nodes(tmp_path: Path) -> None:
    model = read_dsm2(tidefile(tmp_path / "hist.h5"))
    nodes = {n.id: n for n in model.network.nodes}
    assert {i: n.kind for i, n in nodes.items()} == {
        "1": "boundary",
        "2": "boundary",
        "3": "outlet",
        "4": "outlet",
        "lake": "lake",
        "lake~outside": "outlet",
    }
    assert nodes["lake"].volume_m3 == pytest.approx(3.0 * AREA)
    given = dict(zip(model.flow.boundaries, model.flow.inflow.mean(axis=0), strict=True))
    assert given == pytest.approx({"1": INTO_A, "2": INTO_B, "3": -RELEASED, "lake~outside": -EXPORTED})
    assert [(s.id, s.reach) for s in model.network.structures] == [
        ("g", "9"),
        ("lake-3", "lake-3"),
        ("lake-outside", "lake-outside"),
    ]


def test_times_are_pacific_standard_unless_told(tmp_path: Path) -> None:
    path = tidefile(tmp_path / "hist.h5")
    assert read_dsm2(path).flow.start == np.datetime64("2024-07-01T08:00:00")
    assert read_dsm2(path, timezone="UTC").flow.start == np.datetime64("2024-07-01T00:00:00")


def test_the_real_delta_is_read_from_the_echo_of_its_input() -> None:
    if not DELTA.is_file():
        pytest.skip("needs ../shared/data/dsm2_delta")
    network = read_dsm2_network(DELTA)
    kinds = [n.kind for n in network.nodes]
    assert kinds.count("lake") == 6
    assert sum(r.id.isdigit() for r in network.reaches) == 521
    assert network.reach("1").length_m == pytest.approx(19500 * FOOT)
    assert network.nodes[network.node_index("361")].kind == "outlet"
    assert "delta_cross_channel" in {s.id for s in network.structures}


def test_a_tide_on_the_real_channels_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Tides are invented (benchmarks/delta.py), channels and junctions real."""
    if not DELTA.is_file():
        pytest.skip("needs ../shared/data/dsm2_delta")
    from benchmarks.delta import network, tides

    net = network()
    flow = tides(net, days=1.0)
    path = tmp_path / "delta.h5"
    length = np.array([r.length_m for r in net.reaches])
    with h5py.File(path, "w") as data:
        channels(data, net.reaches)
        ends = np.stack([flow.discharge_start, flow.discharge_end], axis=2)
        record(data, "channel flow", shifted(ends, is_late=True) / FOOT**3)
        record(data, "channel avg area", flow.volume / length / FOOT**2)
    model = read_dsm2(path)
    assert len(model.network.reaches) == 521
    closed = balanced(model.flow, model.network)
    assert max(closed.balance.residual_share, closed.balance.reach_share) < 1e-9
    np.testing.assert_allclose(closed.discharge_start, flow.discharge_start, atol=1e-6)
    np.testing.assert_allclose(closed.volume, flow.volume, rtol=1e-9)


def test_files_that_are_not_whole_or_of_another_kind_are_refused(tmp_path: Path) -> None:
    whole = tidefile(tmp_path / "hist.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.h5: cannot be read as HDF5"):
        read_dsm2(tmp_path / "cut.h5")
    with h5py.File(tmp_path / "qual.h5", "w") as data:
        data["output/channel concentration"] = np.zeros(3)
    with pytest.raises(InputError, match="is a tidefile of QUAL or GTM"):
        read_dsm2(tmp_path / "qual.h5")
    (tmp_path / "echo.inp").write_text("CHANNEL\nCHAN_NO LENGTH UPNODE DOWNNODE\n1 100 1 2\n", "utf-8")
    with pytest.raises(InputError, match="table 'CHANNEL' has no END"):
        read_dsm2_network(tmp_path / "echo.inp")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("hydro/data/channel flow", "holds geometry only, no channel flow"),
        ("hydro/data/channel avg area", "there is no 'channel avg area'"),
        ("hydro/input/channel", "there is no table of channels"),
        ("interval", "says no start_time and interval"),
        ("shape", "'qext flow' has the shape"),
        ("number", "channel '9' of the input is not in geometry/channel_number"),
        ("negative", "volume in branch '7' is -"),
    ],
)
def test_what_is_missing_or_cannot_be_is_named(tmp_path: Path, change: str, said: str) -> None:
    path = tidefile(tmp_path / "hist.h5")
    with h5py.File(path, "a") as data:
        if change.startswith("hydro"):
            del data[change]
        if change == "interval":
            del data["hydro/data/channel flow"].attrs["interval"]
        if change == "shape":
            rows = data["hydro/data/qext flow"][:5]
            del data["hydro/data/qext flow"]
            data["hydro/data/qext flow"] = rows
        if change == "number":
            data["hydro/geometry/channel_number"][2] = 99
        if change == "negative":
            data["hydro/data/channel avg area"][3, 0] = -1.0
    with pytest.raises(InputError, match=said):
        read_dsm2(path)


def test_a_reservoir_whose_stage_lies_below_its_bottom_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="reservoir 'lake' holds -"):
        read_dsm2(tidefile(tmp_path / "hist.h5", bottom=5.0))
