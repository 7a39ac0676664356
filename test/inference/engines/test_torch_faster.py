"""Recorded and compiled networks give what torch gives; where that cannot be had, it is said."""

import numpy as np
import pytest
import torch

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.registry import load_engine


def images(count):
    return np.random.default_rng(0).integers(0, 256, (count, 64, 96, 3), dtype=np.uint8)


def outputs(engine, batch):
    earlier, later = (engine.prepare(i) for i in images(2 * batch).reshape(2, batch, 64, 96, 3))
    return engine.inverse_depth(earlier), engine.motion(earlier, later)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_graphs_need_a_gpu(model):
    with pytest.raises(UserError, match="engine torch-graphs .* needs a CUDA device"):
        load_engine(model, "torch-graphs")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_graphs_equal_torch_for_every_batch_and_again(model, precision):
    graphs, plain = (load_engine(model, e, "cuda", precision) for e in ("torch-graphs", "torch"))
    assert graphs.describe()["engine"] == "torch-graphs"
    for batch in (1, 2, 1):
        for ours, theirs in zip(outputs(graphs, batch), outputs(plain, batch), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_compiled_networks_equal_torch(model):
    compiled, plain = (load_engine(model, e, "cpu") for e in ("torch-compiled", "torch"))
    assert compiled.describe()["engine"] == "torch-compiled"
    for ours, theirs in zip(outputs(compiled, 1), outputs(plain, 1), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
