"""A tiny model folder with random weights."""

from pathlib import Path

import pytest
import torch

from monodepth_ros.networks.registry import build_depth_network, build_pose_network
from monodepth_ros.zoo.card import ModelCard, Provenance, Uncertainty
from monodepth_ros.zoo.weights import save_model

ARCHITECTURE = "monodepth2-slim"


@pytest.fixture
def card() -> ModelCard:
    return ModelCard(
        name="tiny",
        licence="Apache-2.0",
        provenance=Provenance(data="nothing", recipe="random"),
        architecture=ARCHITECTURE,
        size=(64, 96),
    )


@pytest.fixture
def states() -> dict[str, dict[str, torch.Tensor]]:
    torch.manual_seed(1)
    nets = {
        "depth": build_depth_network(ARCHITECTURE, 0.1, 100.0),
        "pose": build_pose_network(ARCHITECTURE),
    }
    # Batch norm statistics of a trained network are not 0 and 1.
    for net in nets.values():
        for key, value in net.state_dict().items():
            if key.endswith("running_mean"):
                value.normal_(0, 0.1)
            elif key.endswith("running_var"):
                value.uniform_(0.8, 1.2)
    return {name: net.state_dict() for name, net in nets.items()}


@pytest.fixture
def uncertain_model(tmp_path: Path, card, states) -> Path:
    """The same with a head that tells its variance."""
    torch.manual_seed(2)
    net = build_depth_network(ARCHITECTURE, 0.1, 100.0, uncertainty=3)
    net.load_state_dict(states["depth"], strict=False)
    torch.nn.init.normal_(net.uncertainty.features[-1].weight)
    folder = tmp_path / "uncertain"
    card = card.model_copy(update={"uncertainty": Uncertainty(members=3, temperature=1.5)})
    save_model(folder, card, {**states, "depth": net.state_dict()})
    return folder


@pytest.fixture
def model(tmp_path: Path, card, states) -> Path:
    folder = tmp_path / "tiny"
    save_model(folder, card, states)
    return folder
