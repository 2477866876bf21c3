"""The one error that bad input gets: what, which value, where, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with the input.

    `where` names the file, `row` its line or row (0 where that makes no sense), `what` says what is wrong with which
    value, and `remedy` what to do about it.

    >>> print(Fault("nh3n.csv", 41, "station 'Yaoxang' is not in the network", "did you mean 'Yaoxiang'?"))
    nh3n.csv, row 41: station 'Yaoxang' is not in the network; did you mean 'Yaoxiang'?
    """

    where: str
    row: int
    what: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.where}, row {self.row}" if self.row else self.where
        return f"{place}: {self.what}; {self.remedy}"


class InputError(ValueError):
    """Input that cannot be used; `faults` holds everything found wrong, sorted by file and row.

    >>> raise InputError("flow.nc", "there is no such file", "name it under [files] in suyuan.toml")
    Traceback (most recent call last):
    suyuan.errors.InputError: flow.nc: there is no such file; name it under [files] in suyuan.toml
    """

    def __init__(self, where: str, what: str, remedy: str, *, row: int = 0) -> None:
        self.faults: tuple[Fault, ...] = (Fault(where, row, what, remedy),)
        super().__init__(str(self.faults[0]))

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it be handed on by another process: made again from its faults."""
        return type(self).of, (self.faults,)

    @classmethod
    def of(cls, faults: Iterable[Fault]) -> InputError:
        """Return one error that reports all `faults` together; there must be at least one."""
        ordered = tuple(sorted(faults))
        error = cls(ordered[0].where, ordered[0].what, ordered[0].remedy, row=ordered[0].row)
        error.faults = ordered
        error.args = ("\n".join(map(str, ordered)),)
        return error


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the advice that belongs to an unknown name: the nearest known one, or the list of them.

    >>> nearest("Yaoxang", ["Yaoxiang", "Wujin"])
    "did you mean 'Yaoxiang'?"
    """
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    shown = ", ".join(sorted(known)[:8]) + (" ..." if len(known) > 8 else "")
    return f"known are: {shown}" if known else "none is known here"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "reach"), counted(1200, "reach"), counted(0, "node")
    ('1 reach', '1,200 reaches', '0 nodes')
    """
    ending = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{ending}"
