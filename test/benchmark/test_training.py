"""The training benchmark without a reference; with one, it checks itself (see its equality)."""

import json
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from monodepth_ros.data.layouts.kitti_raw import open_kitti_raw, read_split
from monodepth_ros.networks.resnet import ResNetEncoder

BENCHMARK = Path(__file__).parents[2] / "benchmark"


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs import each other as when they are run."""
    monkeypatch.syspath_prepend(BENCHMARK / "common")
    monkeypatch.syspath_prepend(BENCHMARK)


@pytest.fixture
def training() -> ModuleType:
    import training

    return training


def variant(training: ModuleType, contender: str, precision: str, speeds: list[float], peak: int):
    result = training.Variant(contender, precision, workers=0)
    for kind in result.kinds():
        result.results[kind] = [
            {
                "images_per_second": speed,
                "peak_bytes": peak,
                "peak_over_idle_bytes": peak // 2,
                "cache_seconds": 2.0,
                "cached_frames": 20,
                "versions": {},
            }
            for speed in speeds
        ]
    return result


def test_recording_reads_as_kitti_raw_with_the_camera_of_the_reference(tmp_path: Path) -> None:
    import drive_recording

    drive_recording.write_recording(tmp_path, frames=3)
    (sequence,) = open_kitti_raw(tmp_path)
    assert len(sequence) == 3
    assert sequence.image(0).shape == (375, 1242, 3)
    K = sequence.camera.K
    np.testing.assert_allclose(K, [[0.58 * 1242, 0, 621], [0, 1.92 * 375, 187.5], [0, 0, 1]])
    (tmp_path / "split.txt").write_text("\n".join(drive_recording.split_lines(tmp_path)))
    (line,) = read_split(tmp_path / "split.txt")
    assert line[1:] == (1, "l")


def test_stand_in_resnet_has_the_parameters_of_ours_and_the_same_features() -> None:
    import torchvision_stand_in

    theirs, ours = torchvision_stand_in.resnet18().eval(), ResNetEncoder(18).eval()
    state = {k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")}
    ours.load_state_dict(state)
    image = torch.rand(1, 3, 32, 64)
    x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1((image - 0.45) / 0.225))))
    for layer in (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4):
        x = layer(x)
    torch.testing.assert_close(ours(image)[-1], x)


def test_stand_in_jitter_is_drawn_once_for_all_images() -> None:
    import torchvision_stand_in

    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    image = Image.fromarray(pixels)
    transform = torchvision_stand_in.ColorJitter.get_params(
        (0.8, 1.2), (0.8, 1.2), (0.8, 1.2), (-0.1, 0.1)
    )
    first = np.asarray(transform(image))
    np.testing.assert_array_equal(first, np.asarray(transform(image)))
    assert not np.array_equal(first, pixels)


def test_verdicts_follow_from_medians(training: ModuleType) -> None:
    reference = variant(training, "reference", "32", [1.0, 1.0, 9.0], peak=100)
    fast = training.ratios(variant(training, "ours", "32", [1.6, 0.1, 1.6], peak=100), reference)
    assert fast["end_to_end"]["ratio"] == 1.6
    assert fast["end_to_end"]["lowest"] == 0.1
    assert fast["fast_enough"] and fast["small_enough"]
    slow = training.ratios(variant(training, "ours", "bf16", [2.4] * 3, peak=101), reference)
    assert not slow["fast_enough"] and not slow["small_enough"]


def test_cold_start_includes_building_the_cache(training: ModuleType) -> None:
    cold = training.cold_start(variant(training, "ours", "32", [10.0], peak=1))
    assert cold["cache_frames_per_second"] == 10.0
    assert cold["first_epoch_data_images_per_second"] == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("changed", "equal"),
    [
        ({}, True),
        ({"loss": {"ours": 1.000009, "reference": 0.99991}}, True),
        ({"loss": {"ours": 1.000011, "reference": 1.0}}, False),
        ({"loss": {"ours": 1.0, "reference": 1.00011}}, False),
        ({"loss_float64": {"ours": 1.0 + 2e-8, "reference": 1.0}}, False),
        ({"gradient_norms": {"ours": {"pose": 1.002}, "reference": {"pose": 1.0}}}, False),
    ],
)
def test_equality_is_refused_beyond_the_tolerance(
    training: ModuleType, changed: dict[str, dict[str, float]], equal: bool
) -> None:
    same = {"ours": 1.0, "reference": 1.0}
    norms = {"ours": {"pose": 1.0}, "reference": {"pose": 1.0}}
    measured = {"loss": same, "loss_float64": same, "gradient_norms": norms}
    assert training.judge_equality(measured | changed)["equal"] is equal


def test_exact_rotation_is_that_of_rodrigues() -> None:
    import reference_monodepth2

    quarter = torch.tensor([[[0.0, 0.0, np.pi / 2]]], dtype=torch.float64)
    turned = (
        reference_monodepth2._exact_rotation(quarter)[0]
        @ torch.tensor([2.0, 0.0, 5.0, 1.0]).double()
    )
    torch.testing.assert_close(turned, torch.tensor([0.0, 2.0, 5.0, 1.0]).double())


def test_double_precision_ends_as_it_began() -> None:
    import training_measurement

    layer = torch.nn.Linear(1, 1)
    with training_measurement.double_precision(layer):
        assert layer(torch.zeros(1)).float().dtype == torch.float64
    assert layer(torch.zeros(1)).float().dtype == torch.float32


def test_size_that_the_networks_cannot_take_is_refused(
    training: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        training.parse_arguments(["--size", "100x64", "--device", "cpu"])
    assert "multiples of 32" in capsys.readouterr().err


def test_report_compares_with_the_reference(
    training: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options = training.parse_arguments(
        ["--device", "cpu", "--reference", str(tmp_path), "--size", "64x32"]
    )
    variants = [
        variant(training, "ours", "32", [2.0] * 3, peak=90),
        variant(training, "ours", "bf16", [2.0] * 3, peak=90),
        variant(training, "reference", "32", [1.0] * 3, peak=100),
    ]
    report = training.summary(options, variants, None, {"load_before": 0.0})
    training.print_report(report)
    printed = " ".join(capsys.readouterr().out.split())
    assert "ours 32: 1.5x end to end reached" in printed
    assert "ours bf16: 2.5x end to end NOT reached" in printed
    assert str(tmp_path) not in json.dumps(report)


def test_ours_alone_is_measured_and_written(
    training: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import training_measurement

    def in_this_process(command: list[str], **_: object) -> Namespace:
        monkeypatch.setattr(sys, "argv", command[1:])
        training_measurement.main()
        return Namespace(returncode=0)

    # New processes would import everything three times.
    processes = Namespace(run=in_this_process, PIPE=None, STDOUT=None)
    monkeypatch.setattr(training, "subprocess", processes)
    arguments = "--size 64x32 --batch 2 --architecture monodepth2-slim --precision 32 --threads 1"
    arguments += " --frames 4 --rounds 1 --warmup 1 --steps 1 --data-seconds 0.05 --device cpu"
    training.main([*arguments.split(), "--out", str(tmp_path / "report.json")])
    report = json.loads((tmp_path / "report.json").read_text())
    measured = report["variants"]["ours 32"]
    assert all(measured["median"][kind] > 0 for kind in training.KINDS)
    assert measured["end_to_end"][0]["peak_bytes"] > 0
    assert report["cold_start"]["cache_frames_per_second"] > 0
    assert report["ratios"] is None
