"""The table of `scale_sources.py`."""

from __future__ import annotations

from typing import Any


def table(found: dict[str, Any]) -> str:
    """Markdown, a row for each recording and source."""
    lines = [
        "| frames | recording | source | abs_rel in metres | aligned | ratio | images without |",
        "|---|---|---|---|---|---|---|",
    ]
    for part in ("choose", "report"):
        for recording, sources in found.get(part, {}).items():
            for source, r in sources.items():
                ratio = f"{r['times_aligned']:.2f}"
                if "times_all_points" in r:
                    ratio += f" ({r['times_all_points']:.3f} of all points)"
                lines.append(
                    f"| {part} | {recording} | {source} | {r['abs_rel']:.3f} |"
                    f" {r['abs_rel_aligned']:.3f} | {ratio} | {r['unknown']} |"
                )
    return "\n".join(lines)
