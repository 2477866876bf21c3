"""Sixteen columns as one value in compiled code: vector registers, whatever the compiler makes of loops.

The kernels march many columns through recurrences from cell to cell. Written as plain loops, LLVM either
unrolls the loop over columns into scalar code or stores and reloads every intermediate; held in lanes, a
column's running value stays in a register. On machines with narrower registers LLVM splits the lanes by
itself.
"""

# ruff: noqa: ARG005  (an intrinsic is given the types of all its arguments)
from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils as _cgutils
from numba.extending import intrinsic, models, register_model

cgutils: Any = _cgutils

LANES = 16
"""Columns in one value."""

KNOWS_MXCSR = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
"""Whether the processor takes its rounding and its way with denormal numbers from the register MXCSR."""

DENORMALS_ARE_ZERO = 0x8040
"""Bits 15 (FTZ) and 6 (DAZ) of MXCSR (Intel, Software Developer's Manual, volume 1, section 10.2.3)."""

VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class LanesType(types.Type):
    """The type of sixteen doubles side by side."""

    def __init__(self, name: str = "Lanes") -> None:
        """Name it."""
        super().__init__(name=name)


lanes: Any = LanesType()


@register_model(LanesType)
class LanesModel(models.PrimitiveModel):
    """Lanes are an LLVM vector."""

    def __init__(self, manager: Any, kind: Any) -> None:
        """Tell numba how it is held."""
        super().__init__(manager, kind, VECTOR)  # type: ignore[no-untyped-call]


def _pointer(context: Any, builder: Any, *, array_type: Any, values: Any) -> Any:
    array = context.make_array(array_type)(context, builder, values[0])
    place = cgutils.get_item_pointer(context, builder, array_type, array, values[1:3], wraparound=False)
    return builder.bitcast(place, VECTOR.as_pointer())


def _splat(builder: Any, scalar: Any) -> Any:
    one = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    same = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(VECTOR, ir.Undefined), same)


def _load(*given: Any) -> Any:
    context, builder, signature, values = given
    place = _pointer(context, builder, array_type=signature.args[0], values=values)
    return builder.load(place, align=8)


def _store(*given: Any) -> Any:
    context, builder, signature, values = given
    place = _pointer(context, builder, array_type=signature.args[0], values=values)
    builder.store(values[3], place, align=8)
    return context.get_dummy_value()


def _times(*given: Any) -> Any:
    _, builder, _, values = given
    return builder.fmul(_splat(builder, values[0]), values[1])


def _plus_times(*given: Any) -> Any:
    _, builder, _, values = given
    kind = ir.FunctionType(VECTOR, [VECTOR, VECTOR, VECTOR])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f64")
    return builder.call(function, [_splat(builder, values[1]), values[2], values[0]])


def _mode(builder: Any, name: str, *, place: Any) -> None:
    """Store MXCSR at a place, or load it from there."""
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{name}mxcsr")
    builder.call(function, [builder.bitcast(place, ir.IntType(8).as_pointer())])


def _denormals_as_zero(*given: Any) -> Any:
    _, builder, _, _ = given
    if not KNOWS_MXCSR:
        return ir.Constant(ir.IntType(32), 0)
    place = cgutils.alloca_once(builder, ir.IntType(32))
    _mode(builder, "st", place=place)
    before = builder.load(place)
    builder.store(builder.or_(before, ir.Constant(ir.IntType(32), DENORMALS_ARE_ZERO)), place)
    _mode(builder, "ld", place=place)
    return before


def _denormals_as_before(*given: Any) -> Any:
    context, builder, _, values = given
    if KNOWS_MXCSR:
        place = cgutils.alloca_once(builder, ir.IntType(32))
        builder.store(values[0], place)
        _mode(builder, "ld", place=place)
    return context.get_dummy_value()


def _named(name: str, meaning: str, *, types_of: Callable[..., Any]) -> Any:
    """Return an intrinsic that can be called from compiled code."""
    types_of.__name__ = types_of.__qualname__ = name
    types_of.__doc__ = meaning
    return intrinsic(types_of)


load: Any = _named(
    "load",
    "load(array, row, column): the lanes of `array[row]` from `column` on.",
    types_of=lambda _, array, row, column: (lanes(array, types.intp, types.intp), _load),
)
store: Any = _named(
    "store",
    "store(array, row, column, value): write lanes to `array[row]` from `column` on.",
    types_of=lambda _, array, row, column, value: (types.void(array, types.intp, types.intp, value), _store),
)
times: Any = _named(
    "times",
    "times(scalar, value): lanes times a number.",
    types_of=lambda _, scalar, value: (lanes(types.float64, value), _times),
)
plus_times: Any = _named(
    "plus_times",
    "plus_times(value, scalar, other): `value` plus `scalar` times `other`, rounded once if the machine can.",
    types_of=lambda _, value, scalar, other: (lanes(value, types.float64, other), _plus_times),
)
denormals_as_zero: Any = _named(
    "denormals_as_zero",
    "denormals_as_zero(): from now on numbers below 2e-308 count as 0 in this thread; returns the mode before.",
    types_of=lambda _: (types.uint32(), _denormals_as_zero),
)
denormals_as_before: Any = _named(
    "denormals_as_before",
    "denormals_as_before(mode): give the thread back the mode that `denormals_as_zero` returned.",
    types_of=lambda _, mode: (types.void(mode), _denormals_as_before),
)
