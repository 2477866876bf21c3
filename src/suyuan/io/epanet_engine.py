"""EPANET through wntr (extra `epanet`): a project opened on a copy of its file, in a folder that is thrown away."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.errors import InputError
from suyuan.io.files import read_text


def epanet_engine() -> tuple[Any, type[Exception]]:
    """Return wntr's door to EPANET and the error it raises."""
    try:
        with np.printoptions():  # wntr changes how numpy prints, for good
            from wntr.epanet.exceptions import EpanetException
            from wntr.epanet.toolkit import ENepanet
    except ImportError as error:
        raise ImportError("EPANET files need wntr: pip install 'suyuan[epanet]'") from error
    return ENepanet, EpanetException


@contextlib.contextmanager
def opened_epanet(inp: str | Path) -> Iterator[Any]:
    """Yield EPANET with a file open, read as UTF-8 or GB 18030; what it writes goes to a folder thrown away afterwards.

    EPANET takes paths in Latin-1 only, so it is given a copy. While it opens the file the working directory is changed, since
    it writes scratch files there. What EPANET refuses becomes an InputError.
    """
    engine_class, said = epanet_engine()
    path = Path(inp).resolve()
    if not path.is_file():
        raise InputError(str(inp), "there is no such file", "give the path of an EPANET .inp file")
    text = read_text(path)
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "model.inp").write_text(text, "utf-8")
        engine = engine_class()
        try:
            with contextlib.chdir(scratch):
                engine.ENopen("model.inp", "out.rpt", "out.bin")
            engine.rptfile = str(Path(scratch, "out.rpt"))
            yield engine
        except said as error:
            raise InputError(
                path.name, f"EPANET says: {error}", "open it in EPANET and mend it there"
            ) from error
        finally:
            with contextlib.suppress(said):
                engine.ENclose()
