"""MIKE: real result files where mikeio1d or .NET is missing, and a stand-in in the shape of mikeio1d's documented API.

The stand-in has what mikeio1d 1.2 documents of Res1D: `reaches` and `nodes` by name, grid points with quantities that are read
into data frames, `time_index`, and the .NET spans behind a reach. No .NET runs here, so DHI's own reading is not tested.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from level_pool import LATERAL, LENGTH, SECONDS, WIDTH, depth, discharge

from suyuan.errors import InputError
from suyuan.flow import balanced
from suyuan.io.models.mike import read_mike

REAL = Path(__file__).parents[1].parent / "shared/data/mike1d_res"
POINTS = 9
"""Level and discharge points of a canal, alternating, level points at the ends (MIKE 1D's staggered grid)."""


class Quantity:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def read(self) -> pd.DataFrame:
        return pd.DataFrame({"series": self.values})


def place(chainage: float, **quantities: np.ndarray) -> SimpleNamespace:
    """Return a grid point with quantities as attributes."""
    made = {name: Quantity(values) for name, values in quantities.items()}
    return SimpleNamespace(chainage=chainage, quantities=list(quantities), **made)


def span(begin: float, end: float, ends: tuple[int, int], *, own: list[Any]) -> tuple[Any, list[Any]]:
    where = SimpleNamespace(StartChainage=begin, EndChainage=end)
    return SimpleNamespace(LocationSpan=where, StartNodeIndex=ends[0], EndNodeIndex=ends[1]), own


def river(name: str, *spans: tuple[Any, list[Any]]) -> SimpleNamespace:
    """Return a reach as mikeio1d keeps it: its .NET spans, and their grid points with its creator."""
    made = SimpleNamespace(result_gridpoints=[own for _, own in spans])
    return SimpleNamespace(name=name, res1d_reaches=[where for where, _ in spans], _creator=made)


def points(
    branch: str, *, offset: float = 0.0, water: str = "WaterVolume", lateral_at: float = np.inf
) -> list[Any]:
    """Return the grid points of one canal of the level pool."""
    chainage = np.linspace(0.0, LENGTH, POINTS)
    spacing = LENGTH / (POINTS - 1)
    found = []
    for i, x in enumerate(chainage):
        if i % 2:
            area = {"FlowArea": WIDTH * depth(SECONDS)} if water == "FlowArea" else {}
            q = discharge(branch, x, SECONDS, lateral_at=lateral_at)
            found.append(place(offset + x, Discharge=q, **area))
            continue
        length = spacing if i in (0, POINTS - 1) else 2.0 * spacing
        held = {"WaterVolume": WIDTH * length * depth(SECONDS)} if water == "WaterVolume" else {}
        found.append(place(offset + x, WaterLevel=depth(SECONDS), **held))
    return found


class Result:
    """The level pool as mikeio1d would give it: river `main` passes J, `side` joins there, a pump lifts from C to D."""

    def __init__(self, path: str, **options: Any) -> None:
        self.path = path
        options = {**OPTIONS, **options}
        self.time_index = pd.DatetimeIndex(pd.Timestamp("2024-07-01") + pd.to_timedelta(SECONDS, unit="s"))
        names = ["A", "B", "J", "C", "D"]
        self.result_data = SimpleNamespace(Nodes=[SimpleNamespace(Id=n) for n in names])
        kinds = dict.fromkeys(names, "Manhole") | {"D": "Outlet"}
        self.nodes = {
            n: SimpleNamespace(id=n, type=kinds[n], xcoord=float(i), ycoord=0.0, quantities=[])
            for i, n in enumerate(names)
        }
        upper = points("AJ", **{**options, "lateral_at": np.inf})
        lower = points("JC", offset=LENGTH, **options)
        end = discharge("JC", LENGTH, SECONDS, **{k: v for k, v in options.items() if k == "lateral_at"})
        levels = [place(x, WaterLevel=depth(SECONDS)) for x in (0.0, 1.0)]
        side = points("BJ", **{**options, "lateral_at": np.inf})
        self.reaches = {
            "main": river(
                "main", span(0.0, LENGTH, (0, 2), own=upper), span(LENGTH, 2.0 * LENGTH, (2, 3), own=lower)
            ),
            "side": river("side", span(0.0, LENGTH, (1, 2), own=side)),
            "Pump:P1": river("Pump:P1", span(0.0, 1.0, (3, 4), own=[*levels, place(0.5, Discharge=end)])),
        }
        inside = SimpleNamespace(
            id="sill", type="Weir", chainage=300.0, res1d_reach=SimpleNamespace(Name="main")
        )
        self.structures = {"sill": inside}


OPTIONS: dict[str, Any] = {}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a file that begins like MIKE's, mikeio1d standing in."""
    module = ModuleType("mikeio1d")
    module.Res1D = Result  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mikeio1d", module)
    monkeypatch.setattr(sys.modules[__name__], "OPTIONS", {})
    path = tmp_path / "pool.res1d"
    path.write_bytes(b"DHI_DFS_" + bytes(64))
    return path


@pytest.mark.parametrize("water", ["WaterVolume", "FlowArea"])
def test_rivers_are_cut_where_they_pass_nodes_and_close(file: Path, water: str) -> None:
    OPTIONS["water"] = water
    model = read_mike(file)
    assert model.flow.reaches == ("main+0", "main+900", "side", "Pump:P1")
    expected = np.repeat(WIDTH * LENGTH * depth(SECONDS)[:, None], 3, axis=1)
    np.testing.assert_allclose(model.flow.volume[:, :3], expected, rtol=1e-12)
    middle = 0.5 * (SECONDS[1:] + SECONDS[:-1])
    for column, branch in enumerate(("AJ", "JC", "BJ")):
        np.testing.assert_allclose(model.flow.discharge_start[:, column], discharge(branch, 0.0, middle))
        np.testing.assert_allclose(model.flow.discharge_end[:, column], discharge(branch, LENGTH, middle))
    closed = balanced(model.flow, model.network).balance
    assert max(closed.residual_share, closed.reach_share) < 1e-12
    kinds = {n.id: n.kind for n in model.network.nodes}
    assert kinds == {"A": "boundary", "B": "boundary", "J": "junction", "C": "junction", "D": "outlet"}
    structures = {(s.id, s.reach, s.kind) for s in model.network.structures}
    assert structures == {("Pump:P1", "Pump:P1", "pump"), ("sill", "main+0", "weir")}


def test_water_let_in_along_a_river_enters_at_a_node_there(file: Path) -> None:
    OPTIONS["lateral_at"] = 500.0
    model = read_mike(file)
    node = next(n for n in model.network.nodes if n.id.endswith("~"))
    assert (node.id, node.kind) == ("main+1350~", "boundary")
    closed = balanced(model.flow, model.network)
    gained = closed.external[:, model.network.node_index(node.id)]
    np.testing.assert_allclose(gained, LATERAL, rtol=1e-9)


def test_times_are_in_the_zone_that_is_given(file: Path) -> None:
    assert read_mike(file, timezone="Asia/Shanghai").flow.start == np.datetime64("2024-06-30T16:00:00")


def test_results_without_volume_or_discharge_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    OPTIONS["water"] = "none"
    with pytest.raises(InputError, match="says no volume: there is neither WaterVolume nor FlowArea"):
        read_mike(file)

    class Levels(Result):
        def __init__(self, path: str) -> None:
            super().__init__(path)
            for reach in self.reaches.values():
                for own in reach._creator.result_gridpoints:
                    own[:] = [p for p in own if "Discharge" not in p.quantities]

    monkeypatch.setattr(sys.modules["mikeio1d"], "Res1D", Levels)
    with pytest.raises(InputError, match="holds no discharge"):
        read_mike(file)


def test_negative_volume_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Below(Result):
        def __init__(self, path: str) -> None:
            super().__init__(path, water="WaterVolume")
            self.reaches["side"]._creator.result_gridpoints[0][2].WaterVolume.values[3] = -4.0

    monkeypatch.setattr(sys.modules["mikeio1d"], "Res1D", Below)
    with pytest.raises(InputError, match="volume in branch 'side' is -4"):
        read_mike(file)


@pytest.mark.parametrize("name", ["network_river.res1d", "network.res1d", "flow_split.res1d"])
def test_real_files_say_what_to_install_where_mikeio1d_is_missing(name: str) -> None:
    path = REAL / name
    if not path.is_file():
        pytest.skip("needs ../shared/data/mike1d_res")
    if find_spec("mikeio1d") is not None:
        pytest.skip("mikeio1d is installed here")
    with pytest.raises(ImportError, match=r"pip install 'suyuan\[mike\]'"):
        read_mike(path)


def test_where_dotnet_is_missing_the_message_says_what_to_do(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mikeio1d 1.2.1 without .NET raises RuntimeError from pythonnet when it is imported (seen on Debian, 2026)."""

    class Broken(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            raise RuntimeError("Failed to create a .NET runtime (coreclr) using the\n parameters {...}.")

    monkeypatch.setitem(sys.modules, "mikeio1d", Broken("mikeio1d"))
    with pytest.raises(
        InputError, match=r"cannot start \.NET here \(Failed to create .* install the \.NET runtime"
    ):
        read_mike(file)


def test_files_of_another_kind_are_refused_before_anything_is_installed(tmp_path: Path) -> None:
    other = tmp_path / "other.res1d"
    other.write_text("[JUNCTIONS]\n", "utf-8")
    with pytest.raises(InputError, match="is no MIKE 1D result file"):
        read_mike(other)
