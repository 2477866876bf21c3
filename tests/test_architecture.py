"""The shape of the code: imports run downward, the pure storeys touch no world, functions stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "suyuan"

STOREYS = (
    # nouns: frozen; know nothing of the rest
    ("errors", "compiled", "clock"),
    ("substances", "oxygen"),
    ("network", "balance"),
    ("flow", "observations", "fingerprints"),
    ("altered_flow",),
    # answers: arrays in, results out; pure
    ("transport", "loads", "hydraulics", "standards", "qc", "scoring", "synthetic", "heat"),
    ("tracing", "apportion", "drains", "bloom", "outlook"),
    ("explain", "episodes"),
    ("salvage", "measures"),
    # edges: open files, sockets, clocks, figures
    ("workers",),
    ("io", "plot"),
    ("store",),
    ("ingest",),
    ("report",),
    ("rolling", "limits", "given", "ensemble"),
    ("asked",),
    ("run",),
    (
        "import_run",
        "place_run",
        "assess_run",
        "qc_run",
        "explain_run",
        "between_run",
        "episodes_run",
        "loads_run",
        "outlook_run",
        "reconcile_run",
    ),
    ("demo", "advise", "follow", "ahead"),
    ("web",),
    ("cli",),
)
"""Every module and package of suyuan, from the ground up. An import may only go to an earlier line."""

LEVEL = {name: level for level, names in enumerate(STOREYS) for name in names}
EDGES = {
    "workers",
    "io",
    "plot",
    "store",
    "ingest",
    "report",
    "rolling",
    "limits",
    "given",
    "ensemble",
    "asked",
    "run",
    "import_run",
    "place_run",
    "assess_run",
    "qc_run",
    "explain_run",
    "between_run",
    "episodes_run",
    "loads_run",
    "outlook_run",
    "reconcile_run",
    "demo",
    "advise",
    "follow",
    "ahead",
    "web",
    "cli",
}

KEEPS_A_CACHE = "compiled"
"""The one module below the edges that touches the disk: machine code must outlive the process. No answer hangs on it."""

WORLD = {
    *(
        "os",
        "io",
        "pathlib",
        "shutil",
        "tempfile",
        "glob",
        "sqlite3",
        "socket",
        "ssl",
        "http",
        "urllib",
        "requests",
    ),
    *(
        "subprocess",
        "time",
        "random",
        "xarray",
        "netCDF4",
        "pyogrio",
        "matplotlib",
        "rich",
        "typer",
        "jinja2",
    ),
}
"""Packages through which a module would reach disk, network, clock, chance or screen."""

WORLDLY_CALLS = {
    "open",
    "print",
    "input",
    "now",
    "utcnow",
    "today",
    "default_rng",
    "read_csv",
    "to_csv",
    "savetxt",
}

FILES = sorted(SOURCE.rglob("*.py"))


def _home(path: Path) -> str:
    """Return the module or package directly below suyuan that a file belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[str]:
    """Yield every name a file imports, TYPE_CHECKING blocks and functions included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}, line {node.lineno}: write the full name, not a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _functions(path: Path) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
    """Yield every function with whether it is a method."""
    tree = ast.parse(path.read_text("utf-8"))
    methods = {id(item) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for item in node.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, id(node) in methods


def _code_lines(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of code of a function: no docstring, no blank lines, no comments, no decorators."""
    lines = path.read_text("utf-8").splitlines()[function.lineno - 1 : function.end_lineno]
    first = function.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        assert first.end_lineno is not None
        del lines[first.lineno - function.lineno : first.end_lineno - function.lineno + 1]
    return sum(1 for line in lines if line.strip() and not line.strip().startswith("#"))


