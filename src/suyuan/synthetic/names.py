"""Invented names of canals and outfalls, in Chinese and English; any likeness to a real place is chance."""

from __future__ import annotations

import numpy as np

from suyuan.network import OutfallKind

PLACES = (
    ("柳浦", "Liupu"),
    ("荷泾", "Hejing"),
    ("桑溇", "Sanglou"),
    ("鹭塘", "Lutang"),
    ("稻汀", "Daoting"),
    ("白芦", "Bailu"),
    ("青萍", "Qingping"),
    ("云渚", "Yunzhu"),
    ("枫荡", "Fengdang"),
    ("鱼梁", "Yuliang"),
    ("槐墩", "Huaidun"),
    ("石埭", "Shidai"),
    ("茭湾", "Jiaowan"),
    ("竹汊", "Zhucha"),
    ("菱滩", "Lingtan"),
    ("杏圩", "Xingwei"),
    ("雁泊", "Yanbo"),
    ("蒲堰", "Puyan"),
    ("棉畈", "Mianfan"),
    ("橹桥", "Luqiao"),
    ("砖浜", "Zhuanbang"),
    ("蓼港", "Liaogang"),
    ("麦垛", "Maiduo"),
    ("苇淀", "Weidian"),
)

WORDS: dict[OutfallKind, tuple[tuple[str, str], ...]] = {
    "industrial": (
        ("印染", "dyeing"),
        ("电镀", "plating"),
        ("食品加工", "food works"),
        ("造纸", "paper works"),
    ),
    "domestic": (("生活污水", "sewage"), ("村污水站", "village treatment")),
    "storm": (("雨水", "storm drain"), ("道路雨水", "road drain")),
    "agricultural": (("农田退水", "field return"), ("畜禽", "livestock")),
    "aquaculture": (("鱼塘", "fish pond"), ("蟹塘", "crab pond")),
    "other": (("不明管口", "unnamed pipe"),),
}


def canal_names(rng: np.random.Generator, count: int) -> list[str]:
    """Return `count` different names of side canals.

    >>> canal_names(np.random.default_rng(1), 1)
    ['荷泾浜 Hejing Creek']
    """
    order = rng.permutation(len(PLACES))
    words = (("浜", "Creek"), ("港", "Canal"), ("河", "River"))
    picked = [(PLACES[order[i % len(PLACES)]], words[(i // len(PLACES)) % 3]) for i in range(count)]
    return [f"{zh}{kind_zh} {en} {kind_en}" for (zh, en), (kind_zh, kind_en) in picked]


def outfall_name(rng: np.random.Generator, kind: OutfallKind, *, number: int) -> str:
    """Return the name of an outfall of this kind; the number makes it unique.

    >>> outfall_name(np.random.default_rng(1), "aquaculture", number=7)
    '石埭蟹塘排口7 Shidai crab pond outfall 7'
    """
    place_zh, place_en = PLACES[int(rng.integers(len(PLACES)))]
    words = WORDS[kind]
    word_zh, word_en = words[int(rng.integers(len(words)))]
    return f"{place_zh}{word_zh}排口{number} {place_en} {word_en} outfall {number}"
