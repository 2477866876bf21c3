"""Where to put stations, for people: the headline, the table of the terminal, and the files of a run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suyuan.flow import BalancedFlow
from suyuan.io.atomic import result_folder
from suyuan.network import Network
from suyuan.plot import percent, placement_map
from suyuan.report.figures import Lang, standalone, svg
from suyuan.report.words import Words
from suyuan.tracing.placement.result import Placement

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = (
    Words("", ""),
    Words("监测点", "station"),
    Words("河段", "reach"),
    Words("里程 m", "chainage m"),
    Words("发现概率", "seen"),
    Words("平均小时", "mean hours"),
    Words("区分度", "told apart"),
    Words("可替代点（损失）", "instead (costs)"),
)


def placement_headline(placement: Placement) -> Words:
    """Return in one sentence what the new stations bring, and how good any other choice could be."""
    n, horizon = len(placement.stations), f"{placement.test.horizon_h:g}"
    (old, new), (late, soon), (near, far) = (
        (values[0], values[-1]) for values in (placement.seen, placement.hours, placement.apart)
    )
    sure = _assured(placement)
    return Words(
        f"增设 {n} 个监测点后，中等规模的排放在 {horizon} 小时内被发现的概率为 {percent(new)}（原为 {percent(old)}），"
        f"平均 {soon:.1f} 小时（原为 {late:.1f}，未发现按 {horizon} 计）；"
        f"两个污染源的区分度为 {far:.2f}（原为 {near:.2f}）。{sure.zh}",
        f"With {n} new stations a release of median size is seen within {horizon} h with probability {percent(new)} "
        f"(before: {percent(old)}), after {soon:.1f} h in the mean (before: {late:.1f}; unseen counts as {horizon}); "
        f"two sources are told apart by {far:.2f} (before: {near:.2f}). {sure.en}",
    )


def _assured(placement: Placement) -> Words:
    n, tried, choice = len(placement.stations), placement.tried, placement.choice
    if choice.is_best:
        return Words(
            f"已证明：在 {tried} 个候选点中没有更好的 {n} 点组合。",
            f"It is proved that no other {n} of the {tried} places are better.",
        )
    p = f"{int(100.0 * choice.assured)} %"
    return Words(
        f"其增益至少为 {tried} 个候选点中最优 {n} 点组合的 {p}。",
        f"They bring at least {p} of what the best {n} of the {tried} places could.",
    )


def blind_words(placement: Placement) -> Words:
    """Return which sources mostly stay unseen with all stations, '' if none does."""
    names = [candidate.id for candidate in placement.blind]
    if not names:
        return Words("", "")
    shown = ", ".join(names[:12])
    zh_rest, en_rest = (
        (f" 等 {len(names)} 处", f" ... ({len(names)} in all)") if len(names) > 12 else ("", "")
    )
    return Words(
        f"仍然多半看不见的污染源：{shown}{zh_rest}",
        f"still mostly unseen, with all stations: {shown}{en_rest}",
    )


def placement_table(placement: Placement, lang: Lang) -> Table:
    """Return one row a station: the kept ones, then the new ones, with what is reached from each on."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for k, heading in enumerate(HEADINGS):
        table.add_column(heading._asdict()[lang], justify="left" if k in {1, 2, 7} else "right")
    for row in placement.to_frame().to_dict("records"):
        is_new = row["rank"] > 0
        name = f"{row['id']} {row['name']}".strip()
        place = (str(row["rank"]) if is_new else "", name, row["reach"], f"{row['chainage_m']:.0f}")
        numbers = (
            (percent(row["seen"]), f"{row['hours']:.1f}", f"{row['apart']:.2f}") if is_new else ("", "", "")
        )
        instead = f"{row['instead']} ({row['instead_costs']:.3f})" if row["instead"] else ""
        table.add_row(*map(Text, (*place, *numbers, instead)), style="bold" if is_new else "")
    return table


def placement_csv(placement: Placement) -> str:
    """Return the stations as CSV, kept ones with rank 0: what `to_frame` holds."""
    sheet = io.StringIO()
    frame = placement.to_frame()
    table = csv.writer(sheet, lineterminator="\n")
    table.writerow(frame.columns)
    for row in frame.to_dict("records"):
        table.writerow(_cell(value) for value in row.values())
    return sheet.getvalue()


def _cell(value: Any) -> Any:
    """Return a number with six digits, nothing where there is none."""
    if isinstance(value, float):
        return f"{value:.6g}" if np.isfinite(value) else ""
    return value


def write_placement(
    placement: Placement,
    network: Network,
    *,
    flow: BalancedFlow,
    about: dict[str, Any],
    lang: Lang,
    out: Path,
) -> tuple[Path, ...]:
    """Write placement.json (with `about`, what was run), placement.csv and placement.svg into `out`; return the files.

    Other files there are left alone.
    """
    whole = {**placement.to_dict(), **about}
    texts = {
        "placement.json": json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False),
        "placement.csv": placement_csv(placement),
        "placement.svg": standalone(svg(placement_map(placement, network, flow=flow), "place"), lang=lang),
    }
    with result_folder(out) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8-sig" if name.endswith(".csv") else "utf-8", newline="\n")
    return tuple(out / name for name in texts)
