from pathlib import Path

import pytest
import yaml
from recipes import SMALL, SUPERVISED
from typer.testing import CliRunner, Result

from monodepth_ros.cli.app import app
from monodepth_ros.inference.model_card import load_card


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "objective": SUPERVISED}))
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


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["RECIPE", "--data", "DATA", "--set", "optimizer.rate=1"], "optimizer.rate"),
        (["RECIPE", "--data", "DATA", "--set", "optimizer.lr=fast"], "optimizer.lr"),
        (["RECIPE", "--data", "nowhere"], "nowhere"),
        (["absent.yaml", "--data", "DATA"], "absent.yaml"),
        (["RECIPE", "--data", "DATA", "--init", "no-such-model"], "no-such-model"),
        (["RECIPE", "--data", "DATA", "--resume"], "--resume needs --out"),
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
