"""An ensemble of flows: samples or runs of a model that say together how sure the flow is, read one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from suyuan.errors import Fault, InputError
from suyuan.flow import BalancedFlow, FlowField, balanced
from suyuan.io.digest import digest
from suyuan.io.files import require_file
from suyuan.io.flow import read_flow, usable
from suyuan.io.flow_netcdf import member_names, read_flow_netcdf, write_members_netcdf
from suyuan.io.times import timezone_of
from suyuan.network import Network
from suyuan.tracing.given_members import middle_of

LEAST = 2
"""One flow says nothing of how sure it is."""

MOST_FAULTS = 20

MOST_GIVEN = 50
"""Of more that are given so many are used: memory and time grow with each."""


@dataclass(frozen=True)
class FlowMembers:
    """Flows that the same water may have had, by name; each is read and checked when it is asked for.

    All have the reaches, boundaries and bins of the first. `source` names the file or files.
    """

    source: str
    names: tuple[str, ...]
    readers: tuple[Callable[[], FlowField], ...]
    network: Network | None = None

    def __len__(self) -> int:
        """Return how many members there are."""
        return len(self.names)

    def __iter__(self) -> Iterator[FlowField]:
        """Yield one member after the other; InputError for what is wrong with it, or differs from the first."""
        first: FlowField | None = None
        for i in range(len(self)):
            flow = self.member(i)
            first = first or flow
            faults = unlike(flow, first)
            if faults:
                raise InputError.of(faults)
            yield flow

    def member(self, index: int) -> FlowField:
        """Return one member by its place; InputError for what is wrong with it."""
        flow = self.readers[index]()
        return usable(replace(flow, source=f"{self.source}, member '{self.names[index]}'"), self.network)


def read_flow_members(
    paths: str | Path | Sequence[str | Path], *, timezone: str | tzinfo, network: Network | None = None
) -> FlowMembers:
    """Return the members in one NetCDF file with the dimension `member`, or of several flow files, one each.

    Values are read later, one member at a time: see `FlowMembers`. Times without an offset are in the file's own timezone, else
    in `timezone`. Raises InputError where there are fewer than two members or two of one name.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    files, zone = [require_file(path) for path in given], timezone_of(timezone)
    found = _of_files(files, zone) if len(files) > 1 else _of_file(files[0], zone)
    twice = next((name for i, name in enumerate(found.names) if name in found.names[:i]), None)
    if twice is not None:
        raise InputError(found.source, f"two members are named '{twice}'", "give every member its own name")
    if len(found) < LEAST:
        what = f"it holds {len(found)} member{'' if len(found) == 1 else 's'}"
        remedy = f"give at least {LEAST}, better 20 or more; a single flow is named as flow under [files]"
        raise InputError(found.source, what, remedy)
    return replace(found, network=network)


def write_flow_members(
    flows: Iterable[FlowField],
    path: str | Path,
    *,
    names: Sequence[str],
    timezone: str | tzinfo = "UTC",
) -> None:
    """Write flows as members of one NetCDF file (.nc), one after the other, so that they may be made as they are written.

    `names` (member,) says how many there are. Raises InputError where one has other reaches, boundaries or times than the
    first, or there are fewer than two; then nothing is written.
    """
    path = Path(path)
    if path.suffix.lower() != ".nc":
        what = f"'{path.suffix}' is not a kind of file that holds flow members"
        raise InputError(path.name, what, "name it with .nc")
    if len(names) < LEAST:
        raise InputError(path.name, f"{len(names)} member is no ensemble", f"give at least {LEAST}")
    named = zip(names, _alike(flows, names, source=path.name), strict=True)
    write_members_netcdf(named, path, count=len(names), zone=timezone_of(timezone))


def closed_members(
    members: FlowMembers,
    network: Network,
    *,
    like: FlowField | None,
    which: Sequence[int],
    progress: Callable[[float], None],
) -> dict[str, BalancedFlow]:
    """Return the members at these places by name, each read and closed by itself; only closed flows are held.

    They must have the reaches and bins of the flow that they are to be `like`, if there is one. Raises InputError with the faults
    of all of them, MOST_FAULTS at most. `progress` hears the share that is done.
    """
    faults: list[Fault] = []
    closed: dict[str, BalancedFlow] = {}
    of = "the first" if like is None else "the flow"
    for done, i in enumerate(which):
        progress(done / len(which))
        try:
            field = members.member(i)
            like = like or field
            faults += unlike(field, like, of=of)
            closed[members.names[i]] = balanced(field, network)
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError.of(sorted(faults)[:MOST_FAULTS])
    return closed


def used_members(names: Sequence[str]) -> list[int]:
    """Return which members are used: all or, where there are too many, some that are taken as if by chance, by their names."""
    return sorted(sorted(range(len(names)), key=lambda i: digest(names[i]))[:MOST_GIVEN])


