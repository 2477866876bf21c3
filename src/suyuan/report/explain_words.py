"""Words of an explanation: names of its parts, why one is not possible, what must be known; in Chinese and English."""

from __future__ import annotations

from suyuan.explain.notes import Note
from suyuan.report.words import Words

PARTS = {
    "mixing": Words("两种水的混合", "mixing of two waters"),
    "upstream": Words("上游来水", "inflow from upstream"),
    "flow": Words("流量和降雨", "flow and rain"),
    "season": Words("季节、水温和时辰", "season, temperature, time of day"),
    "saturation": Words("水温改变饱和溶解氧", "oxygen saturation (temperature)"),
    "respiration": Words("水中生物产氧和耗氧", "oxygen made and used in the water"),
    "release": Words("已溯源排口的排放", "releases of traced outfalls"),
    "analyser": Words("被标记的读数（仪器故障或陡峰）", "flagged readings (analyser fault or sharp peak)"),
    "unexplained": Words("未能解释", "unexplained"),
}
"""Names of parts in the order of the waterfall."""

DRIVERS = {
    "temperature": Words("水温", "temperature"),
    "flow": Words("流量", "flow"),
    "rain": Words("降雨", "rain"),
    "upstream": Words("上游站", "the station above"),
    "life": Words("pH（水中生物的标志）", "pH (the mark of life in the water)"),
    "hour": Words("时辰", "time of day"),
    "year": Words("季节", "season"),
}

NOTES = {
    "no_tracer": Words(
        "没有 EC 或其他保守指标（至少 {0} 个读数），看不出混合。",
        "No EC or other conservative determinand with at least {0} readings: mixing cannot be seen.",
    ),
    "few_tracer": Words(
        "{0} 等保守指标同时的读数只有 {1} 个，至少要 {2} 个。",
        "{0} and the other conservative determinands have {1} readings at the same times; at least {2} are needed.",
    ),
    "calm_tracer": Words(
        "{0} 几乎不变（{1}–{2}）：没有两种水交替的迹象。",
        "{0} hardly moves ({1} to {2}): no sign of two waters taking turns.",
    ),
    "no_witnesses": Words(
        "{0} 在变，但只有 {1} 个有质量的指标随它变（至少要 {2} 个）：不能说是两种水的混合。",
        "{0} moves, but only {1} determinands that carry mass go with it (at least {2} are needed): not called mixing.",
    ),
    "few_together": Words("{0} 缺测太多，无法用于 {1}。", "{0} is missing at too many readings of {1}."),
    "no_temperature": Words("没有水温。", "There is no water temperature."),
    "not_oxygen": Words("只适用于溶解氧。", "Concerns dissolved oxygen only."),
    "gaps": Words("{0}缺测太多。", "Too many gaps in {0}."),
    "still": Words("{0}没有变化。", "No change of {0}."),
    "few_for_driver": Words(
        "读数太少，分不清{0}和偶然：{2} 天 {1} 个，需要 {4} 天 {3} 个。",
        "Too few readings to tell {0} from chance: {1} on {2} days, where {3} on {4} days are needed.",
    ),
    "not_linked": Words(
        "{0}和读数及其变化的联系不超出偶然（1 %）。",
        "Not linked: {0} does not go with the readings and their changes beyond chance (1 %).",
    ),
    "no_flow_no_rain": Words(
        "项目没有流量，也没有雨量表（--rain）。",
        "The project has no flow, and no table of rain was given (--rain).",
    ),
    "no_upstream": Words(
        "流量所及的上游没有同时的读数。", "No station from which the water comes has readings at these times."
    ),
    "no_upstream_no_flow": Words(
        "项目没有流量，不知道上游是哪个站（--upstream 可指定）。",
        "The project has no flow, so what lies upstream is not known (name it with --upstream).",
    ),
    "no_trace": Words(
        "项目里没有本指标的溯源结果。", "The project has no result of tracing for this determinand."
    ),
    "trace_without_flow": Words(
        "有溯源结果，但没有河网或流量。", "There is a trace, but no network or flow."
    ),
    "trace_elsewhere": Words(
        "溯源结果是另一时段的（{0} 至 {1}）。", "The trace is of another time ({0} to {1})."
    ),
    "trace_names_none": Words("溯源没有指向任何名录内排口。", "The trace suspects no listed outfall."),
    "trace_not_here": Words(
        "溯源指向的排口的水没有到达本站。", "What the suspected outfalls released does not come here."
    ),
    "no_data": Words("没有数据。", "No data."),
    "mostly_flagged": Words(
        "{0} 个读数被质控标记，占多数，无法分开；请先查仪器。",
        "{0} readings are flagged, most of them, and cannot be told apart: check the analyser first.",
    ),
    "within": Words(
        "之前没有可比的读数：拿本时段内最高三分之一的读数与最低三分之一相比。",
        "There are no readings to compare with before it: the highest third of the period's readings is held against the lowest.",
    ),
    "few_readings": Words(
        "读数太少、未作解释的指标：{0}（每个时段至少 {1} 个）。",
        "Not explained for too few readings: {0} (at least {1} in each period).",
    ),
    "few_days": Words(
        "{0}：至少一侧有可靠读数的日子不到 {1} 天，没有 90 % 区间，不能确认任何原因。",
        "{0}: fewer than {1} days with good readings on a side; there are no 90 % bands and no cause is confirmed.",
    ),
    "middle_of_members": Words(
        "项目给出 {0} 组流量：流量、流达时间和排口影响取居中的一组，各组之间的差别没有计入区间。",
        "The project has {0} flow members: discharge, travel times and what outfalls add are those of the one in their "
        "middle; how they differ is not in the bands.",
    ),
    "flow_beside_members": Words(
        "项目另给出 {0} 组流量：流量、流达时间和排口影响取 flow，各组之间的差别没有计入区间。",
        "The project has {0} flow members beside its flow: discharge, travel times and what outfalls add are those of the "
        "flow; how the members differ is not in the bands.",
    ),
    "repeats": Words(
        "{0} 个时次的营养盐是上一样品的重复值：均值按其持续时间计，判断关联时只算一次。",
        "At {0} times the analysers show their last sample again: in means it counts for the time it stands, in links once.",
    ),
    "accuses_nobody": Words(
        "两种水是两股来水（支流、潮、泵、闸、上下游来回，也可能是排口），这里分不清是哪一种，不说明谁排放了什么，也不排除有人排放；"
        "第二种水的氨氮或总磷是第一种的数倍，或混合呈短促脉冲时，请用 suyuan trace。",
        "Two waters are two inflows (a branch, a tide, a pump, a gate, water that comes and goes, or an outfall). This cannot "
        "tell which: it says of nobody that they released anything, and acquits nobody. Where the second water holds several "
        "times the NH3-N or TP of the first, or comes in short pulses, use suyuan trace.",
    ),
}


def note_sentence(note: Note) -> Words:
    """Return a note in a sentence.

    >>> note_sentence(Note("still", ("flow",))).en
    'No change of flow.'
    """
    words = NOTES[note.code]
    values = [DRIVERS.get(value, Words(value, value)) for value in note.values]
    return Words(words.zh.format(*(v.zh for v in values)), words.en.format(*(v.en for v in values)))
