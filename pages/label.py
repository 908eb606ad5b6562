"""Label: which labels a machine doubts, settled by ear."""

import streamlit as st

from app import asking, labelling, state, twins, ui

VIEWS = {"doubts": "Doubted labels", "twins": "Same recording twice?"}

ui.header("Label", "Labels that a machine doubts are put before you, to be settled by ear.")
job = state.queue().latest("crossvalidate")
tracks, songs = state.tracks(), state.songs()
if not tracks:
    ui.empty("There are no songs yet.", go_to="library", label="Import songs")
    st.stop()
if not songs:
    ui.empty("No song has both a genre and a spectrogram yet.", go_to="library", label="Make spectrograms")
    st.stop()
view = st.segmented_control(
    "View",
    list(VIEWS),
    format_func=VIEWS.__getitem__,
    default="doubts",
    required=True,
    label_visibility="collapsed",
    key=state.LABEL_VIEW,
)
if view == "twins":
    twins.section(tracks)
    st.stop()
ui.job_panel(job)
asked = state.asked()
if asked is None:
    if not (job and job.unfinished):
        st.markdown(asking.WHY)
        asking.ask_form(songs, again=False)
    else:
        st.caption(asking.WHY)
    st.stop()
asking.standing(asked, songs)
labelling.section(asked.stock)
labelling.aside(asked.stock)
labelling.who_decides()
