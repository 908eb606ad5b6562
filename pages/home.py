"""Home: where you stand, and the one next step."""

import streamlit as st

from app import state, ui
from app.navigation import pages
from core.learning.model import list_models

ui.header("Genrescope", "Teach a machine *your* genres, then drop in any song and see which ones it is made of.")

counts = state.library().counts(state.RECIPE.fingerprint)
models = [entry for entry in list_models(state.settings()) if entry.card]
training = next((run for run in state.runs().list() if run.state != "finished"), None)

steps = {
    "library": (
        "1 · Songs",
        f"{counts['tracks']:,} songs, {counts['genres']:,} genres" if counts["tracks"] else "none yet",
        "Import a folder of songs. Their genres come from folders, tags or a table, and can be changed by hand.",
        counts["tracks"] > 0,
    ),
    "explore": (
        "2 · Spectrograms",
        f"{counts['ready']:,} of {counts['tracks']:,} ready" if counts["tracks"] else "none yet",
        "A spectrogram is a picture of a song: time from left to right, low to high notes from bottom to top.",
        counts["ready"] > 0 and counts["ready"] + counts["failed"] >= counts["tracks"],
    ),
    "train": (
        "3 · Training",
        f"{len(models)} model{'s' * (len(models) != 1)}" if models else "no model yet",
        "A network learns your genres from the pictures, and is tested on artists it has never heard.",
        bool(models),
    ),
    "predict": (
        "4 · Predict",
        "ready" if models else "needs a model",
        "Drop in any song: its genres, and where in the song each one sounds.",
        False,
    ),
}
to_do = next(name for name, (*_, done) in steps.items() if not done)
labels = {
    "library": "Import songs",
    "explore": "Make spectrograms",
    "train": "Train a network" if training is None else f"See the training of {training.name}",
    "predict": "Drop in a song",
}

for column, (title, standing, explanation, done) in zip(st.columns(4), steps.values(), strict=True):
    with column.container(border=True, height="stretch"):
        st.markdown(f"**{title}** {':green[:material/check_circle:]' if done else ''}")
        st.markdown(standing)
        st.caption(explanation)

if st.button(f"Next: {labels[to_do]}", type="primary", icon=":material/arrow_forward:", key="next-step"):
    st.switch_page(pages()["library" if to_do == "explore" else to_do])

for job in state.queue().unfinished():
    ui.job_panel(job)
