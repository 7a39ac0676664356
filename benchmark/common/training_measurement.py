"""One measurement of one contender, in a process of its own: see training.py."""

from __future__ import annotations

import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from drive_recording import camera_matrix
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook


@dataclass(frozen=True)
class Measurement:
    """What to measure: ``data``, ``step``, ``end_to_end`` or ``equality``, and on what.

    ``contender`` is ``ours`` or ``reference``; ``size`` is (height, width).
    """

    kind: str
    contender: str
    recording: str
    work: str
    size: tuple[int, int]
    batch: int
    architecture: str = "monodepth2-resnet18"
    precision: str = "32"
    threads: int = 1
    workers: int = 0
    device: str = "cpu"
    warmup: int = 1
    steps: int = 3
    data_seconds: float = 3.0
    overrides: tuple[str, ...] = ()
    reference: str | None = None


class OurTraining:
    """The project's training by its own recipe, in the same terms as the reference's."""

    def __init__(self, m: Measurement) -> None:
        from monodepth_ros.learning.batches import build_datasets
        from monodepth_ros.learning.recipe.file import load_recipe
        from monodepth_ros.learning.step_stream import plan_run

        height, width = m.size
        settings = [
            f"data.size={width}x{height}",
            f"data.workers={m.workers}",
            f"data.cache={Path(m.work) / 'cache'}",
            f"networks.architecture={m.architecture}",
            f"trainer.batch_size={m.batch}",
            f"trainer.precision={m.precision}",
            f"trainer.threads={m.threads}",
            f"trainer.accelerator={m.device}",
            "schedule.epochs=1000000",  # the steps end it
        ]
        self.recipe = load_recipe("monodepth2", [*settings, *m.overrides])
        self.recording, self.work = m.recording, Path(m.work)
        self.device, self.precision = torch.device(m.device), m.precision
        start = time.perf_counter()
        self.training, _ = build_datasets(self.recipe, [m.recording], [])
        self.cache_seconds = time.perf_counter() - start
        self.plan = plan_run(self.recipe, len(self.training))

    def batches(self) -> Iterator[dict[str, Tensor]]:
        """Batches on the device, augmented, ready for the networks."""
        from monodepth_ros.data.samples.augmentation import Augmentation
        from monodepth_ros.learning.batches import training_loader

        pin = self.device.type == "cuda"
        loader = training_loader(self.recipe, self.plan, self.training, pin_memory=pin)
        changes = self.recipe.data.augmentation.model_dump(exclude={"perturbation"})
        augment = Augmentation(**changes)
        for batch in loader:
            moved = {name: x.to(self.device, non_blocking=True) for name, x in batch.items()}
            yield augment(moved)

    def module(self) -> Any:
        """The module that trains, on the device and in training mode."""
        from monodepth_ros.learning.learner import Learner

        module = Learner(self.recipe).to(self.device).train()
        module.compile_networks()
        return module

    def step(self) -> Callable[[], object]:
        """One training step on a fixed random batch, without the trainer around it."""
        from monodepth_ros.learning.optimisation import build_optimizer

        torch.backends.cudnn.benchmark = True  # as the trainer does
        module, size = self.module(), self.recipe.data.size
        optimizer = build_optimizer(
            self.recipe.optimizer, module.parameter_groups(), self.precision != "fp16"
        )
        count = self.recipe.trainer.batch_size
        images = torch.rand(count, 3, 3, *size, device=self.device)
        K = torch.from_numpy(camera_matrix(*size)).to(self.device).repeat(count, 1, 1)
        batch = {"images": images, "jittered": images, "K": K}
        noise = torch.Generator(self.device)
        half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)
        # fp16 alone needs its loss scaled.
        scaler = torch.amp.GradScaler(self.device.type, enabled=half is torch.float16)

        def step() -> None:
            with torch.autocast(self.device.type, half, enabled=half is not None):
                loss, _ = module.training_loss(batch, 0, noise)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()

        return step

    def train(self, steps: int) -> None:
        """``monodepth train``, for so many steps."""
        from monodepth_ros.learning.run.train import train

        limited = self.recipe.trainer.model_copy(update={"max_steps": steps})
        recipe = self.recipe.model_copy(update={"trainer": limited})
        train(recipe, [self.recording], self.work / f"run-{time.time_ns()}")


class StepClock:
    """Time between optimiser steps, warm-up left out; the same for every training loop."""

    def __init__(self, warmup: int, steps: int, device: str) -> None:
        self.warmup, self.steps, self.device = warmup, steps, device
        self.ends: list[float] = []

    def __call__(self, *_: object) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())

    def finished(self) -> bool:
        return len(self.ends) >= self.warmup + self.steps

    def seconds(self) -> float:
        """Mean of the measured steps."""
        return (self.ends[self.warmup + self.steps - 1] - self.ends[self.warmup - 1]) / self.steps


