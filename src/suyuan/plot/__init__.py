"""Figures of results: the map of who may have done it, release histories, readings beside what was expected.

Words in figures are English; `WORDS_ZH` gives the Chinese of each, so that a page shows both without drawing
twice.
"""

from suyuan.plot.class_calendar import class_calendar as class_calendar
from suyuan.plot.flagged import flagged_readings as flagged_readings
from suyuan.plot.history import answers_moved as answers_moved
from suyuan.plot.load_years import concentration_over_time as concentration_over_time
from suyuan.plot.load_years import surface_of as surface_of
from suyuan.plot.load_years import yearly_means as yearly_means
from suyuan.plot.network_map import drawn_lines as drawn_lines
from suyuan.plot.network_map import network_map as network_map
from suyuan.plot.network_map import point_at as point_at
from suyuan.plot.outlook import forecast_fans as forecast_fans
from suyuan.plot.outlook import month_fans as month_fans
from suyuan.plot.placement_map import placement_map as placement_map
from suyuan.plot.plan_map import plan_map as plan_map
from suyuan.plot.series import blind_hours as blind_hours
from suyuan.plot.series import leading as leading
from suyuan.plot.series import readings as readings
from suyuan.plot.series import release_histories as release_histories
from suyuan.plot.series import release_unit as release_unit
from suyuan.plot.speeches import speeches as speeches
from suyuan.plot.style import CHINESE_FONTS as CHINESE_FONTS
from suyuan.plot.style import LATIN_FONT as LATIN_FONT
from suyuan.plot.style import WORDS_ZH as WORDS_ZH
from suyuan.plot.style import WORTH_SHOWING as WORTH_SHOWING
from suyuan.plot.style import percent as percent
