from pathlib import Path

import pytest
import torch
import yaml
from corridor import write_corridor
from recipes import SELF_SUPERVISED, SMALL, SUPERVISED
from typer.testing import CliRunner, Result

from monodepth_ros.cli.app import app
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.fixture
def corridor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds one sequence with truth; resized frames stay out of the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_corridor(tmp_path / "corridor" / "walk", frames=22).parent


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "losses": SUPERVISED}))
    return path


def test_train_and_export(recipe: Path, corridor: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "run", tmp_path / "model"
    options = ["--set", "trainer.max_steps=1", "--export", model, "--licence", "CC0-1.0"]
    result = run(recipe, "--data", corridor, "--out", out, *options)
    assert result.exit_code == 0, result.output
    assert f"run: {out}" in result.stdout and f"model: {model}" in result.stdout
    assert load_card(model).licence == "CC0-1.0"
    # The model starts the next run.
    options = ["--set", "trainer.max_steps=1", "--init", model]
    result = run(recipe, "--data", corridor, "--out", tmp_path / "second", *options)
    assert result.exit_code == 2 and "holds no pose network" in result.stderr
    options = ["--set", "trainer.max_steps=1", "--set", f"networks.init.depth={model}"]
    result = run(recipe, "--data", corridor, "--out", tmp_path / "third", *options)
    assert result.exit_code == 0, result.output


def test_a_share_of_the_former_weights_is_kept(
    recipe: Path, corridor: Path, tmp_path: Path
) -> None:
    """All of them: the model that it started from."""
    recipe.write_text(yaml.safe_dump({**SMALL, "losses": SELF_SUPERVISED}))
    options = ["--set", "trainer.max_steps=1", "--data", corridor]
    former, kept, learnt = (tmp_path / name for name in ("former", "kept", "learnt"))
    first = run(recipe, *options, "--out", tmp_path / "1", "--export", former)
    assert first.exit_code == 0, first.output
    for model, share in ((kept, 1), (learnt, 0)):
        out = tmp_path / f"to_{model.name}"
        options = [*options, "--init", former]
        done = run(recipe, *options, "--out", out, "--export", model, "--keep", share)
        assert done.exit_code == 0, done.output
    was, same, changed = (
        load_weights(model, load_card(model))["depth"] for model in (former, kept, learnt)
    )
    names = [name for name in was if was[name].is_floating_point()]  # what counts batches goes on
    assert all(torch.equal(same[name], was[name]) for name in names)
    assert not any(torch.equal(changed[name], was[name]) for name in names if "weight" in name)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["RECIPE", "--data", "DATA", "--set", "optimizer.rate=1"], "optimizer.rate"),
        (["RECIPE", "--data", "DATA", "--set", "optimizer.lr=fast"], "optimizer.lr"),
        (["RECIPE", "--data", "nowhere"], "nowhere"),
        (["absent.yaml", "--data", "DATA"], "absent.yaml"),
        (["RECIPE", "--data", "DATA", "--init", "no-such-model"], "no-such-model"),
        (["RECIPE", "--data", "DATA", "--resume"], "--resume needs --out"),
        (["RECIPE", "--data", "DATA", "--keep", "0.5"], "--keep needs --init"),
        (["RECIPE", "--data", "DATA", "--out", "USED"], "not empty"),
        (["RECIPE", "--data", "DATA", "--export", "USED"], "not empty"),
        (["RECIPE", "--data", "DATA", "--set", "trainer.batch_size=100"], "fewer than one batch"),
        (["RECIPE", "--data", "DATA", "--set", "trainer.precision=fp16"], "fp16"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(
    arguments: list[str],
    part: str,
    recipe: Path,
    corridor: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "used").mkdir()
    (tmp_path / "used/notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    names = {"RECIPE": recipe, "DATA": corridor, "USED": tmp_path / "used"}
    result = run(*[names.get(argument, argument) for argument in arguments])
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1 and part in result.stderr
    assert (tmp_path / "used/notes.txt").read_text() == "mine"
    assert not (tmp_path / "runs").exists()
