"""Environment variables of processes that talk over DDS; needs no ROS to be set."""

from __future__ import annotations

import os
import random

from monodepth_ros.share_directory import share_directory

# The first is what Humble and Jazzy read, the second what came after them does.
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


def profile_path() -> str:
    """The DDS profile whose shared memory holds images."""
    return str(share_directory() / "config" / "fastdds.xml")


def private_environment() -> dict[str, str]:
    """This process's environment with a domain of its own, on this machine alone, and the profile.

    What the user has set already stays.
    """
    environment = dict(os.environ)
    environment.setdefault("ROS_DOMAIN_ID", str(random.SystemRandom().randint(101, 199)))
    environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if environment.get("ROS_DISTRO") == "humble":  # which does not know the discovery range
        environment.setdefault("ROS_LOCALHOST_ONLY", "1")
    for name in PROFILE_VARIABLES:
        environment.setdefault(name, profile_path())
    return environment
