"""What enters and leaves a town: a known inflow gives its load, storage counts, and the way in is found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from networks import flow_of
from scipy.stats import t as student
from typer.testing import CliRunner, Result

from suyuan.cli import app
from suyuan.errors import InputError
from suyuan.explain.balance import KG_D, Crossing, balance_between
from suyuan.explain.region import region_between
from suyuan.flow import FlowField
from suyuan.io.flow import write_flow
from suyuan.io.network_writer import write_network
from suyuan.network import Network, Node, Reach, Station

START = np.datetime64("2024-06-30T16:00:00")
HOURS = 240
EDGES = 3600.0 * np.arange(HOURS + 1.0)
TIMES = START + (np.arange(HOURS // 4 + 1) * 14400).astype("timedelta64[s]")


def crossing(station: str, discharge: np.ndarray | float, value: np.ndarray | float) -> Crossing:
    """Return a station with hourly discharge and readings every four hours."""
    return Crossing(
        station,
        np.broadcast_to(discharge, HOURS).astype(float),
        TIMES,
        np.broadcast_to(value, len(TIMES)).astype(float),
    )


def balance(inlets, outlets, volume=0.0, seed: int = 1):
    held = np.broadcast_to(volume, HOURS + 1).astype(float)
    rng = np.random.default_rng(seed)
    return balance_between("NH3-N", (inlets, outlets), start=START, edges=EDGES, volume=held, rng=rng)


def test_a_known_inflow_between_two_stations_is_the_net_load():
    source = 3.0  # g/s into 2 m3/s, of 0.5 mg/L
    found = balance([crossing("in", 2.0, 0.5)], [crossing("out", 2.0, 0.5 + source / 2.0)], volume=5000.0)
    assert found.entering[0] == pytest.approx(1.0 * KG_D)
    assert found.net[0] == pytest.approx(source * KG_D, rel=1e-12)
    assert found.net[1] == pytest.approx(source * KG_D, rel=1e-9)  # nothing varies: no error of sampling
    assert found.probability == 1.0
    assert found.water == pytest.approx(0.0, abs=1e-12)


def test_what_the_water_between_stores_is_not_lost():
    """Water of 1,000 m3 becomes dirtier by 1 mg/L in ten days: it stores 1 kg, which the outlet does not show."""
    rising = np.linspace(0.5, 1.5, len(TIMES))
    found = balance([crossing("in", 0.0, rising)], [crossing("out", 0.0, rising)], volume=1000.0)
    assert found.stored[0] == pytest.approx(0.1, rel=1e-9)
    assert found.stored[1] < 0.1 < found.stored[2]  # no station sees what lies between
    assert found.net[0] == pytest.approx(0.1, rel=1e-9)


def test_two_inlets_and_an_outlet_add_up():
    found = balance([crossing("a", 1.0, 1.0), crossing("b", 3.0, 2.0)], [crossing("out", 4.0, 1.75)])
    assert found.net[0] == pytest.approx(0.0, abs=1e-9)
    assert [round(one.load, 6) for one in found.inlets] == [round(1.0 * KG_D, 6), round(6.0 * KG_D, 6)]


def test_water_that_runs_back_takes_its_load_back():
    """In by day and back by night, with the same water: nothing enters."""
    to_and_fro = np.where(np.arange(HOURS) % 24 < 12, 2.0, -2.0)
    found = balance([crossing("in", to_and_fro, 1.0)], [crossing("out", 0.0, 1.0)])
    assert found.entering[0] == pytest.approx(0.0, abs=1e-9)


def test_in_a_gap_the_usual_concentration_stands_and_the_gap_is_told():
    day = (TIMES - START) / np.timedelta64(1, "D")
    kept = (day < 4.0) | (day > 6.0)
    gappy = Crossing("out", np.full(HOURS, 2.0), TIMES[kept], np.full(int(kept.sum()), 0.7))
    found = balance([crossing("in", 2.0, 0.5)], [gappy])
    assert found.leaving[0] == pytest.approx(1.4 * KG_D, rel=1e-12)
    assert found.outlets[0].gap_share == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_the_band_of_the_net_load_holds_the_true_one_as_often_as_it_says(kept: float):
    """Concentrations that vary from day to day about a known mean, each day keeping so much of the one before, constant flow:
    78 to 100 of 100 bands hold it (four standard errors)."""
    held, wide = 0, 0.0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        days = rng.normal(0.0, 0.2, 12)
        for k in range(1, 12):
            days[k] = kept * days[k - 1] + np.sqrt(1.0 - kept**2) * days[k]
        value = 1.5 + days[np.arange(len(TIMES)) // 6]
        found = balance([crossing("in", 2.0, 0.5)], [crossing("out", 2.0, value)], seed=seed)
        held += found.net[1] <= 2.0 * KG_D <= found.net[2]
        wide += (found.net[2] - found.net[1]) / 100.0
    assert held >= 78
    of_the_mean = 2.0 * KG_D * 0.2 * np.sqrt((1.0 + kept) / (1.0 - kept) / 12.0)
    assert wide < 1.5 * 2.0 * student.ppf(0.95, 11) * of_the_mean


def test_the_band_of_what_is_stored_holds_what_the_water_between_holds():
    """Water runs through unmixed in a day and shows each concentration at the outlet then: what lies between is known. Of 100
    rivers 78 at least are held (four standard errors); an exact storage would be wrong in all."""
    held, passing = 0, 24
    for seed in range(100):
        rng = np.random.default_rng(seed)
        log = rng.normal(0.0, 0.3, HOURS + passing + 1)
        for k in range(1, len(log)):
            log[k] = np.exp(-1.0 / 24.0) * log[k - 1] + np.sqrt(1.0 - np.exp(-2.0 / 24.0)) * log[k]
        water = np.exp(log)  # hour by hour at the outlet; at the inlet a day earlier
        hour = np.arange(0, HOURS + 1, 4)
        sides = [crossing("in", 2.0, water[hour + passing])], [crossing("out", 2.0, water[hour])]
        found = balance(*sides, volume=2.0 * 3600.0 * passing, seed=seed)
        first, last = (2.0 * 3.6 * np.trapezoid(water[at : at + passing + 1]) for at in (0, HOURS))
        held += found.stored[1] <= (last - first) / 10.0 <= found.stored[2]
    assert 78 <= held <= 99


def test_the_same_days_are_drawn_at_both_ends():
    """What varies alike at both ends does not make the net load uncertain."""
    both = 1.0 + 0.5 * np.sin(np.arange(len(TIMES)) / 5.0)
    found = balance([crossing("in", 2.0, both)], [crossing("out", 2.0, both)])
    assert found.net[2] - found.net[1] < 1e-9 < found.leaving[2] - found.leaving[1]


def river() -> tuple[Network, object]:
    """Return a river with a tributary that joins between the stations 'in' and 'out'; its own station is 'side'."""
    network = Network(
        (Node("A", "boundary"), Node("T", "boundary"), Node("J"), Node("B", "outlet")),
        (Reach("R1", "A", "J", 2000.0), Reach("R2", "T", "J", 1000.0), Reach("R3", "B", "J", 4000.0)),
        stations=(
            Station("in", "R1", 1000.0, name="上桥"),
            Station("side", "R2", 500.0),
            Station("out", "R3", 3000.0, name="下桥"),  # drawn against the stream
        ),
    )
    start = np.tile([2.0, 1.0, -3.0], (HOURS, 1))
    return network, flow_of(network, start, np.tile([20000.0, 10000.0, 40000.0], (HOURS + 1, 1)))


def test_the_way_in_is_found_whichever_way_reaches_are_drawn():
    network, flow = river()
    places = {name: network.station(name) for name in ("in", "side", "out")}
    found = region_between(network, flow, inlets=[places["in"]], outlets=[places["out"]])
    assert found.inward.tolist() == [1.0, 1.0]  # into the region at 'in'; along R3, drawn upstream, too
    np.testing.assert_allclose(found.share, [0.5, 1.0, 0.25])
    assert found.others == ("T",)
    assert found.volume(flow)[0] == pytest.approx(0.5 * 20000 + 10000 + 0.25 * 40000)
    closed = region_between(network, flow, inlets=[places["in"], places["side"]], outlets=[places["out"]])
    assert closed.others == ()
    np.testing.assert_allclose(closed.share, [0.5, 0.5, 0.25])


def test_a_station_that_does_not_border_the_water_between_is_refused():
    network, flow = river()
    far = network.station("R1+200")
    places = [network.station(name) for name in ("in", "out")]
    with pytest.raises(InputError, match=r"'R1\+200' does not lie at the edge"):
        region_between(network, flow, inlets=[places[0], far], outlets=[places[1]])


def test_on_a_ring_the_way_of_the_water_decides():
    network = Network(
        (Node("A", "boundary"), Node("J1"), Node("J2"), Node("B", "outlet")),
        (
            Reach("in", "A", "J1", 500.0),
            Reach("left", "J1", "J2", 1000.0),
            Reach("right", "J1", "J2", 1000.0),
            Reach("out", "J2", "B", 500.0),
        ),
        stations=(Station("S1", "left", 200.0), Station("S2", "left", 800.0)),
    )
    flow = flow_of(network, np.tile([4.0, 1.0, 3.0, 4.0], (HOURS, 1)), np.full((HOURS + 1, 4), 9000.0))
    places = [network.station(name) for name in ("S1", "S2")]
    found = region_between(network, flow, inlets=[places[0]], outlets=[places[1]])
    np.testing.assert_allclose(found.share, [0.0, 0.6, 0.0, 0.0])
    assert found.inward.tolist() == [1.0, -1.0]


def suyuan(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project: 2 m3/s of 0.5 mg/L come in, 1 m3/s of 0.2 from the side, 3 m3/s of 1.4 leave: 260 kg/d are added."""
    folder = tmp_path_factory.mktemp("town")
    network, flow = river()
    write_network(network, folder / "network.gpkg")
    write_flow(
        FlowField(
            flow.start, flow.edges, ("R1", "R2", "R3"), flow.discharge_start, flow.discharge_end, flow.volume
        ),
        folder / "flow.nc",
    )
    rows = ["time,station,determinand,value,unit"]
    for k in range(HOURS // 4):
        time = str(np.datetime64("2024-07-20T00:00") + np.timedelta64(4 * k, "h"))
        for station, value in (("in", 0.5), ("side", 0.2), ("out", 1.4)):
            rows.append(f"{time},{station},NH3-N,{value + 0.001 * (k % 7):.3f},mg/L")
        if k < 4:
            rows.append(f"{time},in,TP,0.1,mg/L")
            rows.append(f"{time},out,TP,0.1,mg/L")
        rows.append(f"{time},in,pH,7.5,1")
    (folder / "readings.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (folder / "suyuan.toml").write_text(
        '[project]\nname = "town"\ntimezone = "Asia/Shanghai"\n[files]\nnetwork = "network.gpkg"\nflow = "flow.nc"\n'
        'observations = "readings.csv"\n',
        "utf-8",
    )
    return folder


def test_the_town_adds_what_its_water_gains(town: Path):
    done = suyuan("explain", town, "--between", "上桥,side", "下桥", "--determinand", "氨氮", "--json")
    assert done.exit_code == 0, done.output
    whole = json.loads(done.stdout)
    found = whole["balances"][0]
    assert found["net"]["value"] == pytest.approx((3.0 * 1.4 - 2.0 * 0.5 - 0.2) * KG_D, rel=2e-3)
    assert found["water_m3_s"] == pytest.approx(0.0, abs=1e-6)
    hours = (0.5 * 20000.0 / 2.0 + 0.25 * 40000.0 / 3.0) / 3600.0  # from 上桥; from 'side' the same
    assert whole["travel_h"] == [pytest.approx(hours, rel=0.01)] * 2
    said = suyuan("explain", town, "--between", "in,side", "out", "--determinand", "NH3-N", "--lang", "en")
    assert "kg/d of NH3-N are added" in said.stdout.splitlines()[0]
    chinese = suyuan("explain", town, "--between", "in,side", "out", "--determinand", "NH3-N", "--lang", "zh")
    assert "NH3-N 净增" in chinese.stdout


def test_the_page_of_a_balance_holds_loads_day_by_day(town: Path, tmp_path: Path):
    done = suyuan(
        "explain", town, "--between", "in", "out", "--determinand", "NH3-N", "--out", tmp_path / "b"
    )
    assert done.exit_code == 0, done.output
    page = (tmp_path / "b/between.html").read_text("utf-8")
    assert page.count("<svg") == 1
    assert "T" in json.loads((tmp_path / "b/between.json").read_text("utf-8"))["other_nodes"]
    assert (tmp_path / "b/loads.csv").read_text("utf-8-sig").count("net") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("in", "in"), "'in' is named twice"),
        (("上桥", "in"), "'in' is named twice, under one name or two"),
        (("in", "nowhere"), "'nowhere' is not a station with readings"),
        (("in", "out", "--determinand", "DO"), "DO does not keep its mass"),
        (("in", "out", "--determinand", "moonlight"), "'moonlight' is not a known determinand"),
        (("in", "side", "--determinand", "TP"), "station side: there is no reading of TP"),
        (("in", "out", "--determinand", "TP"), "TP has 4 readings that can be"),
        (("in", "out", "--since", "2024-06-01", "--until", "2024-06-03"), "the flow covers"),
        (("in", "out", "--since", "2190-06-01", "--until", "2190-06-03"), "in the future"),
        (("in", "out", "--since", "2024-07-25", "--until", "2024-07-21"), "is not before"),
        (
            ("in", "out", "--determinand", "NH3-N", "--since", "2024-07-25", "--until", "2024-07-26"),
            "too few to tell",
        ),
    ],
)
def test_bad_balances_get_one_message(town: Path, words: tuple[str, ...], said: str):
    done = suyuan("explain", town, "--between", *words)
    assert done.exit_code == 1
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_stations_without_flow_have_no_load(town: Path, tmp_path: Path):
    for name in ("network.gpkg", "readings.csv"):
        (tmp_path / name).write_bytes((town / name).read_bytes())
    text = (town / "suyuan.toml").read_text("utf-8").replace('flow = "flow.nc"\n', "")
    (tmp_path / "suyuan.toml").write_text(text, "utf-8")
    done = suyuan("explain", tmp_path, "--between", "in", "out")
    assert done.exit_code == 1
    assert "the stations have no flow, so no load can be known" in done.stderr
