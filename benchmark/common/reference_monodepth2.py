"""The public reference of Monodepth2, made to run on today's PyTorch for comparison.

The user brings its checkout (non-commercial licence); nothing of it is in this repository. All
changes are made in memory and keep its algorithm: a stand-in for torchvision, names that Pillow has
dropped, and ``align_corners=True``, the behaviour of the PyTorch that it was written for. Left out,
in its favour: the truth that it reads for every training sample, its logging and validation.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import urllib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import torch
import torchvision_stand_in
from drive_recording import camera_matrix, image_suffix, split_lines
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

Inputs = dict[Any, Tensor]
FRAMES = (0, -1, 1)  # in the order of our triplets: target, previous, next
SCALES = 4


class _Finished(Exception):
    """Enough steps have been measured."""


class ReferenceTraining:
    """Its own Trainer, with its own data loader, networks, losses and optimiser."""

    def __init__(
        self,
        checkout: Path,
        recording: Path,
        size: tuple[int, int],
        batch: int,
        workers: int,
        device: str,
        work: Path,
    ) -> None:
        self.size, self.batch, self.device = size, batch, device
        trainer_module = import_trainer(checkout)
        lines = split_lines(recording)
        # An epoch longer than what is measured: the loader never runs out of work.
        lines = lines * (1 + 10_000 // len(lines))
        trainer_module.readlines = lambda path: (
            lines if Path(path).name.startswith("train") else lines[:batch]
        )
        height, width = size
        arguments = ["--data_path", recording, "--log_dir", work, "--weights_init", "scratch"]
        arguments += ["--height", height, "--width", width, "--batch_size", batch]
        arguments += ["--num_workers", workers]
        flags = ["--png"] if image_suffix(recording) == ".png" else []
        flags += ["--no_cuda"] if device == "cpu" else []
        options = importlib.import_module("options").MonodepthOptions()
        parsed = options.parser.parse_args([*map(str, arguments), *flags])
        self.trainer = trainer_module.Trainer(parsed)
        self.trainer.val = self.trainer.log = lambda *_: None

    def batches(self) -> Iterator[Inputs]:
        """Batches on the device, as its loader gives them, without end."""
        while True:
            for inputs in self.trainer.train_loader:
                yield {name: value.to(self.trainer.device) for name, value in inputs.items()}

    def step(self) -> Callable[[], object]:
        """One training step on a fixed random batch: what its ``run_epoch`` does for each."""
        images = torch.rand(self.batch, len(FRAMES), 3, *self.size, device=self.device)
        K = torch.from_numpy(camera_matrix(*self.size)).expand(self.batch, 3, 3)
        inputs = self.inputs(images, K.to(self.device))
        self.trainer.set_train()

        def step() -> None:
            _, losses = self.trainer.process_batch(inputs)
            self.trainer.model_optimizer.zero_grad()
            losses["loss"].backward()
            self.trainer.model_optimizer.step()

        return step

    def train(self, finished: Callable[[], bool]) -> None:
        """Its training, as its users start it, until ``finished``."""
        process = self.trainer.process_batch

        def process_unless_finished(inputs: Inputs) -> Any:
            if finished():
                raise _Finished
            return process(inputs)

        self.trainer.process_batch = process_unless_finished
        try:
            self.trainer.train()
        except _Finished:
            return

    def inputs(self, images: Tensor, K: Tensor) -> Inputs:
        """Its batch of triplets ``(B, 3, 3, H, W)`` and intrinsics ``(B, 3, 3)``; no jitter.

        Only what its step reads; coarser targets are averaged down, as ours are.
        """
        padded = torch.eye(4, device=K.device).repeat(len(K), 1, 1)
        padded[:, :3, :3] = K
        inputs: Inputs = {("K", 0): padded, ("inv_K", 0): torch.linalg.pinv(padded)}
        for frame, image in zip(FRAMES, images.unbind(1), strict=True):
            inputs["color", frame, 0] = inputs["color_aug", frame, 0] = image.contiguous()
        for scale in range(1, SCALES):
            inputs["color", 0, scale] = F.avg_pool2d(images[:, 0], 2**scale)
        return inputs

    def loss_without_noise(self, inputs: Inputs) -> Tensor:
        """Its loss of a batch, with the random tie-break of its auto-mask set to zero."""
        self.trainer.set_train()
        with mock.patch("torch.randn", torch.zeros):
            return self.trainer.process_batch(inputs)[1]["loss"]

    def save_weights(self) -> Path:
        """Its four files of weights in a new folder."""
        self.trainer.epoch = 0
        self.trainer.save_model()
        return Path(self.trainer.log_path) / "models" / "weights_0"

    def exact_loss(self, inputs: Inputs) -> Tensor:
        """The same with exact rotations: its own divide by the angle plus 1e-7.

        At the angles of a network that has learnt nothing, that alone moves the loss by 1e-5.
        """
        layers = importlib.import_module("layers")
        with mock.patch.object(layers, "rot_from_axisangle", _exact_rotation):
            return self.loss_without_noise(inputs)

    def modules(self) -> list[nn.Module]:
        """All that its loss is made of."""
        trainer = self.trainer
        geometry = [*trainer.backproject_depth.values(), *trainer.project_3d.values()]
        return [*trainer.models.values(), *geometry, trainer.ssim]

    def gradient_norms(self) -> dict[str, float]:
        """Of the depth and the pose network, encoders and decoders together."""
        parts = {"depth": ("encoder", "depth"), "pose": ("pose_encoder", "pose")}
        norms = {}
        for part, names in parts.items():
            modules = [self.trainer.models[name] for name in names]
            norms[part] = gradient_norm(p for module in modules for p in module.parameters())
        return norms


def _exact_rotation(axis_angle: Tensor) -> Tensor:
    """Of axis-angle vectors ``(B, 1, 3)``, 4x4, by the exponential of their matrices."""
    x, y, z = axis_angle[:, 0].unbind(1)
    zero = torch.zeros_like(x)
    rows = [[zero, -z, y, zero], [z, zero, -x, zero], [-y, x, zero, zero], [zero] * 4]
    return torch.linalg.matrix_exp(torch.stack([torch.stack(row, 1) for row in rows], 1))


def gradient_norm(parameters: Iterable[nn.Parameter]) -> float:
    """Of all gradients together; the classifier, which nothing uses, has none."""
    return sum(float(p.grad.pow(2).sum()) for p in parameters if p.grad is not None) ** 0.5


def import_trainer(checkout: Path) -> ModuleType:
    """Its module ``trainer``, with all that has to be changed to import and run it."""
    trainer = import_reference(checkout, "trainer")
    trainer.F = _AlignedSampling("aligned")  # type: ignore[attr-defined]
    importlib.import_module("datasets").KITTIRAWDataset.check_depth = lambda self: False
    return trainer


def import_reference(checkout: Path, module: str) -> ModuleType:
    """A module of its checkout, with what today's libraries lack of what it needs."""
    if not (checkout / "trainer.py").is_file():
        raise SystemExit(f"--reference {checkout}: not a checkout of Monodepth2 (no trainer.py)")
    torchvision_stand_in.install()
    _stand_in_for_missing()
    if not hasattr(Image, "ANTIALIAS"):
        Image.ANTIALIAS = Image.Resampling.LANCZOS  # type: ignore[attr-defined]
    if not hasattr(Image, "FLIP_LEFT_RIGHT"):
        Image.FLIP_LEFT_RIGHT = Image.Transpose.FLIP_LEFT_RIGHT  # type: ignore[attr-defined]
    if str(checkout.resolve()) not in sys.path:
        sys.path.insert(0, str(checkout.resolve()))
    return importlib.import_module(module)


class _AlignedSampling(ModuleType):
    """torch.nn.functional as it sampled before PyTorch 1.3."""

    grid_sample = staticmethod(partial(F.grid_sample, align_corners=True))

    def __getattr__(self, name: str) -> Any:
        return getattr(F, name)


def _stand_in_for_missing() -> None:
    """Packages that the reference imports but does not use here, where they are not installed."""
    content: dict[str, dict[str, Any]] = {
        "tensorboardX": {"SummaryWriter": lambda *_: None},
        "IPython": {"embed": None},
        "skimage": {},
        "skimage.transform": {},
        "six": {},
        "six.moves": {"urllib": urllib},
    }
    missing = [name for name in content if _is_missing(name.split(".")[0])]
    for name in missing:
        module = ModuleType(name)
        for key, value in content[name].items():
            setattr(module, key, value)
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)


def _is_missing(package: str) -> bool:
    return package not in sys.modules and importlib.util.find_spec(package) is None
