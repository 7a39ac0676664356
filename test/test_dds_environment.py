"""Which variable makes Fast DDS read the profile for large images."""

import pytest

from monodepth_ros.dds_environment import private_environment, profile_environment, profile_path

OLD, NEW = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROS_DISTRO", OLD, NEW):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("distribution", "names"),
    [("humble", [OLD]), ("jazzy", [OLD]), ("kilted", [NEW]), ("rolling", [NEW]), ("", [OLD, NEW])],
)
def test_the_variable_is_that_of_the_distribution(
    monkeypatch: pytest.MonkeyPatch, distribution: str, names: list[str]
) -> None:
    monkeypatch.setenv("ROS_DISTRO", distribution)
    assert profile_environment() == dict.fromkeys(names, profile_path())
    assert profile_environment("/my.xml") == dict.fromkeys(names, "/my.xml")


@pytest.mark.parametrize("name", [OLD, NEW])
def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "/mine.xml")
    assert profile_environment() == {}
    environment = private_environment()
    assert environment[name] == "/mine.xml" and len({OLD, NEW} & set(environment)) == 1
