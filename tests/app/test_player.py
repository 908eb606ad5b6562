"""What the player's component is given: a description, the sound, the picture, in one run of bytes."""

import json

import numpy as np
import pytest

from app.player import Curves, packed


@pytest.mark.parametrize("sound", [b"", b"\x00\xff" * 1000])
def test_what_is_packed_can_be_taken_apart(sound: bytes) -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    data = packed({"kind": "audio/wav", "genre": "čtvrť"}, sound, picture)
    length = int.from_bytes(data[:4], "little")
    about = json.loads(data[4 : 4 + length])
    rest = data[4 + length :]
    assert len(about.pop("id")) == 64
    assert about == {"kind": "audio/wav", "genre": "čtvrť", "sound_bytes": len(sound)}
    assert rest[: len(sound)] == sound
    assert rest[len(sound) :] == picture[1].tobytes() + picture[0].tobytes(), "the highest band first, as screens draw"


def test_whatever_changes_is_another_song() -> None:
    """The player goes on with what it has if nothing has changed, be it only a colour at the far end of the curves."""

    def identity(colour: str = "#000000", sound: bytes = b"abc") -> str:
        about = {"curves": {"times": list(range(5000)), "colours": [colour]}}
        data = packed(about, sound, None)
        return str(json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])["id"])

    assert identity() == identity()
    assert len({identity(), identity("#000001"), identity(sound=b"abd")}) == 3


def test_a_sound_without_a_picture_ends_with_the_sound() -> None:
    assert packed({}, b"abc", None).endswith(b"}abc")


def test_curves_are_plain_numbers_and_texts() -> None:
    curves = Curves([0.0, 1.0], [[1.0], [1.0]], ["a"], ["#000000"])
    assert json.loads(json.dumps(vars(curves)))["muted"] is False
