"""Environment variables of processes that talk over DDS; needs no ROS to be set."""

from __future__ import annotations

import os
import random

from monodepth_ros.share_directory import share_directory

# What Fast DDS reads in Jazzy and before, and what it reads since Kilted.
_OLD_VARIABLE, _NEW_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"
_BEFORE_KILTED = ("foxy", "galactic", "humble", "iron", "jazzy")


def profile_path() -> str:
    """The DDS profile whose shared memory holds images."""
    return str(share_directory() / "config" / "fastdds.xml")


def profile_environment(profile: str | None = None) -> dict[str, str]:
    """The variables that make Fast DDS read ``profile``, by default the package's.

    By ROS_DISTRO; where that is not set, as with ROS from PyPI, those of all distributions. Empty
    where the user has set one already.
    """
    if _OLD_VARIABLE in os.environ or _NEW_VARIABLE in os.environ:
        return {}
    distribution = os.environ.get("ROS_DISTRO")
    names = [_OLD_VARIABLE if distribution in _BEFORE_KILTED else _NEW_VARIABLE]
    if not distribution:
        names = [_OLD_VARIABLE, _NEW_VARIABLE]
    return dict.fromkeys(names, profile or profile_path())


def private_environment() -> dict[str, str]:
    """This process's environment with a domain of its own, on this machine alone, and the profile.

    What the user has set already stays.
    """
    environment = dict(os.environ)
    environment.setdefault("ROS_DOMAIN_ID", str(random.SystemRandom().randint(101, 199)))
    environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if environment.get("ROS_DISTRO") == "humble":  # which does not know the discovery range
        environment.setdefault("ROS_LOCALHOST_ONLY", "1")
    return environment | profile_environment()
