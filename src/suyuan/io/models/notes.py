"""What a reader of a model leaves out or assumes: the sentences, in English; `report.model_notes` has the Chinese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from suyuan.errors import counted

NO_CALENDAR = "no_calendar"
"""Key of the note of a model that knows no dates."""

NOTES = {
    # any form
    "links_without_reach": "Not in {network}, their flow left out: {links:link} of the model, {named}",
    "nodes_without_node": "Not in {network}, their flow left out: {nodes:node} of the model, {named}",
    "apart": "Left out, since they do not touch the rest of the network: {reaches:reach}, {named}",
    "cut": "Water enters or leaves along branches at {places:place}, each of which became a node: {named}",
    "plane": "The 2-D part of the model is left out; what it gives the channels enters at nodes",
    # SWMM
    "part": "A part of {links:link} is not connected with the rest and was left out; {inflow} m3/s enter it "
    "(read_swmm(..., part='{node}') takes it instead)",
    "lone_node": "Node '{node}' has no link and was left out",
    "flooded": "{volume} m3 flood out of {nodes:node}, most at '{worst}'; it leaves the network there",
    "ponded": "{volume} m3 flood out of {nodes:node}, most at '{worst}'; it leaves the network there, and comes back where "
    "ponding is allowed",
    "seeping": "Seepage is not in the .out, closure spreads it: {conduits:conduit}, '{first}' first",
    "evaporating": "What evaporates from channels and storages is not in the .out; closure spreads it",
    "no_unit": "OPTIONS names no FLOW_UNITS: flows are CFS and lengths feet, as SWMM takes it",
    "strange_section": "The section [{section}] is not one of SWMM's and was not read",
    "misspelt_section": "The section [{section}] is not one of SWMM's and was not read; [{meant}] may be meant",
    "not_water": "[{section}] was not taken over: suyuan has its own transport",
    "steady": "Steady routing stores no water: every conduit keeps the mean of its volumes",
    "small_storages": "Never holding {least} m3, and so no mixed tanks but water of the reaches beside them: "
    "{storages:storage}, '{first}' first",
    "ran_dry": "Run almost dry, so that up to a litre a metre was added all the time: {links:link}",
    "outlet_links": "Of section OUTLETS, taken as weirs whose discharge follows from the stage: {links:link}",
    "dividers": "Taken as junctions, since how they split is in the discharges: {dividers:divider}",
    "was_run": "The model was run here by SWMM {version}, reports every {step} s",
    "means": "Results of SWMM {version} are means over {step} s; volumes between them are interpolated",
    "coarse": "Results of SWMM {version} are of instants {step} s apart: what pumps and gates do between them is not seen. "
    "A REPORT_STEP of a minute, or the .inp without its .out, shows it",
    # EPANET
    NO_CALENDAR: "EPANET has no calendar: the run is set to begin at {begin}; set it with --begin (`start` in Python)",
    "one_moment": "The file's Duration is 0, one moment: it is run for a day with its patterns; write a Duration under [TIMES] "
    "(`hours` in Python)",
    "warned": "EPANET gave {warnings:warning}, first: {first}",
    "devices": "Pumps and valves hold no water here, and valves are taken as gates: {devices:device}",
    # HEC-RAS
    "lateral_structures": "What passes lateral structures leaves or enters at nodes of the river: {named}",
    "short_of_junctions": "Between junctions and their nearest sections HEC-RAS holds no water: {length} m are left out",
    "storage_areas": "Storage areas are taken as open water: {named}",
    # Ribasim
    "links_of_a_metre": "Links hold no water in Ribasim: each is a reach of a metre, and basins are mixed at once",
    "drift": "What flows into and out of basin {basin} misses its storage by up to {share}",
    "evaporation": "Evaporation leaves like water that flows out, with what is dissolved in it",
    # DSM2
    "gates": "At an end of their channel, whose discharge there is theirs, stand {gates:gate}",
    "rows_before": "By continuity a row of flow is the interval before the volume of that row",
    "rows_after": "By continuity a row of flow is the interval after the volume of that row",
    # MIKE
    "basins": "Basins without WaterVolume hold nothing here: {named}",
}
"""English of every note by its key. `{links:link}` is a count with its noun."""


@dataclass(frozen=True)
class Note:
    """Something a reader could not take over or assumed: its key in NOTES, and the `values` that fill the gaps.

    >>> print(Note("ran_dry", {"links": 1}))
    Run almost dry, so that up to a litre a metre was added all the time: 1 link
    """

    key: str
    values: Mapping[str, str | int] = field(default_factory=dict)

    def __str__(self) -> str:
        gaps = {k: _Count(v) if isinstance(v, int) else v for k, v in self.values.items()}
        return NOTES[self.key].format(**gaps)


class _Count(int):
    """A number that is printed with a noun: `{:link}` of 1 and 2 is '1 link', '2 links'."""

    def __format__(self, noun: str) -> str:
        return counted(int(self), noun) if noun else f"{int(self):,}"


def listed(names: Sequence[str]) -> str:
    """Return the first five names.

    >>> listed(["A", "B"]), listed(["A", "B", "C", "D", "E", "F"])
    ('A, B', 'A, B, C, D, E ...')
    """
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
