"""What must be known of an explanation, as codes that the edges put into words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """Something that must be said; `values` fill its sentence."""

    code: str
    values: tuple[str, ...] = ()
