"""From three files to who did it, in seven calls; every result can be printed."""

import tempfile
from pathlib import Path

import numpy as np

import suyuan as sy
from suyuan.io.new_project import new_project

with tempfile.TemporaryDirectory() as spare:  # an invented example; put your own folder here
    new_project(f"{spare}/river")
    folder, zone = Path(spare, "river", "example"), "Asia/Shanghai"

    network = sy.read_network(folder / "network.gpkg")  # 1
    flow = sy.balanced(sy.read_flow(folder / "flow.csv", timezone=zone), network)  # 2
    readings = sy.read_observations(folder / "observations.csv", timezone=zone, network=network)  # 3
    readings = sy.flag(readings)  # 4
    fingerprints = sy.read_fingerprints(folder / "fingerprints.csv")

rng = np.random.default_rng(1)
receptors, _ = sy.receptors_of(network, readings)
sources = sy.candidate_sources(network)
matrices = [
    sy.source_receptor_matrix(sy.compile_operator(network, member.flow), receptors, sources=sources)  # 5
    for member in sy.flow_members(network, flow, count=4, rng=rng)  # the flow is never quite right
]
found = sy.trace(  # 6
    readings,
    matrices,
    substances=[sy.Substance(sy.determinand(name)) for name in ("NH3-N", "TP", "EC")],
    fingerprints=fingerprints,
    prior=sy.default_prior(network, flow),
    rng=rng,
)
print("All data of the example are invented.")
print(found)  # the first eight, and nobody
print(found.ranking().head(3))  # 7: a table with every candidate
