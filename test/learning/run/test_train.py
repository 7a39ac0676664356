import csv
import json
import warnings
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from corridor import write_corridor
from recipes import BOTH, SELF_SUPERVISED, SUPERVISED, small_recipe
from torch.optim.optimizer import register_optimizer_step_pre_hook

from monodepth_ros.errors import UserError
from monodepth_ros.learning.export import export_run
from monodepth_ros.learning.initial_weights import load_imagenet_encoder
from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.run import devices
from monodepth_ros.learning.run.checkpoints import LAST, read_checkpoint
from monodepth_ros.learning.run.train import train
from monodepth_ros.networks.resnet import ResNetEncoder
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights


def read_metrics(run: Path, name: str) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


def test_supervision_teaches_depth(taught_run: Path) -> None:
    """From random weights the error on unseen views falls far below that of one depth for all."""
    losses = read_metrics(taught_run, "loss")
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    assert min(read_metrics(taught_run, "val/abs_rel")) < 0.35  # a constant depth has 0.6


@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_where_the_processor_has_it(
    native: bool,
    corridor: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Elsewhere it is emulated, several times slower than single precision."""
    monkeypatch.setattr(devices, "bfloat16_is_native", lambda: native)
    seen: list[bool] = []
    depths = Learner.predictions

    def watched(self: Learner, target: torch.Tensor) -> Any:
        seen.append(torch.is_autocast_enabled("cpu"))
        return depths(self, target)

    monkeypatch.setattr(Learner, "predictions", watched)
    recipe = small_recipe(trainer={"precision": "bf16", "max_steps": 1})
    train(recipe, [corridor], tmp_path / "run")
    assert seen == [native]
    assert ("no fast bfloat16" in capsys.readouterr().err) != native


def test_run_folder(corridor: Path, held_back: Path, tmp_path: Path) -> None:
    recipe = small_recipe(
        data={"stride": 2},
        losses=BOTH,
        view_synthesis={"train_depth": False},
        trainer={"pictures_every": 2, "batch_size": 2, "max_steps": 3},
        evaluation={"every_steps": 2},
    )
    run = train(recipe, [corridor], tmp_path / "run", [held_back])
    assert len(read_metrics(run, "loss")) == 3
    assert len(read_metrics(run, "val/abs_rel")) == 2  # after the second step and at the end
    assert len(read_metrics(run, "val/photometric")) == 2
    assert list((run / "tensorboard").glob("events.*"))
    for step in (2, 3):
        picture = cv2.imread(str(run / f"pictures/step_{step:07d}.png"))
        assert picture.shape == (2 * 32, 4 * 64, 3)
    record = json.loads((run / "sessions/from_step_0000000.json").read_text())
    assert record["data"]["training"] == [str(corridor)] and record["versions"]["torch"]
    assert record["data"]["focal_length"] == pytest.approx(40.0)
    assert read_checkpoint(run / LAST)["state"]["step"] == 3

    model = export_run(run, tmp_path / "corridor", "CC0-1.0", half=False, checkpoint="last")
    card = load_card(model)
    assert (card.name, card.licence, card.scale) == ("corridor", "CC0-1.0", "metric")
    assert card.size == (32, 64) and (card.min_depth, card.max_depth) == (0.5, 20.0)
    assert card.provenance.results["val/abs_rel"] > 0
    weights = load_weights(model, card)
    state = read_checkpoint(run / "checkpoints/last.ckpt")["weights"]
    assert set(weights) == {"depth", "pose"}
    for name, network in weights.items():
        for key, value in network.items():
            assert torch.equal(value, state[f"{name}_net.{key}"])


def test_validation_without_truth(tmp_path: Path) -> None:
    video = write_corridor(tmp_path / "video", frames=12, depth=False)
    recipe = small_recipe(
        data={"validation_fraction": 0.4}, trainer={"max_steps": 2}, losses=SELF_SUPERVISED
    )
    run = train(recipe, [video], tmp_path / "run")
    assert len(read_metrics(run, "val/photometric")) == 1
    best = read_checkpoint(run / "checkpoints/best.ckpt")
    assert set(best["state"]["validation"]) == {"val/photometric"}
    assert load_card(export_run(run, tmp_path / "model", "CC0-1.0")).scale == "relative"
    claimed = export_run(run, tmp_path / "claimed", "CC0-1.0", scale="metric")
    assert load_card(claimed).scale == "metric"


def test_training_starts_from_a_model(corridor: Path, tmp_path: Path) -> None:
    recipe = small_recipe(losses=SUPERVISED, trainer={"max_steps": 1})
    run = train(recipe, [corridor], tmp_path / "run")
    model = export_run(run, tmp_path / "model", "CC0-1.0", half=False)
    still = small_recipe(
        networks={"init": {"depth": str(model)}},
        losses=SUPERVISED,
        optimizer={"lr": 1e-12},
        trainer={"max_steps": 1, "seed": 5},
    )
    again = train(still, [corridor], tmp_path / "again")
    first, second = (read_checkpoint(r / "checkpoints/last.ckpt")["weights"] for r in (run, again))
    name = "depth_net.decoder.disparity.0.weight"
    torch.testing.assert_close(first[name], second[name], rtol=0, atol=1e-6)
    other = small_recipe(
        networks={"architecture": "monodepth2-lite", "init": {"depth": str(model)}},
        losses=SUPERVISED,
    )
    with pytest.raises(UserError, match="monodepth2-slim.*monodepth2-lite"):
        train(other, [corridor], tmp_path / "other")


def test_imagenet_weights_fit_both_encoders() -> None:
    source = ResNetEncoder(18).state_dict()
    source = {**source, "fc.weight": torch.rand(1000, 512), "fc.bias": torch.rand(1000)}
    source = {k: v for k, v in source.items() if not k.endswith("num_batches_tracked")}
    single, pair = ResNetEncoder(18), ResNetEncoder(18, images=2)
    load_imagenet_encoder(single, source, "file")
    load_imagenet_encoder(pair, source, "file", images=2)
    assert torch.equal(single.conv1.weight, source["conv1.weight"])
    single.eval(), pair.eval()
    image = torch.rand(1, 3, 32, 32)
    for a, b in zip(single(image), pair(torch.cat([image, image], 1)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    with pytest.raises(UserError, match="does not fit"):
        load_imagenet_encoder(ResNetEncoder(50), source, "file")


def test_a_used_folder_is_refused(corridor: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        train(small_recipe(losses=SUPERVISED), [corridor], tmp_path / "run")
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_supervision_without_truth_is_refused(tmp_path: Path) -> None:
    video = write_corridor(tmp_path / "video", frames=6, depth=False)
    with pytest.raises(UserError, match="video has no true depth"):
        train(small_recipe(losses=SUPERVISED), [video], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_nothing_is_written_when_the_data_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty"):
        train(small_recipe(), [tmp_path / "empty"], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_a_recipe_freezes_stays_while_it_trains(corridor: Path, tmp_path: Path) -> None:
    """The trainer does not put modules into training mode, so the module must."""
    for frozen, kept in (("freeze_statistics", "running_"), ("freeze_depth", "depth_net")):
        recipe = small_recipe(networks={frozen: True}, trainer={"max_steps": 2})
        run = train(recipe, [corridor], tmp_path / frozen)
        trained = read_checkpoint(run / LAST)["weights"]
        torch.manual_seed(recipe.trainer.seed)
        fresh = Learner(recipe).state_dict()
        for name, value in fresh.items():
            if kept in name:
                assert torch.equal(trained[name], value), name
        assert any(not torch.equal(trained[name], value) for name, value in fresh.items())


def test_accumulated_batches_equal_one_of_their_size(corridor: Path, tmp_path: Path) -> None:
    """Without random numbers, of which each batch has its own, and with frozen statistics."""
    found = []
    for batch, accumulate in ((4, 1), (2, 2)):
        recipe = small_recipe(
            networks={"freeze_statistics": True},
            data={"augmentation": {"flip": 0.0, "jitter": 0.0}},
            losses={**SELF_SUPERVISED, "photometric": {"automask_noise": 0.0}},
            optimizer={"eps": 1e-3},
            trainer={"batch_size": batch, "accumulate": accumulate, "max_steps": 3},
        )
        run = train(recipe, [corridor], tmp_path / str(accumulate))
        losses, terms = (read_metrics(run, name) for name in ("loss", "photometric"))
        found.append((losses, terms, read_checkpoint(run / LAST)["weights"]))
    (losses, terms, weights), (other_losses, other_terms, other_weights) = found
    assert len(losses) == 3 and losses[2] != pytest.approx(losses[0], rel=1e-3)
    assert other_losses == pytest.approx(losses, rel=1e-4)
    assert other_terms == pytest.approx(terms, rel=1e-4)
    for name, value in weights.items():
        torch.testing.assert_close(other_weights[name], value, rtol=1e-3, atol=1e-5)


def test_gradients_are_clipped_to_the_norm(corridor: Path, tmp_path: Path) -> None:
    norms = []

    def look(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        weights = [w for group in optimizer.param_groups for w in group["params"]]
        norms.append(torch.nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None]))

    hook = register_optimizer_step_pre_hook(look)
    try:
        for clip in (None, 1e-3):
            recipe = small_recipe(optimizer={"clip_norm": clip}, trainer={"max_steps": 2})
            train(recipe, [corridor], tmp_path / str(clip))
    finally:
        hook.remove()
    assert [float(norm) for norm in norms[2:]] == [pytest.approx(1e-3, rel=1e-2)] * 2
    assert min(norms[:2]) > 1e-2


def test_nothing_warns(corridor: Path, held_back: Path, tmp_path: Path) -> None:
    """Whatever a run, one that is resumed, or a library that it uses would warn of."""
    run = tmp_path / "run"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for steps in (1, 2):
            recipe = small_recipe(trainer={"max_steps": steps, "pictures_every": 1})
            train(recipe, [corridor], run, [held_back], resume=steps == 2)