def _decorators(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return " ".join(ast.unparse(decorator) for decorator in function.decorator_list)


def _is_compiled(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Numba compiles neither keyword-only arguments nor dataclasses: its kernels take arrays."""
    return _decorators(function) in ("kernel", "uncounted_kernel")


def _is_verb(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A command's arguments are its options, and typer passes them by name."""
    return any(name in _decorators(function) for name in ("app.command", "imports.command"))


def test_every_module_has_its_storey():
    homes = {_home(path) for path in FILES} - {"__init__"}
    assert homes <= LEVEL.keys()


def test_imports_run_downward_only():
    wrong = []
    for path in FILES:
        home = _home(path)
        for name in _imports(path):
            parts = name.split(".")
            if home == "__init__" or parts[0] != "suyuan" or parts[1:2] == [home]:
                continue
            if parts[1:] == ["__version__"]:
                continue
            if len(parts) == 1 or parts[1] not in LEVEL:
                wrong.append(f"{path.relative_to(SOURCE)} imports {name} from the package; name its module")
                continue
            if LEVEL[parts[1]] >= LEVEL[home]:
                wrong.append(f"{path.relative_to(SOURCE)} imports {name}, which does not lie below it")
    assert not wrong, "\n".join(wrong)


def test_below_the_edges_nothing_reaches_disk_network_clock_or_chance():
    wrong = []
    for path in FILES:
        if _home(path) in EDGES | {"__init__", KEEPS_A_CACHE}:
            continue
        wrong += [
            f"{path.relative_to(SOURCE)} imports {n}" for n in _imports(path) if n.split(".")[0] in WORLD
        ]
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func).rpartition(".")[2]
                if called in WORLDLY_CALLS:
                    wrong.append(f"{path.relative_to(SOURCE)}, line {node.lineno} calls {called}")
    assert not wrong, "\n".join(wrong)


def test_functions_are_short():
    long = [
        f"{path.relative_to(SOURCE)}: {function.name} has {lines} lines of code"
        for path in FILES
        for function, _ in _functions(path)
        if (lines := _code_lines(path, function)) > 40
    ]
    assert not long, "\n".join(long)


def test_functions_take_six_arguments_at_most_and_name_them_after_the_second():
    wrong = []
    for path in FILES:
        for function, is_method in _functions(path):
            if _is_compiled(function) or _is_verb(function):
                continue
            given = function.args
            positional = len(given.posonlyargs) + len(given.args)
            own = int(is_method and "staticmethod" not in _decorators(function))
            where = f"{path.relative_to(SOURCE)}: {function.name}"
            if positional - own + len(given.kwonlyargs) > 6:
                wrong.append(f"{where} takes more than six arguments")
            if positional - own > 2 and not _reads_as_a_sentence(path, function):
                wrong.append(
                    f"{where} takes {positional - own} arguments by position; put * after the second"
                )
    assert not wrong, "\n".join(wrong)


def _reads_as_a_sentence(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """InputError(where, what, remedy) is written at every fault and reads in this order without names."""
    return path.name == "errors.py" and function.name == "__init__"


def test_files_and_classes_are_small():
    wrong = [
        f"{p.relative_to(SOURCE)} is too long" for p in FILES if len(p.read_text("utf-8").splitlines()) > 400
    ]
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                public = [
                    f for f in node.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")
                ]
                if len(public) > 12:
                    wrong.append(f"{path.relative_to(SOURCE)}: {node.name} has {len(public)} public methods")
    assert not wrong, "\n".join(wrong)


def test_numba_is_asked_in_one_place_only():
    asked = [
        path.relative_to(SOURCE).as_posix()
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if "njit" in (getattr(node, "attr", ""), getattr(node, "id", ""), getattr(node, "name", ""))
    ]
    assert set(asked) == {"compiled.py"}


def test_no_module_is_called_helper_or_utils():
    names = {part for path in FILES for part in path.relative_to(SOURCE).with_suffix("").parts}
    assert not names & {"utils", "util", "helpers", "common", "misc"}


@pytest.mark.parametrize("heavy", ["matplotlib", "fastapi", "pandas", "xarray", "numba", "scipy", "typer"])
def test_import_suyuan_stays_light(heavy: str):
    code = f"import sys, suyuan; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
