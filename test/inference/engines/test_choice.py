"""What `auto` takes: the fastest of those that agree, measured once for each model and machine."""

import json

import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines import choice, registry
from monodepth_ros.inference.engines.choice import (
    Candidate,
    Job,
    Measurement,
    Trial,
    choose,
    fastest,
    told,
)
from monodepth_ros.inference.engines.registry import load_engine

TORCH, BF16 = Candidate("torch", "fp32"), Candidate("torch", "bf16")
OTHER, INT8 = Candidate("openvino", "fp32"), Candidate("openvino", "int8")
ALL = [TORCH, BF16, OTHER, INT8]
NAMES = ["torch", "openvino"]


def measured(*milliseconds):
    """Of torch fp32, torch bf16, openvino fp32 and int8; a text is why one was refused."""
    trials = [
        Trial(one, refused=value) if isinstance(value, str) else Trial(one, value)
        for one, value in zip(ALL, milliseconds, strict=True)
    ]
    return Measurement(trials, "2026-05-17")


@pytest.fixture
def untold(monkeypatch, tmp_path):
    """Auto measures, and remembers in a cache of this test's own."""
    monkeypatch.delenv(choice.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/monodepth_ros/choices"


@pytest.fixture
def runs(monkeypatch, untold):
    """Replaces the process that tries candidates: what it was asked, and what it will say."""
    asked, answers = [], []

    def run(job, candidates):
        asked.append(candidates.copy())
        return answers.pop(0) if answers else ([said(*map(Trial, candidates, (20.0, 8.0)))], "")

    monkeypatch.setattr(choice, "_run", run)
    monkeypatch.setattr(choice, "TOLERANCE", {"fp32": 1e-4, "bf16": 0.01})
    return asked, answers


def said(*trials):
    rows = [{**vars(trial), "candidate": vars(trial.candidate)} for trial in trials]
    return json.loads(json.dumps({"trials": rows}))


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        ((20.0, 15.0, 10.0, 5.0), "openvino int8, 4.0x torch fp32, measured on 2026-05-17"),
        ((20.0, 15.0, 10.0, 9.2), "openvino fp32, 2.0x torch fp32, measured on 2026-05-17"),
        ((20.0, 8.0, 10.0, "differs"), "torch bf16, 2.5x torch fp32, measured on 2026-05-17"),
        ((20.0, 30.0, 21.0, 40.0), "torch fp32, 20 ms an image, measured on 2026-05-17"),
        (("broken", "broken", 10.0, "x"), "openvino fp32, 10 ms an image, measured on 2026-05-17"),
        (("broken", "x", None, "x"), "openvino fp32, the only one that can run the model here"),
    ],
)
def test_the_fastest_that_agrees_is_taken_and_a_lower_precision_must_be_worth_it(
    milliseconds, expected
):
    chosen, reason = fastest(measured(*milliseconds), ALL)
    assert reason == expected
    assert reason.startswith(str(chosen))


def test_only_what_was_asked_for_is_taken():
    measurement = measured(20.0, 15.0, 10.0, 5.0)
    assert fastest(measurement, [TORCH, OTHER])[0] == OTHER
    assert fastest(measurement, [TORCH, BF16])[0] == BF16


def test_where_all_are_refused_the_first_says_why():
    with pytest.raises(UserError, match="^no engine can run it: torch fp32: no weights$"):
        fastest(measured("no weights", "a", "b", "c"), ALL)


@pytest.mark.parametrize(
    ("text", "engine", "precision", "expected"),
    [
        ("", "auto", "auto", ("auto", "auto")),
        ("torch", "auto", "auto", ("torch", "fp32")),
        ("openvino:bf16", "auto", "auto", ("openvino", "bf16")),
        ("openvino:bf16", "auto", "fp32", ("openvino", "fp32")),
        ("openvino:bf16", "torch", "auto", ("torch", "bf16")),
        ("openvino:bf16", "torch", "fp32", ("torch", "fp32")),
    ],
)
def test_the_variable_says_what_auto_means(monkeypatch, text, engine, precision, expected):
    monkeypatch.setenv(choice.VARIABLE, text)
    assert told(engine, precision, NAMES) == expected


@pytest.mark.parametrize("text", ["abacus", "torch:fp8", ":fp32"])
def test_a_variable_that_says_nothing_known_is_refused(monkeypatch, text):
    monkeypatch.setenv(choice.VARIABLE, text)
    with pytest.raises(UserError, match=rf"^MONODEPTH_ENGINE={text}: use ENGINE or .*of torch"):
        told("auto", "auto", NAMES)


def job(model, **changes):
    return Job(**{"folder": str(model), "device": "cpu", "size": (64, 96), "threads": 1, **changes})


def test_one_candidate_alone_is_not_measured(model, card, runs):
    assert choose(job(model), card, "openvino", "bf16", NAMES) == (
        Candidate("openvino", "bf16"),
        "",
    )
    assert choose(job(model), card, "auto", "fp32", ["torch"]) == (TORCH, "")
    assert runs[0] == []


