"""Yes/no tracing against the inversions that EPA's Water Security Toolkit publishes with their answers."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))

if find_spec("wntr") is None:
    pytest.skip("EPANET needs wntr (extra `epanet`)", allow_module_level=True)

from benchmarks import wst

if not wst.NET3.exists():
    pytest.skip(
        "the published inversions are not beside the repository (../shared/data)", allow_module_level=True
    )


@pytest.mark.parametrize("cycle", [2, 3])
def test_probabilities_of_the_named_nodes_are_those_published(cycle: int) -> None:
    found, published = wst.net3(cycle), wst.expected(cycle)
    for name, p in published.items():
        assert found.probability_of(name) == pytest.approx(p, abs=1e-4)
    assert found.candidate[0] == "163"
    assert found.best_start[0, 0] <= 28_800.0 <= found.best_start[1, 0] + 900.0


def test_nodes_that_fit_equally_well_are_named_together() -> None:
    """WST cuts its list inside this tie of six and names three."""
    found = wst.net3(2)
    tie = {name for name in found.candidate if abs(found.probability_of(name) - 0.0120865) < 1e-4}
    assert len(tie) == 6
    assert tie <= set(found.credible_set)
