"""The folder into which flow is imported: what of its project is there, and which network the flow is to fit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from suyuan.errors import InputError
from suyuan.io.files import require_file
from suyuan.io.network import is_blank_network, read_network
from suyuan.io.project import SETTINGS, Project, read_project
from suyuan.io.times import timezone_of
from suyuan.network import Network

CHINA = "Asia/Shanghai"
"""The timezone of a project that an import makes, unless another is asked for."""

FLOW, NETWORK = "flow.nc", "network.gpkg"


@dataclass(frozen=True)
class Home:
    """The folder that gets the flow: its project where there is one, and where its network and flow lie or are to lie.

    A network without anything drawn, as `suyuan new` makes it, is none.
    """

    folder: Path
    project: Project | None
    zone: tzinfo
    network: Path
    flow: Path
    has_network: bool = False

    @classmethod
    def of(cls, folder: Path, timezone: str) -> Home:
        """Return what a folder is; of the files that its suyuan.toml names none must be there yet."""
        if not (folder / SETTINGS).is_file():
            zone = timezone_of(timezone or CHINA, where="--timezone")
            return cls(folder, None, zone, folder / NETWORK, folder / FLOW)
        project = read_project(folder, needs_network=False, reads=())
        network, flow = project.files.network, project.files.flow
        has_network = network.is_file() and not is_blank_network(network)
        if not has_network and (network.parent != folder or network.suffix.lower() != ".gpkg"):
            network = folder / NETWORK
        if flow is None or flow.parent != folder or flow.suffix.lower() != ".nc":
            flow = folder / FLOW
        return cls(folder, project, project.zone, network, flow, has_network)

    @property
    def names_network(self) -> bool:
        """Whether suyuan.toml names the file in which the network lies or is to lie."""
        return self.project is not None and self.project.files.network == self.network

    def gets_network(self, own: Path | None) -> bool:
        """Whether a network is to be written: the model's, or one that lies elsewhere or takes the place of another."""
        if own is None:
            return True
        if own == self.network:
            return False
        return self.has_network or own.parent.resolve() != self.folder.resolve()

    def fitting(self, asked: Path | None) -> Path | None:
        """Return the network that the flow is to fit, None for the model's own.

        The project's own is kept where the one that is asked for says nothing else, though outfalls and stations were drawn
        since. Another one takes its place, unless that lacks outfalls, stations or structures that are drawn: InputError.
        """
        if asked is None or (self.has_network and require_file(asked).samefile(self.network)):
            return self.network if self.has_network else None
        if not self.has_network:
            return require_file(asked)
        new, old = read_network(asked), read_network(self.network)
        if _says_all_of(old, new):
            return self.network
        lost = _drawn(old) - _drawn(new)
        if lost:
            named = ", ".join(f"{kind} '{name}'" for kind, name in sorted(lost)[:3])
            more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
            what = f"{asked.name} would replace the project's {self.network.name}, but lacks what is drawn in it: {named}{more}"
            remedy = f"draw them into {asked.name}, or leave --network out to keep the project's network"
            raise InputError("--network", what, remedy)
        return asked


def require_free(home: Home, own: Path | None) -> None:
    """Refuse to write over files that no suyuan.toml names, and over a network outside of the folder."""
    is_written = home.gets_network(own)
    if is_written and home.has_network and home.network.parent != home.folder:
        what = f"the project's network {home.network} does not lie in its folder, and is not replaced"
        raise InputError("--network", what, "replace that file yourself, and leave --network out")
    paths = [home.network] if is_written and not home.names_network else []
    for path in paths if home.project is not None else [*paths, home.flow]:
        if path.is_file():
            what = f"is there already, and no {SETTINGS} says whose it is"
            raise InputError(str(path), what, f"name it in a {SETTINGS}, or choose a new folder")


def _says_all_of(old: Network, new: Network) -> bool:
    """Return whether a network has the same reaches and nodes as another, and whatever else that has."""
    is_same = all(
        sorted(map(repr, getattr(old, name))) == sorted(map(repr, getattr(new, name)))
        for name in ("nodes", "reaches")
    )
    return is_same and _drawn(new) <= _drawn(old)


def _drawn(network: Network) -> set[tuple[str, str]]:
    """Return kind and id of what is drawn upon the reaches."""
    return {
        *(("outfall", outfall.id) for outfall in network.outfalls),
        *(("station", station.id) for station in network.stations),
        *(("structure", structure.id) for structure in network.structures),
    }