def test_a_measurement_is_made_once_for_each_model_size_and_number_of_threads(model, card, runs):
    asked, _ = runs
    for _ in range(2):
        chosen, reason = choose(job(model), card, "torch", "auto", ["torch"])
        assert chosen == BF16
        assert reason.startswith("torch bf16, 2.5x torch fp32")
    assert asked == [[TORCH, BF16]]
    choose(
        job(model), card.model_copy(update={"files": {"w": "other"}}), "torch", "auto", ["torch"]
    )
    choose(job(model, size=(64, 128)), card, "torch", "auto", ["torch"])
    choose(job(model, threads=2), card, "torch", "auto", ["torch"])
    assert len(asked) == 4


def test_another_machine_measures_for_itself(model, card, runs, monkeypatch):
    choose(job(model), card, "torch", "auto", ["torch"])
    monkeypatch.setattr(choice, "machine_facts", lambda: {"cpu": "another"})
    choose(job(model), card, "torch", "auto", ["torch"])
    assert len(runs[0]) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"trials": [{}], "day": ""}', '{"day": ""}'])
def test_a_damaged_memory_is_measured_anew(model, card, runs, untold, content):
    choose(job(model), card, "torch", "auto", ["torch"])
    (path,) = untold.glob("*.json")
    path.write_text(content)
    assert choose(job(model), card, "torch", "auto", ["torch"])[0] == BF16
    assert len(runs[0]) == 2
    assert json.loads(path.read_text())["model"]["name"] == "tiny"


def test_a_cache_that_cannot_be_written_does_not_stop_anything(model, card, runs, untold, capsys):
    untold.parent.parent.mkdir()
    untold.parent.write_text("a file where the folder would be")
    assert choose(job(model), card, "torch", "auto", ["torch"])[0] == BF16
    assert "is not remembered: Not a directory" in capsys.readouterr().err


def test_what_ends_its_process_is_refused_and_the_others_are_tried_again(model, card, runs):
    asked, answers = runs
    trying = [{"trying": vars(TORCH)}, {"trying": vars(BF16)}]
    answers += [(trying, "it ended with status -4"), ([said(Trial(TORCH))], "")]
    chosen, reason = choose(job(model), card, "torch", "auto", ["torch"])
    assert (chosen, reason) == (TORCH, "torch fp32, the only one that can run the model here")
    assert asked == [[TORCH, BF16], [TORCH]]


def test_what_nothing_could_run_is_not_remembered(model, card, runs, untold):
    _, answers = runs
    answers.append(([said(Trial(TORCH, refused="broken"), Trial(BF16, refused="too"))], ""))
    with pytest.raises(UserError, match="torch fp32: broken"):
        choose(job(model), card, "torch", "auto", ["torch"])
    assert list(untold.glob("*.json")) == []


def test_auto_tries_the_engines_in_a_process_and_loads_one(model, untold, monkeypatch):
    for_torch = {"torch": "monodepth_ros.inference.engines.torch:TorchEngine"}
    monkeypatch.setattr("monodepth_ros.inference.engines.registry.ENGINES", for_torch)
    engine = load_engine(model, precision="auto", device="cpu", threads=1)
    (path,) = untold.glob("*.json")
    trials = {row["candidate"]["precision"]: row for row in json.loads(path.read_text())["trials"]}
    assert trials["fp32"]["milliseconds"] > 0
    assert trials["fp16"]["refused"] == (
        "precision 'fp16' is slower than fp32 on a CPU: use fp32 or bf16"
    )
    assert engine.chosen.startswith(f"torch {engine.precision}, ")
    assert trials[engine.precision]["refused"] == ""


def test_a_damaged_model_is_told_as_by_one_engine(model, untold):
    path = model / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"torch fp32: .*weights.safetensors: damaged"):
        load_engine(model, precision="auto", device="cpu")


def test_other_weights_take_what_was_chosen_before_without_a_measurement(model, runs, monkeypatch):
    monkeypatch.setattr(registry, "_installed", lambda: ["torch"])
    former = load_engine(model, "torch", precision="bf16", device="cpu", threads=1)
    former.chosen = "torch bf16, 2.5x torch fp32, measured on 2026-05-17"
    tuned = load_engine(model, precision="auto", device="cpu", checked=["depth"], former=former)
    assert (tuned.precision, tuned.chosen) == ("bf16", former.chosen)
    assert runs[0] == []

    monkeypatch.setattr(registry, "short_check", lambda *_: "depth differs")
    with pytest.raises(UserError, match="differs"):
        load_engine(model, precision="auto", device="cpu", checked=["depth"], former=former)
    assert len(runs[0]) == 1  # what no longer agrees is measured anew


def test_another_network_size_is_measured(model, runs, monkeypatch):
    monkeypatch.setattr(registry, "_installed", lambda: ["torch"])
    former = load_engine(model, "torch", precision="bf16", device="cpu", size=(64, 128))
    former.chosen = "torch bf16, 2.5x torch fp32, measured on 2026-05-17"
    load_engine(model, "torch", precision="auto", device="cpu", former=former)
    assert len(runs[0]) == 1
