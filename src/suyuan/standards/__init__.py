"""Standards as data: limits and rules in tables, the class of a section by assessment or by realtime reading, never
both.
"""

from suyuan.standards.assessment import Assessment, Judged, Mean, Note, assess
from suyuan.standards.lakes import Trophic, algal_grade, algal_grades, trophic_level
from suyuan.standards.realtime import NOT_JUDGED, Realtime, classify
from suyuan.standards.record import Period, Record, assess_months, months_between
from suyuan.standards.rivers import River, rate_river
from suyuan.standards.rounding import rounded
from suyuan.standards.scheme import Grade, Item, Scheme, scheme, scheme_of
from suyuan.standards.section import Section
from suyuan.standards.trend import Trend, critical, trend

__all__ = [
    "NOT_JUDGED",
    "Assessment",
    "Grade",
    "Item",
    "Judged",
    "Mean",
    "Note",
    "Period",
    "Realtime",
    "Record",
    "River",
    "Scheme",
    "Section",
    "Trend",
    "Trophic",
    "algal_grade",
    "algal_grades",
    "assess",
    "assess_months",
    "classify",
    "critical",
    "months_between",
    "rate_river",
    "rounded",
    "scheme",
    "scheme_of",
    "trend",
    "trophic_level",
]
