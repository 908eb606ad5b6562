"""Examples to try: songs that are made up on the spot, so that nobody's music has to be handed out."""

import numpy as np
import streamlit as st

from app import answers
from core.audio.synthesis import STYLES, made_up_song
from core.audio.waveform import as_wav

SECONDS = 40.0
"""How long each part of an example is."""
MEDLEY = ("pixel", "carousel")
"""Styles played one after the other, to show a course."""


def choose() -> None:
    """One of the styles that can be made up, or two of them one after the other; played as it is chosen."""
    st.caption(
        "Songs that Genrescope makes up on the spot, so they are nobody's music. A model that learned from real songs may "
        "well say that one is none of its genres."
    )
    names = {" then ".join(styles).capitalize(): styles for styles in (MEDLEY, *((style,) for style in STYLES))}
    with st.container(horizontal=True):
        for name, styles in names.items():
            st.button(name, key=f"example-{name}", on_click=_give, args=(name, styles))


def _give(name: str, styles: tuple[str, ...]) -> None:
    songs = [made_up_song(style, 1, duration_s=SECONDS) for style in styles]
    answers.give([(f"{name}, made up.wav", as_wav(np.concatenate(songs)))])
