"""Frames of several recordings, one after the other, without those that cannot be read."""

from recordings import write_folder

from monodepth_ros.data.named_frames import named_frames


def test_every_other_frame_by_name(tmp_path):
    sequences = [write_folder(tmp_path / name) for name in ("a", "b")]
    found = dict(named_frames(sequences, 2))
    expected = {f"{s.name}/{s.frame_name(i)}" for s in sequences for i in range(0, len(s), 2)}
    assert found.keys() == expected
    first = sequences[0]
    assert (found[f"{first.name}/{first.frame_name(2)}"] == first.image(2)).all()


def test_a_damaged_frame_is_left_out_and_told(tmp_path, capsys):
    sequence = write_folder(tmp_path / "a")
    path = next(path for path in sequence.files() if path.suffix in (".png", ".jpg"))
    path.write_bytes(b"damaged")
    found = dict(named_frames([sequence]))
    assert len(found) == len(sequence) - 1
    assert "left out: " in capsys.readouterr().err
