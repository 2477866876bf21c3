"""What results assumed and what a reader must know, in Chinese and English; the English is the results' own."""

from __future__ import annotations

from suyuan.report.words import Words
from suyuan.tracing.statements import Assumption, AssumptionText, Note

ASSUMPTIONS_ZH = {
    "nobody": AssumptionText("未见异常排放的先验概率", "{share}"),
    "pair": AssumptionText("两处同时排放的先验概率", "{share}"),
    "unlisted": AssumptionText("单一来源不在名录内的先验概率", "{share}"),
    "nights": AssumptionText("每日重复的排放始于夜间（18时至次日4时）的比例", "{share}（{zone}）"),
    "rate": AssumptionText("排放强度的先验中位数与 90 % 区间", "{middle} g/s（{low} 至 {high}）"),
    "members": AssumptionText("流场集合成员数", "{count}"),
    "temperature": AssumptionText("证据减弱的倍数", "{temperature}"),
    "count": AssumptionText("第二个来源的证据减弱的倍数", "{temperature}"),
    "readings": AssumptionText("{determinand}", "噪声 {noise}，衰减每天 {decay}，参与计算的值 {count} 个"),
    "scenarios": AssumptionText("情景数", "{count}"),
    "background": AssumptionText("背景", "{level} ± {sd} {unit}"),
    "travel": AssumptionText("路程", "{speed} km/h，道路长度为直线距离的 {factor} 倍"),
    "stop": AssumptionText("每站停留", "{minutes} 分钟"),
    "prices": AssumptionText("费用", "每组每小时 {crew}，结果每晚一小时 {answer}"),
    "kit": AssumptionText("快检试剂盒", "{limit} {unit} 起呈阳性，误报 {yes}，漏报 {no}，每次 {price}"),
    "strip": AssumptionText("试纸", "误差为浓度的 {error}，每次 {price}"),
    "grab": AssumptionText("实验室", "误差为浓度的 {error}，{hours} 小时后出结果，每样 {price}"),
}
"""Chinese of every entry of ASSUMPTIONS, with the same gaps."""

NOTES_ZH = {
    "outside the window": "未使用时段 {first} 至 {last} 之外的 {count} 个读数（之前 {before} 个，之后 {after} 个）；"
    "如需使用，请移动 since 或 until。",
    "not above 0": "{determinands} 没有大于 0 的可用读数：未使用。",
    "poor fit": "拟合不好，应怀疑模型或仪器：用其余读数预报各监测点的每个半天，"
    "落在 90 % 区间之外的读数占 {shares}（应约为 10 %）。",
    "no rate": "{determinands} 会在途中衰减或沉降，但 [decay_per_day] 未给系数，按不衰减计算：远处的污染源排放量偏低，"
    "指纹比例偏移。",
    "too high for its kind": "指纹不符：{candidate} 的水与类别 {kind} 不像，偏高的是 {determinands}（超过 {spreads} 倍标准差）。",
    "too low for its kind": "指纹不符：{candidate} 的水与类别 {kind} 不像，偏低的是 {determinands}（超过 {spreads} 倍标准差）。",
    "few members": "流场集合成员少于四个：几乎没有考虑传播时间的误差。",
    "members disagree": "各流场集合成员对读数的解释相差很大；证据已被减弱，直到有三个成员起作用。",
    "given members": "流场：给定 {given} 个成员，共使用 {used} 个流场；读数之后相当于 {effective} 个，权重最大的是 {leading}。"
    "流量相差最大的河段（离散程度，读数之前 -> 之后）：{reaches}。",
    "no fingerprints": "没有水质指纹：未用水质特征判断是哪一类污水。",
    "moved": "以下变化视为河水自身的变动（降雨、闸泵、另一股水或仪器故障），不视为排放"
    "（+h 为首个读数之后的小时数，* 为所有监测点）：{events}。",
    "restless": "共 {count} 次变动，通常约 {usual} 次：应怀疑流场或仪器。",
    "two sources": "两个污染源比一个更能解释读数。",
    "sure": "已无悬念：采任何样都不会改变结论。",
    "no sample": "在路程、工作时间和预算之内，没有样品能说明是谁排放的。",
    "mouth": "排口处的快检试剂盒只在现场判断，合法排放也可能呈阳性；suyuan trace 只读取河水和管道水样。",
    "flow ends": "给定的流量到 {end} 为止；此后假定其最后一天重复出现。",
}
"""Chinese of every entry of NOTES, with the same gaps."""


def note_words(note: Note) -> Words:
    """Return a sentence that a reader must know.

    >>> note_words(Note("two sources")).zh
    '两个污染源比一个更能解释读数。'
    """
    return Words(NOTES_ZH[note.key].format(**note.values), str(note))


def assumption_words(assumption: Assumption) -> tuple[Words, Words]:
    """Return what was assumed, its name and its value."""
    name, value = (text.format(**assumption.values) for text in ASSUMPTIONS_ZH[assumption.key])
    return Words(name, assumption.name), Words(value, assumption.value)
