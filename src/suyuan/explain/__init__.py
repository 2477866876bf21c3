"""Why a section moved: two waters that mix, parts of a change that add up, what enters and leaves a town."""

from suyuan.explain.balance import Balance as Balance
from suyuan.explain.balance import balance_between as balance_between
from suyuan.explain.drivers import Drivers as Drivers
from suyuan.explain.explanation import Explanation as Explanation
from suyuan.explain.explanation import Periods as Periods
from suyuan.explain.explanation import explain as explain
from suyuan.explain.mixing import Mixing as Mixing
from suyuan.explain.mixing import mixing_of as mixing_of
from suyuan.explain.shapley import shapley as shapley
from suyuan.explain.table import StationTable as StationTable
from suyuan.explain.table import station_table as station_table
