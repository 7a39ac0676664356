"""RVL: what an encoder wrote is read back, and damage is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rvl_encoder import encode_rvl

from monodepth_ros.data.bags.messages.rvl import decode_rvl


def test_a_stream_written_by_hand() -> None:
    """2 zeros, 3 pixels: 9, 10, 8; then no zero and 0 pixels is not needed: 1 zero, 0 pixels."""
    # Numbers 2, 3, 18 (of +9), 2 (of +1), 3 (of -2), 1, 0, in nibbles, lowest three bits first.
    nibbles = [2, 3, 8 | 2, 2, 2, 3, 1, 0]
    word = sum(nibble << (28 - 4 * place) for place, nibble in enumerate(nibbles))
    image = decode_rvl(word.to_bytes(4, "little"), 2, 3)
    np.testing.assert_array_equal(image, [[0, 0, 9], [10, 8, 0]])


@given(arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_any_image_is_read_back(image: np.ndarray) -> None:
    np.testing.assert_array_equal(decode_rvl(encode_rvl(image), *image.shape), image)


@given(st.binary(max_size=64))
def test_noise_is_refused_or_an_image(data: bytes) -> None:
    try:
        assert decode_rvl(data, 3, 5).shape == (3, 5)
    except ValueError as error:
        assert str(error)


def test_damage_is_refused() -> None:
    depth = np.tile(np.linspace(400, 3900, 40), (30, 1)).astype(np.uint16)
    depth[:5] = 0
    data = encode_rvl(depth)
    with pytest.raises(ValueError, match="does not fit|ends before"):
        decode_rvl(data[: len(data) // 2], 30, 40)
    with pytest.raises(ValueError, match="does not fit|left behind"):
        decode_rvl(data, 29, 40)
    with pytest.raises(ValueError, match="does not fit|ends before"):
        decode_rvl(data, 31, 40)
    with pytest.raises(ValueError, match="holds no number"):
        decode_rvl(b"", 30, 40)
    with pytest.raises(ValueError, match="too long"):
        decode_rvl(b"\xff" * 8 + bytes(4), 30, 40)
