"""What goes wrong inside a node is said, and leaves nothing half done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from nursery import Child
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from viewer import Viewer, of_status


@pytest.fixture
def faulty(start_code: Any) -> Any:
    """Starts the node that fails in a place."""
    script = Path(__file__).parents[1] / "support" / "faulty_node.py"
    code = f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"

    def run(fails_in: str) -> Child:
        return start_code(code, *([f"fails_in:={fails_in}"] if fails_in else []))

    return run


def change(viewer: Viewer, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return bool(viewer.call(ChangeState, "faulty_node/change_state", request).success)


def state(viewer: Viewer) -> str:
    return str(viewer.call(GetState, "faulty_node/get_state").current_state.label)


def fail_in(viewer: Viewer, place: str) -> None:
    wanted = Parameter("fails_in", value=place).to_parameter_msg()
    request = SetParameters.Request(parameters=[wanted])
    assert viewer.call(SetParameters, "faulty_node/set_parameters", request).results[0].successful


@pytest.mark.parametrize(
    ("place", "left_in", "held", "again"),
    [
        ("configure", "unconfigured", "", Transition.TRANSITION_CONFIGURE),
        ("activate", "inactive", "model", Transition.TRANSITION_ACTIVATE),
    ],
)
def test_a_start_that_fails_is_undone_and_told(
    viewer: Viewer, faulty: Any, place: str, left_in: str, held: str, again: int
) -> None:
    process = faulty(place)
    reason = f"cannot {place}: ZeroDivisionError: {place} divides by zero"
    viewer.until(lambda: viewer.status and viewer.status.message == reason)
    assert viewer.status is not None and viewer.status.level == DiagnosticStatus.ERROR
    assert (state(viewer), of_status(viewer, "held")) == (left_in, held)
    assert change(viewer, again)
    viewer.until(lambda: viewer.said() == "'well'")
    process.terminate()
    output, _ = process.communicate(timeout=20)
    assert reason in output and "faulty_node.py" in output  # and where it came from


@pytest.mark.parametrize("place", ["deactivate", "cleanup"])
def test_an_end_that_fails_is_told_and_the_node_can_start_anew(
    viewer: Viewer, faulty: Any, place: str
) -> None:
    faulty("")
    viewer.until(lambda: of_status(viewer, "held") == "model worker")
    fail_in(viewer, place)
    change(viewer, Transition.TRANSITION_DEACTIVATE)
    if place == "cleanup":
        change(viewer, Transition.TRANSITION_CLEANUP)
    reason = f"cannot {place}: ZeroDivisionError: {place} divides by zero"
    viewer.until(lambda: viewer.status and viewer.status.message == reason)
    assert state(viewer) == "unconfigured"
    viewer.until(lambda: of_status(viewer, "held") == "")
    assert change(viewer, Transition.TRANSITION_CONFIGURE)
    assert change(viewer, Transition.TRANSITION_ACTIVATE)
    # Diagnostics may come between the two transitions.
    viewer.until(lambda: of_status(viewer, "held") == "model worker")
    assert viewer.said() == "'well'"


def test_a_shutdown_that_fails_is_told(viewer: Viewer, faulty: Any) -> None:
    faulty("")
    viewer.until(lambda: of_status(viewer, "held") == "model worker")
    fail_in(viewer, "cleanup")
    change(viewer, Transition.TRANSITION_ACTIVE_SHUTDOWN)
    reason = "cannot cleanup: ZeroDivisionError: cleanup divides by zero"
    viewer.until(lambda: viewer.status and viewer.status.message == reason)
    viewer.until(lambda: of_status(viewer, "held") == "")


@pytest.mark.parametrize("place", ["timer", "status"])
def test_a_callback_that_fails_is_told_and_the_node_lives_on(
    viewer: Viewer, faulty: Any, place: str
) -> None:
    process = faulty(place)
    told = f"a callback failed: ZeroDivisionError: {place} divides by zero"
    viewer.until(lambda: told in viewer.said())
    assert viewer.status is not None and viewer.status.level == DiagnosticStatus.ERROR
    viewer.until(lambda: viewer.said() == "'well'")
    assert of_status(viewer, "callbacks failed") == "1"
    process.terminate()
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0 and told in output
