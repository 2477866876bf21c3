"""Sixteen columns as one value in compiled code: vector registers, whatever the compiler guesses about arrays.

The kernels march many columns through recurrences from cell to cell. Written as plain loops, LLVM either unrolls the loop over
columns into scalar code or stores and reloads every intermediate; held in lanes, a column's running value stays in a
register. On machines with narrower registers LLVM splits the lanes by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 16
"""Columns in one value."""

VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class LanesType(types.Type):  # type: ignore[misc]
    """The type of sixteen doubles side by side."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


lanes = LanesType()


@register_model(LanesType)
class LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    """Lanes are an LLVM vector."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


def _pointer(context: Any, builder: Any, array_type: Any, values: Any) -> Any:
    array = context.make_array(array_type)(context, builder, values[0])
    place = cgutils.get_item_pointer(context, builder, array_type, array, values[1:3], wraparound=False)
    return builder.bitcast(place, VECTOR.as_pointer())


def _splat(builder: Any, scalar: Any) -> Any:
    one = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    same = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(VECTOR, ir.Undefined), same)


@intrinsic
def load(_typing: Any, array: Any, row: Any, column: Any) -> tuple[Any, Callable[..., Any]]:
    """Return the lanes of `array[row]` from `column` on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _pointer(context, builder, signature.args[0], values)
        return builder.load(place, align=8)

    return lanes(array, types.intp, types.intp), generate


@intrinsic
def store(_typing: Any, array: Any, row: Any, column: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """Write lanes to `array[row]` from `column` on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[3], _pointer(context, builder, signature.args[0], values), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, value), generate


@intrinsic
def times(_typing: Any, scalar: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """Return `scalar` times lanes."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.fmul(_splat(builder, values[0]), values[1])

    return lanes(types.float64, value), generate


@intrinsic
def plus_times(_typing: Any, value: Any, scalar: Any, other: Any) -> tuple[Any, Callable[..., Any]]:
    """Return `value` plus `scalar` times `other`, rounded once."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        name = f"llvm.fmuladd.v{LANES}f64"
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(VECTOR, [VECTOR, VECTOR, VECTOR]), name
        )
        return builder.call(function, [_splat(builder, values[1]), values[2], values[0]])

    return lanes(value, types.float64, other), generate