def middle_member(members: FlowMembers, network: Network) -> tuple[str, BalancedFlow]:
    """Return name and closed flow of the member nearest to the mean of those used: the best guess where no flow is named."""
    closed = closed_members(
        members, network, like=None, which=used_members(members.names), progress=lambda _: None
    )
    ordered = sorted(closed, key=lambda name: (flow_digest(closed[name]), name))
    name = ordered[middle_of([closed[one] for one in ordered])]
    return name, closed[name]


def flow_digest(flow: BalancedFlow) -> str:
    """Return the digest of what a closed flow is."""
    return digest(flow.discharge_start, flow.discharge_end, flow.volume, flow.external)


def unlike(flow: FlowField, first: FlowField, *, of: str = "the first") -> list[Fault]:
    """Return a fault for reaches or times in which a member differs from the first, or from what it is one `of`.

    Among members also for boundaries, and for volumes that stand elsewhere in time.
    """
    faults = []
    is_member = of == "the first"
    boundaries = (flow.boundaries, first.boundaries) if is_member else ((), ())
    lakes = (flow.lakes, first.lakes) if is_member else ((), ())
    named = (("reach", flow.reaches, first.reaches), ("boundary", *boundaries), ("lake", *lakes))
    for what, own, others in named:
        only = sorted(set(own) ^ set(others))
        if only:
            has = f"which {of} does not have" if only[0] in own else f"which {of} has, is missing"
            faults.append(
                Fault(flow.source, 0, f"{what} '{only[0]}', {has}", "give all members the same columns")
            )
    if is_member and bool(flow.lateral.size) != bool(first.lateral.size):
        what = f"it has {'' if flow.lateral.size else 'no '}water entering along reaches (lateral), unlike the first"
        faults.append(Fault(flow.source, 0, what, "give all members the same columns"))
    if flow.start != first.start or not np.array_equal(flow.edges, first.edges):
        what = f"its {_bins(flow)}, those of {of} {_bins(first)}"
        faults.append(Fault(flow.source, 0, what, "export all of them for the same bins of time"))
    if is_member and flow.volume.shape != first.volume.shape and not faults:
        what = "its volumes stand at the bin edges and those of the first are means, or the other way round"
        faults.append(Fault(flow.source, 0, what, "give all members the same"))
    return faults


def _bins(flow: FlowField) -> str:
    return f"{len(flow.edges) - 1} bins run from {flow.start} to {flow.until} UTC"


def _alike(flows: Iterable[FlowField], names: Sequence[str], *, source: str) -> Iterator[FlowField]:
    """Yield the flows, their columns in the order of the first; InputError where one differs, or too many or few."""
    given = iter(flows)
    first = next(given, None)
    if first is None:
        raise InputError(source, "there is no member", f"give at least {LEAST}")
    count = 0
    for count, flow in enumerate(chain([first], given), start=1):
        if count > len(names):
            break
        named = replace(flow, source=f"{source}, member '{names[count - 1]}'")
        faults = unlike(named, first)
        if faults:
            raise InputError.of(faults)
        yield _in_order_of(named, first)
    if count != len(names):
        what = f"there are {'fewer' if count < len(names) else 'more'} members than the {len(names)} names"
        raise InputError(source, what, "give every member one name")


def _in_order_of(flow: FlowField, first: FlowField) -> FlowField:
    reach = [flow.reaches.index(name) for name in first.reaches]
    boundary = [flow.boundaries.index(name) for name in first.boundaries]
    lake = [flow.lakes.index(name) for name in first.lakes]
    return replace(
        flow,
        reaches=first.reaches,
        discharge_start=flow.discharge_start[:, reach],
        discharge_end=flow.discharge_end[:, reach],
        volume=flow.volume[:, reach],
        boundaries=first.boundaries,
        inflow=flow.inflow[:, boundary] if boundary else flow.inflow,
        lateral=flow.lateral[:, reach] if flow.lateral.size else flow.lateral,
        lakes=first.lakes,
        lake_volume=flow.lake_volume[:, lake] if lake else flow.lake_volume,
    )


def _of_file(path: Path, zone: tzinfo) -> FlowMembers:
    """Return the members in one NetCDF file."""
    if path.suffix.lower() not in (".nc", ".nc4"):
        what = f"'{path.suffix}' is not a kind of file that holds flow members"
        remedy = (
            "save them as NetCDF (.nc) with the dimension member, or name a list of flow files, one a member"
        )
        raise InputError(path.name, what, remedy)
    names = member_names(path)
    if not names:
        what = "it has no dimension 'member'"
        remedy = "name it as flow under [files], or give each flow its place along a dimension member"
        raise InputError(path.name, what, remedy)
    readers = tuple(partial(read_flow_netcdf, path, zone, member=i) for i in range(len(names)))
    return FlowMembers(path.name, names, readers)


def _of_files(paths: Sequence[Path], zone: tzinfo) -> FlowMembers:
    """Return the members that stand in one flow file each; they are named as their files."""
    names = tuple(path.name for path in paths)
    return FlowMembers(
        "flow_members", names, tuple(partial(read_flow, path, timezone=zone) for path in paths)
    )
