"""What all figures share: words, colours, the clock on the wall, and probabilities as people say them."""

from __future__ import annotations

import warnings
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")

WORTH_SHOWING = 0.01
"""Probability from which a candidate gets a colour, a size and a label."""

WORDS_ZH = {
    "observed": "实测",
    "below detection": "低于检出限",
    "not used": "未采用",
    "composite sample": "混合样",
    "expected": "拟合",
    "background": "背景",
    "release": "排放",
    "nobody": "未见异常排放",
    "probability": "概率",
    "median": "中位数",
    "90 % interval": "90 % 区间",
    "outfall": "排口",
    "unlisted source": "名录外污染源",
    "boundary": "边界来水",
    "station": "监测点",
    "outlet": "出口",
    "mean flow": "平均流向",
    "flow reverses": "往复流",
    "unseen": "看不见",
    "station that stands": "已有监测点",
    "new station": "新增监测点",
    "seen within 6 h": "6 小时内发现",
    "seen within 12 h": "12 小时内发现",
    "seen within 24 h": "24 小时内发现",
    "later or never": "更晚或看不见",
    "kit": "快检试剂盒",
    "strip": "试纸",
    "grab sample": "采样送检",
    "route": "路线",
    "log ratio": "对数比",
    "not flagged": "未标记",
    "suspect": "可疑",
    "fail": "无效",
    "daily estimate": "每日估计",
    "estimate": "估计",
    "flow-normalised": "流量归一化",
    "concentration": "浓度",
    "load": "通量",
    "discharge": "流量",
    "95 % interval": "95 % 区间",
    "before": "先前",
    "after": "本时段",
    "mixing": "两种水混合",
    "upstream inflow": "上游来水",
    "flow and rain": "流量和降雨",
    "season and temperature": "季节和水温",
    "oxygen saturation": "饱和溶解氧",
    "life in the water": "水中生物",
    "traced releases": "已溯源排放",
    "analyser": "仪器",
    "unexplained": "未能解释",
    "mixing line": "混合线",
    "two waters": "两种水",
    "readings": "读数",
    "flagged": "质控标记",
    "made by the drivers": "各原因合成",
    "share of the second water": "水二占比",
    "baseline": "基线",
    "episode": "超基线过程",
    "in": "进",
    "out": "出",
    "net": "净",
    "limit": "限值",
    "daily mean": "日均值",
    "mean so far": "至今均值",
    "mean of the month": "月均值",
    "80 % interval": "80 % 区间",
    "reaches": "河段数",
    "change / discharge": "修正量 / 流量",
    "root mean square change": "均方根修正",
    "largest change": "最大修正",
}
"""Chinese of every word drawn in a figure; what follows a comma is a number or a unit and stays."""

LATIN_FONT = "DejaVu Sans"

CHINESE_FONTS = (
    "Noto Sans SC",
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "Noto Sans CJK JP",
    "Droid Sans Fallback",
)
"""Fonts with Chinese characters that systems come with, the first the best; matplotlib finds Noto's collection as JP."""

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "path.simplify_threshold": 0.2,
}
INK, WATER, BAND = "#1f2933", "#0b5394", "#9ecae1"
HOT = ("#fed976", "#feb24c", "#fd8d3c", "#f03b20", "#bd0026")
WIDTH = 9.4


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Return `draw` under this module's style, whatever the user's own matplotlib style is.

    What `LATIN_FONT` lacks is drawn in the first of CHINESE_FONTS that this machine has; without any, Chinese names are boxes
    in a picture of pixels (matplotlib warns), while the words of the figure itself are English. SVG is not concerned.
    """

    @wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> Figure:
        import matplotlib as mpl

        with mpl.rc_context({**STYLE, "font.family": font_families()}), warnings.catch_warnings():
            # The font that measures the text lacks Chinese; the reader's own fonts draw it.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            return draw(*args, **kwargs)

    return inner


def font_families() -> list[str]:
    """Return the fonts to draw with on this machine: the Latin one, and the best Chinese one there is."""
    from matplotlib.font_manager import fontManager

    there = set(fontManager.get_font_names())
    return [LATIN_FONT, *[name for name in CHINESE_FONTS if name in there][:1]]


def percent(probability: float) -> str:
    """Return a probability as people say it; never 0 % or 100 %, which nobody can know.

    >>> percent(0.834), percent(0.002), percent(0.9991)
    ('83 %', '<1 %', '>99 %')
    """
    if probability < 0.005:
        return "<1 %"
    return ">99 %" if probability > 0.995 else f"{100.0 * probability:.0f} %"


def finish(figure: Figure, axes: Axes, *, rows: int) -> None:
    """Set the margins and the gaps between `rows` of panels in inches, and one legend for all at the foot."""
    wide, high = map(float, figure.get_size_inches())
    left, right, top, bottom, gap = 0.72, 0.3, 0.32, 0.72, 0.58
    panel = (high - top - bottom - gap * (rows - 1)) / rows
    figure.subplots_adjust(
        left / wide, bottom / high, 1.0 - right / wide, 1.0 - top / high, 0.16, gap / panel
    )
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="lower center", ncols=6, frameon=False)
