"""Opening files: missing ones named with their neighbours, texts in UTF-8 or GB 18030."""

from __future__ import annotations

from pathlib import Path

from suyuan.errors import InputError, nearest

_WIDE = (b"\xff\xfe", b"\xfe\xff")


def require_file(path: str | Path) -> Path:
    """Return the path as such; raises InputError, naming its nearest neighbour, where it is not a file."""
    path = Path(path)
    if path.is_file():
        return path
    if path.is_dir():
        raise InputError(
            path.name, "is a folder, not a file", f"name a file, such as {path.name}/observations.csv"
        )
    if not path.parent.is_dir():
        what = f"there is no such file: the folder '{path.parent.name}' does not exist"
        raise InputError(path.name, what, "correct the path; paths in suyuan.toml count from its folder")
    known = sorted(p.name for p in path.parent.iterdir() if p.is_file() and not p.name.startswith("."))
    raise InputError(path.name, "there is no such file", f"beside it, {nearest(path.name, known)}")


def read_bytes(path: str | Path) -> bytes:
    """Return the bytes of a file; raises InputError where it is missing, unreadable or empty."""
    path = require_file(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(path.name, f"cannot be read ({error.strerror})", "check who may read it") from error
    if not data.strip():
        raise InputError(
            path.name, "the file is empty", "export it again, or see 'suyuan new' for a template"
        )
    return data


def read_text(path: str | Path) -> str:
    """Return the text of a file in UTF-8 (with or without BOM) or GB 18030, with plain line ends."""
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = _from_gb18030(data, Path(path).name)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _from_gb18030(data: bytes, name: str) -> str:
    remedy = "save it as 'CSV UTF-8'"
    if data.startswith(_WIDE):
        raise InputError(name, "the text is in UTF-16", remedy)
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        what = f"the byte {data[error.start]:#04x} is neither UTF-8 nor GB 18030"
        raise InputError(name, what, remedy, row=row) from error
