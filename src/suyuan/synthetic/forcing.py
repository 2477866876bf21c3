"""What drives an invented flow: inflows, rain, lake, gate; as they are, and as a bureau believes them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.network import Network

Array = NDArray[np.float64]

STEP_S = 600.0
DAYS = 12
START = np.datetime64("2024-07-15T16:00:00", "s")
"""Midnight in China before the first day of flow, UTC."""

CHINA_S = 8 * 3600
TIDE_S, DIURNAL_S = 12.42 * 3600.0, 24.84 * 3600.0
LARGEST_TIDE_M = 0.40


@dataclass(frozen=True)
class Forcing:
    """All that the water model needs besides the network's shape.

    `inflow` (step, boundary) [m3/s] enters at the nodes `boundaries`; `lake_stage` (step + 1,) [m above the
    datum that the reaches' depths refer to]; `is_open` (step, reach) is false where a gate is shut;
    `depth_m` and `roughness` (reach,) [s/m^(1/3)] are the model's idea of the channels, `sewer_speed`
    (reach,) [m/s] how fast sewers run (NaN in canals). `rain` (step,) [mm/h].
    """

    boundaries: tuple[str, ...]
    inflow: Array
    lake_stage: Array
    is_open: NDArray[np.bool_]
    depth_m: Array
    roughness: Array
    sewer_speed: Array
    rain: Array


@dataclass(frozen=True)
class Weather:
    """What may be asked of a forcing: days, tidal exchange (multiple of the mean outflow), rains."""

    days: int = DAYS
    tide: float = 1.5
    rains: float = 0.8


def draw_forcing(network: Network, rng: np.random.Generator, *, weather: Weather | None = None) -> Forcing:
    """Return inflows with daily course and rain, a lake's stage with tide and wind, and the gate's hours."""
    weather = weather or Weather()
    steps = round(weather.days * 86400.0 / STEP_S)
    boundaries = tuple(n.id for n in network.nodes if n.kind == "boundary")
    sewer = np.array([r.kind == "storm_sewer" for r in network.reaches])
    rain = _draw_rain(rng, steps, rains=weather.rains)
    inflow = _draw_inflow(network, rng, boundaries=boundaries, rain=rain)
    stage = _draw_stage(
        network, rng, outflow=float(inflow.mean(axis=0).sum()), tide=weather.tide, steps=steps
    )
    count = len(network.reaches)
    return Forcing(
        boundaries=boundaries,
        inflow=inflow,
        lake_stage=stage,
        is_open=_gate_hours(network, rng, stage=stage),
        depth_m=np.array([r.depth_m for r in network.reaches]),
        roughness=np.array([r.roughness for r in network.reaches]),
        sewer_speed=np.where(sewer, rng.uniform(0.25, 0.45, count), np.nan),
        rain=rain,
    )


def wander(
    rng: np.random.Generator, shape: tuple[int, int], *, memory_s: float, step_s: float = STEP_S
) -> Array:
    """Return unit-variance random courses (step, series) whose correlation fades as exp(-lag / memory_s)."""
    keep = np.exp(-step_s / memory_s)
    shock = rng.normal(0.0, 1.0, shape)
    shock[1:] *= np.sqrt(1.0 - keep**2)
    course = shock
    for t in range(1, shape[0]):
        course[t] += keep * course[t - 1]
    return course


def _draw_rain(rng: np.random.Generator, steps: int, *, rains: float) -> Array:
    rain = np.zeros(steps)
    for _ in range(rng.poisson(rains)):
        first, length = int(rng.integers(0, steps)), int(rng.integers(12, 60))
        rain[first : first + length] += (
            rng.uniform(2.0, 8.0) * np.sin(np.linspace(0.0, np.pi, length))[: steps - first]
        )
    return rain


def hydrograph(rain: Array, *, peak_h: float) -> Array:
    """Return rain [mm/h] smoothed by a gamma unit hydrograph that peaks after `peak_h` hours."""
    t = np.arange(1, round(10.0 * peak_h * 3600.0 / STEP_S)) * STEP_S / (peak_h * 3600.0)
    unit = t * np.exp(1.0 - t)
    return np.convolve(rain, unit / unit.sum())[: len(rain)]


def _draw_inflow(
    network: Network, rng: np.random.Generator, *, boundaries: tuple[str, ...], rain: Array
) -> Array:
    """Return inflows (step, boundary) [m3/s]: a base that wanders and breathes daily, and what rain adds."""
    steps = len(rain)
    hour = (np.arange(steps) * STEP_S + _second_of_day()) / 3600.0
    is_sewer = {r.from_node: r.kind == "storm_sewer" for r in network.reaches}
    columns = []
    for name in boundaries:
        sewer = is_sewer.get(name, False)
        low, high = (0.006, 0.025) if sewer else {"M0": (1.6, 3.4), "B0": (0.5, 1.2)}.get(name, (0.10, 0.50))
        base = rng.uniform(low, high)
        swing, peak = (
            (rng.uniform(0.2, 0.4), 20.0) if sewer else (rng.uniform(0.02, 0.08), rng.uniform(0.0, 24.0))
        )
        daily = 1.0 + swing * np.cos(2.0 * np.pi * (hour - peak) / 24.0)
        slow = np.exp(rng.uniform(0.05, 0.10) * wander(rng, (steps, 1), memory_s=86400.0)[:, 0])
        runoff = rng.uniform(0.01, 0.03) if sewer else base * rng.uniform(0.05, 0.15)
        peak_h = rng.uniform(0.4, 0.9) if sewer else rng.uniform(3.0, 8.0)
        columns.append(base * daily * slow + runoff * hydrograph(rain, peak_h=peak_h))
    return np.column_stack(columns)


def _second_of_day() -> float:
    midnight = START.astype("datetime64[D]").astype("datetime64[s]")
    return float((START - midnight).astype(float)) + CHINA_S


def _draw_stage(
    network: Network, rng: np.random.Generator, *, outflow: float, tide: float, steps: int
) -> Array:
    """Return the lake's stage (step + 1,) [m]: tide that exchanges `tide` times the outflow, seiche, wind."""
    t = np.arange(steps + 1) * STEP_S
    surface = sum(r.width_m * r.length_m for r in network.reaches if r.kind == "canal")
    amplitude = min(tide * outflow * TIDE_S / (2.0 * np.pi * surface), LARGEST_TIDE_M)
    spring = 1.0 + 0.25 * np.cos(2.0 * np.pi * t / (14.77 * 86400.0) + rng.uniform(0.0, 6.28))
    level = amplitude * spring * np.cos(2.0 * np.pi * t / TIDE_S + rng.uniform(0.0, 6.28))
    level += 0.2 * amplitude * np.cos(2.0 * np.pi * t / DIURNAL_S + rng.uniform(0.0, 6.28))
    seiche_s = rng.uniform(1.8, 2.8) * 3600.0
    wind = wander(rng, (steps + 1, 2), memory_s=10.0 * 3600.0)
    level += 0.003 * np.abs(wind[:, 0]) * np.cos(2.0 * np.pi * t / seiche_s + rng.uniform(0.0, 6.28))
    return np.asarray(level + 0.015 * wind[:, 1])


def _gate_hours(network: Network, rng: np.random.Generator, *, stage: Array) -> NDArray[np.bool_]:
    """Return where (step, reach) water may pass: gates are shut at night or while the lake is high."""
    steps = len(stage) - 1
    is_open = np.ones((steps, len(network.reaches)), bool)
    hour = (np.arange(steps) * STEP_S + _second_of_day()) / 3600.0 % 24.0
    for structure in network.structures:
        if structure.kind != "gate":
            continue
        if rng.random() < 0.5:
            shut = (hour >= rng.integers(19, 23)) | (hour < rng.integers(4, 8))
        else:
            shut = np.repeat(stage[:-1:6] > np.quantile(stage, 0.65), 6)[
                :steps
            ]  # the keeper looks every hour
        is_open[shut, network.reach_index(structure.reach)] = False
    return is_open


def blurred(forcing: Forcing, rng: np.random.Generator, *, error: float = 1.0) -> Forcing:
    """Return what a bureau believes about `forcing`; `error` 1 is a good model, 2 a poor one.

    Inflows are wrong by a log-sd of 0.12 each and smoothed over 6 h; depths by 0.07 in common and 0.10 per
    reach; roughness and sewer speed by 0.12; the lake's stage has a wrong mean, range and hour.
    """
    reaches, boundaries = len(forcing.depth_m), len(forcing.boundaries)
    smooth = np.ones(36) / 36.0
    padded = np.pad(forcing.inflow, ((18, 17), (0, 0)), mode="edge")
    inflow = np.column_stack([np.convolve(column, smooth, "valid") for column in padded.T])
    level = forcing.lake_stage
    later = np.roll(level, int(rng.integers(-2, 3)))
    depth = np.exp(error * (0.07 * rng.normal() + 0.10 * rng.normal(size=reaches)))
    believed = later.mean() + (later - later.mean()) * np.exp(error * rng.normal(0.0, 0.07))
    return replace(
        forcing,
        inflow=inflow * np.exp(error * 0.12 * rng.normal(size=boundaries)),
        lake_stage=believed + error * rng.normal(0.0, 0.025),
        depth_m=forcing.depth_m * np.clip(depth, 0.65, 1.5),
        roughness=forcing.roughness * np.exp(error * 0.12 * rng.normal(size=reaches)),
        sewer_speed=forcing.sewer_speed * np.exp(error * 0.12 * rng.normal(size=reaches)),
    )
