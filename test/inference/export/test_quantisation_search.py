"""Layers stay in float only where eight bits are too few, and the most helpful ones first."""

import numpy as np
import pytest

from monodepth_ros.errors import Failure

search_module = pytest.importorskip("monodepth_ros.inference.export.quantisation_search")


class Trials:
    """Each layer in int8 adds its own error."""

    errors = np.full(16, 0.001)
    shares = np.full(16, 1 / 16)

    def __init__(self, *arguments):
        self.work = {f"layer {number}": share for number, share in enumerate(self.shares)}

    def quantised(self, in_float):
        errors = zip(self.errors, self.work, strict=True)
        return frozenset(in_float), sum(one for one, name in errors if name not in in_float)


@pytest.fixture
def found(monkeypatch):
    def run(errors):
        monkeypatch.setattr(Trials, "errors", errors)
        monkeypatch.setattr(search_module, "_Trials", Trials)
        monkeypatch.setattr(search_module, "_files", lambda network: network)
        lines = []
        return search_module.search(None, [], [], lines.append), lines

    return run


def test_all_layers_are_quantised_where_that_is_near_enough(found):
    network, lines = found(np.full(16, 0.001))
    assert network == set()
    assert lines == ["all layers in int8: abs_rel 0.0160"]


def test_the_parts_whose_float_helps_most_stay_in_float(found):
    errors = np.full(16, 0.0005)
    errors[[5, 10]] = 0.01, 0.006
    network, lines = found(errors)
    assert network == {"layer 4", "layer 5"}
    assert lines[-1] == "12% of the work in float: abs_rel 0.0125"
    errors[[5, 10]] = 0.02, 0.03
    assert found(errors)[0] == {"layer 4", "layer 5", "layer 10", "layer 11"}


def test_more_than_half_in_float_is_a_failure(found):
    with pytest.raises(Failure, match=r"differs .* by abs_rel 0.08 with half of the layers"):
        found(np.full(16, 0.01))


def test_a_part_that_is_most_of_the_work_stays_in_int8_where_others_will_do(found, monkeypatch):
    errors = np.full(16, 0.0005)
    errors[[5, 10]] = 0.01, 0.008
    monkeypatch.setattr(Trials, "shares", np.where(np.arange(16) == 5, 0.7, 0.02))
    assert found(errors)[0] == {"layer 10", "layer 11"}
