"""Map: all songs of the library at a glance, near each other where they sound alike."""

import streamlit as st

from app import answers, song_map, state, ui

ui.header("Map", "All your songs at a glance: what sounds alike to a model lies near each other.")
job = state.queue().latest("embed")
tracks = state.tracks()
usable = [entry for entry in answers.model_entries() if entry.card]
if not tracks:
    ui.empty("There are no songs yet.", go_to="library", label="Import songs")
    st.stop()
if not usable:
    ui.empty("A model lays songs out, and there is none yet.", go_to="train", label="Train a network")
    st.stop()
names = [entry.name for entry in usable]
asked = st.query_params.get("model")
name = st.selectbox("By the ear of", names, names.index(asked) if asked in names else 0)
st.query_params["model"] = name
entry = usable[names.index(name)]
with st.container():  # always there, so that what comes after keeps its place
    ui.job_panel(job)
if not (job and job.unfinished):
    song_map.offer(entry)
if state.embedded(entry).track_ids:
    song_map.section(entry, tracks)
