"""Rounding of assessed values: half to even, in decimal arithmetic."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal


def rounded(value: Decimal, decimals: int) -> Decimal:
    """Return a value rounded half to even (GB/T 8170-2008, 3.2) to `decimals`; one significant digit where that
    would be 0.

    The exact half is seen because the value is decimal: as a float 0.145 is a little less, and 2.675 too.

    >>> [str(rounded(Decimal(v), 2)) for v in ("0.145", "0.155", "0.1450001", "0.0032", "0")]
    ['0.14', '0.16', '0.15', '0.003', '0.00']
    """
    found = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
    if found or not value:
        return found
    return value.quantize(Decimal(1).scaleb(value.adjusted()), ROUND_HALF_EVEN)
