"""Train: choose how, watch it learn, see how good it is on artists it never heard."""

from collections import Counter
from datetime import date

import pandas as pd
import streamlit as st
from pydantic import ValidationError

from app import charts, state, ui
from core.errors import TrainingRefused
from core.files import duration_in_words
from core.jobs import kinds
from core.learning.plan import Plan, Request, make_plan
from core.learning.splits import MIN_SONGS, unknown_artists
from core.learning.training import check_name_free
from core.library.runs import Run
from core.music import Song
from core.recipes import DEFAULT_EPOCHS, TrainingRecipe

LIMITS = {"epochs": "a number of rounds (epochs)", "minutes": "about this many minutes"}


def recipe_form(songs: list[Song]) -> None:
    """From a few plain questions to one training."""
    count = Counter(song.label.top for song in songs)
    usual = TrainingRecipe()
    name = st.text_input("Name of the model", f"My genres {date.today():%d %b}", max_chars=60)
    genres = st.multiselect(
        "Genres to tell apart",
        sorted(count, key=str.casefold),
        [genre for genre, n in count.items() if n >= MIN_SONGS],
        format_func=lambda genre: f"{genre} ({count[genre]})",
        help=f"Each needs at least {MIN_SONGS} songs, by three artists or more.",
    )
    limit = st.radio("How long", list(LIMITS), format_func=LIMITS.__getitem__, horizontal=True)
    if limit == "epochs":
        length = {"epochs": st.number_input("Rounds through all songs", 1, 1000, DEFAULT_EPOCHS)}
    else:
        st.caption("The speed of this machine is measured first; how much to do is then fixed.")
        length = {"max_minutes": st.number_input("Minutes", 0.5, 10_000.0, 10.0)}
    with st.expander("More choices"):
        st.caption("The network: a small residual network, which looks at 4.1 s of a song at a time.")
        crops = st.slider(
            "Crops per song and round", 1, 32, usual.crops_per_song, help="More: slower rounds, steadier learning."
        )
        rate = st.number_input(
            "Learning rate", 0.0001, 0.1, usual.learning_rate, 0.0005, format="%.4f", help="How big the steps are."
        )
        decay = st.number_input(
            "Weight decay", 0.0, 1.0, usual.weight_decay, help="Pulls weights to zero, against learning by heart."
        )
        patience = st.number_input(
            "Stop after so many rounds that are clearly worse than the best", 1, 1000, usual.patience
        )
        seed = st.number_input("Seed", 0, 2**31, 0, help="Same seed, same songs, same machine: the same numbers.")
        artists = st.text_area(
            "Test artists, one a line (empty: chosen for you)", help="Exactly their songs are the test songs."
        )
    if not st.button("Start training", type="primary", icon=":material/play_arrow:"):
        return
    held_out = tuple(line.strip() for line in artists.splitlines() if line.strip()) or None
    with ui.told_errors():
        try:
            recipe = TrainingRecipe(
                **length,
                seed=int(seed),
                crops_per_song=crops,
                learning_rate=rate,
                weight_decay=decay,
                patience=int(patience),
            )
        except ValidationError as error:
            raise TrainingRefused(error.errors()[0]["msg"]) from error
        request = Request(tuple(sorted(genres, key=str.casefold)), held_out)
        check_name_free(state.runs(), state.settings(), name, recipe, request)
        make_plan(songs, recipe, request, state.RECIPE)
        start(name, recipe, request)


def start(name: str, recipe: TrainingRecipe, request: Request) -> None:
    """Ask for the training, and show it."""
    state.begin(kinds.submit_train(state.queue(), name, recipe, request.as_json()))
    st.query_params["run"] = name
    st.rerun()


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
            start(run.name, run.recipe, Request.from_json(run.request))
    if run.plan:
        split = Plan.from_json(run.plan).split
        unknown = unknown_artists(split.train + split.test)
        st.caption(
            f"Learning from {len(split.train)} songs, watched on {len(split.validation)}, tested on {len(split.test)}, all by "
            "different artists."
            + (f" Left out: {len(split.left_out)}, which share an artist with a test song." if split.left_out else "")
            + (
                f" Without an artist's name: {unknown}; each counts as an artist of its own, so results may flatter."
                if unknown
                else ""
            )
        )
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
runs = state.runs().list()
if not songs and not runs:
    ui.empty("There are no songs with a genre and a spectrogram yet.", go_to="library", label="Go to the library")
    st.stop()
ui.job_panel(job, refresh_s=2.0)
with st.expander("**New training**", expanded=not runs and training is None, icon=":material/add:"):
    recipe_form(songs)

names = [run.name for run in runs]
if training is not None and training not in names:
    wait_for_run(training)
if runs:
    asked = st.query_params.get("run")
    chosen = st.selectbox(
        "Run",
        names,
        names.index(asked) if asked in names else 0,
        format_func=lambda name: f"{name} ({next(run.state for run in runs if run.name == name)})",
    )
    st.query_params["run"] = chosen

    @st.fragment(run_every=4.0 if chosen == training else None)
    def watch() -> None:
        """Refreshes itself while the run goes on."""
        show_run(state.runs().get(chosen), live=chosen == training)

    watch()
