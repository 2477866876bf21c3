"""Reports: the files of a run and the page an inspector reads."""

from suyuan.report.figures import Lang as Lang
from suyuan.report.history import history_table as history_table
from suyuan.report.history import no_history as no_history
from suyuan.report.page import RunInfo as RunInfo
from suyuan.report.plan import PlanInfo as PlanInfo
from suyuan.report.plan import advice_dict as advice_dict
from suyuan.report.plan import plan_headline as plan_headline
from suyuan.report.plan import stops_table as stops_table
from suyuan.report.plan import write_advice as write_advice
from suyuan.report.results import ranking_csv as ranking_csv
from suyuan.report.results import release_csv as release_csv
from suyuan.report.results import trace_dict as trace_dict
from suyuan.report.results import write_results as write_results
