import os
import stat
from pathlib import Path

import pytest

from monodepth_ros.atomic_file import atomic_path


def test_the_file_appears_whole_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "weights.safetensors"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == target.suffix
        temporary.write_bytes(b"weights")
        assert not target.exists()
    assert target.read_bytes() == b"weights"
    assert list(target.parent.iterdir()) == [target]


def test_an_error_leaves_the_former_file(tmp_path: Path) -> None:
    target = tmp_path / "card.yaml"
    target.write_text("former")
    with pytest.raises(OSError, match="disk full"), atomic_path(target) as temporary:
        temporary.write_text("half of the")
        raise OSError("disk full")
    assert target.read_text() == "former"
    assert list(tmp_path.iterdir()) == [target]


def test_others_may_read_it_as_any_new_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    with atomic_path(tmp_path / "atomic") as temporary:
        temporary.write_text("")
    assert mode(tmp_path / "atomic") == mode(plain)


def test_the_umask_of_the_process_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is that of all threads: another one's file would be made with a umask of zero."""
    former = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "umask", None)  # would fail if called
            with atomic_path(tmp_path / "atomic"):
                pass
        assert mode(tmp_path / "atomic") == 0o640
    finally:
        os.umask(former)


def test_a_long_name(tmp_path: Path) -> None:
    with atomic_path(tmp_path / ("n" * 250 + ".json")) as temporary:
        temporary.write_text("{}")
    assert [len(path.name) for path in tmp_path.iterdir()] == [255]


def test_a_writer_may_replace_the_temporary_file(tmp_path: Path) -> None:
    target = tmp_path / "array.npy"
    with atomic_path(target) as temporary:
        other = tmp_path / "other"
        other.write_text("written elsewhere")
        os.replace(other, temporary)
    assert target.read_text() == "written elsewhere"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
