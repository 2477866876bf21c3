"""Schemes that are files of the user's, beside those that are shipped."""

from __future__ import annotations

from pathlib import Path

from suyuan.io.files import read_text
from suyuan.standards.scheme import DEFAULT, Scheme, scheme, scheme_of


def read_scheme(name: str, folder: Path) -> Scheme:
    """Return the scheme of this name: one that is shipped ('' for the default), or the file of a name ending in .toml.

    Paths count from `folder`. Raises InputError with every fault of the file.
    """
    if name.lower().endswith(".toml"):
        path = folder / name
        return scheme_of(read_text(path), source=path.name)
    return scheme(name or DEFAULT)
