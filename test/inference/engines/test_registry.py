"""Which engine a name stands for, and what is said where there is none."""

import sys

import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.registry import ENGINES, load_engine


def test_an_engine_that_nobody_knows_is_refused_with_those_that_there_are(model):
    known = ", ".join(ENGINES)
    with pytest.raises(UserError, match=f"^engine 'abacus': use auto, {known}$"):
        load_engine(model, "abacus")


def test_an_engine_that_is_not_installed_names_the_extra(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "slide_rule", None)
    monkeypatch.setitem(ENGINES, "ruler", "slide_rule:Ruler")
    with pytest.raises(UserError, match=r"ruler needs slide_rule.*'monodepth_ros\[ruler\]'"):
        load_engine(model, "ruler")


def test_a_loaded_engine_stays_as_it_is(model):
    engine = load_engine(model, device="cpu")
    assert load_engine(engine, size=(32, 64)) is engine


def test_a_size_that_does_not_fit_is_refused(model):
    with pytest.raises(UserError, match="network size 60x32"):
        load_engine(model, size=(32, 60))
