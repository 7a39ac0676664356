"""The engine computes what the networks compute, folded, placed and in other precisions."""

import numpy as np
import pytest
import torch

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.engines.torch import choose_device
from monodepth_ros.networks.registry import build_depth_network, build_pose_network
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights, save_model


def images(count=1):
    return np.random.default_rng(0).integers(0, 256, (count, 64, 96, 3), dtype=np.uint8)


def tensor(rgb):
    return torch.from_numpy(rgb).permute(0, 3, 1, 2) / 255


def inverse_depth(engine):
    return engine.inverse_depth(engine.prepare(images()))


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
    engine = load_engine(model, device="cpu")
    first, second = images(4).reshape(2, 2, 64, 96, 3)
    with torch.no_grad():
        expected = nets[0](tensor(first))[0][0][:, 0]
        motion = torch.cat(nets[1](tensor(first), tensor(second)), 1)
    frames = engine.prepare(first), engine.prepare(second)
    inverse, found = engine.inverse_depth(frames[0]), engine.motion(*frames)
    assert inverse.dtype == found.dtype == np.float32
    np.testing.assert_allclose(inverse, expected, rtol=1e-5)
    np.testing.assert_allclose(found, motion, atol=1e-5, rtol=1e-5)


def test_mirrored_frames_are_those_of_the_mirrored_image(model):
    engine = load_engine(model, device="cpu")
    mirrored = engine.prepare(images()).mirrored()
    again = engine.prepare(images()[:, :, ::-1])
    np.testing.assert_array_equal(mirrored.pixels(), again.pixels())
    np.testing.assert_allclose(engine.inverse_depth(mirrored), engine.inverse_depth(again), 1e-6)


def test_joined_frames_are_one_batch(model):
    engine = load_engine(model, device="cpu")
    first, second, third = (engine.prepare(images(count)) for count in (1, 2, 1))
    batch = first.joined([second, third.mirrored()])
    assert first.joined([]) is first
    every = [first.pixels(), second.pixels(), third.pixels()[:, :, ::-1]]
    np.testing.assert_array_equal(batch.pixels(), np.concatenate(every))
    apart = [engine.inverse_depth(frames) for frames in (first, second, third.mirrored())]
    np.testing.assert_allclose(engine.inverse_depth(batch), np.concatenate(apart), rtol=1e-5)


def test_the_engine_describes_itself_and_sets_its_threads(model):
    before = torch.get_num_threads()
    try:
        engine = load_engine(model, device="cpu", precision="bf16", threads=1)
        assert torch.get_num_threads() == 1
        described = {"engine": "torch", "device": "cpu", "precision": "bf16", "threads": "1"}
        assert engine.describe() == described
    finally:
        torch.set_num_threads(before)


def test_half_precision_is_near_and_float32_comes_out(model):
    exact = inverse_depth(load_engine(model, device="cpu"))
    rounded = inverse_depth(load_engine(model, device="cpu", precision="bf16"))
    assert rounded.dtype == np.float32
    assert not np.array_equal(rounded, exact)
    np.testing.assert_allclose(rounded, exact, atol=0.2)  # of 10


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("fp16", 5e-3)])
def test_cuda_equals_cpu(model, precision, tolerance):
    expected = inverse_depth(load_engine(model, device="cpu"))
    engine = load_engine(model, device="cuda", precision=precision)
    assert engine.device.startswith("cuda")
    np.testing.assert_allclose(inverse_depth(engine), expected, atol=10 * tolerance)


def test_a_model_without_pose_refuses_motion(tmp_path, card, states):
    save_model(tmp_path, card, {"depth": states["depth"]})
    engine = load_engine(tmp_path, device="cpu")
    assert not engine.has_motion
    frames = engine.prepare(images())
    with pytest.raises(UserError, match="tiny has no pose network"):
        engine.motion(frames, frames)


@pytest.mark.parametrize("device", ["gpu", "tpu:3", "meta", "cuda:99", ""])
def test_an_impossible_device_is_refused(device):
    with pytest.raises(UserError, match="device"):
        choose_device(device)


@pytest.mark.parametrize("precision", ["fp8", "fp16"])
def test_an_impossible_precision_is_refused(model, precision):
    with pytest.raises(UserError, match=precision):
        load_engine(model, device="cpu", precision=precision)
