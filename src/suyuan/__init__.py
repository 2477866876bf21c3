"""suyuan (溯源): which outfall, or which unlisted stretch, most likely did it, when, how much, how sure."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from suyuan.errors import InputError as InputError
    from suyuan.fingerprints import Fingerprints as Fingerprints
    from suyuan.flow import BalancedFlow as BalancedFlow
    from suyuan.flow import FlowField as FlowField
    from suyuan.flow import balanced as balanced
    from suyuan.network import Network as Network
    from suyuan.observations import Observations as Observations

__version__ = "0.1.0"

_HOME = {
    "InputError": "suyuan.errors",
    "Network": "suyuan.network",
    "FlowField": "suyuan.flow",
    "BalancedFlow": "suyuan.flow",
    "balanced": "suyuan.flow",
    "Observations": "suyuan.observations",
    "Fingerprints": "suyuan.fingerprints",
}

__all__ = sorted([*_HOME, "__version__"])  # noqa: PLE0605  (names are loaded on first use)


def __getattr__(name: str) -> object:
    """Load a public name on first use, so that `import suyuan` and `suyuan --help` stay light."""
    if name not in _HOME:
        raise AttributeError(f"module 'suyuan' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)
