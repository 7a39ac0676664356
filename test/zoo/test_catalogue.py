"""Names resolve in the user's folder, then the package's; paths resolve to themselves."""

import shutil

import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.zoo import catalogue


@pytest.fixture
def places(tmp_path, model, monkeypatch):
    """A user's and a package's models folder, both empty, and a current folder without models."""
    user, package = tmp_path / "user", tmp_path / "share"
    (package / "models").mkdir(parents=True)
    user.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("MONODEPTH_MODELS", str(user))
    monkeypatch.setattr(catalogue, "share_directory", lambda: package)
    return user, package / "models"


def test_a_path_is_itself(places, model):
    assert catalogue.resolve(model) == model.resolve()
    assert catalogue.resolve(str(model)) == model.resolve()
    assert catalogue.resolve(model / "card.yaml") == model.resolve()


def test_the_users_model_shadows_the_packages(places, model):
    user, package = places
    shutil.copytree(model, package / "tiny")
    assert catalogue.resolve("tiny") == package / "tiny"
    shutil.copytree(model, user / "tiny")
    assert catalogue.resolve("tiny") == user / "tiny"
    assert [(e.name, e.folder) for e in catalogue.list_models()] == [("tiny", user / "tiny")]


def test_a_folder_here_is_found_by_its_name(places, model, monkeypatch):
    monkeypatch.chdir(model.parent)
    assert catalogue.resolve("tiny") == model.resolve()


def test_without_the_variable_the_home_folder_is_searched(monkeypatch, tmp_path):
    monkeypatch.delenv("MONODEPTH_MODELS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert catalogue.user_models_folder() == tmp_path / ".local/share/monodepth_ros/models"


def test_an_unknown_name_says_what_there_is(places, model):
    shutil.copytree(model, places[0] / "tiny")
    with pytest.raises(UserError, match=r"no model called 'huge'.*known: tiny"):
        catalogue.resolve("huge")


@pytest.mark.parametrize("name", ["", "..", ".", "../missing", "a/../../missing", "tiny\x00", "-x"])
def test_what_is_neither_name_nor_model_folder_is_refused(places, name):
    with pytest.raises(UserError):
        catalogue.resolve(name)


def test_a_broken_card_is_listed_with_its_problem(places, model):
    shutil.copytree(model, places[0] / "tiny")
    (places[0] / "tiny" / "card.yaml").write_text("name: 3")
    (entry,) = catalogue.list_models()
    assert entry.card is None
    assert "card.yaml" in entry.problem
