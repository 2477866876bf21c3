"""What a reader of a model leaves out or assumes, in Chinese and English; the English is the readers' own."""

from __future__ import annotations

from suyuan.io.models.notes import Note
from suyuan.report.words import Words

NOTES_ZH = {
    "links_without_reach": "模型中有 {links} 条连线不在 {network} 中，其流量未导入：{named}",
    "nodes_without_node": "模型中有 {nodes} 个节点不在 {network} 中，其流量未导入：{named}",
    "apart": "{reaches} 个河段与河网其余部分不相连，未导入：{named}",
    "cut": "沿程有 {places} 处进水或出水，每处改为一个节点：{named}",
    "plane": "模型的二维部分未导入；它给河道的水量在节点进入",
    "part": "有 {links} 条连线与其余部分不相连，未导入；进入其中的水量为 {inflow} m3/s"
    "（可用 read_swmm(..., part='{node}') 改为导入这一部分）",
    "lone_node": "节点“{node}”没有连线，未导入",
    "flooded": "{nodes} 个节点共冒溢 {volume} m3，“{worst}”最多；这些水在该处离开管网",
    "ponded": "{nodes} 个节点共冒溢 {volume} m3，“{worst}”最多；这些水在该处离开管网，允许积水处会流回",
    "seeping": "{conduits} 条管道（“{first}”等）的渗漏不在 .out 中；由闭合分摊",
    "evaporating": "渠道和调蓄池的蒸发不在 .out 中；由闭合分摊",
    "no_unit": "OPTIONS 未写 FLOW_UNITS：按 SWMM 的默认，流量为 CFS，长度为英尺",
    "strange_section": "[{section}] 不是 SWMM 的节，未读取",
    "misspelt_section": "[{section}] 不是 SWMM 的节，未读取；可能是 [{meant}]",
    "not_water": "[{section}] 未导入：溯源使用自己的输移计算",
    "steady": "恒定流演算不蓄水：每条管道取其水量的平均值",
    "small_storages": "{storages} 个调蓄池（“{first}”等）的水量从未达到 {least} m3，不作完全混合的池，水量计入相邻河段",
    "ran_dry": "{links} 条连线几乎干涸；全程每米至多加了一升水",
    "outlet_links": "OUTLETS 节的 {links} 条连线按堰处理：流量由水位决定",
    "dividers": "{dividers} 个分流器按普通节点处理：如何分流已在流量之中",
    "was_run": "模型由 SWMM {version} 在此运行，每 {step} 秒输出一次",
    "means": "SWMM {version} 的结果为 {step} 秒平均值；其间的水量由插值得到",
    "coarse": "SWMM {version} 的结果为每隔 {step} 秒的瞬时值：其间泵和闸的动作看不到。"
    "把 REPORT_STEP 设为一分钟，或只给 .inp 不给 .out，即可看到",
    "no_calendar": "EPANET 没有日历：运行的起点取为 {begin}；可用 --begin 指定（Python 中为 `start`）",
    "one_moment": "文件的 Duration 为 0，只有一个时刻：按其模式运行一天；请在 [TIMES] 中写 Duration（Python 中为 `hours`）",
    "warned": "EPANET 给出 {warnings} 条警告，第一条：{first}",
    "devices": "{devices} 个水泵和阀门在此不蓄水，阀门按闸处理",
    "lateral_structures": "侧向建筑物过的水在河道节点离开或进入：{named}",
    "short_of_junctions": "汇流点与最近断面之间 HEC-RAS 不计水量：舍去 {length} m",
    "storage_areas": "蓄水区按开放水域处理：{named}",
    "links_of_a_metre": "Ribasim 的连线不蓄水：每条作为一米长的河段，水体瞬时混合",
    "drift": "水体 {basin} 的进出水量与其蓄水量最多相差 {share}",
    "evaporation": "蒸发按流出处理，水中溶解物随之离开",
    "gates": "{gates} 座闸位于河段端部，该处流量即过闸流量",
    "rows_before": "按水量平衡，每行流量属于该行水量之前的时段",
    "rows_after": "按水量平衡，每行流量属于该行水量之后的时段",
    "basins": "没有 WaterVolume 的水池在此不蓄水：{named}",
}
"""Chinese of every entry of NOTES, with the same gaps."""


def model_note_words(note: Note) -> Words:
    """Return what a reader says of a model.

    >>> model_note_words(Note("gates", {"gates": 2})).zh
    '2 座闸位于河段端部，该处流量即过闸流量'
    """
    return Words(NOTES_ZH[note.key].format(**note.values), str(note))
