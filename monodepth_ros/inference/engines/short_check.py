"""Whether an engine computes what torch computes in single precision: by two images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monodepth_ros.inference.engines.agreement import refusal, stddev_refusal
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.export.cached import ensure_proof
from monodepth_ros.inference.export.proof import Proof
from monodepth_ros.zoo.card import NetworkPart


def short_check(
    engine: Engine,
    folder: Path,
    networks: Sequence[NetworkPart],
    size: tuple[int, int] | None = None,
) -> str:
    """Why ``engine``, loaded from the model in ``folder``, must not be used; empty where it may.

    ``networks`` are those of use; one that the model lacks is left out. ``size`` (height, width) is
    that of the images, the engine's usual one by default.
    """
    size = size or engine.size
    library = engine.describe()["engine"]
    if (library, engine.precision) == ("torch", "fp32"):
        return ""  # all others are compared with it
    differences: dict[str, float] = {}
    stddev = None
    for network in networks:
        if network == "depth" or engine.has_motion:
            find = _own_proof if library.startswith("torch") else _kept_proof
            proof = find(engine, folder, network, size)
            differences[network] = proof.deviation(engine)
            if network == "depth":
                stddev = proof.stddev_deviation(engine)
    said = refusal(engine.precision, differences.get("depth", 0.0), differences.get("pose"))
    return said or stddev_refusal(engine.precision, stddev)


def _kept_proof(engine: Engine, folder: Path, network: NetworkPart, size: tuple[int, int]) -> Proof:
    int8 = engine.precision == "int8"
    return Proof.load(ensure_proof(folder, engine.card, network, size, int8))


def _own_proof(engine: Engine, folder: Path, network: NetworkPart, size: tuple[int, int]) -> Proof:
    """Torch is loaded anyway, and what makes exports may not be installed."""
    from monodepth_ros.inference.export.write import load_graph, make_proof

    return make_proof(load_graph(folder, network, size), size)
