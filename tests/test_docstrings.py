"""What is public is documented, and what is documented is there."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import suyuan

DOCS = Path(__file__).parents[1] / "docs"


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(suyuan.__path__, "suyuan."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def _public(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Yield the public functions, classes and methods that a module defines itself."""
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing):
            yield f"{module.__name__}.{name}", thing
            for inner, method in vars(thing).items():
                if isinstance(method, FunctionType) and not inner.startswith("_"):
                    yield f"{module.__name__}.{name}.{inner}", method
        elif callable(thing):
            yield f"{module.__name__}.{name}", thing


def _listed_arguments(doc: str) -> list[str]:
    """Return the names that a numpy-style Parameters section lists."""
    section = re.search(r"Parameters\n-{3,}\n(.*?)(?:\n\n[A-Z][a-z]+\n-{3,}|\Z)", doc, re.DOTALL)
    lines = section[1].splitlines() if section else []
    heads = [line for line in lines if line and not line.startswith(" ") and not line.startswith(">>>")]
    return [name.strip(" *") for head in heads for name in head.partition(":")[0].split(",")]


def test_every_public_name_is_documented():
    silent = [name for module in _modules() for name, thing in _public(module) if not inspect.getdoc(thing)]
    silent += [module.__name__ for module in _modules() if not module.__doc__ and _has_code(module)]
    assert not silent, "\n".join(silent)


def _has_code(module: ModuleType) -> bool:
    return bool(ast.parse(Path(str(module.__file__)).read_text("utf-8")).body)


def test_no_docstring_lists_an_argument_that_is_not_there():
    wrong = []
    for module in _modules():
        for name, thing in _public(module):
            listed = _listed_arguments(inspect.getdoc(thing) or "")
            if listed:
                known = set(inspect.signature(thing).parameters)  # type: ignore[arg-type]
                wrong += [f"{name} lists '{argument}'" for argument in listed if argument not in known]
    assert not wrong, "\n".join(wrong)


def test_the_check_itself_finds_a_wrong_argument():
    doc = "Return.\n\nParameters\n----------\nreach : Reach\n    Which.\nspeed, depth : float\n    m/s, m.\n"
    assert _listed_arguments(doc) == ["reach", "speed", "depth"]


def test_every_verb_and_option_of_the_command_line_is_in_the_docs():
    import typer

    from suyuan.cli import app

    page = (DOCS / "commands.md").read_text("utf-8")
    group = typer.main.get_command(app)
    for verb, command in group.commands.items():  # type: ignore[attr-defined]
        assert f"## suyuan {verb}" in page, f"docs/commands.md has no section for 'suyuan {verb}'"
        assert command.help, f"'suyuan {verb}' has no help"
        for option in command.params:
            name = option.opts[0] if option.opts[0].startswith("-") else option.opts[0].upper()
            assert name in page, f"docs/commands.md does not mention {name} of 'suyuan {verb}'"


def test_every_decision_record_has_its_four_parts():
    for path in sorted((DOCS / "decisions").glob("*.md")):
        text = path.read_text("utf-8").lower()
        for part in ("context", "decision", "considered", "consequences"):
            assert re.search(rf"^#+ .*{part}", text, re.MULTILINE), f"{path.name}: no heading '{part}'"
