"""The pages on input tables say what the readers read."""

from __future__ import annotations

from pathlib import Path

import pytest

from suyuan.io import discharge, fingerprints, flow_table, network, observations, project
from suyuan.io.tables import Column
from suyuan.substances import determinands

PAGES = Path(__file__).parents[1] / "docs" / "tables"


def rows(page: str) -> list[str]:
    return [line for line in (PAGES / f"{page}.md").read_text("utf-8").splitlines() if line.startswith("|")]


@pytest.mark.parametrize(
    ("page", "columns"),
    [
        ("observations", observations.COLUMNS),
        ("fingerprints", fingerprints.COLUMNS),
        ("flow", flow_table.COLUMNS),
        ("discharge", discharge.COLUMNS),
        ("network", tuple(column for layer in network.LAYERS.values() for column in layer)),
    ],
)
def test_every_column_and_all_its_names_are_on_its_page(page: str, columns: tuple[Column, ...]):
    for column in columns:
        found = [row for row in rows(page) if row.startswith(f"| `{column.name}`")]
        assert found, f"{page}.md has no row for {column.name}"
        assert any(all(alias in row for alias in column.aliases) for row in found), found


def test_every_key_of_the_settings_is_on_its_page():
    listed = rows("project")
    for table, keys in project.KEYS.items():
        for key in keys:
            assert any(row.startswith(f"| `{table}` | `{key}` |") for row in listed), f"[{table}] {key}"


def test_every_determinand_is_on_its_page():
    listed = "\n".join(rows("determinands"))
    for known in determinands().values():
        row = f"| `{known.id}` | {known.name_zh} | {known.unit} | {'yes' if known.is_traceable else 'no'} |"
        assert row in listed, row
        assert f"{known.usual_lowest:g} to {known.usual_highest:g}" in listed
