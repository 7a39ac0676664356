import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric import Fabric
from recipes import BOTH, SMALL, small_recipe
from torch.optim.optimizer import register_optimizer_step_pre_hook

from monodepth_ros.errors import UserError
from monodepth_ros.learning.recipe.file import parse_recipe, save_recipe
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.run import devices
from monodepth_ros.learning.run.checkpoints import read_checkpoint
from monodepth_ros.learning.run.record import check_same_run
from monodepth_ros.learning.run.state import State
from monodepth_ros.learning.run.stopping import StopSignals, TimeBudget
from monodepth_ros.learning.run.train import train

LAST = "checkpoints/last.ckpt"


def recipe(**trainer: Any) -> Recipe:
    """Both kinds of losses with augmentation and noise, several epochs, a moving learning rate."""
    return small_recipe(
        losses=BOTH,
        schedule={"kind": "cosine", "epochs": 1000},
        trainer={"batch_size": 4, "max_steps": 8, **trainer},
    )


def assert_same(a: Any, b: Any, where: str = "") -> None:
    """Equal bit for bit."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    else:
        assert a == b, where


def test_a_resumed_run_equals_an_uninterrupted_one(corridor: Path, tmp_path: Path) -> None:
    """20 samples in batches of 4: the run stops within its second epoch, at step 7 of 8."""
    whole = train(recipe(), [corridor], tmp_path / "whole")
    parts = tmp_path / "parts"
    stopped = recipe()
    # The same plan, ended by hand: a smaller max_steps would be another schedule.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StopSignals, "__call__", stop_at(7))
        train(stopped, [corridor], parts)
    assert read_checkpoint(parts / LAST)["state"]["step"] == 7
    train(stopped, [corridor], parts, resume=True)
    a, b = read_checkpoint(whole / LAST), read_checkpoint(parts / LAST)
    assert a["state"]["step"] == 8 and a["optimizer"]["param_groups"][0]["lr"] < 1e-4
    for content in (a, b):
        del content["state"]["seconds"]
    assert_same(a, b)
    assert (parts / "metrics_before_step_0000007.csv").exists()
    assert (parts / "sessions/from_step_0000007.json").exists()


def stop_at(step: int) -> Any:
    def call(self: StopSignals, state: State) -> None:
        state.stop = state.step == step

    return call


def test_resuming_a_complete_run_changes_nothing(corridor: Path, tmp_path: Path) -> None:
    short = recipe(max_steps=2)
    run = train(short, [corridor], tmp_path / "run")
    before = (run / LAST).read_bytes()
    train(short, [corridor], run, resume=True)
    assert (run / LAST).read_bytes() == before


def test_another_run_is_not_resumed(corridor: Path, held_back: Path, tmp_path: Path) -> None:
    run = train(recipe(max_steps=1), [corridor], tmp_path / "run")
    changed = {**SMALL["networks"], "architecture": "monodepth2-lite"}
    other = small_recipe(networks=changed, losses=BOTH)
    with pytest.raises(UserError, match="networks.architecture was monodepth2-slim.*lite"):
        train(other, [corridor], run, resume=True)
    with pytest.raises(UserError, match="trainer.seed was 0.*is 1"):
        train(recipe(seed=1), [corridor], run, resume=True)
    with pytest.raises(UserError, match="same --data"):
        train(recipe(), [held_back], run, resume=True)
    (run / LAST).write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="not a checkpoint"):
        train(recipe(), [corridor], run, resume=True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"refinement": {"iterations": 7}}, "refinement.iterations was .* and is 7 now"),
        (
            {"losses": {"photometric": {"weight": 2.0}}},
            "losses.photometric.weight was 1.0 and is 2.0 now",
        ),
        ({"networks": {"teacher": "m"}}, "networks.teacher was not given and is m now"),
        ({"schedule": {"kind": "step"}}, "schedule.kind was cosine and is step now"),
        ({"optimizer": {"lr": 1.0}}, "optimizer.lr was 0.0001 and is 1.0 now"),
        ({"networks": {"init": {"depth": "m"}}}, "networks.init.depth was not given and is m now"),
        ({"data": {"augmentation": {"hue": 0.0}}}, "data.augmentation.hue was 0.1 and is 0.0 now"),
        ({"evaluation": {"max_depth": 5.0}}, "evaluation.max_depth was 80.0 and is 5.0 now"),
    ],
)
def test_every_section_of_a_recipe_stays(
    changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    save_recipe(recipe(), tmp_path / "recipe.yaml")
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions/from_step_0000000.json").write_text('{"data": {}}')
    raw = recipe().model_dump()
    for section, values in changes.items():
        raw[section] = {**raw[section], **values}
        for name, value in values.items():
            if isinstance(value, dict):
                raw[section][name] = {**recipe().model_dump()[section][name], **value}
    with pytest.raises(UserError, match=f"--resume: {told}"):
        check_same_run(tmp_path, parse_recipe(raw, "test"), {})
    machine = {"threads": 1, "max_steps": 9, "max_minutes": 3.0, "devices": 2, "precision": "bf16"}
    may = recipe(**machine).model_dump()
    may["schedule"]["epochs"], may["optimizer"]["clip_norm"] = 7, 1.0
    check_same_run(tmp_path, parse_recipe(may, "test"), {})


def test_changed_recordings_are_not_gone_on_with(corridor: Path, tmp_path: Path) -> None:
    """As they are moved, written anew or changed: by what is read of them, not by their times."""
    data, replay, run = tmp_path / "data", tmp_path / "replay", tmp_path / "run"
    for folder in (data, replay):
        shutil.copytree(corridor, folder)
    short = recipe(max_steps=1)
    train(short, [data], run, replay=[replay])
    shutil.copytree(data, tmp_path / "moved")
    train(short, [tmp_path / "moved"], run, resume=True, replay=[replay])
    with pytest.raises(UserError, match="--replay: 1 recordings .* were given, 0 are now"):
        train(short, [data], run, resume=True)
    for folder, option in ((data, "--data"), (replay, "--replay")):
        for file, old, new in (
            ("sequence.yaml", "depth_scale: 1000.0", "depth_scale: 500.0"),
            ("frames.csv", "-0.6,", "-0.7,"),
            ("frames.csv", "depth/000003.png", "depth/000004.png"),
        ):
            path = folder / "walk" / file
            text = path.read_text()
            assert old in text
            path.write_text(text.replace(old, new, 1))
            with pytest.raises(UserError, match=f"--resume: {option}: walk.* has changed since"):
                train(short, [data], run, resume=True, replay=[replay])
            path.write_text(text)


def test_a_checkpoint_is_not_unpickled(corridor: Path, tmp_path: Path) -> None:
    run = train(recipe(max_steps=1), [corridor], tmp_path / "run")

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "owned",)

    torch.save({"state": {}, "plan": {}, "weights": Evil()}, run / LAST)
    with pytest.raises(UserError, match="not a checkpoint"):
        train(recipe(), [corridor], run, resume=True)
    assert not (tmp_path / "owned").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_run_to_resume(
    number: signal.Signals, corridor: Path, tmp_path: Path
) -> None:
    save_recipe(recipe(max_steps=100000, checkpoint_minutes=1000), tmp_path / "r.yaml")
    run = tmp_path / "run"
    command = [sys.executable, "-c", "from monodepth_ros.cli.app import main; main()", "train"]
    arguments = [str(tmp_path / "r.yaml"), "--data", str(corridor), "--out", str(run)]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([*command, *arguments], stderr=output)
        try:
            while b"step 2/" not in log.read_bytes():  # until it is training
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
            process.send_signal(number)
            assert process.wait(timeout=300) == 1
        finally:
            process.kill()
    assert "stopped by a signal" in log.read_text().splitlines()[-1]
    content = read_checkpoint(run / LAST)
    assert content["state"]["step"] >= 2
    step = content["state"]["step"]
    train(recipe(max_steps=step + 2), [corridor], run, resume=True)
    assert read_checkpoint(run / LAST)["state"]["step"] == step + 2


def test_a_time_budget_counts_all_sessions(corridor: Path, tmp_path: Path) -> None:
    """A budget that is spent stops after one step, and at once in the next session."""
    started = time.monotonic()
    run = train(recipe(max_minutes=1e-6), [corridor], tmp_path / "run")
    assert read_checkpoint(run / LAST)["state"]["step"] == 1
    seconds = read_checkpoint(run / LAST)["state"]["seconds"]
    assert 0 < seconds < time.monotonic() - started
    train(recipe(max_minutes=1e-6), [corridor], run, resume=True)
    assert read_checkpoint(run / LAST)["state"]["seconds"] > seconds


@pytest.mark.alone
def test_stopped_time_does_not_count() -> None:
    """What passes between a step's end and SIGCONT is taken for time in which the process stood."""
    state, former = State(), signal.getsignal(signal.SIGCONT)
    with TimeBudget(Fabric(accelerator="cpu", devices=1), 0.3 / 60) as budget:
        budget(state)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGCONT)
        budget(state)
        assert state.seconds < 0.2 and not state.stop
        time.sleep(0.3)
        budget(state)
        assert 0.3 < state.seconds < 0.5 and state.stop
    assert signal.getsignal(signal.SIGCONT) == former


def test_a_half_precision_run_clips_what_it_has_unscaled_and_resumes(
    corridor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU, which recipes may not ask for: the arithmetic is that of a GPU."""
    monkeypatch.setattr(devices, "_device", lambda settings: "cpu")
    norms = []

    def look(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        weights = [w for group in optimizer.param_groups for w in group["params"]]
        norms.append(torch.nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None]))

    half = recipe(precision="fp16", max_steps=4)
    clipping = half.optimizer.model_copy(update={"clip_norm": 0.01})
    half = half.model_copy(update={"optimizer": clipping})
    hook = register_optimizer_step_pre_hook(look)
    whole = train(half, [corridor], tmp_path / "whole")
    hook.remove()
    assert norms and [float(norm) for norm in norms] == [pytest.approx(0.01, rel=1e-2)] * len(norms)
    parts = tmp_path / "parts"
    with monkeypatch.context() as patch:
        patch.setattr(StopSignals, "__call__", stop_at(2))
        train(half, [corridor], parts)
    train(half, [corridor], parts, resume=True)
    a, b = read_checkpoint(whole / LAST), read_checkpoint(parts / LAST)
    assert a["precision"]["scale"] > 1
    for content in (a, b):
        del content["state"]["seconds"]
    assert_same(a, b)
