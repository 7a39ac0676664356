"""A new depth network is a file and a line: it trains, predicts, is evaluated and runs in a node.

It has all that the bundled ones have not: another size multiple, no range of depth, unknown scale
and shift, no encoder of its own and no pose network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from corridor import render, walk, write_corridor
from recipes import SELF_SUPERVISED, SUPERVISED, small_recipe
from toy_network import TOY
from typer.testing import CliRunner, Result

from monodepth_ros.cli.app import app
from monodepth_ros.errors import UserError
from monodepth_ros.learning.batches import build_datasets
from monodepth_ros.learning.export import export_run
from monodepth_ros.learning.recipe.file import load_recipe, save_recipe
from monodepth_ros.learning.run.train import train
from monodepth_ros.learning.tuning.comparison import model_figures
from monodepth_ros.learning.tuning.tune import settings_of_model
from monodepth_ros.networks.registry import ARCHITECTURES, build_depth_network
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights

SUPPORT = Path(__file__).parents[1] / "support"
SETTINGS: dict[str, Any] = {
    "data": {"size": "70x42"},
    "networks": {"architecture": "toy"},
    "optimizer": {"lr": 1e-2},
}


@pytest.fixture(scope="module", autouse=True)
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "toy", TOY)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def corridor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corridor")
    return write_corridor(folder / "walk", frames=12)


@pytest.fixture(scope="module")
def toy(corridor: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Taught by true depth, and exported."""
    folder = tmp_path_factory.mktemp("toy")
    recipe = small_recipe(**SETTINGS, losses=SUPERVISED, trainer={"max_steps": 30, "batch_size": 4})
    run = train(recipe, [corridor], folder / "run")
    lines = (run / "metrics.csv").read_text().splitlines()
    losses = [float(row.split(",")[lines[0].split(",").index("loss")]) for row in lines[1:]]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:2])
    return export_run(run, folder / "toy", "CC0-1.0", half=False)


