"""`suyuan new`: an empty project with commented templates, and a small worked example."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from suyuan.errors import InputError
from suyuan.io.atomic import result_folder
from suyuan.io.example import write_example
from suyuan.io.network import LAYERS
from suyuan.io.network_writer import write_layers

_TEMPLATES = ("README.txt", "suyuan.toml", "flow.csv", "observations.csv", "fingerprints.csv")
_CRS = "EPSG:4490"
"""China Geodetic Coordinate System 2000; QGIS changes it with 'Export, Save features as'."""


def new_project(folder: str | Path) -> tuple[Path, ...]:
    """Make a project folder with a template of every file and a worked example, and return its files.

    Raises InputError where the folder holds anything already: nothing is overwritten.
    """
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()):
        held = sorted(p.name for p in folder.iterdir())[0]
        what = f"the folder is not empty, it holds '{held}'"
        raise InputError(str(folder), what, "name a new folder")
    with result_folder(folder) as made:
        for name in _TEMPLATES:
            text = files("suyuan.io").joinpath("templates", name).read_text("utf-8")
            encoding = "utf-8-sig" if name.endswith(".csv") else "utf-8"  # spreadsheets need the mark
            (made / name).write_text(text, encoding, newline="\n")
        write_layers(dict.fromkeys(LAYERS, ()), made / "network.gpkg", crs=_CRS)
        (made / "example").mkdir()
        write_example(made / "example")
    return tuple(sorted(p for p in folder.rglob("*") if p.is_file()))
