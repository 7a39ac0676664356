"""Plots of the committed results are made of what they hold."""

from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmark"


def test_every_plot_of_the_page_is_made_of_committed_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(BENCHMARK)
    import plots

    monkeypatch.setattr(plots, "IMAGES", tmp_path)
    plots.main()
    made = {file.name for file in tmp_path.iterdir()}
    committed = {file.name for file in (BENCHMARK.parent / "docs/images").glob("performance_*.svg")}
    assert made == committed
