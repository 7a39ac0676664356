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


def test_a_writer_may_replace_the_temporary_file(tmp_path: Path) -> None:
    target = tmp_path / "array.npy"
    with atomic_path(target) as temporary:
        other = tmp_path / "other"
        other.write_text("written elsewhere")
        os.replace(other, temporary)
    assert target.read_text() == "written elsewhere"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
