"""The public Monodepth2 on camera frames, as its test script does it; see node.py.

The image is in memory, and nothing is written: only what a node would have to do as well is timed.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from inference_measurement import load_reference
from PIL import Image
from torchvision_stand_in import ToTensor
from turns import Answer, Handler, serve


def build(request: Answer) -> tuple[Answer, Handler]:
    """Load its networks."""
    torch.set_num_threads(request["threads"])
    encoder, decoder, to_depth = load_reference(request["reference"], request["weights"])
    feed = torch.load(Path(request["weights"]) / "encoder.pth", weights_only=True)
    height, width = request["size"]
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)

    @torch.no_grad()
    def frame() -> tuple[float, float]:
        start = time.perf_counter()
        resized = Image.fromarray(rgb).resize((feed["width"], feed["height"]), Image.LANCZOS)
        pixels = ToTensor()(resized).unsqueeze(0)
        network = time.perf_counter()
        disparity = decoder(encoder(pixels))["disp", 0]
        network = time.perf_counter() - network
        interpolate = torch.nn.functional.interpolate
        interpolate(disparity, (height, width), mode="bilinear", align_corners=False)
        to_depth(disparity, 0.1, 100)[1].numpy()
        return 1000 * (time.perf_counter() - start), 1000 * network

    def answer(question: Answer) -> Answer:
        times = [frame() for _ in range(question["frames"])]
        return {"whole_ms": [whole for whole, _ in times], "network_ms": [n for _, n in times]}

    frame()
    return {}, answer


if __name__ == "__main__":
    serve(build)
