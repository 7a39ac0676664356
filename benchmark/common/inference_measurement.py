"""One contender of inference.py, scaling.py and gpu.py, in a process of its own: see turns.py.

Contenders are ``ENGINE:PRECISION`` or ``auto`` (ours), ``eager`` (our networks as torch runs them
unchanged, all heads), ``reference`` (the public Monodepth2) and ``peak:PRECISION``.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from turns import Answer, Handler, serve

Rgb = NDArray[np.uint8]
Run = Callable[[], Any]
MIN_RUNS = 5  # in a turn, however long they take


def build(request: Answer) -> tuple[Answer, Handler]:
    """Load a contender and run it once; what it needs for that is the answer.

    ``request`` has contender, model (folder), reference (checkout), weights (the reference's),
    size (height, width), batch, threads, device and output (file for the first result, or None).
    """
    kind, _, precision = request["contender"].partition(":")
    if kind == "peak":
        return _peak(precision, request)
    images = textured(request["batch"], tuple(request["size"]))
    start = time.perf_counter()
    loaders = {"reference": _reference, "eager": _eager}
    run, facts = loaders.get(kind, _ours)(request, images)
    first = run()
    facts["load_seconds"] = time.perf_counter() - start
    if request["output"]:
        np.save(request["output"], first)
    return facts, lambda question: _measured(run, question["seconds"])


def textured(batch: int, size: tuple[int, int]) -> Rgb:
    """Images ``(B, h, w, 3)``: gradients and edges, the same for all contenders."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    planes = [rows * 255 // size[0], columns * 255 // size[1], (rows // 8 + columns // 8) % 2 * 160]
    image = np.stack(planes, -1).astype(np.uint8)
    return np.stack([np.roll(image, 5 * k, 1) for k in range(batch)])


def _measured(run: Run, seconds: float) -> Answer:
    """Milliseconds of every run of a turn, and the memory so far."""
    run()  # wakes what the others' turns have put to sleep
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < MIN_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return {"milliseconds": times, **_memory()}


def _memory() -> Answer:
    """Bytes: resident at most; where there is CUDA in use, also of its tensors."""
    found = {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        found["cuda_peak_bytes"] = torch.cuda.max_memory_allocated()
    return found


def _ours(request: Answer, images: Rgb) -> tuple[Run, Answer]:
    from monodepth_ros.inference.engines.registry import load_engine

    name, _, precision = request["contender"].partition(":")
    engine = load_engine(
        request["model"],
        name,
        request["device"],
        precision or ("auto" if name == "auto" else "fp32"),
        tuple(request["size"]),
        request["threads"],
    )
    frames = engine.prepare(images)
    return lambda: engine.inverse_depth(frames), {"engine": engine.describe()}


def _eager(request: Answer, images: Rgb) -> tuple[Run, Answer]:
    import torch

    from monodepth_ros.zoo.card import load_card
    from monodepth_ros.zoo.weights import build_network, load_weights

    torch.set_num_threads(request["threads"])
    folder = Path(request["model"])
    card = load_card(folder)
    network = build_network("depth", card).eval()
    network.load_state_dict(load_weights(folder, card)["depth"])
    network.to(request["device"])
    pixels = _tensor(images, request["device"])
    facts = {"operations": _operations(network, pixels[:1])}

    @torch.no_grad()
    def run() -> Any:
        inverse = network(pixels).inverse_depth[0][:, 0]
        return inverse.cpu().numpy()

    return run, facts


def _reference(request: Answer, images: Rgb) -> tuple[Run, Answer]:
    """As its test script runs it, in single precision."""
    import torch

    torch.set_num_threads(request["threads"])
    encoder, decoder, to_depth = load_reference(request["reference"], request["weights"])
    for network in (encoder, decoder):
        network.to(request["device"])
    pixels = _tensor(images, request["device"])

    @torch.no_grad()
    def run() -> Any:
        inverse, _ = to_depth(decoder(encoder(pixels))["disp", 0], 0.1, 100)
        return inverse[:, 0].cpu().numpy()

    return run, {}


def load_reference(checkout: str, weights: str) -> tuple[Any, Any, Any]:
    """Its encoder and decoder with these weights, and its function from disparity to depth."""
    import torch
    from reference_monodepth2 import import_reference

    networks = import_reference(Path(checkout), "networks")
    to_depth = import_reference(Path(checkout), "layers").disp_to_depth
    encoder = networks.ResnetEncoder(18, False)
    state = torch.load(Path(weights) / "encoder.pth", weights_only=True)
    encoder.load_state_dict({k: v for k, v in state.items() if k in encoder.state_dict()})
    decoder = networks.DepthDecoder(encoder.num_ch_enc)
    decoder.load_state_dict(torch.load(Path(weights) / "depth.pth", weights_only=True))
    return encoder.eval(), decoder.eval(), to_depth


def _peak(precision: str, request: Answer) -> tuple[Answer, Handler]:
    import torch
    from peak_rate import PeakRate

    torch.set_num_threads(request["threads"])
    rate = PeakRate(precision, request["device"])
    rate.measure(0.1)
    return {}, lambda question: {"operations_per_second": rate.measure(question["seconds"])}


def _operations(network: Any, image: Any) -> int:
    """Multiplications and additions of the head that is used, for one image."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.finest(image)
    return int(counter.get_total_flops())


def _tensor(images: Rgb, device: str) -> Any:
    """``(B, 3, h, w)`` in [0, 1], its memory in torch's own order."""
    import torch

    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(device).float() / 255


if __name__ == "__main__":
    serve(build)
