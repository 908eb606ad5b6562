"""Predict, for guests: give songs, see which genres they are made of, and where. No library, no jobs; nothing is kept."""

import streamlit as st

from app import answers, examples, guests, intake, results, ui
from core.inference.prediction import Prediction

ui.header("Predict", "Drop in any song: which genres is it made of, and where in the song does each one sound?")
chosen = guests.model()
if chosen is None or chosen.card is None:
    st.info("There is no model here yet, so nothing can be asked. Please come back later.", icon=":material/info:")
    st.stop()
st.caption(f"Knows {ui.plain(', '.join(chosen.card.genres))}.")
intake.boxes({intake.EXAMPLES: examples.choose})
uploads = answers.uploads()
if uploads:
    look = results.choose_look(chosen.card.genres, {}, guests.parents())
    told = answers.predictions(chosen, uploads)
    place = results.compare(list(zip(uploads, told, strict=True)), look)
    if place is not None and isinstance(answer := told[place], Prediction):
        with st.container(border=True):
            results.show(uploads[place], answer, look, place=place)
            results.endings(uploads[place], look.at(answer), look, place=place)
