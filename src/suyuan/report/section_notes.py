"""Sentences of the notes of an assessment, in Chinese and English."""

from __future__ import annotations

from suyuan.report.words import Words
from suyuan.standards.assessment import Note

WATERS = {"river": Words("河流", "river"), "lake": Words("湖库", "lake")}

_OF_WATER = ("water_assumed", "published_fits")

_NOTES = {
    "nothing_judged": Words("{0} 在 {1} 没有可用于评价的读数。", "{0} has no reading to judge in {1}."),
    "readings_are_of": Words("{0} 的读数从 {1} 到 {2}。", "The readings of {0} are of {1} to {2}."),
    "water_assumed": Words(
        '未说明断面 {0} 的水体类型，按{1}评价：请在 suyuan.toml 的 [sections."{0}"] 写 water_type（river 或 lake）。',
        'The water type of {0} is not stated, judged as {1}: write water_type (river or lake) under [sections."{0}"] in '
        "suyuan.toml.",
    ),
    "published_fits": Words(
        "公布的实时类别符合{0}限值，而本断面按{1}评价。",
        "The published classes are those of the limits of a {0}; this section is judged as a {1}.",
    ),
    "unfinished": Words(
        "时段尚未结束：这是截至 {0} 的类别。", "The period is not over: this is its class so far, at {0}."
    ),
    "no_target": Words(
        '断面 {0} 没有目标类别，因此不判断达标：在监测点图层写 target_class，或在 suyuan.toml 写 [sections."{0}"]。',
        "Section {0} has no target class, so compliance is not judged: write target_class in the layer stations, or "
        '[sections."{0}"] in suyuan.toml.',
    ),
    "few_readings": Words(
        "读数偏少（{0}）。官方要求的最少有效读数本程序未能查到，请自行核对。",
        "Few readings ({0}). What the official minimum is could not be found out; check it yourself.",
    ),
    "missing_items": Words(
        "没有读数、未参与评价的指标：{0}。类别只就参评指标而言。",
        "Items without readings, not judged: {0}. The class is that of the judged items alone.",
    ),
    "left_out": Words(
        "{0} 个带标识的读数（维护、存疑、不合格）未采用；--with-suspect 采用维护和存疑的。",
        "{0} flagged readings (maintenance, suspect, fail) were left out; --with-suspect takes those not failed.",
    ),
    "above_range": Words(
        "{0} 有超量程读数：均值是下限。", "{0} has readings above range: its mean is a least one."
    ),
    "oxygen_saturation": Words(
        "溶解氧按浓度不到Ⅰ类，但平均饱和率 {0}（标准也认 {1}；按海平面气压估算）。",
        "Oxygen misses class I by concentration; its mean saturation is {0} (the standard also accepts {1}; at sea level).",
    ),
    "unrated_sections": Words(
        "没有可评价读数、未计入的断面：{0}。", "Sections without a reading to judge, not rated: {0}."
    ),
    "months_cut": Words(
        "不完整或尚未结束的月份：{0}。在均值中按天数计权，不计入逐月达标率和趋势。",
        "Months that are cut or not over: {0}. They weigh by their days in means and are left out of the compliance rate "
        "and of trends.",
    ),
    "months_without": Words("没有读数的月份：{0}。", "Months without readings: {0}."),
    "short_past": Words(
        "过去的读数太少、不能推算的指标：{0}。", "Items with too short a past to be foretold: {0}."
    ),
    "no_readings_since": Words(
        "近日没有读数的指标及其最后读数日：{0}；余下按其以往的读数频率推算。",
        "No readings since: {0}. The rest is taken to bring as many as before.",
    ),
    "flagged": Words(
        "本月均值未采用 {0} 个带标识的读数（维护、存疑、不合格），与月度评价一致。",
        "{0} flagged readings of this month (maintenance, suspect, fail) are not in its mean, as in the assessment.",
    ),
    "doubted": Words(
        "质控存疑但计入本月均值、未用于预测和图中日均值的读数：{0}。见 suyuan qc。",
        "Doubted by quality control, but in the month's mean as in the assessment; not in the forecast and the dots of the "
        "figure: {0} readings. See suyuan qc.",
    ),
    "flow_recent": Words(
        "通量按最近 {1} 天的平均流量 {0} m³/s 计。",
        "Loads are at the mean discharge of the last {1} days, {0} m³/s.",
    ),
    "flow_reversed": Words(
        "通量按最近 {1} 天的平均流量 {0} m³/s 计；这些天水流与河段绘制方向相反（倒流）。",
        "Loads are at the mean discharge of the last {1} days, {0} m³/s, against the direction in which the reach is drawn.",
    ),
    "flow_to_and_fro": Words(
        "最近 {1} 天水流往复、净流不足一半，平均流量不能代表通量，故不给 kg/d。",
        "In the last {1} days water went to and fro and less than half of it got on: no kg/d are given.",
    ),
    "flow_still": Words(
        "最近 {1} 天水流静止，故不给 kg/d。",
        "In the last {1} days the water stood still: no kg/d are given.",
    ),
    "flow_not_recent": Words(
        "本断面最近 {1} 天没有流量，故不给 kg/d。",
        "There is no discharge of the last {1} days here, so no kg/d are given.",
    ),
    "no_flow": Words(
        "本断面没有流量，故不给 kg/d：可给流量文件、日流量表或指标为流量的读数。",
        "No discharge is known here, so no kg/d are given: a flow file, a table of discharge or readings of discharge would do.",
    ),
    "unscored": Words(
        "过去没有可供检验的整月、概率未经检验的指标：{0}。",
        "Items without whole months in the past to be checked by, so that their probability is unchecked: {0}.",
    ),
    "unverified": Words(
        "未与原文核对的规则（凭记忆）：{1}", "A rule from memory, not compared with its source: {0}"
    ),
}


def note_sentence(note: Note) -> Words:
    """Return a note in a sentence."""
    words = _NOTES[note.code]
    values = [_water(value) if note.code in _OF_WATER else Words(value, value) for value in note.values]
    return Words(words.zh.format(*(v.zh for v in values)), words.en.format(*(v.en for v in values)))


def _water(value: str) -> Words:
    return WATERS.get(value, Words(value, value))
