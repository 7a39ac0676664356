"""Parameters of the nodes: specification, declaration, validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from monodepth_ros.errors import UserError
from monodepth_ros.nodes.parameter_sources import names_for_any_node

# ROS itself may set these on any node.
_OF_ROS = ("use_sim_time", "qos_overrides.", "start_type_description_service")


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter, with the ``choices`` of a string or the ``bounds`` of a number.

    A tuple of strings as the default makes a list of strings; ROS knows no empty one, so that
    one empty string stands for none. Each name in such a list has the parameters ``members`` for
    itself, as ``NAME.parameter``; 0 is that without a name. ``advanced`` parameters are rarely
    changed; parameter files and documentation list them last.
    """

    name: str
    default: bool | int | float | str | tuple[str, ...]
    description: str
    read_only: bool = True
    choices: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    advanced: bool = False
    members: tuple[ParameterSpec, ...] = ()

    @property
    def shown_default(self) -> str:
        """The default as YAML has it."""
        if isinstance(self.default, tuple):
            return "[" + ", ".join(item or '""' for item in self.default) + "]"
        text = str(self.default)
        return text.lower() if isinstance(self.default, bool) else text or '""'

    def descriptor(self) -> ParameterDescriptor:
        """The descriptor that `ros2 param describe` shows."""
        described = ParameterDescriptor(
            name=self.name, description=self.description, read_only=self.read_only
        )
        if self.choices:
            described.additional_constraints = "one of " + ", ".join(self.choices)
            # YAML and the command line convert true to a boolean.
            described.dynamic_typing = "true" in self.choices
        if self.bounds:
            low, high = self.bounds
            if isinstance(self.default, int):
                described.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
            else:
                described.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        return described

    def check(self, value: Any) -> None:
        """UserError for a value that is not one of the choices."""
        value = str(value).lower() if isinstance(value, bool) else value
        if self.choices and value not in self.choices:
            raise UserError(
                f"parameter {self.name}: {value!r} is not one of {', '.join(self.choices)}"
            )


def advanced(*specs: ParameterSpec) -> tuple[ParameterSpec, ...]:
    """The same, as parameters that are rarely changed."""
    return tuple(replace(spec, advanced=True) for spec in specs)


# Every node has these.
NODE_PARAMETERS = advanced(
    ParameterSpec(
        "autostart",
        True,
        "the node configures and activates itself; false: a lifecycle manager does",
    ),
    ParameterSpec(
        "diagnostics_period",
        1.0,
        "seconds between two messages on /diagnostics",
        bounds=(0.1, 60.0),
    ),
)


def _of_members(spec: ParameterSpec, overrides: Mapping[str, Parameter]) -> list[ParameterSpec]:
    """The parameters of each name in a list, which is a default or given."""
    names = overrides[spec.name].value if spec.name in overrides else spec.default
    if not spec.members or not isinstance(names, (list, tuple)):
        return []
    return [
        replace(member, name=f"{name}.{member.name}", default=type(member.default)())
        for name in dict.fromkeys(names)
        for member in spec.members
        if name
    ]


def _declare(node: Node, spec: ParameterSpec) -> None:
    default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
    # `[]` in a parameter file arrives as a parameter without a value.
    override = node._parameter_overrides.get(spec.name)
    empty = isinstance(default, list) and override is not None and override.value is None
    node.declare_parameter(
        spec.name, [""] if empty else default, spec.descriptor(), ignore_override=empty
    )


def declare_parameters(node: Node, specs: Sequence[ParameterSpec]) -> None:
    """Declare all parameters, and validate changes while the node runs.

    UserError for an invalid value and for an unknown name, so that a misspelt line of a parameter
    file is not ignored. An unknown name that a file sets for all nodes may be meant for another
    node, and is a warning.
    """
    overrides = node._parameter_overrides
    specs = [*specs, *(each for spec in specs for each in _of_members(spec, overrides))]
    by_name = {spec.name: spec for spec in specs}
    given = [name for name in overrides if not name.startswith(_OF_ROS)]
    unknown = set(given) - set(by_name)
    foreign = sorted(unknown & names_for_any_node(node.get_name())) if unknown else []
    if foreign:
        node.get_logger().warning(
            f"a parameter file sets {', '.join(foreign)} for all nodes: {node.get_name()} has no"
            " such parameter and ignores it"
        )
    misspelt = sorted(unknown - set(foreign))
    if misspelt:
        raise UserError(
            f"unknown parameter {', '.join(misspelt)}; {node.get_name()} has {', '.join(by_name)}"
        )
    for spec in specs:
        try:
            _declare(node, spec)
        except Exception as error:  # rclpy has an exception class for each kind of mistake
            raise UserError(f"parameter {spec.name}: {error}") from None
        spec.check(node.get_parameter(spec.name).value)

    def validate(changes: list[Parameter]) -> SetParametersResult:
        try:
            for change in changes:
                if change.name in by_name:
                    by_name[change.name].check(change.value)
        except UserError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(validate)
