"""A published model comes from a hub whole, verified and at once, or not at all."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hub_server import COMMIT, Hub, git_sha1, serving

from monodepth_ros.errors import Failure, UserError
from monodepth_ros.zoo.available import AvailableModel
from monodepth_ros.zoo.card import ModelCard, Provenance, load_card, save_card
from monodepth_ros.zoo.weight_files import file_sha256

pytest.importorskip("huggingface_hub", reason="install the extra [foundation]")

from monodepth_ros.zoo import fetch as fetching
from monodepth_ros.zoo.fetch import Fetched

WEIGHTS = random.Random(0).randbytes(300_000)
FILES = {"config.json": b'{"a": 1}', "preprocessor_config.json": b"{}", "w.safetensors": WEIGHTS}
HALF = len(WEIGHTS) // 2


def published(**changes: object) -> AvailableModel:
    values = {
        "repository": "somebody/depth-hf",
        "files": {name: {} for name in FILES},
        "licence": "MIT",
        "commercial_use": True,
        "homepage": "https://example.org/depth",
        "good_for": "tests",
    }
    return AvailableModel.model_validate({**values, **changes})


def adopt(folder: Path) -> ModelCard:
    """A card as an importer writes it."""
    assert {path.name for path in folder.iterdir()} >= set(FILES)
    card = ModelCard(
        name="whatever",
        licence="unknown",
        provenance=Provenance(data="as published"),
        architecture="monodepth2-slim",
        size=(64, 96),
        files={"w.safetensors": file_sha256(folder / "w.safetensors")},
    )
    save_card(folder, card)
    return card


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(Hub(dict(FILES))) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models" / "mine"


def fetch(hub: Hub, folder: Path, model: AvailableModel | None = None) -> Fetched:
    return fetching.fetch(model or published(), folder, adopt, endpoint=hub.url, pause=0)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_model_is_there_with_its_card_and_nothing_else(hub: Hub, folder: Path) -> None:
    found = fetch(hub, folder)
    assert (found.folder, found.revision, found.downloaded) == (folder, COMMIT, True)
    assert names(folder) == {*FILES, "card.yaml"}
    assert names(folder.parent) == {"mine"}
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    card = load_card(folder)
    assert (card.name, card.licence, card.revision) == ("mine", "MIT", COMMIT)
    assert card.homepage == "https://example.org/depth"
    assert card.provenance.recipe == f"published weights, somebody/depth-hf at {COMMIT}"


def test_hashes_that_nobody_knew_are_told(hub: Hub, folder: Path) -> None:
    config = hashlib.sha256(FILES["config.json"]).hexdigest()
    known = {**{name: {} for name in FILES}, "config.json": {"sha256": config}}
    trusted = fetch(hub, folder, published(files=known)).trusted
    assert trusted.keys() == {"preprocessor_config.json", "w.safetensors"}
    assert trusted["w.safetensors"] == hashlib.sha256(WEIGHTS).hexdigest()


def test_progress_adds_up(hub: Hub, folder: Path) -> None:
    came: list[tuple[int, int | None]] = []
    fetching.fetch(
        published(), folder, adopt, lambda *told: came.append(told), endpoint=hub.url, pause=0
    )
    total = sum(map(len, FILES.values()))
    assert sum(count for count, _ in came) == total
    assert {of for _, of in came} == {total}


def test_a_second_call_asks_nobody_and_verifies(hub: Hub, folder: Path) -> None:
    fetch(hub, folder)
    hub.requests.clear()
    again = fetch(hub, folder)
    assert (again.downloaded, again.revision, hub.requests) == (False, COMMIT, [])
    (folder / "w.safetensors").write_bytes(b"other")
    with pytest.raises(UserError, match="w.safetensors: damaged or replaced"):
        fetch(hub, folder)


def test_of_two_at_once_one_downloads(hub: Hub, folder: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: fetch(hub, folder), range(2)))
    assert sorted(found.downloaded for found in both) == [False, True]
    assert hub.gets("w.safetensors") == ["bytes=0-"]


def test_another_model_of_the_name_stays(hub: Hub, folder: Path) -> None:
    fetch(hub, folder)
    for other in (published(repository="else/where"), published(revision="f" * 40)):
        with pytest.raises(UserError, match="exists and is another model; choose another --name"):
            fetch(hub, folder, other)


def test_only_one_revision_is_asked_for(hub: Hub, folder: Path) -> None:
    fetch(hub, folder, published(revision=COMMIT))
    with pytest.raises(Failure, match="resolve/ffff.*HTTP 404, not there"):
        fetch(hub, folder.with_name("other"), published(revision="f" * 40))


@pytest.mark.parametrize("cuts", [[HALF], [1000, 1, 70_000, 5]])
def test_a_cut_connection_is_taken_up_again(hub: Hub, folder: Path, cuts: list[int]) -> None:
    begins = [sum(cuts[:k]) for k in range(len(cuts) + 1)]
    hub.cuts = list(cuts)
    fetch(hub, folder)
    assert hub.gets("w.safetensors") == [f"bytes={begin}-" for begin in begins]
    assert (folder / "w.safetensors").read_bytes() == WEIGHTS


def test_the_next_call_goes_on_where_one_gave_up(hub: Hub, folder: Path) -> None:
    hub.cuts = [HALF, 0, 0, 0, 0, 0]
    with pytest.raises(Failure, match="the connection breaks"):
        fetch(hub, folder)
    assert not folder.exists()
    hub.cuts.clear()
    hub.requests.clear()
    fetch(hub, folder)
    assert hub.gets("w.safetensors") == [f"bytes={HALF}-"]
    assert hub.gets("config.json") == []  # complete already
    assert names(folder) == {*FILES, "card.yaml"}


def test_a_killed_process_leaves_nothing_of_that_name(hub: Hub, folder: Path) -> None:
    code = (
        "from test_fetch import *\n"
        f"fetching.fetch(published(), Path({str(folder)!r}), adopt, endpoint={hub.url!r})"
    )
    hub.stall = True
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    here = Path(__file__).parent
    with subprocess.Popen([sys.executable, "-c", code], cwd=here, env=environment) as process:
        begun = folder.with_name(".mine.fetched")
        end = time.monotonic() + 30
        while not any(path.stat().st_size == HALF for path in begun.glob("w.*.part")):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not folder.exists()
    hub.stall = False
    hub.requests.clear()
    fetch(hub, folder)
    assert hub.gets("w.safetensors") == [f"bytes={HALF}-"]
    assert (folder / "w.safetensors").read_bytes() == WEIGHTS


def test_a_server_without_ranges_begins_again(hub: Hub, folder: Path) -> None:
    hub.cuts, hub.ranges = [HALF], False
    came: list[int] = []
    fetching.fetch(
        published(), folder, adopt, lambda n, _: came.append(n), endpoint=hub.url, pause=0
    )
    assert (folder / "w.safetensors").read_bytes() == WEIGHTS
    assert sum(came) == sum(map(len, FILES.values()))


def test_damaged_bytes_are_refused_and_removed(hub: Hub, folder: Path) -> None:
    hub.damaged = True
    with pytest.raises(Failure, match="damaged or replaced: its hash is .* not the server's"):
        fetch(hub, folder)
    begun = folder.with_name(".mine.fetched")
    assert names(begun) == {".lock", "config.json", "preprocessor_config.json"}
    assert not folder.exists()


def test_a_file_that_is_not_the_listed_one_is_refused(hub: Hub, folder: Path) -> None:
    known = {**{name: {} for name in FILES}, "config.json": {"sha256": "0" * 64}}
    with pytest.raises(Failure, match=r"config\.json: damaged .* not the list's 000000000000"):
        fetch(hub, folder, published(files=known))
    assert not folder.exists()


def test_a_wrong_size_is_refused_before_it_comes(hub: Hub, folder: Path) -> None:
    known = {**{name: {} for name in FILES}, "w.safetensors": {"size": 5}}
    with pytest.raises(Failure, match="has 300000 bytes and not 5"):
        fetch(hub, folder, published(files=known))
    assert hub.gets("w.safetensors") == []


def test_what_lay_there_damaged_comes_again(hub: Hub, folder: Path) -> None:
    begun = folder.with_name(".mine.fetched")
    begun.mkdir(parents=True)
    (begun / "config.json").write_bytes(b"damaged")
    (begun / "w.safetensors.ffffffffffff.part").write_bytes(b"of another revision")
    (begun / f"w.safetensors.{COMMIT[:12]}.part").write_bytes(WEIGHTS + b"too much")
    fetch(hub, folder)
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert names(folder) == {*FILES, "card.yaml"}


def test_missing_things_say_how_to_do_it_by_hand(hub: Hub, folder: Path) -> None:
    with pytest.raises(Failure) as told:
        fetch(hub, folder, published(files={"model.safetensors": {}}))
    assert str(told.value) == (
        f"{hub.url}/somebody/depth-hf/resolve/main/model.safetensors: HTTP 404, not there;"
        " by hand: `hf download somebody/depth-hf model.safetensors --local-dir mine` where there"
        " is a network, then `monodepth models import mine --name mine`"
    )
    with pytest.raises(Failure, match=r"HTTP 401, not there, or private: log in"):
        fetch(hub, folder, published(repository="no/body"))


def test_without_a_network_the_commands_are_told(folder: Path) -> None:
    closed = Hub({}, url="http://127.0.0.1:9")
    with pytest.raises(Failure, match=r"ConnectError: .* by hand: `hf download .* --revision 0123"):
        fetch(closed, folder, published(revision=COMMIT))


def test_a_server_that_is_no_hub_is_told(hub: Hub, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("hub_server.COMMIT", "")
    with pytest.raises(Failure, match="not that of a model hub; is HF_ENDPOINT right"):
        fetch(hub, folder)


def test_offline_is_obeyed(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(Failure, match="OfflineModeIsEnabled: .* by hand"):
        fetch(hub, folder)
    assert hub.requests == []


def test_the_endpoint_is_that_of_the_environment(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    assert fetching.fetch(published(), folder, adopt, pause=0).downloaded


def test_a_full_disk_is_told_beforehand(hub: Hub, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100_000}))
    with pytest.raises(Failure, match=r"0 MB are needed and 0 MB are free"):
        fetch(hub, folder)


def test_a_disk_that_fills_up_is_told(hub: Hub, folder: Path) -> None:
    begun = folder.with_name(".mine.fetched")
    begun.mkdir(parents=True)
    (begun / f"w.safetensors.{COMMIT[:12]}.part").symlink_to("/dev/full")
    with pytest.raises(Failure, match=r"w\.safetensors.*cannot be written: the disk is full"):
        fetch(hub, folder)
    assert not folder.exists()


def test_digests_are_those_of_git_and_sha256sum(tmp_path: Path) -> None:
    from monodepth_ros.zoo.hub import digests

    path = tmp_path / "file"
    path.write_bytes(b"hello\n")
    # printf 'hello\n' | git hash-object --stdin; ... | sha256sum
    assert digests(path) == (
        "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        "ce013625030ba8dba906f756967f9e9ca394464a",
    )
    assert git_sha1(b"hello\n") == digests(path)[1]
