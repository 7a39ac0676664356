from pathlib import Path

import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.learning.recipe.file import load_recipe, parse_recipe, save_recipe
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.share_directory import share_directory


def error_of(raw: dict[str, object]) -> str:
    with pytest.raises(UserError) as caught:
        parse_recipe(raw, "here.yaml")
    message = str(caught.value)
    assert message.startswith("here.yaml: ") and "\n" not in message
    return message


def test_defaults_are_the_published_ones() -> None:
    recipe = Recipe()
    assert recipe.data.size == (192, 640)
    assert (recipe.networks.min_depth, recipe.networks.max_depth) == (0.1, 100.0)
    assert recipe.objective.self_supervised.ssim_weight == 0.85
    assert recipe.objective.self_supervised.smoothness_weight == 1e-3
    assert recipe.objective.supervised.weight == 0.0
    assert (recipe.optimizer.kind, recipe.optimizer.lr) == ("adam", 1e-4)
    schedule = recipe.schedule
    assert (schedule.epochs, schedule.step_epochs, schedule.gamma) == (20, 15, 0.1)
    assert recipe.trainer.batch_size == 12


@pytest.mark.parametrize("name", [p.stem for p in (share_directory() / "training").glob("*.yaml")])
def test_recipes_of_the_package_are_valid(name: str) -> None:
    load_recipe(name)


def test_published_recipe_spells_the_defaults_out() -> None:
    assert load_recipe("monodepth2") == Recipe()


def test_overrides_are_yaml(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("data: {size: 96x64}\n")
    recipe = load_recipe(
        tmp_path / "r.yaml",
        ["data.size=320x96", "optimizer.lr=3e-4", "data.stride=motion", "trainer.precision=32"],
    )
    assert recipe.data.size == (96, 320) and recipe.data.stride == "motion"
    assert recipe.optimizer.lr == 3e-4 and recipe.trainer.precision == "32"
    assert load_recipe(tmp_path / "r.yaml", ["evaluation.every_steps=null"]).data.size == (64, 96)


def test_saved_recipe_is_the_same(tmp_path: Path) -> None:
    recipe = parse_recipe(
        {"data": {"size": "96x64", "stride": 3}, "optimizer": {"betas": [0.8, 0.9]}}, "x"
    )
    save_recipe(recipe, tmp_path / "recipe.yaml")
    assert load_recipe(tmp_path / "recipe.yaml") == recipe


def test_objectives_see_the_depth_range_of_the_networks() -> None:
    recipe = parse_recipe({"networks": {"min_depth": 0.3, "max_depth": 12.0}}, "x")
    for part in (recipe.objective.self_supervised, recipe.objective.supervised):
        assert (part.min_depth, part.max_depth) == (0.3, 12.0)


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ({"optimiser": {}}, ["optimiser", "unknown key", "optimizer"]),
        ({"optimizer": {"rate": 0.25}}, ["optimizer.rate", "0.25", "betas"]),
        (
            {"objective": {"self_supervised": {"wieght": 2}}},
            ["objective.self_supervised.wieght", "2", "smoothness_weight"],
        ),
        ({"optimizer": {"lr": -1}}, ["optimizer.lr", "-1", "greater than 0"]),
        ({"optimizer": {"lr": "fast"}}, ["optimizer.lr", "fast", "number"]),
        ({"schedule": {"kind": "ramp"}}, ["schedule.kind", "ramp", "cosine"]),
        ({"trainer": {"precision": 16}}, ["trainer.precision", "16", "bf16"]),
        ({"data": {"size": "640x190"}}, ["data.size", "640x190", "multiples of 32"]),
        ({"data": {"stride": 0}}, ["data.stride", "0"]),
        ({"data": {"stride": "move"}}, ["data.stride", "move"]),
        ({"networks": {"architecture": "vgg"}}, ["networks.architecture", "vgg", "resnet18"]),
        ({"networks": {"min_depth": 5, "max_depth": 2}}, ["networks", "min_depth"]),
        (
            {"objective": {"self_supervised": {"weight": 0}}},
            ["objective", "nothing teaches the depth network"],
        ),
        ({"data": 3}, ["data", "3"]),
    ],
)
def test_a_wrong_key_or_value_is_named(raw: dict[str, object], parts: list[str]) -> None:
    message = error_of(raw)
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("optimizer.lr", "section.key=value"),
        ("optimizer..lr=1", "section.key=value"),
        ("data.size.x=3", "data.size.x"),
        ("optimizer.lr=[1", "not YAML"),
        ("optimizer.lr=1e-3 # small", "optimizer.lr: '1e-3 # small' is not allowed"),
    ],
)
def test_a_wrong_override_is_named(tmp_path: Path, override: str, part: str) -> None:
    (tmp_path / "r.yaml").write_text("data: {size: 96x64}\n")
    with pytest.raises(UserError, match=part.replace(".", r"\.")):
        load_recipe(tmp_path / "r.yaml", [override])


@pytest.mark.parametrize(
    ("content", "part"), [("a: [", "YAML"), ("- 1", "mapping"), ("5", "mapping")]
)
def test_a_file_that_is_no_recipe(tmp_path: Path, content: str, part: str) -> None:
    (tmp_path / "r.yaml").write_text(content)
    with pytest.raises(UserError, match=part):
        load_recipe(tmp_path / "r.yaml")


@pytest.mark.parametrize(
    "value",
    ["/data/run #3", "#3", "a: b", "12:30", "2024-01-31", "@scratch", "*.d", "/a b", "%x", "!a"],
)
def test_a_text_is_taken_whole(value: str) -> None:
    assert load_recipe("monodepth2", [f"data.cache={value}"]).data.cache == value
    assert load_recipe("monodepth2", [f'data.cache="{value}"']).data.cache == value


def test_an_unknown_recipe_names_those_there_are() -> None:
    with pytest.raises(UserError, match="monodepth2"):
        load_recipe("monodepth3")


def test_a_path_is_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped path would train by another recipe of the same name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/kitchen.yaml").write_text("trainer: {seed: 7}\n")
    assert load_recipe("mine/kitchen.yaml").trainer.seed == 7
    for path, near in (
        ("mine/kichen.yaml", "did you mean mine/kitchen.yaml"),
        ("mien/finetune.yaml", "did you mean finetune .comes with the package"),
        ("finetune.yaml", "did you mean finetune .comes with the package"),
        ("mine/finetune", "did you mean finetune .comes with the package"),
        ("nowhere/at_all.yaml", "give a YAML file, or a recipe's name"),
    ):
        with pytest.raises(UserError, match=f"no recipe {path}: there is no such file; {near}"):
            load_recipe(path)
