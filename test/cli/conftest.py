"""A tiny model folder with random weights, and folders of models that hold nothing else."""

from pathlib import Path

import pytest
import torch

from monodepth_ros.networks.registry import build_depth_network, build_pose_network
from monodepth_ros.zoo import catalogue
from monodepth_ros.zoo.card import ModelCard, Provenance
from monodepth_ros.zoo.weights import save_model

ARCHITECTURE = "monodepth2-slim"


@pytest.fixture
def models_folder(tmp_path: Path, monkeypatch) -> Path:
    """The user's models folder, empty; the package's has no models, and the current folder none."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("MONODEPTH_MODELS", str(folder))
    monkeypatch.setattr(catalogue, "share_directory", lambda: tmp_path / "share")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return folder


@pytest.fixture
def model(models_folder: Path) -> Path:
    """A model called `demo`."""
    torch.manual_seed(1)
    card = ModelCard(
        name="demo",
        licence="Apache-2.0",
        provenance=Provenance(data="nothing", recipe="random"),
        architecture=ARCHITECTURE,
        size=(64, 96),
    )
    nets = {
        "depth": build_depth_network(ARCHITECTURE, 0.1, 100.0),
        "pose": build_pose_network(ARCHITECTURE),
    }
    folder = models_folder / "demo"
    save_model(folder, card, {name: net.state_dict() for name, net in nets.items()})
    return folder
