"""Slow, obvious second implementations that the shipped ones are held against; never shipped themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suyuan.transport.operator import TransportOperator

Array = NDArray[np.float64]


def transported(operator: TransportOperator, initial: Array, boundary: Array) -> Array:
    """Return the masses of cells and lakes (store,) at the end, by recursion and dense matrices.

    `initial` (store,) and `boundary` (flow bin, boundary) are concentrations. Nothing is let in on the way.
    """
    mass = initial * operator.volume_at(0)
    for n in range(operator.steps):
        step = StepOracle(operator, n, mass, boundary[operator.water.bin[n]])
        mass = step.advected(step.dispersed())
    return mass


class StepOracle:
    """One time step, written as one would explain it."""

    def __init__(self, operator: TransportOperator, n: int, mass: Array, outside: Array) -> None:
        self.g, self.water, self.mass, self.outside = operator.geometry, operator.water, mass, outside
        self.bin, self.dt = operator.water.bin[n], operator.water.length[n]
        self.before, self.after = operator.volume_at(n), operator.volume_at(n + 1)
        self.into = self.water.into[self.bin] * self.dt
        self.external = self.water.outside[self.bin] * self.dt

    def cells(self, path: int) -> slice:
        return slice(int(self.g.path_cells[path]), int(self.g.path_cells[path + 1]))

    def ends(self, node: int) -> list[int]:
        return self.g.node_ends[self.g.node_first[node] : self.g.node_first[node + 1]].tolist()

    # --- advection

    def advected(self, concentration: Array) -> Array:
        self.held = concentration * self.before
        out = np.empty_like(concentration)
        for p in range(self.g.paths):
            moved = np.concatenate([[0.0], np.cumsum(self.after[self.cells(p)])]) + self.into[2 * p]
            out[self.cells(p)] = np.diff([self.upto(p, x) for x in moved])
        for k, node in enumerate(self.g.lakes):
            row = self.g.cells + k
            out[row] = self.held[row] + self.came(node, 1.0) - self.passed(node, 1.0)
        return out

    def upto(self, p: int, x: float) -> float:
        """Old mass of a path between its start and cumulative volume x, which may lie beyond its ends."""
        face = np.concatenate([[0.0], np.cumsum(self.before[self.cells(p)])])
        total = np.concatenate([[0.0], np.cumsum(self.held[self.cells(p)])])
        for side, beyond in ((0, -x), (1, x - face[-1])):
            entered = -self.into[2 * p + side]
            if beyond > 0.0 and entered > 0.0:
                node = int(self.g.path_nodes[p, side])
                share = entered / self.taken(node) * self.passed(node, min(beyond / entered, 1.0))
                return -share if side == 0 else total[-1] + share
        x = min(max(x, 0.0), face[-1])
        i = min(int(np.searchsorted(face, x, side="right")) - 1, len(face) - 2)
        below, above = i + 1, len(face) - 1 - i
        most = min(3, max(2, min(below, above)))
        below, above = min(below, most), min(above, most)
        f, m = face[i + 1 - below : i + 1 + above], total[i + 1 - below : i + 1 + above]
        lagrange = [np.prod([(x - b) / (a - b) for b in f if b != a]) for a in f]
        return float(np.dot(lagrange, m))

    def taken(self, node: int) -> float:
        out = sum(max(-self.into[e], 0.0) for e in self.ends(node))
        k = self.g.node_boundary[node]
        return out + (max(-self.external[k], 0.0) if k >= 0 else 0.0)

    def came(self, node: int, theta: float) -> float:
        """Mass that came to a node until a share theta of the step."""
        mass = 0.0
        for e in self.ends(node):
            p, left = e // 2, self.into[e] * theta
            if left > 0.0:
                whole = float(self.before[self.cells(p)].sum())
                mass += self.upto(p, left) if e % 2 == 0 else self.upto(p, whole) - self.upto(p, whole - left)
        return mass + self.rain(node) * theta * self.outside[self.g.node_boundary[node]]

    def rain(self, node: int) -> float:
        """Water [m3] that comes to a node from outside."""
        k = self.g.node_boundary[node]
        return max(self.external[k], 0.0) if k >= 0 else 0.0

    def passed(self, node: int, theta: float) -> float:
        """Mass that left a node until a share theta of the step: what came, unless the node is a lake."""
        k = self.g.node_lake[node]
        if k < 0 or theta == 0.0:
            return self.came(node, theta)
        came, row = self.came(node, theta), self.g.cells + k
        given, taken, first = (
            sum(max(self.into[e], 0.0) for e in self.ends(node)) + self.rain(node),
            self.taken(node),
            self.before[row],
        )
        volume = first + (given - taken) * theta
        mean = came / (given * theta) if given > 0.0 else 0.0
        old = self.held[row] / first
        power = -given / (given - taken) if given != taken else 0.0
        fade = (volume / first) ** power if given != taken else np.exp(-given * theta / first)
        return self.held[row] + came - volume * (mean + (old - mean) * fade)

    # --- dispersion

    def dispersed(self) -> Array:
        """Concentrations after dispersion: S c1 = m, S c = (V - K'') c1, with nodes as unknowns and dense
        matrices."""
        nodes, stores = len(self.g.node_lake), len(self.mass)
        size = stores + nodes
        is_unknown = (np.diff(self.g.node_first) > 1) | (self.g.node_lake >= 0)
        where = [self.g.cells + int(k) if k >= 0 else stores + n for n, k in enumerate(self.g.node_lake)]
        implicit, explicit = np.zeros((size, size)), np.zeros((size, size))
        source, later = np.zeros(size), np.zeros(size)
        standard = 1.0 - np.sqrt(0.5)
        for p in range(self.g.paths):
            row = np.arange(self.g.cells)[self.cells(p)]
            volume = self.before[row]
            spread = (
                self.water.dispersion[self.bin, self.g.cell_reach[row]]
                * self.dt
                / self.g.cell_length[row] ** 2
            )
            for a, b in zip(range(len(row) - 1), range(1, len(row)), strict=True):
                halves = 2.0 * spread[[a, b]] * volume[[a, b]]
                exchange = 1.0 / (1.0 / halves).sum()
                mean = 2.0 / (1.0 / volume[[a, b]]).sum()
                share = 1.0 - np.sqrt(0.5 + mean / (12.0 * exchange))
                _connect(implicit, row[a], row[b], share * exchange)
                _connect(explicit, row[a], row[b], (1.0 - 2.0 * share) * exchange)
            for side, c in ((0, 0), (1, -1)):
                node, half = int(self.g.path_nodes[p, side]), 2.0 * spread[c] * volume[c]
                k = int(self.g.node_boundary[node])
                if is_unknown[node]:
                    if self.into[2 * p + side] > 0.0:
                        x = self.peclet(node)
                        half *= x / np.expm1(x) if x < 500.0 else 0.0
                    _connect(implicit, row[c], where[node], standard * half)
                    _connect(explicit, row[c], where[node], (1.0 - 2.0 * standard) * half)
                elif k >= 0 and self.external[k] > 0.0:
                    inlet = min(0.5 * half / max(1.0, self.external[k] / volume[c]), self.external[k])
                    implicit[row[c], row[c]] += standard * inlet
                    explicit[row[c], row[c]] += (1.0 - 2.0 * standard) * inlet
                    source[row[c]] += standard * inlet * self.outside[k]
                    later[row[c]] += (1.0 - standard) * inlet * self.outside[k]
        held = np.diag(np.concatenate([self.before, np.zeros(nodes)]))
        matrix = (
            held
            + implicit
            + np.diag(np.r_[np.zeros(stores), np.where(np.diag(implicit)[stores:] > 0.0, 0.0, 1.0)])
        )
        first = np.linalg.solve(matrix, np.r_[self.mass, np.zeros(nodes)] + source)
        return np.linalg.solve(matrix, (held - explicit) @ first + later)[:stores]

    def peclet(self, node: int) -> float:
        """Largest 2 u max(dx, 2 u dt) / D of the path ends at a node."""
        numbers = [0.0]
        for e in self.ends(node):
            cell = self.cells(e // 2).start if e % 2 == 0 else self.cells(e // 2).stop - 1
            dx = self.g.cell_length[cell]
            moved = abs(self.into[e]) * dx / self.before[cell]
            mixed = self.water.dispersion[self.bin, self.g.cell_reach[cell]] * self.dt
            numbers.append(2.0 * moved * max(dx, 2.0 * moved) / mixed)
        return max(numbers)


def _connect(matrix: Array, a: int, b: int, exchange: float) -> None:
    matrix[[a, b], [a, b]] += exchange
    matrix[[a, b], [b, a]] -= exchange


def errors_below(day: Array, *, lasting: float) -> tuple[Array, Array]:
    """Return mean and variance (day,) of standard normal errors, `lasting` from day to day, that all lie below 0.

    Forward and backward sums over 400 Gauss-Legendre nodes from -9 to 0: exact to ten digits while days are one apart or more.
    """
    nodes, weights = np.polynomial.legendre.leggauss(400)
    x, weights = 4.5 * (nodes - 1.0), 4.5 * weights

    def step(fade: float) -> Array:
        spread = 1.0 - fade**2
        return np.exp(-((x[:, None] - fade * x[None, :]) ** 2) / (2.0 * spread)) / np.sqrt(
            2.0 * np.pi * spread
        )

    steps = [step(fade) for fade in lasting ** np.diff(day)]
    forward, backward = [np.exp(-0.5 * x**2)], [np.ones_like(x)]
    for one in steps:
        forward.append(one @ (weights * forward[-1]))
    for one in reversed(steps):
        backward.append(one.T @ (weights * backward[-1]))
    shares = np.array(forward) * np.array(backward[::-1]) * weights
    shares /= shares.sum(axis=1, keepdims=True)
    mean = shares @ x
    return mean, shares @ x**2 - mean**2
