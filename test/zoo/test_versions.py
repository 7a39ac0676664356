"""Versions of a model behind one link: adopted, repeated after a crash, rolled back."""

import re
import shutil

import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.zoo.catalogue import list_models, resolve
from monodepth_ros.zoo.versions import ModelVersions


@pytest.fixture
def versions(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("MONODEPTH_MODELS", str(folder))
    return ModelVersions(folder, "tuned", "demo")


@pytest.fixture
def candidates(model, tmp_path):
    """Two models of their own names."""
    return [shutil.copytree(model, tmp_path / f"tuned_{n}") for n in (1, 2)]


def test_the_base_is_used_before_the_first_version(versions):
    assert versions.version is None and versions.model == "demo"
    with pytest.raises(UserError, match="demo is in use"):
        versions.roll_back()


def test_versions_follow_each_other_and_can_be_taken_back(versions, candidates):
    first, second = (versions.adopt(candidate) for candidate in candidates)
    assert versions.version == second and resolve("tuned") == second
    assert resolve(versions.model) == second
    assert versions.roll_back() == versions.model and versions.version == first
    assert versions.roll_back() == "demo" and versions.version is None
    assert not versions.link.exists() and first.is_dir() and second.is_dir()
    assert {entry.name for entry in list_models()} >= {"tuned_1", "tuned_2"}


def test_adopting_again_changes_nothing(versions, candidates):
    first = versions.adopt(candidates[0])
    second = versions.adopt(candidates[1])
    assert versions.adopt(candidates[1]) == second
    versions.roll_back()
    assert versions.version == first


def test_another_model_of_the_same_name_is_refused(versions, candidates):
    first = versions.adopt(candidates[0])
    card = candidates[0] / "card.yaml"
    text = card.read_text()
    card.write_text(re.sub("[0-9a-f]{64}", "a" * 64, text))
    with pytest.raises(UserError, match="tuned_1: another model of that name"):
        versions.adopt(candidates[0])
    card.write_text(text)
    assert versions.adopt(candidates[0]) == first


def test_what_was_interrupted_is_repeated(versions, candidates, monkeypatch):
    """A kill while copying leaves the former version in use, and a second attempt succeeds."""
    versions.adopt(candidates[0])
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", _half_a_copy)
        with pytest.raises(KeyboardInterrupt):
            versions.adopt(candidates[1])
    assert versions.version.name == "tuned_1" and "tuned_2" not in _names()
    assert versions.adopt(candidates[1]).name == "tuned_2" and "tuned_2" in _names()


def test_a_model_of_that_name_is_not_replaced(versions, candidates):
    shutil.copytree(candidates[0], versions.link)
    with pytest.raises(UserError, match="model of its own"):
        ModelVersions(versions.link.parent, "tuned", "demo")


def test_a_version_that_is_gone_is_told(versions, candidates):
    first = versions.adopt(candidates[0])
    second = versions.adopt(candidates[1])
    shutil.rmtree(first)
    with pytest.raises(UserError, match="is gone"):
        versions.roll_back()
    assert versions.version == second


def _names():
    return {entry.name for entry in list_models()}


def _half_a_copy(source, target):
    target.mkdir()
    shutil.copy(source / "card.yaml", target)
    raise KeyboardInterrupt
