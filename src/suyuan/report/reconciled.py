"""Reconciled flow, for people and machines: the headline, what is not sure, the tables, and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suyuan.hydraulics.reconcile import Reconciled
from suyuan.hydraulics.residuals import Residual
from suyuan.report.figures import Lang
from suyuan.report.words import Words

if TYPE_CHECKING:
    from rich.table import Table

Array = NDArray[np.float64]

SHOWN = 12
"""Names in one sentence; the rest are counted."""

STRAINED = 3.0
"""Standard deviations from which a factor on width or resistance is named."""

HEADINGS = (
    Words("测站", "gauge"),
    Words("类型", "kind"),
    Words("残差（标准差倍数）", "residual (sd)"),
    Words("系数偏差", "rating off by"),
    Words("零点偏差 m", "datum off by m"),
    Words("", ""),
)


def usual_size(found: Reconciled) -> Array:
    """Return the root mean square discharge (reach,) [m3/s] of the mean flow."""
    middle = 0.5 * (found.flow.discharge_start + found.flow.discharge_end)
    return np.asarray(np.sqrt(np.mean(middle**2, axis=0)))


def doubt_share(found: Reconciled, sd: Array) -> Array:
    """Return the root mean square of `sd` (bin, reach) as a share of each reach's usual discharge (reach,)."""
    least = 1e-3 * float(usual_size(found).max(initial=0.0)) + 1e-9
    return np.asarray(np.sqrt(np.mean(sd**2, axis=0)) / np.maximum(usual_size(found), least))


def reconciled_headline(found: Reconciled, sd: Array) -> Words:
    """Return in one sentence how many gauges made the flow and how sure it is."""
    size = usual_size(found)
    whole = float(np.sqrt(np.mean(sd**2)) / max(float(np.sqrt(np.mean(size**2))), 1e-12))
    gauges, reaches, bins = len(found.gauges.gauges), len(found.network.reaches), len(sd)
    return Words(
        f"由 {gauges} 个测站推算出 {reaches} 个河段 {bins} 个时段的流量，标准差为流量均方根的 {whole:.1%}。",
        f"{gauges} gauges give the flow of {reaches} reaches in {bins} bins, with a standard deviation of {whole:.1%} of the "
        "root mean square discharge.",
    )


def reconciled_notes(found: Reconciled) -> tuple[Words, ...]:
    """Return what the gauges do not decide and which of them disagree, the weightiest first."""
    notes = [_disagreement(r) for r in found.residuals if r.is_large]
    for loop in found.undetermined.loops:
        zh, en = _named(loop)
        notes.append(
            Words(
                f"环路 {zh} 中没有测站决定水如何分流，按曼宁公式的输水能力分配。",
                f"No gauge decides how water divides round the loop {en}; conveyance by Manning's formula does.",
            )
        )
    rest = tuple(
        r for r in found.undetermined.reaches if not any(r in loop for loop in found.undetermined.loops)
    )
    if rest:
        zh, en = _named(rest)
        notes.append(
            Words(
                f"{len(rest)} 个河段的平均流量不能由连续性和测站确定，依靠水头损失和惯常入流：{zh}。",
                f"The mean discharge of {len(rest)} reaches follows neither from continuity nor gauges, but from head losses and "
                f"usual inflows: {en}.",
            )
        )
    notes += _strained(found)
    if found.fit.moved > 0.05:
        notes.append(
            Words(
                f"迭代未完全收敛：最后一轮仍改变流量 {found.fit.moved:.1%}。",
                f"The fit has not come to rest: its last round still moved discharge by {found.fit.moved:.1%}.",
            )
        )
    return tuple(notes)


