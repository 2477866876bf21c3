"""Draws what enters at the boundaries: water, its background concentrations, rain, and the lake's stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.worlds.style import DETERMINANDS, LAST_HOUR, WINDOW_HOUR
from suyuan.network import Network

Array = NDArray[np.float64]

CANAL_LOG_SD, CANAL_HOURS = 0.15, 18.0
BACKGROUND_LOG_SD, BACKGROUND_HOURS = (0.13, 0.13, 0.13, 0.035), 26.0
BACKGROUND_SHARED = 0.45
SEWER_RAIN, SEWER_RAIN_HOURS, CANAL_RAIN_HOURS = 18.0, 18.0, 18.0
RAIN_RISE = (0.5, 0.5, 0.4, -0.13)
RAIN_CHANCE = 0.25
TIDE_HOURS = 12.42


@dataclass(frozen=True)
class Weather:
    """What drives a run; hourly values (hour + 1,) from the start of SWMM.

    `inflow` [m3/s] by boundary node, `background` (determinand, hour + 1) by boundary node,
    `stage` [m above the canals' bed], `roughness` (reach,) Manning.
    """

    inflow: dict[str, Array]
    background: dict[str, Array]
    stage: Array
    roughness: Array


def wandering(rng: np.random.Generator, hours: float) -> Array:
    """Return a stationary first-order autoregression with unit variance and this correlation time."""
    keep = np.exp(-1.0 / hours)
    steps = rng.normal(size=LAST_HOUR + 1)
    out = np.empty(LAST_HOUR + 1)
    out[0] = steps[0]
    for h in range(1, LAST_HOUR + 1):
        out[h] = keep * out[h - 1] + np.sqrt(1.0 - keep * keep) * steps[h]
    return out


def after_rain(rain_hour: float, hours: float) -> Array:
    """Return the recession after rain: 0 before, 1 at its peak, falling with this time constant."""
    since = np.arange(LAST_HOUR + 1) - rain_hour
    return np.where(since >= 0.0, np.exp(-np.maximum(since, 0.0) / hours), 0.0)


def draw_weather(network: Network, family: str, *, rng: np.random.Generator) -> Weather:
    """Return the true weather of a case."""
    rain = WINDOW_HOUR + rng.uniform(8.0, 170.0) if rng.random() < RAIN_CHANCE else np.inf
    boundaries = [n.id for n in network.nodes if n.kind == "boundary"]
    size, sewer_size = (
        np.exp(rng.uniform(np.log(0.32), np.log(0.85))),
        np.exp(rng.uniform(np.log(0.005), np.log(0.016))),
    )
    inflow, background = {}, {}
    for node in boundaries:
        if node.startswith("S"):
            inflow[node] = sewer_size * rng.uniform(0.7, 1.4) * _sewer_shape(rng, rain)
            mixed = rng.uniform((0.65, 0.12, 3.2, 420.0), (1.35, 0.3, 8.0, 700.0))
            background[node] = np.repeat(mixed[:, None], LAST_HOUR + 1, axis=1)
            continue
        mean = size * (rng.uniform(2.0, 5.0) if node == "M0" else rng.uniform(0.3, 1.0))
        swell = 1.0 + rng.uniform(0.4, 1.2) * after_rain(rain, CANAL_RAIN_HOURS)
        inflow[node] = mean * np.exp(CANAL_LOG_SD * wandering(rng, CANAL_HOURS)) * swell
        background[node] = _canal_background(rng, rain)
    stage = np.full(LAST_HOUR + 1, rng.uniform(1.65, 1.85)) + 0.02 * wandering(rng, 48.0)
    if family == "reversing":
        phase = rng.uniform(0.0, 2.0 * np.pi)
        stage += rng.uniform(0.12, 0.19) * np.sin(2.0 * np.pi * np.arange(LAST_HOUR + 1) / TIDE_HOURS + phase)
    roughness = np.array(
        [0.014 if r.kind == "storm_sewer" else rng.uniform(0.022, 0.032) for r in network.reaches]
    )
    return Weather(inflow, background, stage, roughness)


def _sewer_shape(rng: np.random.Generator, rain: float) -> Array:
    hour = np.arange(LAST_HOUR + 1)
    diurnal = 1.0 + 0.35 * np.cos(2.0 * np.pi * (hour - 14.0) / 24.0)
    storm = SEWER_RAIN * rng.uniform(0.9, 1.2) * after_rain(rain, SEWER_RAIN_HOURS)
    shape: Array = diurnal * (1.0 + storm) * np.exp(0.05 * wandering(rng, 6.0))
    return shape


def _canal_background(rng: np.random.Generator, rain: float) -> Array:
    middle = np.array(
        [
            np.clip(0.28 * np.exp(0.45 * rng.normal()), 0.08, 0.65),
            np.clip(0.11 * np.exp(0.33 * rng.normal()), 0.04, 0.2),
            rng.uniform(2.2, 5.0),
            rng.uniform(420.0, 710.0),
        ]
    )
    shared = wandering(rng, BACKGROUND_HOURS)
    out = np.empty((len(DETERMINANDS), LAST_HOUR + 1))
    for d in range(len(DETERMINANDS)):
        own = wandering(rng, BACKGROUND_HOURS)
        moved = np.sqrt(BACKGROUND_SHARED) * shared + np.sqrt(1.0 - BACKGROUND_SHARED) * own
        washed = 1.0 + RAIN_RISE[d] * rng.uniform(0.6, 1.4) * after_rain(rain, CANAL_RAIN_HOURS)
        out[d] = middle[d] * np.exp(BACKGROUND_LOG_SD[d] * moved) * washed
    return out


def mistaken(weather: Weather, rng: np.random.Generator, *, share: float) -> Weather:
    """Return the weather as somebody's model has it, wrong in every inflow, roughness and lake stage.

    `share` is the log standard deviation of each boundary's inflow; roughness and stage err in proportion.
    """
    inflow = {node: q * np.exp(rng.normal(0.0, share)) for node, q in weather.inflow.items()}
    roughness = weather.roughness * np.exp(rng.normal(0.0, share))
    middle = weather.stage.mean()
    stage = (
        middle
        + rng.normal(0.0, 0.4 * share)
        + (weather.stage - middle) * np.exp(rng.normal(0.0, 0.5 * share))
    )
    return Weather(inflow, {}, stage, roughness)
