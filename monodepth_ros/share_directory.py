"""Where the package's own models, recipes, launch and configuration files are."""

from pathlib import Path

PACKAGE = "monodepth_ros"


def share_directory() -> Path:
    """The folder that holds ``models/``, ``training/``, ``launch/`` and ``config/``.

    In a checkout (also an editable or symlinked install) that is the repository itself, so that
    edits take effect at once. Elsewhere it is ``share/monodepth_ros`` under the prefix that holds
    the Python code: the same place for pip and for colcon, found without an ament index, which
    exists only where ROS is sourced.
    """
    code = Path(__file__).resolve().parent
    if (code.parent / "package.xml").is_file():
        return code.parent
    for prefix in code.parents:
        share = prefix / "share" / PACKAGE
        if (share / "package.xml").is_file():
            return share
    raise FileNotFoundError(
        f"no share/{PACKAGE} folder above {code}: install the package with pip or colcon"
    )
