"""What is said of an import: what became of the rows, and what must be known."""

from __future__ import annotations

from suyuan.io.import_readings import Imported
from suyuan.report.words import Words

_NOTES = {
    "rows_without_time": Words(
        "{0} 行没有时间（停站），未采用", "{0} rows without a time (stopped stations) were passed over"
    ),
    "unknown_status": Words(
        "不认识的站点情况：{0}，读数按存疑处理",
        "states of stations that are not known: {0}; their readings are suspect",
    ),
    "columns_not_read": Words("未读取的列：{0}", "columns not read: {0}"),
    "same_name": Words(
        "不同省份有同名断面，加省份区分：{0}",
        "sections of one name in several provinces, told apart by province: {0}",
    ),
    "stale": Words("早于表格三天以上的站点 {0}", "stations more than three days older than the table: {0}"),
    "one_spelling": Words("同一站点的不同写法已统一：{0}", "spellings of one station were united: {0}"),
    "one_station": Words(
        "{0} 的读数相同：若是同一断面，请在 suyuan.toml 的 [sections] 用 names 写明",
        "{0} have the same readings: if they are one station, say so by names under [sections] in suyuan.toml",
    ),
    "not_in_network": Words(
        "不在河网中的站点未导入 {0}", "stations that are not in the network were left out: {0}"
    ),
    "not_named": Words(
        "请在 suyuan.toml 的 [files] 中把 {0} 加入 observations",
        "add {0} to observations under [files] in suyuan.toml",
    ),
    "not_water": Words(
        "{0} 个结果不是地表水样（含地下水）或属质控样，未采用",
        "{0} results are not of water above ground, or of quality control: left out",
    ),
    "without_value": Words(
        "{0} 个结果既无数值也无检出限，未采用", "{0} results have neither a value nor a limit: left out"
    ),
    "noon_taken": Words(
        "{0} 个结果只有日期，按正午计", "{0} results have a date without a time of day: noon was taken"
    ),
    "unknown_forms": Words(
        "结果以不认识的形态表示（未采用）{0}",
        "results expressed as a form that is not known for them, left out: {0}",
    ),
    "other_units": Words(
        "单位不属于该指标（未采用）{0}", "results in a unit of another quantity, left out: {0}"
    ),
    "unknown_determinands": Words(
        "不认识的指标（未采用）{0}", "characteristics not known here, left out: {0}"
    ),
}


def import_words(done: Imported) -> list[Words]:
    """Return what an import did, then its notes."""
    counts = (
        done.rows,
        done.stations,
        done.added,
        done.unchanged,
        done.superseded,
        done.sharpened,
        done.revised,
        done.withdrawn,
        done.suspect,
    )
    zh = "{} 个读数，{} 个站点：新增 {}，未变 {}，旧值重现（不采用）{}，位数更全 {}，修订 {}，撤回 {}；其中维护或存疑 {}。"
    en = (
        "{} readings of {} stations: {} added, {} unchanged, {} replaced earlier (not taken back), "
        "{} with more digits, {} revised, {} withdrawn; "
        "{} under maintenance or suspect."
    )
    texts = [f"{count:,}" for count in counts]
    said = [Words(zh.format(*texts), en.format(*texts))]
    return said + [
        Words(_NOTES[code].zh.format(text), _NOTES[code].en.format(text)) for code, text in done.notes
    ]