def monodepth(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_its_card_says_what_it_is(toy: Path) -> None:
    card = load_card(toy)
    assert (card.architecture, card.size, card.size_multiple) == ("toy", (42, 70), 14)
    assert (card.output, card.ambiguity, card.scale) == (
        "inverse_depth",
        "scale_and_shift",
        "relative",
    )
    assert load_weights(toy, card).keys() == {"depth"}
    assert monodepth("models", "check", toy).exit_code == 0


def test_depth_of_an_image_is_the_networks(toy: Path, tmp_path: Path) -> None:
    """At another multiple of 14; a batch norm behind an activation is not folded."""
    rgb, _ = render(walk(0))
    cv2.imwrite(str(tmp_path / "frame.png"), rgb[:, :, ::-1])
    result = monodepth("predict", tmp_path / "frame.png", "--model", toy, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "metric" not in result.stdout
    network = build_depth_network("toy", 0.1, 100.0).eval()
    network.load_state_dict(load_weights(toy, load_card(toy))["depth"])
    image = cv2.resize(rgb, (70, 42), interpolation=cv2.INTER_AREA)
    with torch.no_grad():
        inverse = network.finest(torch.from_numpy(image).permute(2, 0, 1)[None] / 255)
    depth = np.load(next(tmp_path.glob("*_depth.npy")))
    middle = 1 / cv2.resize(inverse[0, 0].numpy(), depth.shape[::-1])
    np.testing.assert_allclose(np.median(depth), np.median(middle), rtol=0.02)
    wrong = monodepth(
        "predict", tmp_path / "frame.png", "--model", toy, "--out", tmp_path, "--size", "64x64"
    )
    assert wrong.exit_code == 2 and "toy needs multiples of 14" in wrong.stderr


def test_its_depth_is_aligned_by_scale_and_shift(toy: Path, corridor: Path) -> None:
    run = ("evaluate", "depth", "--data", corridor, "--json")
    figures = {}
    for scaling in ("affine", "median", None):
        options = [] if scaling is None else ["--scaling", scaling]
        result = monodepth(*run, "--model", toy, *options)
        assert result.exit_code == 0, result.output
        figures[scaling] = json.loads(result.stdout)["abs_rel"]
    assert figures[None] == figures["affine"] != figures["median"]


def test_what_needs_a_pose_network_says_that_there_is_none(toy: Path, corridor: Path) -> None:
    asked = ("evaluate", "odometry", "--model", toy, "--data", corridor, "--method", "network")
    result = monodepth(*asked)
    assert result.exit_code == 2 and "no pose network" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_replay_says_that_no_point_tells_the_shift(
    toy: Path, corridor: Path, tmp_path: Path
) -> None:
    result = monodepth("replay", corridor, "--model", toy, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert np.isfinite(figures["abs_rel"]) and "ate_m" not in figures
    assert figures["protocol"]["scaling"] == "affine"
    assert all("the shift of depth is not known" in why for why in figures["fallbacks"])
    assert not figures.get("motions_geometry")


def test_it_teaches_and_is_taught(toy: Path, corridor: Path, tmp_path: Path) -> None:
    networks = {"architecture": "toy", "teacher": str(toy)}
    settings = {**SETTINGS, "networks": networks}
    recipe = small_recipe(**settings, losses={"teacher": {}}, trainer={"max_steps": 2})
    run = train(recipe, [corridor], tmp_path / "run")
    assert "teacher/silog" in (run / "metrics.csv").read_text()


def test_it_starts_the_next_run(toy: Path, corridor: Path, tmp_path: Path) -> None:
    recipe = small_recipe(**SETTINGS, losses=SUPERVISED, trainer={"max_steps": 1})
    save_recipe(recipe, tmp_path / "toy.yaml")
    options = ("--init", toy, "--out", tmp_path / "run")
    result = monodepth("train", tmp_path / "toy.yaml", "--data", corridor, *options)
    assert result.exit_code == 0, result.output


def test_view_synthesis_needs_a_pose_network_that_is_asked_for(toy: Path) -> None:
    with pytest.raises(UserError, match=r"toy has no pose network: set\s+networks.pose to posecnn"):
        small_recipe(**SETTINGS, losses=SELF_SUPERVISED)
    networks = {"architecture": "toy", "pose": "posecnn"}
    small_recipe(**{**SETTINGS, "networks": networks}, losses=SELF_SUPERVISED)
    # The motions of matches need none, so depth alone may learn from video.
    matches = {"view_synthesis": {"poses": "matches"}}
    alone = small_recipe(**SETTINGS, **matches, losses={**SELF_SUPERVISED, "triangulation": {}})
    assert not alone.teaches_pose
    with pytest.raises(UserError, match=r"toy has no pose network: .* without losses.consistency"):
        small_recipe(**SETTINGS, **matches, losses={**SELF_SUPERVISED, "consistency": {}})
    settings = settings_of_model(toy, load_recipe("matches"))
    assert not load_recipe("matches", settings).teaches_pose


def test_it_is_tuned_and_judged(toy: Path, corridor: Path, tmp_path: Path) -> None:
    small = ["trainer.max_steps=2", "trainer.batch_size=2", "data.stride=1", "data.workers=0"]
    plain = load_recipe("finetune")
    recipe = load_recipe("finetune", [*settings_of_model(toy, plain), *small])
    run = train(recipe, [corridor], tmp_path / "run")
    candidate = export_run(run, tmp_path / "candidate", "CC0-1.0")
    held_back, _ = build_datasets(recipe, [corridor], [])
    for model in (toy, candidate):
        figures = model_figures(model, recipe, held_back, None)
        assert 0 < figures.photometric < 1


def node_code(program: str) -> str:
    return (
        f"import sys; sys.path.insert(0, {str(SUPPORT)!r}); import toy_network;"
        f" toy_network.register(); from monodepth_ros.nodes.programs import {program}; {program}()"
    )


def test_it_runs_in_a_node(toy: Path, viewer: Any, start_code: Any) -> None:
    from sensor_msgs.msg import Image
    from viewer import of_status

    viewer.listen(Image, "depth/image_rect")
    start_code(node_code("depth_node"), f"model:={toy}", "device:=cpu", "diagnostics_period:=0.2")
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)
    message = viewer.heard["depth/image_rect"][0]
    assert (message.width, message.height) == (70, 42)
    viewer.until(lambda: of_status(viewer, "scale") == "relative", play=viewer.play)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (["scale_source:=fixed", "scale_factor:=2.0"], "alone makes no metres of it"),
        (["scale_source:=speed"], "alone makes no metres of it"),
    ],
)
def test_what_it_cannot_do_a_node_refuses_with_a_line(
    toy: Path, viewer: Any, start_code: Any, source: list[str], reason: str
) -> None:
    start_code(
        node_code("depth_node"), f"model:={toy}", "device:=cpu", "diagnostics_period:=0.2", *source
    )
    viewer.until(lambda: viewer.status is not None and reason in viewer.status.message)
