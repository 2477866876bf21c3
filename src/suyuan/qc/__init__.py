"""Quality flags of readings, shaped as in QARTOD (IOOS, 2020): set and made worse, never used to delete."""

from suyuan.qc.basic import flag as flag
from suyuan.qc.basic import gross_range as gross_range
from suyuan.qc.repetition import repetition as repetition
from suyuan.qc.screen import CHECKS as CHECKS
from suyuan.qc.screen import NOT_EVALUATED as NOT_EVALUATED
from suyuan.qc.screen import Screening as Screening
from suyuan.qc.screen import screen as screen
from suyuan.qc.series import Alarm as Alarm
