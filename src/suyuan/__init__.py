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
    from suyuan.io.fingerprints import read_fingerprints as read_fingerprints
    from suyuan.io.flow import read_flow as read_flow
    from suyuan.io.network import read_network as read_network
    from suyuan.io.observations import read_observations as read_observations
    from suyuan.network import Network as Network
    from suyuan.observations import Observations as Observations
    from suyuan.qc import flag as flag
    from suyuan.substances import Substance as Substance
    from suyuan.substances import determinand as determinand
    from suyuan.tracing.members import flow_members as flow_members
    from suyuan.tracing.posterior import trace as trace
    from suyuan.tracing.prior import candidate_sources as candidate_sources
    from suyuan.tracing.prior import default_prior as default_prior
    from suyuan.tracing.result import Trace as Trace
    from suyuan.transport.matrix import SourceReceptorMatrix as SourceReceptorMatrix
    from suyuan.transport.operator import compile_operator as compile_operator
    from suyuan.transport.sampling import receptors_of as receptors_of
    from suyuan.transport.source_receptor import source_receptor_matrix as source_receptor_matrix

__version__ = "0.1.0"

_HOME = {
    "InputError": "suyuan.errors",
    "Network": "suyuan.network",
    "FlowField": "suyuan.flow",
    "BalancedFlow": "suyuan.flow",
    "balanced": "suyuan.flow",
    "Observations": "suyuan.observations",
    "Fingerprints": "suyuan.fingerprints",
    "read_network": "suyuan.io.network",
    "read_flow": "suyuan.io.flow",
    "read_observations": "suyuan.io.observations",
    "read_fingerprints": "suyuan.io.fingerprints",
    "flag": "suyuan.qc",
    "Substance": "suyuan.substances",
    "determinand": "suyuan.substances",
    "SourceReceptorMatrix": "suyuan.transport.matrix",
    "compile_operator": "suyuan.transport.operator",
    "receptors_of": "suyuan.transport.sampling",
    "source_receptor_matrix": "suyuan.transport.source_receptor",
    "flow_members": "suyuan.tracing.members",
    "candidate_sources": "suyuan.tracing.prior",
    "default_prior": "suyuan.tracing.prior",
    "trace": "suyuan.tracing.posterior",
    "Trace": "suyuan.tracing.result",
}

__all__ = sorted([*_HOME, "__version__"])  # noqa: PLE0605  (names are loaded on first use)


def __getattr__(name: str) -> object:
    """Load a public name on first use, so that `import suyuan` and `suyuan --help` stay light."""
    if name not in _HOME:
        raise AttributeError(f"module 'suyuan' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)
