"""How water is looked at: a kit that says yes or no, a strip read on the spot, a sample for the laboratory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from suyuan.errors import InputError

MethodName = Literal["kit", "strip", "grab"]
METHODS: tuple[MethodName, ...] = ("kit", "strip", "grab")


@dataclass(frozen=True)
class Kit:
    """A test that says yes above `limit` [unit of the first substance]; NaN: what few background waters reach.

    Shares of wrong answers hold far from the limit; near it the water itself decides.
    """

    limit: float = float("nan")
    false_positive: float = 0.03
    false_negative: float = 0.05
    price: float = 30.0

    def __post_init__(self) -> None:
        if self.limit <= 0.0:
            raise InputError("kit", f"limit {self.limit:g}", "give the concentration from which it says yes")
        if not 0.0 < self.false_positive < 1.0 - self.false_negative < 1.0:
            what = f"false positives {self.false_positive:g}, false negatives {self.false_negative:g}"
            raise InputError("kit", what, "give shares above 0 that sum to less than 1")


@dataclass(frozen=True)
class Strip:
    """A strip or probe that gives the concentration of the first substance on the spot, to a share `relative` of itself."""

    relative: float = 0.25
    price: float = 40.0


@dataclass(frozen=True)
class Laboratory:
    """A grab sample of which a laboratory finds every substance to a share `relative`, `delay_s` after it was taken."""

    relative: float = 0.06
    price: float = 300.0
    delay_s: float = 24.0 * 3600.0


@dataclass(frozen=True)
class Methods:
    """The ways of looking that a crew carries; None for what it has not."""

    kit: Kit | None = Kit()
    strip: Strip | None = None
    grab: Laboratory | None = Laboratory()

    def __post_init__(self) -> None:
        if not (self.kit or self.strip or self.grab):
            raise InputError("methods", "no way of looking at the water", "name kit, strip or grab")
