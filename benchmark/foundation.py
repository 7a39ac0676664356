"""Published models on this machine: latency and memory by engine and size, accuracy on your data.

    python benchmark/foundation.py --model depth-anything-v2-small --data RECORDING
    python benchmark/foundation.py --size 392x294 --size 686x518    # random weights of ViT-S

Without --model it makes a Depth Anything of ViT-S with random weights: its latency and memory are
those of the published one, its depth means nothing, and accuracy is left out. Each engine runs in a
process of its own, whose peak of resident memory is told; the export is made before. Accuracy is
that of `monodepth evaluate depth`, aligned by scale, or by scale and shift, where the card asks for
it. Writes JSON (--out) and prints a table.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "common"))

from machine import describe_machine

ENGINES = ("torch:fp32", "torch:bf16", "openvino:fp32", "openvino:bf16", "onnxruntime:fp32")
VIT_S: dict[str, Any] = {
    "depth_estimation_type": "relative",
    "backbone_config": {
        "model_type": "dinov2",
        "image_size": 518,
        "hidden_size": 384,
        "num_attention_heads": 6,
        "out_indices": [3, 6, 9, 12],
        "reshape_hidden_states": False,
    },
    "reassemble_hidden_size": 384,
    "neck_hidden_sizes": [48, 96, 192, 384],
    "fusion_hidden_size": 64,
}
PREPROCESSOR: dict[str, Any] = {
    "image_processor_type": "DPTImageProcessor",
    "size": 518,
    "keep_aspect_ratio": True,
    "ensure_multiple_of": 14,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def random_small(folder: Path) -> Path:
    """A published folder as large as Depth Anything V2 Small, with random weights."""
    import torch
    from transformers import AutoModelForDepthEstimation, DepthAnythingConfig

    from monodepth_ros.zoo.importers.huggingface import adopt

    torch.manual_seed(0)
    network = AutoModelForDepthEstimation.from_config(DepthAnythingConfig(**VIT_S))
    with torch.no_grad():
        network.head.conv3.bias.fill_(1.0)  # the ReLU behind it would cut off all
    network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    adopt(folder, "random-vit-s", "none: random weights")
    return folder


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """One engine at one size in this process."""
    from monodepth_ros.inference.engines.registry import load_engine
    from monodepth_ros.zoo.size import parse_size

    library, _, precision = request["engine"].partition(":")
    size = parse_size(request["size"]) if request["size"] else None
    begin = time.perf_counter()
    engine = load_engine(
        request["model"], library, request["device"], precision, size, request["threads"]
    )
    loaded = time.perf_counter() - begin
    image = np.random.default_rng(0).integers(0, 256, (1, 480, 640, 3), dtype=np.uint8)
    engine.inverse_depth(engine.prepare(image))
    times = []
    for _ in range(request["runs"]):
        begin = time.perf_counter()
        engine.inverse_depth(engine.prepare(image))
        times.append(1000 * (time.perf_counter() - begin))
    return {
        "milliseconds": round(statistics.median(times), 1),
        "fastest": round(min(times), 1),
        "load_seconds": round(loaded, 2),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "size": f"{engine.size[1]}x{engine.size[0]}",
    }


def in_a_process(request: dict[str, Any]) -> dict[str, Any]:
    """The same in one of its own; the first run, which makes an export, is left out."""
    command = [sys.executable, __file__, "--one", json.dumps(request)]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            return {"refused": lines[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def accuracy(model: str, data: list[str]) -> dict[str, Any]:
    """Figures of `monodepth evaluate depth`."""
    options = [option for one in data for option in ("--data", one)]
    command = [str(Path(sys.executable).with_name("monodepth")), "evaluate", "depth"]
    done = subprocess.run(
        [*command, "--model", model, *options, "--json"], capture_output=True, text=True
    )
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no reason given"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", action="append", help="name or folder; repeatable")
    parser.add_argument("--data", action="append", default=[], help="recording with true depth")
    parser.add_argument("--size", action="append", help="WIDTHxHEIGHT; default: of 640x480 images")
    parser.add_argument("--engine", action="append", help="ENGINE:PRECISION; repeatable")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(json.loads(options.one))))
        return
    machine, rows, figures = describe_machine(), [], {}
    with tempfile.TemporaryDirectory() as temporary:
        random = not options.model
        models = [str(random_small(Path(temporary) / "small"))] if random else options.model
        for model in models:
            name = "random weights of ViT-S" if random else model
            for size in options.size or [""]:
                for engine in options.engine or ENGINES:
                    request = {"model": model, "size": size, "engine": engine}
                    settings = {k: getattr(options, k) for k in ("device", "threads", "runs")}
                    row = {"model": name, "engine": engine, **in_a_process(request | settings)}
                    rows.append(row)
                    print(row, flush=True)
            if options.data and not random:
                figures[name] = accuracy(model, options.data)
                print(name, figures[name], flush=True)
    result = {"machine": machine, "threads": options.threads, "rows": rows, "accuracy": figures}
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
