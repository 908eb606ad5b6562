"""The player: a song's sound, drawn, its genre curves under a moving playhead, by a component of html, css and JavaScript.

The sound goes to the browser as bytes, and is played from there: nothing is fetched, and a seek is instant.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

Picture = npt.NDArray[np.uint8]
LARGEST_BYTES = 60_000_000
"""Sound beyond this is not to be sent whole."""
_FOLDER = Path(__file__).parent
_mount = st.components.v2.component(
    "genrescope_player",
    html=(_FOLDER / "player.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "player.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "player.js").read_text(encoding="utf-8"),
    isolate_styles=False,  # one rule silences every other sound of the page
)


@dataclass(frozen=True)
class Curves:
    """Shares of genres over time: `times` (n_points,) s in rising order, `shares` (n_points, n_genres), rows summing to 1.

    `colours` are CSS; they are pale if `muted`: no genre is claimed.
    """

    times: Sequence[float]
    shares: Sequence[Sequence[float]]
    genres: Sequence[str]
    colours: Sequence[str]
    muted: bool = False


def draw_player(
    sound: bytes,
    kind: str,
    *,
    key: str,
    duration_s: float | None = None,
    curves: Curves | None = None,
    picture: Picture | None = None,
    autoplay: bool = False,
) -> None:
    """Show a sound of the media type `kind`, which browsers play, at the place `key` of the page.

    Its waveform is drawn, or `picture` (bands, columns, 3) RGB from its beginning to its end, lowest band first. `duration_s`
    is what the curves are drawn to until the browser has found out.
    """
    about: dict[str, Any] = {"kind": kind, "autoplay": autoplay, "duration_s": duration_s}
    if curves is not None:
        about["curves"] = asdict(curves)
    if picture is not None:
        about["picture"] = {"bands": picture.shape[0], "columns": picture.shape[1]}
    _mount(key=f"player-{key}", data=packed(about, sound, picture))


def packed(about: Mapping[str, Any], sound: bytes, picture: Picture | None) -> bytes:
    """What the component unpacks: length of the description (4 bytes, little endian), description, sound, picture."""
    pixels = b"" if picture is None else np.ascontiguousarray(picture[::-1]).tobytes()
    about = {**about, "sound_bytes": len(sound)}
    digest = hashlib.sha256(json.dumps(about).encode())
    for part in (sound, pixels):
        digest.update(part)
    told = json.dumps({**about, "id": digest.hexdigest()}).encode()  # what is the same plays on when a page runs anew
    return len(told).to_bytes(4, "little") + told + sound + pixels
