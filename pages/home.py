"""Home: where you stand, and the one next step."""

import streamlit as st

from app import answers, first_hour, state, ui
from app.navigation import pages

ui.header("Genrescope", "Teach a machine *your* genres, then drop in any song and see which ones it is made of.")

counts = state.counts()
models = [entry for entry in answers.model_entries() if entry.card]
own = [entry for entry in models if entry.own]
if first_hour.making():
    st.stop()
if not counts["tracks"] and not counts["playlists"]:
    first_hour.doors(next((entry for entry in models if not entry.own), None))
    first_hour.offer_sample()
    st.stop()
training = next((name for name, standing in state.run_states().items() if standing != "finished"), None)

steps = {
    "playlists": (
        "1 · Genres",
        ", ".join(ui.counted(counts[f"{noun}s"], noun) for noun in ("playlist", "genre") if counts[f"{noun}s"])
        or "none yet",
        "A playlist that stands for a genre votes for its songs. Folders and tags of your own songs vote too.",
        counts["labelled"] > 0,
    ),
    "library": (
        "2 · Songs",
        f"{counts['with_sound']:,} with sound, {counts['ready']:,} spectrograms"
        if counts["with_sound"]
        else "none yet",
        "Have the songs of your playlists collected, or import a folder. Each gets a spectrogram: a picture of its sound.",
        counts["with_sound"] > 0 and counts["ready"] + counts["failed"] >= counts["with_sound"],
    ),
    "train": (
        "3 · Training",
        ui.counted(len(own), "model") if own else "no model of your own yet",
        "A network learns your genres from the pictures, and is tested on artists it has never heard.",
        bool(own),
    ),
    "predict": (
        "4 · Predict",
        "ready" if own else "ready, with the model that comes along" if models else "needs a model",
        "Drop in any song: its genres, and where in the song each one sounds.",
        False,
    ),
}
labels = {
    "playlists": "Add playlists",
    "collect": "Collect the songs",
    "library": "Make spectrograms" if counts["with_sound"] else "Import songs",
    "train": "Train a network" if training is None else f"See the training of {training}",
    "predict": "Drop in a song",
}
to_do = next(name for name, (*_, done) in steps.items() if not done)
instead = None
if to_do == "library" and not counts["with_sound"]:
    to_do, instead = "collect", "library"
elif to_do == "playlists":  # most people have songs; their folders tell genres
    to_do, instead = "library", "playlists"

for column, (title, standing, explanation, done) in zip(st.columns(4), steps.values(), strict=True):
    with column.container(border=True, height="stretch"):
        st.markdown(f"**{title}** {':green[:material/check_circle:]' if done else ''}")
        st.markdown(standing)
        st.caption(explanation)

with st.container(horizontal=True):
    if st.button(f"Next: {labels[to_do]}", type="primary", icon=":material/arrow_forward:", key="next-step"):
        st.switch_page(pages()[to_do])
    if instead and st.button(f"Or begin here: {labels[instead]}", icon=":material/queue_music:"):
        st.switch_page(pages()[instead])
    if models and to_do != "predict" and st.button("Just try it: drop in a song", icon=":material/graphic_eq:"):
        st.switch_page(pages()["predict"])

if state.sample_tracks():
    first_hour.sample_is_here(trained=bool(own))

for job in state.queue().unfinished():
    ui.job_panel(job)
