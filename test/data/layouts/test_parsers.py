"""Whatever a text file holds, it is either understood or refused by name."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monodepth_ros.data.layouts.sequence_folder import COLUMNS, FolderSequence, read_record
from monodepth_ros.data.text_file import read_named_numbers, read_numbers, read_poses
from monodepth_ros.errors import UserError

METADATA = """version: 1
camera: {width: 64, height: 48, K: [[60, 0, 31], [0, 60, 23], [0, 0, 1]]}
fps: 10
"""
numbers = st.floats(allow_nan=False, width=64)
# Text that comes near to what the parsers expect.
cells = st.one_of(st.text(max_size=6), numbers.map(repr), st.just(""), st.integers().map(str))
tables = st.lists(st.lists(cells, max_size=14), max_size=4)


@given(tables, st.sampled_from([" ", ",", "\t"]))
@settings(max_examples=30, deadline=None)
def test_tables_of_numbers(table: list[list[str]], separator: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "table.txt"
        file.write_text("\n".join(separator.join(row) for row in table))
        for read in (read_numbers, read_poses):
            try:
                assert len(read(file)) > 0
            except UserError as error:
                assert "table.txt" in str(error)
        assert all(value.ndim == 1 for value in read_named_numbers(file).values())


@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=5))
@settings(max_examples=20, deadline=None)
def test_numbers_are_read_as_written(rows: list[list[float]]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "table.txt"
        file.write_text("# x y z\n" + "\n".join(" ".join(map(repr, row)) for row in rows))
        np.testing.assert_array_equal(read_numbers(file, columns=3), np.array(rows))


@given(st.lists(st.lists(cells, min_size=len(COLUMNS), max_size=len(COLUMNS)), max_size=3))
@settings(max_examples=30, deadline=None)
def test_any_frames_table(rows: list[list[str]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "sequence.yaml").write_text(METADATA)
        lines = [",".join(COLUMNS), *(",".join(row) for row in rows)]
        (path / "frames.csv").write_text("\n".join(lines) + "\n")
        try:
            sequence = FolderSequence(path)
        except UserError as error:
            assert "frames.csv" in str(error)
        else:
            assert len(sequence) > 0


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"\0\n"])
def test_a_frames_table_of_other_bytes(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "sequence.yaml").write_text(METADATA)
    (tmp_path / "frames.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"frames\.csv"):
        FolderSequence(tmp_path)


@given(st.text(max_size=80))
@settings(max_examples=30, deadline=None)
def test_any_metadata(text: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "sequence.yaml"
        file.write_text(text)
        with pytest.raises(UserError, match="sequence.yaml"):
            read_record(file)