def _strained(found: Reconciled) -> list[Words]:
    """Return where a width or a conveyance would have to be wrong by far more than its error for the gauges to be right."""
    fit, doubts, notes = found.fit, found.fit.problem.doubts, []
    for part, zh, en in ((doubts.width, "水面宽度", "width"), (doubts.loss, "阻力", "resistance")):
        sds = fit.still[part] / doubts.sd[part]
        for group in np.flatnonzero(np.abs(sds) > STRAINED):
            names = tuple(
                r.id for r, g in zip(found.network.reaches, doubts.group, strict=True) if g == group
            )
            named_zh, named_en = _named(names)
            notes.append(
                Words(
                    f"河段 {named_zh} 的{zh}须偏离 {fit.still[part][group]:+.0%} 才能与测站相符，请核对断面。",
                    f"The {en} of {named_en} would have to be {fit.still[part][group]:+.0%} off for the gauges to be right; "
                    "check its sections and the gauges nearby.",
                )
            )
    return notes


def _disagreement(residual: Residual) -> Words:
    gauge, name = residual.gauge, residual.gauge.id
    if abs(residual.share_sds) > max(residual.rms, abs(residual.offset_sds)):
        return Words(
            f"测站 {name} 的流量与其他测站相差 {residual.share:+.0%}，为其误差的 {abs(residual.share_sds):.1f} 倍；请检查率定。",
            f"{gauge.label} reads {residual.share:+.0%} against the others, {abs(residual.share_sds):.1f} times its error; "
            "check its rating.",
        )
    if abs(residual.offset_sds) > residual.rms:
        return Words(
            f"水位站 {name} 的零点与其他站相差 {residual.offset:+.2f} m，为其误差的 "
            f"{abs(residual.offset_sds):.1f} 倍；请检查高程。",
            f"{gauge.label} stands {residual.offset:+.2f} m against the others, {abs(residual.offset_sds):.1f} times its error; "
            "check its datum.",
        )
    return Words(
        f"测站 {name} 与其他测站不一致：残差为其误差的 {residual.rms:.1f} 倍。",
        f"{gauge.label} disagrees with the others: its residuals are {residual.rms:.1f} times its error.",
    )


def _named(names: tuple[str, ...]) -> tuple[str, str]:
    shown = ", ".join(names[:SHOWN])
    more = len(names) - SHOWN
    return (f"{shown} 等 {len(names)} 条", f"{shown} and {more} more") if more > 0 else (shown, shown)


def gauges_table(found: Reconciled, lang: Lang) -> Table:
    """Return one row a gauge of water: how far it was adjusted."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for k, heading in enumerate(HEADINGS):
        table.add_column(heading._asdict()[lang], justify="left" if k < 2 else "right")
    for r in found.residuals:
        mark = "!" if r.is_large else ""
        share = f"{r.share:+.1%}" if r.gauge.share > 0.0 else ""
        offset = f"{r.offset:+.3f}" if r.gauge.kind == "stage" else ""
        table.add_row(*map(Text, (r.gauge.id, r.gauge.kind, f"{r.rms:.2f}", share, offset, mark)))
    return table


def reconciled_dict(found: Reconciled, sd: Array) -> dict[str, Any]:
    """Return all that is known of the reconciled flow but the flow itself, for JSON."""
    share, size = doubt_share(found, sd), usual_size(found)
    return {
        "bins": len(sd),
        "step_s": found.gauges.step,
        "since": str(found.gauges.start),
        "headline": reconciled_headline(found, sd).en,
        "notes": [words.en for words in reconciled_notes(found)],
        "undetermined_loops": [list(loop) for loop in found.undetermined.loops],
        "undetermined_reaches": list(found.undetermined.reaches),
        "mean_balance": {
            "chi_square": found.balance.misfit,
            "degrees_of_freedom": found.balance.freedom,
            "probability": found.balance.probability,
        },
        "scales": dict(found.fit.scales),
        "rounds": found.fit.rounds,
        "moved": found.fit.moved,
        "gauges": [
            {
                "id": r.gauge.id,
                "kind": r.gauge.kind,
                "residual_sd": r.rms,
                "share": r.share,
                "share_sds": r.share_sds,
                "offset_m": r.offset,
                "offset_sds": r.offset_sds,
                "disagrees": bool(r.is_large),
            }
            for r in found.residuals
        ],
        "reaches": [
            {"id": reach.id, "usual_m3_s": float(size[r]), "sd_share": float(share[r])}
            for r, reach in enumerate(found.network.reaches)
        ],
    }
