"""Digests: a short name for a value, the same in every run and another one for another value."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import tzinfo
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np


def digest(*values: Any) -> str:
    """Return 32 hexadecimal digits (BLAKE2b, RFC 7693) of numbers, texts, arrays, and what is made of them.

    Floats count by every bit, fields of dataclasses by name. What it cannot take apart is a TypeError, never passed over.

    >>> digest(1.0, "a") == digest(1.0, "a"), digest("ab", "c") == digest("a", "bc")
    (True, False)
    """
    found = hashlib.blake2b(digest_size=16)
    for part in _parts(values):
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    return found.hexdigest()


@cache
def code_digest(package: str) -> str:
    """Return the digest of a package's source files, so that what older code computed is told apart."""
    sources = sorted((f.name, f.read_bytes()) for f in files(package).iterdir() if f.name.endswith(".py"))
    return digest(sources)


def _parts(value: Any) -> Iterator[bytes]:
    """Yield a value piece by piece, each with its type."""
    yield type(value).__name__.encode()
    if isinstance(value, np.ndarray):
        yield f"{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif is_dataclass(value):
        for field in fields(value):
            yield field.name.encode()
            yield from _parts(getattr(value, field.name))
    elif isinstance(value, Mapping):
        yield from _parts(sorted(value.items()))
    elif isinstance(value, tuple | list):
        yield str(len(value)).encode()
        for item in value:
            yield from _parts(item)
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, tzinfo):
        yield str(value).encode()
    elif value is None or isinstance(value, str | bool | int | float | np.generic):
        yield repr(value).encode()
    else:
        raise TypeError(f"no digest of {type(value).__name__}")
