"""Figures as small SVG: text stays text, numbers are short, words stand in one language or in both."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Literal

from markupsafe import Markup, escape

from suyuan.plot import CHINESE_FONTS, LATIN_FONT, WORDS_ZH
from suyuan.report.words import Words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Lang = Literal["zh", "en"]

FONTS = ", ".join([*(f"'{name}'" for name in (*CHINESE_FONTS, LATIN_FONT)), "sans-serif"])
"""Fonts that readers have: with them the reader's machine draws the text, Chinese included."""

HALO = "<style>svg text{paint-order:stroke;stroke:#fff;stroke-width:2.5px;stroke-linejoin:round}</style>"


def standalone(drawn: str, *, lang: Lang) -> str:
    """Return an SVG with its words in one language."""
    return re.sub(r">([^<>]+)</text>", lambda m: f">{_word(m[1])[0 if lang == 'zh' else 1]}</text>", drawn)


def inline(drawn: str, *, alt: Words) -> Markup:
    """Return an SVG for a page with both languages in it, each in a tspan of class `zh` or `en`."""
    drawn = drawn[drawn.index("<svg") :].replace("<svg ", '<svg role="img" ', 1)
    drawn = re.sub(
        r'(<svg[^>]*?) width="[^"]*"',
        r"\1",
        re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", drawn, count=1),
        count=1,
    )
    drawn = drawn.replace(HALO, HALO + f"<title>{escape(alt.zh)} / {escape(alt.en)}</title>", 1)
    return Markup(re.sub(r">([^<>]+)</text>", _both, drawn))  # matplotlib escaped the text


def _both(match: re.Match[str]) -> str:
    zh, en = _word(match[1])
    return match[0] if zh == en else f'><tspan class="zh">{zh}</tspan><tspan class="en">{en}</tspan></text>'


def _word(text: str) -> Words:
    """Return a figure's text in both languages; what follows a comma is a number or a unit.

    >>> _word("release, g/s").zh
    '排放, g/s'
    """
    head, comma, rest = text.partition(", ")
    return Words(WORDS_ZH.get(head, head) + comma + rest, text)


def svg(figure: Figure, salt: str) -> str:
    """Return the figure as SVG without ids of groups, dates, or digits that no eye can see.

    `salt` keeps the ids of several figures on one page apart.
    """
    import matplotlib as mpl

    sheet = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}), warnings.catch_warnings():
        # The font that measures the text lacks Chinese; the font that draws it is the reader's.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(sheet, format="svg", metadata={"Date": None, "Creator": None})
    drawn = sheet.getvalue().decode("utf-8")
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r'<g id="[^"]*">', "<g>", drawn)
    drawn = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d\.\d{2})\d+", r"\1", tag[0]), drawn)
    drawn = re.sub(r"<!--.*?-->", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r">\s+<", "><", drawn)
    drawn = re.sub(f"'{LATIN_FONT}'[^;\"]*", FONTS, drawn)  # whatever fonts this machine has
    return re.sub(r"(<svg[^>]*>)", lambda m: m[1] + HALO, drawn, count=1)
