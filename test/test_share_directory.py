from pathlib import Path

import pytest

from monodepth_ros import share_directory as module
from monodepth_ros.share_directory import share_directory

ROOT = Path(__file__).resolve().parents[1]


def test_a_checkout_is_its_own_share_directory() -> None:
    assert share_directory() == ROOT


def test_an_install_is_found_through_its_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = tmp_path / "share" / "monodepth_ros"
    share.mkdir(parents=True)
    (share / "package.xml").touch()
    code = tmp_path / "lib/python3.12/site-packages/monodepth_ros/share_directory.py"
    monkeypatch.setattr(module, "__file__", str(code))
    assert share_directory() == share


def test_code_without_its_files_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "monodepth_ros" / "share_directory.py"))
    with pytest.raises(FileNotFoundError, match="install the package"):
        share_directory()
