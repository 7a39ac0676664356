from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.errors import UserError
from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.losses.photometric import Photometric
from monodepth_ros.learning.recipe.file import load_recipe, parse_recipe, save_recipe
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.step import Step
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
    assert list(recipe.losses) == list(recipe.active) == ["photometric", "smoothness"]
    photometric = recipe.losses["photometric"]
    assert isinstance(photometric, Photometric)
    assert (photometric.weight, photometric.ssim_weight) == (1.0, 0.85)
    assert recipe.losses["smoothness"].weight == 1e-3
    assert (recipe.optimizer.kind, recipe.optimizer.lr) == ("adam", 1e-4)
    schedule = recipe.schedule
    assert (schedule.epochs, schedule.step_epochs, schedule.gamma) == (20, 15, 0.1)
    assert recipe.trainer.batch_size == 12


@pytest.mark.parametrize("name", [p.stem for p in (share_directory() / "training").glob("*.yaml")])
def test_recipes_of_the_package_are_valid(name: str) -> None:
    load_recipe(name, ["networks.teacher=demo"] if name == "distill" else [])


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
        {
            "data": {"size": "96x64", "stride": 3},
            "optimizer": {"betas": [0.8, 0.9]},
            "losses": {
                "smoothness": {"edge_decay": 3.0},
                "supervised": {"silog": None, "absolute": {"weight": 2.0}},
                "photometric": {"scales": [0, 2]},
            },
        },
        "x",
    )
    save_recipe(recipe, tmp_path / "recipe.yaml")
    assert load_recipe(tmp_path / "recipe.yaml") == recipe


def test_losses_see_the_depth_range_of_the_networks() -> None:
    recipe = parse_recipe({"networks": {"min_depth": 0.3, "max_depth": 12.0}}, "x")
    step = Step(Learner(recipe), {"images": torch.zeros(1, 3, 3, 32, 64), "K": torch.eye(3)[None]})
    assert (step.min_depth, step.max_depth) == (0.3, 12.0)


def write(folder: Path, **recipes: str) -> None:
    for name, text in recipes.items():
        (folder / f"{name}.yaml").write_text(text)


def test_a_recipe_says_only_what_it_changes(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    write(
        tmp_path,
        base="data: {size: 96x64, stride: 2}\nlosses: {photometric: {}, smoothness: {weight: 0.1}}",
    )
    write(
        tmp_path / "mine",
        child="extends: ../base.yaml\ndata: {stride: 3}\n"
        "losses: {photometric: {ssim: false}, smoothness: null, supervised: {normal: null}}",
        grandchild="extends: child.yaml\nlosses: {smoothness: {edge_decay: 4}}",
    )
    recipe = load_recipe(tmp_path / "mine/child.yaml")
    assert recipe.data.size == (64, 96) and recipe.data.stride == 3
    assert list(recipe.losses) == ["photometric", "supervised"]
    photometric = recipe.losses["photometric"]
    assert isinstance(photometric, Photometric) and not photometric.ssim
    assert list(recipe.active["supervised"].terms) == ["silog", "gradient"]  # type: ignore
    again = load_recipe(tmp_path / "mine/grandchild.yaml")
    assert again.losses["smoothness"].weight == 1e-3  # of the default ones, not of those taken off


def test_a_recipe_of_the_package_can_be_extended_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, mine="extends: finetune\ntrainer: {seed: 7}")
    recipe = load_recipe(tmp_path / "mine.yaml")
    assert recipe.trainer.seed == 7
    assert recipe.losses == load_recipe("finetune").losses


@pytest.mark.parametrize(
    ("recipes", "told"),
    [
        ({"a": "extends: b.yaml", "b": "extends: a.yaml"}, "a.yaml: extends itself, by way of"),
        ({"a": "extends: a.yaml"}, "a.yaml: extends itself"),
        ({"a": "extends: absent.yaml"}, "a.yaml: extends: no recipe .*absent.yaml"),
        ({"a": "extends: absent"}, "a.yaml: extends: no recipe absent"),
        ({"a": "extends: [b.yaml]"}, "a.yaml: extends: .* is not allowed"),
    ],
)
def test_what_cannot_be_extended_is_told(
    recipes: dict[str, str], told: str, tmp_path: Path
) -> None:
    write(tmp_path, **recipes)
    with pytest.raises(UserError, match=told):
        load_recipe(tmp_path / "a.yaml")


def test_losses_are_set_one_key_at_a_time() -> None:
    recipe = load_recipe(
        "finetune",
        [
            "losses.smoothness.weight=0.01",
            "losses.teacher=null",
            "losses.rehearsal.weight=0",
            "losses.supervised={}",
        ],
    )
    assert recipe.losses["smoothness"].weight == 0.01 and "teacher" not in recipe.losses
    assert list(recipe.active) == [
        "photometric", "smoothness", "planarity", "consistency", "supervised",
    ]  # fmt: skip
    assert recipe.needs == {"neighbours", "depth"}


def test_a_dump_loads_to_the_same_recipe(tmp_path: Path) -> None:
    dumped = CliRunner().invoke(
        app, ["train", "--dump", "finetune", "--set", "losses.planarity.weight=0.5"]
    )
    assert dumped.exit_code == 0, dumped.output
    (tmp_path / "r.yaml").write_text(dumped.stdout)
    assert load_recipe(tmp_path / "r.yaml") == load_recipe(
        "finetune", ["losses.planarity.weight=0.5"]
    )
    assert "extends" not in dumped.stdout and "planarity" in dumped.stdout


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ({"optimiser": {}}, ["optimiser", "unknown key", "optimizer"]),
        ({"optimizer": {"rate": 0.25}}, ["optimizer.rate", "0.25", "betas"]),
        (
            {"losses": {"photometric": {"wieght": 2}}},
            ["losses.photometric.wieght", "2", "unknown key", "ssim_weight"],
        ),
        (
            {"losses": {"photometrik": {}}},
            ["losses.photometrik", "unknown key", "photometric, smoothness, planarity"],
        ),
        (
            {"losses": {"supervised": {"silog": {"lambda": 0.5}}}},
            ["losses.supervised.silog.lambda", "0.5", "weight, scale_invariance"],
        ),
        ({"losses": {"smoothness": {"weight": -1}}}, ["losses.smoothness.weight", "-1", "0"]),
        ({"losses": {"smoothness": {"unit": "metre"}}}, ["losses.smoothness.unit", "spread"]),
        (
            {"losses": {"photometric": {"scales": [0, 0]}}},
            ["losses.photometric.scales", "distinct"],
        ),
        ({"losses": {"consistency": {}, "photometric": {}}}, ["refinement.enabled"]),
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
            {"losses": {"photometric": {"weight": 0}}},
            ["losses", "nothing teaches the depth network"],
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
