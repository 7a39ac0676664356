"""The engine computes what the networks compute, folded, placed and in other precisions."""

import pytest
import torch

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.torch import TorchEngine, choose_device, fold_batch_norms
from monodepth_ros.networks.registry import build_depth_network, build_pose_network
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights, save_model


@pytest.fixture
def nets(model, card):
    states = load_weights(model, load_card(model))
    depth_net, pose_net = (
        build_depth_network(card.architecture, 0.1, 100.0),
        build_pose_network(card.architecture),
    )
    depth_net.load_state_dict(states["depth"])
    pose_net.load_state_dict(states["pose"])
    return depth_net.eval(), pose_net.eval()


def test_engine_equals_the_networks(model, nets):
    engine = TorchEngine.load(model, "cpu")
    first, second = torch.rand(2, 2, 3, 64, 96)
    with torch.no_grad():
        expected = nets[0](first).inverse_depth[0], *nets[1](first, second)
    actual = engine(first), *engine.motion(first, second)
    for a, e in zip(actual, expected, strict=True):
        assert a.dtype == torch.float32
        torch.testing.assert_close(a, e, atol=1e-5, rtol=1e-5)


def test_folding_leaves_no_batch_norm_and_the_same_function(nets):
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = nets[0](image).inverse_depth
        fold_batch_norms(nets[0])
        after = nets[0](image).inverse_depth
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in nets[0].modules())
    for a, b in zip(after, before, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_half_precision_is_near_and_float32_comes_out(model):
    image = torch.rand(1, 3, 64, 96)
    exact = TorchEngine.load(model, "cpu")(image)
    rounded = TorchEngine.load(model, "cpu", "bf16")(image)
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, atol=0.02 * 9.99, rtol=0)


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("fp16", 5e-3)])
def test_cuda_equals_cpu(model, precision, tolerance):
    image = torch.rand(1, 3, 64, 96)
    expected = TorchEngine.load(model, "cpu")(image)
    actual = TorchEngine.load(model, "cuda", precision)(image)
    assert actual.device.type == "cuda"
    torch.testing.assert_close(actual.cpu(), expected, atol=9.99 * tolerance, rtol=0)


def test_a_model_without_pose_refuses_motion(tmp_path, card, states):
    save_model(tmp_path, card, {"depth": states["depth"]})
    engine = TorchEngine.load(tmp_path, "cpu")
    assert not engine.has_pose
    with pytest.raises(UserError, match="tiny has no pose network"):
        engine.motion(torch.rand(1, 3, 64, 96), torch.rand(1, 3, 64, 96))


@pytest.mark.parametrize("device", ["gpu", "tpu:3", "meta", "cuda:99", ""])
def test_an_impossible_device_is_refused(device):
    with pytest.raises(UserError, match="device"):
        choose_device(device)


@pytest.mark.parametrize("precision", ["fp8", "fp16"])
def test_an_impossible_precision_is_refused(model, precision):
    with pytest.raises(UserError, match=precision):
        TorchEngine.load(model, "cpu", precision)
