"""A ResNet-18 of Monodepth2 with random weights, for the reference and for us: a program.

    python common/resnet18_model.py OUT [CHECKOUT]

writes ``OUT/weights`` (``encoder.pth`` and ``depth.pth``, where the CHECKOUT of the reference is
given) and
``OUT/resnet18-640x192``, a model folder of the same weights. Batch norms know the mean and variance
of what they get, so that values stay in a trained network's range and half precision can be judged.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from monodepth_ros.networks.registry import build_depth_network
from monodepth_ros.zoo.card import ModelCard, Provenance
from monodepth_ros.zoo.importers.monodepth2 import import_monodepth2
from monodepth_ros.zoo.weights import save_model

NAME, ARCHITECTURE, SIZE = "resnet18-640x192", "monodepth2-resnet18", (192, 640)


def make_resnet18(out: Path, checkout: Path | None) -> Path:
    """The model folder, made in another process, since libraries need much memory."""
    command = [sys.executable, __file__, str(out), *([str(checkout)] if checkout else [])]
    subprocess.run(command, check=True)
    return out / NAME


def pictures(batch: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Images ``(B, 3, h, w)`` in [0, 1] of noise of all wavelengths."""
    rng = np.random.default_rng(seed)
    total = torch.zeros(batch, 3, *size)
    for cell in (2, 8, 32):
        coarse = torch.from_numpy(rng.random((batch, 3, size[0] // cell + 2, size[1] // cell + 2)))
        total += nn.functional.interpolate(coarse.float(), size, mode="bicubic") * cell**0.5
    low, high = total.amin((1, 2, 3), True), total.amax((1, 2, 3), True)
    return (total - low) / (high - low)


def _learn_statistics(*networks: nn.Module) -> None:
    """Mean and variance of what batch norms get, of a few images."""
    for network in networks:
        for module in network.train().modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the mean of all batches
    with torch.no_grad():
        for seed in range(2):
            x = pictures(2, SIZE, seed)
            for network in networks:
                x = network(x)


def _reference_weights(checkout: Path, folder: Path) -> None:
    from reference_monodepth2 import import_reference

    networks = import_reference(checkout, "networks")
    encoder = networks.ResnetEncoder(18, False)
    decoder = networks.DepthDecoder(encoder.num_ch_enc)
    _learn_statistics(encoder, decoder)
    height, width = SIZE
    folder.mkdir(parents=True, exist_ok=True)
    about = {"height": height, "width": width, "use_stereo": False}
    torch.save({**encoder.state_dict(), **about}, folder / "encoder.pth")
    torch.save(decoder.state_dict(), folder / "depth.pth")


def main() -> None:
    out, checkout = Path(sys.argv[1]), sys.argv[2:]
    torch.manual_seed(0)
    if checkout:
        _reference_weights(Path(checkout[0]), out / "weights")
        import_monodepth2(out / "weights", out / NAME, NAME, with_pose=False)
        return
    network = build_depth_network(ARCHITECTURE, 0.1, 100.0)
    _learn_statistics(network)
    provenance = Provenance(data="none: random weights")
    card = ModelCard(
        name=NAME, licence="none", provenance=provenance, architecture=ARCHITECTURE, size=SIZE
    )
    save_model(out / NAME, card, {"depth": network.state_dict()})


if __name__ == "__main__":
    main()
