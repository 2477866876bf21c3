"""Times as people write them: the same answer on the command line, as text and as a date in suyuan.toml."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pytest

from suyuan.advise import working_hours
from suyuan.asked import instant
from suyuan.errors import InputError
from suyuan.io.times import instant_of, timezone_of

ZONE = timezone_of("Asia/Shanghai")


@pytest.mark.parametrize("day", ["2024-07-28", " 2024-07-28 ", date(2024, 7, 28)])
def test_a_bare_day_begins_a_window_and_never_ends_one(day: object):
    assert instant_of(day, ZONE) == np.datetime64("2024-07-27T16:00:00")
    assert instant_of(day, ZONE, is_end=True) is None


@pytest.mark.parametrize("end", ["2024-07-28T00:00", "2024-07-28 00:00+08:00", datetime(2024, 7, 28)])
def test_an_end_with_a_time_of_day_is_taken_as_it_stands(end: object):
    assert instant_of(end, ZONE, is_end=True) == np.datetime64("2024-07-27T16:00:00")


def test_the_command_line_refuses_a_bare_day_as_an_end_and_years_before_any_reading():
    with pytest.raises(InputError, match=r"--until: '2024-07-28' is not a time; .*with a time of day"):
        instant("2024-07-28", ZONE, where="--until")
    assert instant("2024-07-28", ZONE, where="--since") == np.datetime64("2024-07-27T16:00:00")
    with pytest.raises(InputError, match="--since: '0001-01-01' is not a time"):
        instant("0001-01-01", ZONE, where="--since")


def test_an_hour_has_sixty_minutes():
    with pytest.raises(InputError, match=r"timezone 'UTC\+08:99' is not known"):
        timezone_of("UTC+08:99")
    with pytest.raises(InputError, match="'08:75-18' are no working hours"):
        working_hours("08:75-18")
