"""Train: choose how, watch it learn, see how good it is on artists it never heard."""

import pandas as pd
import streamlit as st

from app import charts, recipe_form, state, ui
from core.files import duration_in_words
from core.learning.plan import Request
from core.library.runs import Run


@st.fragment(run_every=1.0)
def wait_for_run(name: str) -> None:
    """Show the page anew when the worker has begun the run."""
    if state.runs().find(name):
        st.rerun()


def show_run(run: Run, *, live: bool) -> None:
    """A run: curves as they grow while it is live, then the test result."""
    if run.state != "finished" and not live:
        ending = "failed" if run.state == "failed" else "stopped"
        st.warning(f"This run has {ending}. {ui.plain(run.message)}", icon=":material/pause:")
        if st.button("Go on from the last checkpoint", type="primary", icon=":material/play_arrow:"):
            recipe_form.start(run.name, run.recipe, Request.from_json(run.request))
    if songs := state.division(run):
        told = (
            f"Learning from {songs['train']:,} songs, watched on {songs['validation']:,}, tested on {songs['test']:,}, all by "
            "different artists."
        )
        if left_out := songs["left_out"]:
            told += f" Left out: {left_out:,}, which share an artist with a test song."
        if unknown := songs["unknown"]:
            told += (
                f" Without an artist's name: {unknown:,}; each counts as an artist of its own, so results may flatter."
            )
        st.caption(told)
    if run.result:
        test_result(run)
    curves(run, live=live)


def curves(run: Run, *, live: bool) -> None:
    """Loss, accuracy and confusion matrix of the epochs so far."""
    epochs = state.runs().epochs(run)
    if not epochs or not run.plan:
        return
    latest = epochs[-1]
    total = round(run.plan["steps"] / (epochs[0].step or 1))
    best = next((epoch for epoch in reversed(epochs) if epoch.best), latest)
    cells = st.columns(4)
    cells[0].metric("Epoch", f"{latest.epoch} of {total}")
    cells[1].metric("Songs right (validation)", f"{latest.song_accuracy:.0%}")
    cells[2].metric("Crops a second", f"{latest.crops_per_second:.0f}")
    if live:
        cells[3].metric("Time left", duration_in_words(latest.seconds_left))
    else:
        cells[3].metric("Time taken", duration_in_words(sum(epoch.seconds for epoch in epochs)))
    left, right = st.columns(2)
    left.altair_chart(charts.loss_curves(epochs, total_epochs=total), key=f"loss-{run.id}")
    right.altair_chart(charts.accuracy_curves(epochs, total_epochs=total), key=f"accuracy-{run.id}")
    st.caption(
        f"The dashed line marks epoch {best.epoch}, whose weights are kept: the latest one whose loss on the validation "
        "songs cannot be told from the lowest."
    )
    st.markdown(f"**Validation songs after epoch {latest.epoch}**")
    left, _ = st.columns(2)
    left.altair_chart(charts.confusion(latest.confusion, run.plan["genres"]), key=f"confusion-{run.id}")


def test_result(run: Run) -> None:
    """What the finished model is worth."""
    test = (run.result or {})["test"]
    low, high = test["interval_95"]
    with st.container(border=True):
        st.markdown(
            f"### {test['accuracy']:.0%} of {test['songs']} test songs right\n"
            f"They are by artists the network never heard. With other songs it would lie between **{low:.0%} and "
            f"{high:.0%}** (95 % interval). By guessing: {1 / len(test['genres']):.0%}."
        )
        left, right = st.columns(2)
        left.altair_chart(charts.confusion(test["confusion"], test["genres"]), key=f"test-{run.id}")
        figures = pd.DataFrame.from_dict(test["per_genre"], orient="index")
        shares = ["precision", "recall", "f1"]
        figures[shares] = (100 * figures[shares]).round().astype(int)
        percent = st.column_config.NumberColumn(format="%d %%")
        right.dataframe(figures, column_config=dict.fromkeys(shares, percent))
        right.caption(
            f"The right genre is first or second for {test['top_2_accuracy']:.0%}. Macro F1 {test['macro_f1']:.2f}. "
            "Precision: of the songs given this genre, how many are. Recall: of the songs that are, how many were found."
        )


ui.header(
    "Train",
    "A network learns your genres from the spectrograms. Watch it learn; it is tested on artists it never heard.",
)
job = state.queue().latest("train")
training = job.parameters["name"] if job and job.unfinished else None
songs = state.songs()
runs = state.run_states()
if not songs and not runs:
    ui.empty("There are no songs with a genre and a spectrogram yet.", go_to="library", label="Go to the library")
    st.stop()
ui.job_panel(job, refresh_s=2.0)
with st.expander("**New training**", expanded=not runs and training is None, icon=":material/add:"):
    recipe_form.ask(songs)

names = list(runs)
if training is not None and training not in names:
    wait_for_run(training)
if runs:
    asked = st.query_params.get("run")
    chosen = st.selectbox(
        "Run",
        names,
        names.index(asked) if asked in names else 0,
        format_func=lambda name: f"{name} ({runs[name]})",
    )
    st.query_params["run"] = chosen

    @st.fragment(run_every=4.0 if chosen == training else None)
    def watch() -> None:
        """Refreshes itself while the run goes on."""
        show_run(state.run(chosen), live=chosen == training)

    watch()
