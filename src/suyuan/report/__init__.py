"""Reports: the files of a run and the page an inspector reads."""

from suyuan.report.figures import Lang as Lang
from suyuan.report.page import RunInfo as RunInfo
from suyuan.report.results import iso as iso
from suyuan.report.results import ranking_csv as ranking_csv
from suyuan.report.results import release_csv as release_csv
from suyuan.report.results import trace_dict as trace_dict
from suyuan.report.results import write_results as write_results
