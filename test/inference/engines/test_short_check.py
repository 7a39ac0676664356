"""Nodes load an engine only if it computes what torch computes in single precision."""

import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines import short_check as module
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.engines.short_check import short_check


def test_torch_in_fp32_is_what_others_are_compared_with(model, monkeypatch):
    monkeypatch.setattr(module, "_own_proof", None)
    assert short_check(load_engine(model, "torch", "cpu"), model, ("depth", "pose")) == ""


def test_bf16_passes_and_a_wrong_network_does_not(model):
    engine = load_engine(model, "torch", "cpu", "bf16")
    assert short_check(engine, model, ("depth", "pose")) == ""
    right = engine.inverse_depth
    engine.inverse_depth = lambda frames: 0.98 * right(frames)
    refused = short_check(engine, model, ("depth",))
    assert refused.startswith("depth differs from torch fp32 by 0.02")
    assert short_check(engine, model, ("pose",)) == ""


def test_a_model_is_not_loaded_into_an_engine_that_differs(model, monkeypatch):
    monkeypatch.setattr(module, "refusal", lambda precision, depth, motion: "too far")
    with pytest.raises(UserError, match="^model tiny on torch bf16: too far$"):
        load_engine(model, "torch", "cpu", "bf16", checked=("depth",))
    assert load_engine(model, "torch", "cpu", "bf16").precision == "bf16"