def measure(m: Measurement) -> dict[str, Any]:
    """Images (triplets) per second and peak memory of one measurement."""
    torch.set_num_threads(m.threads)
    torch.manual_seed(0)
    if m.kind == "equality":
        return compare_losses(m)
    idle, contender = _build_contender(m)
    result: dict[str, Any] = {}
    if m.kind == "data":
        result["images_per_second"] = m.batch / _seconds_per_batch(m, contender.batches())
        if m.contender == "ours":
            result["cache_seconds"] = contender.cache_seconds
            result["cached_frames"] = len(contender.training) + 2
    else:
        clock = StepClock(m.warmup, m.steps, m.device)
        if m.kind == "step":
            step = contender.step()
            for _ in range(m.warmup + m.steps):
                step()
                clock()
        else:
            hook = register_optimizer_step_post_hook(clock)
            contender.train(m.warmup + m.steps if m.contender == "ours" else clock.finished)
            hook.remove()
        result["images_per_second"] = m.batch / clock.seconds()
    peak = peak_memory(m.device)
    return {**result, "peak_bytes": peak, "peak_over_idle_bytes": peak - idle}


def _build_contender(m: Measurement) -> tuple[int, Any]:
    """The memory that its libraries take, and the contender."""
    if m.contender == "reference":
        from reference_monodepth2 import ReferenceTraining, import_trainer

        checkout = Path(m.reference or "")
        import_trainer(checkout)
        idle = peak_memory(m.device)
        recording, work = Path(m.recording), Path(m.work)
        return idle, ReferenceTraining(
            checkout, recording, m.size, m.batch, m.workers, m.device, work
        )
    import monodepth_ros.learning.run.train  # noqa: F401

    return peak_memory(m.device), OurTraining(m)


def _seconds_per_batch(m: Measurement, batches: Iterable[object]) -> float:
    """Over some seconds of a loader that is in full flow."""
    stream = iter(batches)
    for _ in range(1 + 2 * m.workers):  # what the workers have fetched ahead
        next(stream)
    start, count = time.perf_counter(), 0
    while count < m.steps or time.perf_counter() - start < m.data_seconds:
        next(stream)
        count += 1
    if m.device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / count


def compare_losses(m: Measurement) -> dict[str, Any]:
    """Loss and gradients of both contenders on one real batch from the same initial weights.

    Jitter, flip and the random tie-break of the auto-mask are off.
    """
    from reference_monodepth2 import ReferenceTraining, gradient_norm

    # Imported now: later, the reference's stand-ins could mislead its libraries.
    import monodepth_ros.learning.learner  # noqa: F401
    from monodepth_ros.learning.initial_weights import load_initial_weights
    from monodepth_ros.zoo.importers.monodepth2 import import_monodepth2

    work = Path(m.work)
    reference = ReferenceTraining(
        Path(m.reference or ""), Path(m.recording), m.size, m.batch, 0, m.device, work
    )
    model = work / "reference-weights"
    import_monodepth2(reference.save_weights(), model, "reference-weights")
    still = ("data.augmentation.flip=0", "data.augmentation.jitter=0")
    quiet = ("losses.photometric.automask_noise=0",)
    weights = (f"networks.init.depth={model}", f"networks.init.pose={model}")
    ours = OurTraining(Measurement(**{**asdict(m), "overrides": still + quiet + weights}))
    module = ours.module()
    load_initial_weights(module, ours.recipe.networks)
    batch = next(ours.batches())

    loss, _ = module.training_loss(batch, 0, None)
    loss.backward()
    theirs = reference.loss_without_noise(reference.inputs(batch["images"], batch["K"]))
    theirs.backward()
    our_norms = {
        "depth": gradient_norm(module.depth_net.parameters()),
        "pose": gradient_norm(module.pose_net.parameters()),
    }
    with torch.no_grad(), double_precision(module, *reference.modules()):
        exact = {name: x.double() for name, x in batch.items() if x.is_floating_point()}
        our_exact, _ = module.training_loss(exact, 0, None)
        inputs = reference.inputs(exact["images"], exact["K"])
        their_exact = reference.exact_loss(inputs)
    return {
        "loss": {"ours": float(loss), "reference": float(theirs)},
        "loss_float64": {"ours": float(our_exact), "reference": float(their_exact)},
        "gradient_norms": {"ours": our_norms, "reference": reference.gradient_norms()},
    }


@contextmanager
def double_precision(*modules: torch.nn.Module) -> Iterator[None]:
    """Parameters, new tensors and what would be made single are double meanwhile."""
    for module in modules:
        module.double()
    torch.set_default_dtype(torch.float64)
    try:
        with mock.patch.object(torch.Tensor, "float", torch.Tensor.double):
            yield
    finally:
        torch.set_default_dtype(torch.float32)
        for module in modules:
            module.float()


def peak_memory(device: str) -> int:
    """Bytes: most memory that CUDA tensors took, or on a CPU that was resident."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """Measure what the JSON file in the first argument says; the result goes into the second."""
    request, answer = map(Path, sys.argv[1:])
    content = json.loads(request.read_text())
    content["size"], content["overrides"] = tuple(content["size"]), tuple(content["overrides"])
    result = measure(Measurement(**content))
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    answer.write_text(json.dumps({**result, "versions": versions}))


if __name__ == "__main__":
    main()
