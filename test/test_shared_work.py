"""Parts of work: shared by rank, kept from run to run, done by the first where another died."""

import json
import multiprocessing
import signal
import time

import pytest
from shared_sums import PARTS, rank_that_dies, slow_rank

from monodepth_ros.errors import UserError
from monodepth_ros.shared_work import Rank, SharedWork, file_state, key_of

SUMS = [3, 33, 63, 93, 123, 153, 183]


class Worker:
    """Sums parts, and notes which."""

    def __init__(self, folder, monkeypatch, rank=0, count=1, patience=60.0):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", str(count))
        self.done = []
        self.work = SharedWork(folder, "numbers", patience)

    def __call__(self, good=lambda result: True):
        return self.work.results(PARTS, self.sums, len, good)

    def sums(self, parts):
        for part in parts:
            self.done.append(part[0] // 10)
            yield sum(part)


def test_one_process_without_a_folder_does_all(monkeypatch):
    worker = Worker(None, monkeypatch)
    assert worker() == SUMS
    assert worker.done == [0, 1, 2, 3, 4, 5, 6]


def test_what_is_there_is_kept_and_said(tmp_path, monkeypatch, capsys):
    assert Worker(tmp_path / "w", monkeypatch)() == SUMS
    assert capsys.readouterr().err == ""
    (tmp_path / "w" / "part2.json").unlink()
    (tmp_path / "w" / "part4.json").write_text("[1, 2")  # what no program left: torn
    again = Worker(tmp_path / "w", monkeypatch)
    assert again() == SUMS
    assert again.done == [2, 4]
    assert capsys.readouterr().err == "15 numbers kept from an earlier run, 6 to be done\n"
    third = Worker(tmp_path / "w", monkeypatch)
    assert third(good=lambda result: result != 93) == SUMS
    assert third.done == [3]
    again.work.forget()
    assert not (tmp_path / "w").exists()


def test_ranks_take_every_nth_part_and_the_first_joins_them(tmp_path, monkeypatch):
    second = Worker(tmp_path, monkeypatch, 1, 2)
    assert second() is None
    assert second.done == [1, 3, 5]
    first = Worker(tmp_path, monkeypatch, 0, 2)
    assert first() == SUMS
    assert first.done == [0, 2, 4, 6]


def test_the_first_waits_for_one_that_works(tmp_path, monkeypatch):
    process = _start(slow_rank, tmp_path)
    first = Worker(tmp_path, monkeypatch, 0, 2, patience=0)
    while not (tmp_path / "part1.json").exists():
        assert process.is_alive()
        time.sleep(0.01)
    assert first() == SUMS
    assert first.done == [0, 2, 4, 6]
    process.join()


def test_what_a_killed_process_left_is_done_by_the_first(tmp_path, monkeypatch, capsys):
    process = _start(rank_that_dies, tmp_path)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert json.loads((tmp_path / "part1.json").read_text()) == 33
    first = Worker(tmp_path, monkeypatch, 0, 2, patience=0)
    assert first() == SUMS
    assert first.done == [0, 2, 4, 6, 3, 5]
    told = "another process has ended: its 6 numbers are done here (process 0 of 2)\n"
    assert capsys.readouterr().err == told


def test_two_runs_do_not_meet_in_one_folder(tmp_path, monkeypatch):
    worker = Worker(tmp_path / "w", monkeypatch)

    def sums(parts):
        with pytest.raises(UserError, match=f"{tmp_path}: another run of this is at work there"):
            Worker(tmp_path / "w", monkeypatch)()
        yield from worker.sums(parts)

    assert worker.work.results(PARTS, sums, len) == SUMS


@pytest.mark.parametrize(("rank", "count"), [("2", "2"), ("-1", "2"), ("x", "2"), ("0", "0")])
def test_ranks_that_cannot_be_are_said(monkeypatch, rank, count):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", count)
    with pytest.raises(UserError, match=f"RANK={rank}, WORLD_SIZE={count}: RANK must be from 0"):
        Rank.of_environment()


def test_several_processes_need_a_folder(monkeypatch):
    with pytest.raises(UserError, match="--out is missing"):
        Worker(None, monkeypatch, 1, 2)


def test_keys_are_of_all_content(tmp_path):
    assert key_of("a", ["b", 1]) == key_of("a", ("b", 1))
    assert len({key_of("a"), key_of("a", None), key_of("b"), key_of({"a": 1})}) == 4
    file = tmp_path / "caf\udce9"
    assert file_state(file) == (str(file), -1, -1)
    file.write_text("text")
    assert file_state(file)[:2] == (str(file), 4)
    assert len(key_of(file_state(file))) == 24


def _start(target, folder):
    process = multiprocessing.get_context("spawn").Process(target=target, args=(folder,))
    process.start()
    return process
