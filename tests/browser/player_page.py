"""A page with three sounds, for the player's tests: two players, and Streamlit's own."""

from io import BytesIO

import numpy as np
import streamlit as st

from app.player import Curves, draw_player
from core.audio.waveform import as_wav

LENGTH_S, CHANGE_S, RATE = 10.0, 5.0, 16_000
y = 0.8 * np.sin(2 * np.pi * 440 * np.arange(int(LENGTH_S * RATE)) / RATE).astype(np.float32)
y[: int(CHANGE_S * RATE)] = 0  # silence, then a tone; the genre changes with it
sound = as_wav(y)
curves = Curves(
    [0.0, CHANGE_S - 0.001, CHANGE_S + 0.001, LENGTH_S],
    [[1.0, 0.0], [1.0, 0.0], [0.25, 0.75], [0.25, 0.75]],
    ["<b>silence", "tone"],
    ["#ff0000", "#0000ff"],
)
st.button("Again")
draw_player(sound, "audio/wav", key="drawn", duration_s=LENGTH_S, curves=curves)
picture = np.zeros((16, 100, 3), np.uint8)
picture[0, :, 1] = 255  # its lowest band is green
draw_player(as_wav(y[: 4 * RATE]), "audio/wav", key="pictured", picture=picture)
draw_player(b"no sound", "audio/wav", key="broken")
st.audio(BytesIO(as_wav(y[: 3 * RATE])), format="audio/wav")
