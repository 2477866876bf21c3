"""Invented plain-river counties with flow, releases and readings: for the demo, examples and calibration."""

from suyuan.synthetic.county import draw_county as draw_county
from suyuan.synthetic.event import FAMILIES as FAMILIES
from suyuan.synthetic.event import Event as Event
from suyuan.synthetic.event import Family as Family
from suyuan.synthetic.event import Truth as Truth
from suyuan.synthetic.event import demo_event as demo_event
from suyuan.synthetic.event import draw_event as draw_event
from suyuan.synthetic.layout import CountySize as CountySize
from suyuan.synthetic.quality import DeadZones as DeadZones
from suyuan.synthetic.water import draw_flow as draw_flow
