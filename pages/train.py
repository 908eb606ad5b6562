"""Train: choose how, watch it learn, see how good it is on artists it never heard."""

import streamlit as st

from app import recipe_form, state, terms, training, ui

ui.header(
    "Train",
    "A network learns your genres from the spectrograms. Watch it learn; it is tested on artists it never heard.",
)
job = state.queue().latest("train")
trained_now = job.parameters["name"] if job and job.unfinished else None
songs = state.songs()
runs = state.run_states()
if not songs and not runs:
    ui.empty("There are no songs with a genre and a spectrogram yet.", go_to="library", label="Go to the library")
    training.undo_delete()
    st.stop()
ui.job_panel(job, refresh_s=2.0)
with st.expander("**New training**", expanded=not runs and trained_now is None, icon=":material/add:"):
    recipe_form.ask(songs)

if trained_now is not None and trained_now not in runs:
    training.wait_for_run(trained_now)
if len(runs) > 1:
    training.compare(list(runs))
training.undo_delete()
if runs:
    chosen = training.choose(runs)
    training.keep_in_order(state.run(chosen), live=chosen == trained_now)

    @st.fragment(run_every=4.0 if chosen == trained_now else None)
    def watch() -> None:
        """Refreshes itself while the run goes on."""
        training.show_run(state.run(chosen), live=chosen == trained_now)

    watch()
    terms.terms("epoch", "validation", "crop", "confusion matrix")
