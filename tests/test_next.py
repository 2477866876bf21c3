"""From readings to advice: scenarios from the posterior, what they would show, and the verb `suyuan next`."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import networks
import numpy as np
import pytest
from numpy.typing import NDArray
from tracing_worlds import FINGERPRINTS as LIBRARY
from tracing_worlds import history, meeting, rates, read, substances
from typer.testing import CliRunner, Result

from suyuan.advise import Sampling, advise_project, terms_of, working_hours
from suyuan.altered_flow import prolonged
from suyuan.asked import Ask, window
from suyuan.cli import app
from suyuan.errors import InputError
from suyuan.io.observations import read_observations
from suyuan.io.project import read_project
from suyuan.report.plan import SHEET, expected_words, sheet_name
from suyuan.tracing.advice import Stop
from suyuan.tracing.lawful import lawful_waters
from suyuan.tracing.methods import Kit, Methods
from suyuan.tracing.offers import Wanted, World
from suyuan.tracing.places import Place
from suyuan.tracing.posterior import candidate_probabilities, problem_of
from suyuan.tracing.predictions import Horizon, is_on, rises
from suyuan.tracing.scenarios import (
    Expected,
    Release,
    Scenario,
    draw_scenarios,
    expected_water,
    substances_of,
)
from suyuan.tracing.search import Problem
from suyuan.tracing.verdict import Verdict, weigh
from suyuan.transport.operator import compile_operator

Array = NDArray[np.float64]
HOUR = 3600.0


@cache
def _weighed(candidate: str, first_hour: int, hours: int) -> tuple[Problem, Verdict]:
    """A release from O1 or O2 in the small world of two canals that meet, traced."""
    world = meeting()
    kind = {"O1": "industrial", "O2": "domestic"}[candidate]
    readings = read(world, {candidate: (history(first_hour, hours), rates(kind, 3.0))})
    problem = problem_of(
        readings, (world.matrix,), substances=substances(), fingerprints=LIBRARY, prior=world.prior
    )
    return problem, weigh(problem)


def _drawn(
    candidate: str, first_hour: int, hours: int, *, count: int = 800, ahead: int = 12
) -> tuple[Scenario, ...]:
    problem, verdict = _weighed(candidate, first_hour, hours)
    return draw_scenarios(problem, verdict, count=count, ahead=ahead, rng=np.random.default_rng(7))


def test_scenarios_name_each_candidate_as_often_as_the_posterior_does():
    problem, verdict = _weighed("O1", 40, 8)
    scenarios = _drawn("O1", 40, 8)
    stated = candidate_probabilities(problem, verdict)
    for candidate, p in stated.items():
        share = np.mean([candidate in s.who for s in scenarios])
        assert share == pytest.approx(p, abs=0.02), candidate
    nobody = np.mean([s.label == "nobody" for s in scenarios])
    assert nobody == pytest.approx(verdict.nobody, abs=0.005)


def _told_apart(verdict: Verdict) -> Verdict:
    """The verdict left with equally likely pairs no two of which share a history: each first has one second."""
    kept: list[int] = []
    for row in np.argsort(verdict.first.log_weight)[::-1]:
        if all(
            table.shape[row] not in table.shape[np.array(kept, int)]
            for table in (verdict.first, verdict.second)
        ):
            kept.append(int(row))
    flat = np.zeros(len(kept))
    first, second = (
        replace(table.where(np.array(kept)), log_prior=flat, log_gain=flat)
        for table in (verdict.first, verdict.second)
    )
    return replace(verdict, nobody=0.0, one=0.0, two=1.0, first=first, second=second)


def test_two_that_release_together_come_from_one_row_of_the_verdict():
    world = meeting()
    released = {
        "O1": (history(40, 8), rates("industrial", 3.0)),
        "O2": (history(60, 6), rates("domestic", 3.0)),
    }
    problem = problem_of(
        read(world, released),
        (world.matrix,),
        substances=substances(),
        fingerprints=LIBRARY,
        prior=world.prior,
    )
    verdict = _told_apart(weigh(problem))
    both, shapes = (verdict.first, verdict.second), problem.grid.shapes
    rows = {
        tuple((int(t.source[i]), (shapes.history(int(t.shape[i])) > 0.0).tobytes()) for t in both)
        for i in range(len(verdict.first.source))
    }
    scenarios = draw_scenarios(problem, verdict, count=40, ahead=0, rng=np.random.default_rng(7))
    drawn = [tuple((r.source, (r.rate > 0.0).tobytes()) for r in s.releases) for s in scenarios]
    assert len(rows) > 1
    assert set(drawn) == rows


def test_a_release_that_is_on_at_the_end_goes_on_and_a_past_one_does_not():
    going = [s for s in _drawn("O1", 80, 16) if s.label == "O1"]
    past = [s for s in _drawn("O1", 40, 8) if s.label == "O1"]
    assert np.mean([s.releases[0].rate[-12:].min() > 0.0 for s in going]) > 0.5
    assert np.mean([s.releases[0].rate[-12:].max() > 0.0 for s in past]) < 0.05


def test_drawn_rates_and_ratios_are_those_that_were_released():
    problem, _ = _weighed("O1", 40, 8)
    own = [s.releases[0] for s in _drawn("O1", 40, 8) if s.label == "O1"]
    wanted = rates("industrial", 3.0)
    assert np.median([r.rate.max() for r in own]) == pytest.approx(3.0, rel=0.25)
    ratio = np.median([r.ratio for r in own], axis=0)
    assert ratio == pytest.approx(wanted / wanted[0], rel=0.25)
    assert len(substances_of(problem)) == len(ratio)


def test_what_scenarios_would_show_is_what_the_matrix_says():
    # forward runs of the scenarios against the adjoint matrix of the trace, at S and T inside the window
    world = meeting()
    matrix, names = world.matrix, ("S", "T")
    rng = np.random.default_rng(1)
    scenarios = []
    for candidate in ("O1", "O2", "boundary:B", "reach:RC"):
        source = world.source(candidate)
        release = Release(
            candidate, source, rng.uniform(0.5, 2.0) * history(30, 20), np.array([1.0, 0.2, 3.0])
        )
        scenarios.append(Scenario(0, (release,)))
    scenarios.append(Scenario(0, scenarios[0].releases + scenarios[1].releases))
    scenarios.append(Scenario(0, ()))
    hours = np.array([40.0, 45.0, 52.0, 60.0])
    horizon = Horizon(world.flow.start, matrix.edges, HOUR * 39.0, HOUR * hours)
    stations = [world.network.station(n) for n in names]
    places = [Place(s.id, "river", s.reach, s.chainage_m) for s in stations]
    found = rises(
        scenarios,
        lambda _: compile_operator(world.network, world.flow),
        sources=matrix.sources,
        substances=substances(),
        places=places,
        horizon=horizon,
    )
    for p, name in enumerate(names):
        for h, hour in enumerate(hours):
            time = world.flow.start + np.timedelta64(int(hour), "h")
            row = int(np.flatnonzero((matrix.receptors.station == name) & (matrix.receptors.time == time))[0])
            for i, scenario in enumerate(scenarios):
                for d, substance in enumerate(substances()):
                    response = matrix.decayed(substance.decay_per_s)[row]
                    expected = sum(r.ratio[d] * response[r.source] @ r.rate for r in scenario.releases)
                    assert found[i, p, h, d] == pytest.approx(expected, rel=2e-3, abs=1e-5)


def test_an_outfall_discharges_at_the_hours_of_its_release_only():
    release = Release("O1", 0, np.array([0.0, 2.0, 2.0, 0.0]), np.ones(1))
    horizon = Horizon(networks.START, HOUR * np.arange(5.0), 0.0, HOUR * np.array([0.5, 1.5, 2.5, 3.5]))
    scenarios = [Scenario(0, (release,)), Scenario(0, ())]
    assert is_on(scenarios, "O1", horizon=horizon).tolist() == [[False, True, True, False], [False] * 4]
    assert not is_on(scenarios, "O2", horizon=horizon).any()


def test_the_background_expected_anywhere_is_that_of_the_rivers():
    problem, verdict = _weighed("O1", 40, 8)
    water = expected_water(problem, verdict)
    assert 0.4 < water.level[0] < 1.0  # NH3-N enters at 0.5 and 0.9
    assert np.all(water.sd > 0.0)


def test_a_flow_that_is_run_on_repeats_its_last_day_and_closes():
    network, flow = networks.confluence()
    hours = np.arange(48)
    tide = 1.0 + 0.5 * np.sin(2.0 * np.pi * hours / 12.0)
    start = np.column_stack([tide, 3.0 * tide, 4.0 * tide])
    volume = np.tile(flow.volume[0], (49, 1))
    given = networks.flow_of(network, start, volume)
    longer = prolonged(given, network, until_s=HOUR * 60.0)
    assert longer.edges[-1] == pytest.approx(HOUR * 60.0)
    assert longer.discharge_start[:48] == pytest.approx(given.discharge_start, abs=1e-9)
    assert longer.discharge_start[48:] == pytest.approx(given.discharge_start[24:36], abs=1e-6)
    storing = np.diff(longer.volume, axis=0) / HOUR
    assert longer.discharge_start - longer.discharge_end == pytest.approx(storing, abs=1e-9)
    assert prolonged(given, network, until_s=HOUR * 40.0) is given


def test_a_reach_that_filled_up_on_its_last_day_fills_no_further():
    network, _ = networks.single_reach()
    volume = 40_000.0 + np.linspace(0.0, 4_000.0, 25)[:, None]
    given = networks.flow_of(network, np.full((24, 1), 3.0), volume)
    longer = prolonged(given, network, until_s=HOUR * 48.0)
    assert longer.volume[-1, 0] == pytest.approx(44_000.0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: terms_of(Sampling(budget="lots")), "'lots' is neither money nor hours"),
        (lambda: terms_of(Sampling(budget="-3h")), "-3 h"),
        (lambda: working_hours("25-26"), "'25-26'"),
        (lambda: working_hours("8 to 5"), "'8 to 5'"),
        (lambda: working_hours("08-08"), "'08-08'"),
    ],
)
def test_budgets_and_hours_that_make_no_sense_are_refused(make, said: str):
    with pytest.raises(InputError, match=said):
        make()


def _suyuan(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def river(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "river"
    assert _suyuan("new", folder).exit_code == 0
    return folder / "example"


RUNNING = ("--now", "2024-07-21T05:00", "--hours", "00-24", "--ahead", "8")
"""While O2 lets out: what it let out from 01:00 passes S1 from 04:30."""


@pytest.fixture(scope="module")
def planned(river: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    out = tmp_path_factory.mktemp("planned") / "next"
    return _suyuan("next", river, *RUNNING, "--crews", "2", "--out", out, "--lang", "en"), out


def test_the_plan_is_printed_and_written(planned: tuple[Result, Path]):
    result, out = planned
    assert result.exit_code == 0, result.output
    assert "Leading now" in result.stdout
    assert "1.1" in result.stdout
    for name in ("next.html", "next.json", "next.csv", "samples.csv", "next.svg"):
        assert (out / name).stat().st_size > 0
    page = (out / "next.html").read_text("utf-8")
    assert "采样建议" in page
    assert result.stdout.startswith("All data of this project are invented.")
    assert "invented, for demonstration only" in page
    assert json.loads((out / "next.json").read_text("utf-8"))["invented"] is True
    assert "Next samples" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_stops_come_after_now_within_reach_and_in_order(planned: tuple[Result, Path]):
    _, out = planned
    found = json.loads((out / "next.json").read_text("utf-8"))
    assert found["stops"]
    assert found["unsure_after_bits"] < found["unsure_bits"]
    for crew in (1, 2):
        times = [s["time"] for s in found["stops"] if s["crew"] == crew]
        assert times == sorted(times)
        assert all("2024-07-21T05:00:00+08:00" < t <= "2024-07-21T13:00:00+08:00" for t in times)
    assert len({s["station"] for s in found["stops"]}) == len(found["stops"])


def test_working_hours_are_kept(river: Path):
    words = ("next", river, "--now", "2024-07-21T05:00", "--hours", "09-11", "--ahead", "8", "--json")
    stops = json.loads(_suyuan(*words).stdout)["stops"]
    assert all("T09:00" <= s["time"][10:16] <= "T11:00" for s in stops)


def test_an_outfall_is_confirmed_or_cleared(river: Path):
    found = json.loads(_suyuan("next", river, *RUNNING, "--confirm", "O2", "--json").stdout)
    assert found["question"] == "O2"
    assert found["unsure_bits"] <= 1.0
    assert {s["if_high"] for s in found["stops"]} <= {"O2", "not O2"}


def test_samples_written_into_the_plan_are_traced(planned: tuple[Result, Path], river: Path, tmp_path: Path):
    _, out = planned
    again = tmp_path / "again"
    shutil.copytree(river, again)
    rows = list(csv.DictReader((out / "samples.csv").read_text("utf-8-sig").splitlines()))
    if not rows:
        rows = [
            {
                "time": "2024-07-21T07:00:00+08:00",
                "unit": "mg/L",
                "determinand": "NH3-N",
                "qualifier": "",
                "sample_id": "",
            }
        ]
    rows[0] |= {"station": "R1+2600", "value": "2.6"}
    with (again / "samples.csv").open("w", encoding="utf-8", newline="") as sheet:
        table = csv.DictWriter(sheet, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows[:1])
    _list_samples(again)
    assert _suyuan("check", again).exit_code == 0, _suyuan("check", again).output
    result = _suyuan("trace", again, "--json")
    assert result.exit_code == 0, result.output
    assert "R1+2600" in json.loads(result.stdout)["stations"]


def test_a_sample_beyond_the_end_of_its_reach_is_a_fault(river: Path, tmp_path: Path):
    again = tmp_path / "beyond"
    shutil.copytree(river, again)
    readings = again / "observations.csv"
    more = "\n2024-07-21T07:00:00+08:00,R1+9999,NH3-N,2.6,mg/L\n"
    text = readings.read_text("utf-8").rstrip("\n")
    columns = next(line for line in text.splitlines() if line.startswith("time")).count(",")
    readings.write_text(text + more.rstrip("\n") + "," * (columns - 4) + "\n", "utf-8")
    result = _suyuan("check", again)
    assert result.exit_code == 1
    assert "beyond the end of reach 'R1'" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--confirm", "O9"), "O9"),
        (("--method", "sniff"), "sniff"),
        (("--ahead", "0"), "0 hours"),
        (("--crews", "0"), "0 crews"),
        (("--now", "soon"), "soon"),
        (("--now", "2024-07-19T00:00"), "2024-07-19"),
        (("--base", "Nowhere"), "Nowhere"),
        (("--kit-limit", "-1"), "-1"),
        (("--speed", "0"), "speed 0"),
        (("--hours", "03-04", "--ahead", "2"), "working hour"),
    ],
)
def test_a_wrong_option_says_which_value(words: tuple[str, ...], said: str, river: Path):
    result = _suyuan("next", river, *words)
    assert result.exit_code == 1, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output


def _list_samples(project: Path) -> None:
    settings = (project / "suyuan.toml").read_text("utf-8")
    listed = 'observations = ["observations.csv", "samples.csv"]'
    (project / "suyuan.toml").write_text(
        settings.replace('observations = "observations.csv"', listed), "utf-8"
    )


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"base": "nowhere"}, "station 'nowhere' is not in the network"),
        ({"confirm": "O99"}, "outfall 'O99' is not in the network"),
        ({"stops": 0}, "--stops: 0 samples a crew; give 1 or more"),
        ({"speed_kmh": 0.0}, "--speed: a speed 0 km/h; give more"),
        ({"speed_kmh": float("nan")}, "--speed: a speed nan km/h; give more"),
    ],
)
def test_what_crews_cannot_do_is_refused_before_the_water_is_followed(
    river: Path, wrong: dict[str, Any], match: str
):
    heard: list[str] = []
    with pytest.raises(InputError, match=match):
        advise_project(
            read_project(river),
            Ask(),
            sampling=Sampling(**wrong),
            progress=lambda what, _: heard.append(what),
        )
    assert "following the water back" not in heard


def test_a_plan_that_could_not_be_written_is_refused_before_anything_is_read(river: Path, tmp_path: Path):
    (tmp_path / "taken").write_text("mine")
    result = _suyuan("next", river, "--out", tmp_path / "taken", "--stops", "0")
    assert result.exit_code == 1
    assert "taken: is a file, not a folder" in result.stderr
    result = _suyuan("place", river, "--count", "99999", "--out", tmp_path / "taken")
    assert "taken: is a file, not a folder" in result.stderr


def test_samples_that_were_filled_in_are_never_replaced(tmp_path: Path):
    template = ",".join(SHEET) + "\n2024-07-21T07:00:00+08:00,R1+2600,NH3-N,{},mg/L,,1.1\n"
    sheet = tmp_path / "samples.csv"
    assert sheet_name(tmp_path) == "samples.csv"
    sheet.write_text(template.format(""), "utf-8-sig")
    assert sheet_name(tmp_path) == "samples.csv"  # nothing filled in
    sheet.write_text(template.format("2.6"), "utf-8-sig")
    assert sheet_name(tmp_path) == "samples-2.csv"
    sheet.write_bytes(template.format("").replace("R1", "河").encode("gb18030"))  # as a spreadsheet saved it
    assert sheet_name(tmp_path) == "samples-2.csv"


def test_a_plan_beside_filled_in_samples_leaves_them_alone(
    planned: tuple[Result, Path], river: Path, tmp_path: Path
):
    _, out = planned
    shutil.copytree(out, tmp_path / "plan")
    filled = (out / "samples.csv").read_text("utf-8-sig") + "2024-07-21T07:00:00+08:00,S1,NH3-N,2.6,mg/L,,\n"
    (tmp_path / "plan" / "samples.csv").write_text(filled, "utf-8")
    result = _suyuan("next", river, *RUNNING, "--out", tmp_path / "plan")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "plan" / "samples.csv").read_text("utf-8") == filled
    assert "samples-2.csv" in (tmp_path / "plan" / "next.html").read_text("utf-8")


def test_samples_after_the_window_are_counted_and_samples_to_come_are_not_the_present(
    river: Path, tmp_path: Path
):
    """One sample was read an hour after `until`, one will be taken the day after."""
    again = tmp_path / "again"
    shutil.copytree(river, again)
    _list_samples(again)
    until = read_project(river).trace.until
    assert until is not None
    rows = [f"{until + np.timedelta64(h, 'h')}Z,R1+2600,NH3-N,{v},mg/L,,x" for h, v in ((1, "2.6"), (24, ""))]
    (again / "samples.csv").write_text("\n".join([",".join(SHEET), *rows]) + "\n", "utf-8")
    found = json.loads(_suyuan("trace", again, "--json").stdout)
    assert any("1 readings outside the window" in note and "1 after" in note for note in found["notes"])
    settings = (again / "suyuan.toml").read_text("utf-8")
    open_ended = "\n".join(line for line in settings.splitlines() if not line.startswith("until"))
    (again / "suyuan.toml").write_text(open_ended, "utf-8")
    project = read_project(again)
    observations = read_observations(project.files.observations, timezone=project.zone)
    assert window(project, Ask(), observations=observations)[1] == until + np.timedelta64(1, "h")


def _mouths(limit: float) -> World:
    """Scenarios in which O1 (industrial) or O3 (storm) released at the end, asked with kits at the mouths."""
    network = meeting().network
    scenarios = _drawn("O1", 40, 56)
    horizon = Horizon(
        networks.START, HOUR * np.arange(24.0, 109.0), 96.0 * HOUR, HOUR * np.arange(97.0, 100.0)
    )
    places = tuple(Place(o.id, "mouth", o.reach, o.chainage_m) for o in network.outfalls)
    lawful = lawful_waters(network, LIBRARY, determinand="NH3-N")
    wanted = Wanted(
        places, horizon, np.ones(3, bool), methods=Methods(Kit(limit=limit), None, None), lawful=lawful
    )
    nothing = np.zeros((len(scenarios), 0, 3, 3), np.float32)
    return World(scenarios, wanted, nothing, Expected(np.ones(3), np.ones(3), 0.15, 0.0), np.zeros((1, 3)))


def _chance(world: World, outfall: str, *, guilty: bool) -> float:
    at = [place.id for place in world.wanted.places].index(outfall)
    option = next(i for i, o in enumerate(world.offered().options) if o.place == at)
    outcome = world.offered().outcomes[option]
    rows = [i for i, s in enumerate(world.scenarios) if (outfall in s.who) == guilty]
    return float(np.median(outcome.chance[rows]))


def test_a_yes_at_the_mouth_of_sewage_is_no_proof_where_lawful_sewage_says_yes_too():
    world = _mouths(limit=2.0)  # industrial water of the library holds 30 g/m3
    assert _chance(world, "O1", guilty=True) == pytest.approx(0.95)
    assert _chance(world, "O1", guilty=False) == pytest.approx(0.95, abs=1e-6)


def test_a_yes_at_a_storm_outfall_in_dry_weather_tells_much():
    world = _mouths(
        limit=5.0
    )  # the median of storm water in the library: half of the 8 % of the time above it
    assert _chance(world, "O3", guilty=False) == pytest.approx(0.03 + 0.92 * 0.04)


def test_a_limit_above_lawful_water_makes_a_yes_tell():
    world = _mouths(limit=60.0)  # twice the median, log sd 0.25: exceeded by 0.3 % of industrial water
    assert _chance(world, "O1", guilty=False) < 0.04
    assert world.lawful_chance(Place("RC+900", "river", "RC", 900.0)) != world.lawful_chance(
        world.wanted.places[0]
    )


def test_lawful_water_is_that_of_the_outfall_itself_where_the_library_has_it():
    network = meeting().network
    own = replace(LIBRARY, kinds=("O1", *LIBRARY.kinds[1:]))
    waters = lawful_waters(network, own, determinand="NH3-N")
    assert waters["O1"].median == LIBRARY.median[0, 0]
    assert np.isnan(waters["O4"].median)  # industrial, of which this library says nothing
    assert waters["O4"].chance_above(1.0) == pytest.approx(0.5)
    assert waters["O3"].share == pytest.approx(0.08)


def test_the_plan_says_how_often_lawful_water_is_positive_too():
    start, nothing = networks.START, float("nan")
    mouth = Stop(
        1,
        1,
        Place("O1", "mouth", "RA", 400.0),
        start,
        start,
        "kit",
        0.3,
        30.0,
        0.9,
        (nothing,) * 3,
        ("O1", 0.5),
        ("", 0.5),
    )
    said = expected_words(replace(mouth, chance_lawful=0.77), "mg/L")
    assert said.en == "yes 90 % (also positive if it discharges lawfully: 77 %)"
    assert said.zh == "阳性 90 %（合法排放时也呈阳性 77 %）"
    assert expected_words(mouth, "mg/L").en == "yes 90 %"
