"""The figures of odometry as Markdown tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Figures = Mapping[str, Any]


def _of(*names: str, form: str = "{:.3g}", percent: bool = False) -> Callable[[Figures], str]:
    """A figure by its path in the nested figures, as text; empty where there is none."""

    def told(figures: Figures) -> str:
        value: Any = figures
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is None or not math.isfinite(value):
            return ""
        return form.format(100 * value if percent else value)

    return told


def _nees(span: int) -> Callable[[Figures], str]:
    """The NEES and its 95 % bounds."""

    def told(figures: Figures) -> str:
        known = figures.get("consistency", {})
        if f"nees_{span}" not in known:
            return ""
        lower, upper = (known[f"nees_{span}_{end}"] for end in ("lower", "upper"))
        return f"{known[f'nees_{span}']:.3g} ({lower:.2g}-{upper:.2g})"

    return told


def _shares(figures: Figures) -> str:
    """Share of the motions by what made them."""
    return ", ".join(f"{100 * share:.0f} % {name}" for name, share in figures["methods"].items())


ACCURACY = {
    "ATE 7-DoF (m)": _of("ate_m"),
    "with true steps (m)": _of("ate_true_steps_m"),
    "ATE 6-DoF (m)": _of("ate_6dof_m"),
    "RPE (m)": _of("rpe_m"),
    "RPE (deg)": _of("rpe_deg", form="{:.3f}"),
    "t_err (%)": _of("t_err_percent"),
    "r_err (deg/100 m)": _of("r_err_deg_per_100m"),
    "scale drift (% per 10 m)": _of("scale_drift", "percent_per_10m", form="{:+.1f}"),
    "drift (% per 100 frames)": _of("scale_drift", "percent_per_100_frames", form="{:+.1f}"),
    "spread of scale (%)": _of("scale_drift", "spread_percent", form="{:.1f}"),
    "motions by": _shares,
}
CONSISTENCY = {
    **{f"NEES over {span}": _nees(span) for span in (1, 10, 50, 100)},
    "steps within 95 % (%)": _of("consistency", "nees_1_share_inside", form="{:.0f}", percent=True),
}
LATENCY = {
    "mean (ms)": _of("latency", "mean_ms", form="{:.1f}"),
    "p95 (ms)": _of("latency", "p95_ms", form="{:.1f}"),
    "max (ms)": _of("latency", "max_ms", form="{:.1f}"),
    "frames with depth (%)": _of("latency", "frames_with_depth", form="{:.0f}", percent=True),
    "depth's share of time (%)": _of("latency", "depth_share_of_time", form="{:.0f}", percent=True),
}
TABLES = {
    "Accuracy": ACCURACY,
    "Consistency (NEES, 95 % bounds; 6 is true)": CONSISTENCY,
    "Processor time of a frame, one thread": LATENCY,
}


def table(parts: Mapping[str, Mapping[str, Mapping[str, Figures]]]) -> str:
    """Three tables for each part: a row for each recording and method."""
    lines: list[str] = []
    for part, recordings in parts.items():
        for title, columns in TABLES.items():
            lines += [f"## Part `{part}`: {title}", ""]
            lines += [_row("recording", "length (m)", "method", *columns)]
            lines += [_row(*["---"] * (len(columns) + 3))]
            for recording, methods in recordings.items():
                for method, figures in methods.items():
                    length = _of("length_m")(figures)
                    cells = (tell(figures) for tell in columns.values())
                    lines.append(_row(recording, length, method, *cells))
            lines.append("")
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
