"""Trainings on the screen: one watched as it learns, what it gets wrong, several held against each other, and kept in order."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app import charts, recipe_form, sounds, state, ui
from core.errors import ModelError
from core.files import duration_in_words
from core.learning.model import check_name
from core.learning.plan import Request
from core.library import run_bin
from core.library.runs import Answers, Epoch, Run

WRONG = 6
"""So many of the songs that it gets wrong are shown."""
COMPARED = 4
"""So many runs are drawn in one chart at first."""


@st.fragment(run_every=1.0)
def wait_for_run(name: str) -> None:
    """Show the page anew when the worker has begun the run."""
    if state.runs().find(name):
        st.rerun()


def choose(runs: Mapping[str, str]) -> str:
    """One of the runs, which the address remembers."""
    names, asked = list(runs), st.query_params.get("run")
    chosen = st.selectbox(
        "Run",
        names,
        names.index(asked) if asked in names else 0,
        format_func=lambda name: f"{name} ({runs[name]})",
    )
    st.query_params["run"] = chosen
    return str(chosen)


def show_run(run: Run, *, live: bool) -> None:
    """A run: curves as they grow while it is live, then the test result; and what it gets wrong."""
    browser_title(run, live=live)
    if run.state != "finished" and not live:
        ending = "failed" if run.state == "failed" else "stopped"
        st.warning(f"This run has {ending}. {ui.plain(run.message)}", icon=":material/pause:")
        if st.button("Go on from the last checkpoint", type="primary", icon=":material/play_arrow:"):
            recipe_form.start(run.name, run.recipe, Request.from_json(run.request))
    if run.note:
        st.info(ui.plain(run.note), icon=":material/sticky_note_2:")
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
    wrong_songs(run)


def browser_title(run: Run, *, live: bool) -> None:
    """What the tab of the browser says: how far a run is, or what it came to, for who looks at something else meanwhile."""
    result = run.result or {}
    if live:
        epochs = state.runs().epochs(run)
        steps = run.plan["steps"] if run.plan else 0
        share = epochs[-1].step / steps if epochs and steps else 0.0
        st.set_page_config(page_title=f"{share:.0%} · Training")
    elif result.get("test"):
        st.set_page_config(page_title=f"✓ {result['test']['accuracy']:.0%} · Genrescope")
    elif run.state in ("failed", "stopped"):
        st.set_page_config(page_title=f"{run.state.title()} · Training")


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
        cells[3].metric("Time left", duration_in_words(latest.seconds_left) if latest.seconds_left else "testing …")
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


def wrong_songs(run: Run) -> None:
    """Songs that it was watched on and gets wrong right now, the surest of its errors first. Nothing of runs that kept none."""
    answers = state.runs().answers(run)
    if answers is None or not run.plan:
        return
    wrong = mistakes(run, answers)
    right = len(answers.spectra) - len(wrong)
    when = f"after epoch {answers.epoch}" if answers.epoch else "now that it is finished"
    st.markdown(f"**Songs it gets wrong, {when}**")
    if not wrong:
        st.caption(f"None: all {right:,} validation songs are right.")
        return
    st.caption(
        f"{len(wrong):,} of {len(answers.spectra):,} validation songs; the surest of its errors first. Listen: is it the "
        "network that errs, or the label? Labels are mended on the Label page."
    )
    tracks = {track.sha256: track for track in state.tracks()}
    for place in range(0, min(len(wrong), WRONG), 2):
        for column, (song, said, share, label) in zip(st.columns(2), wrong[place : place + 2], strict=False):
            with column.container(border=True):
                st.markdown(
                    f"**{ui.plain(song['title'])}** · {ui.plain(song['artist']) or '(artist unknown)'}  \n"
                    f"It says **{ui.plain(said)}** ({share:.0%}); the label is **{ui.plain(label)}**."
                )
                if track := tracks.get(song["sha256"]):
                    sounds.small_player(track)


def mistakes(run: Run, answers: Answers) -> list[tuple[Mapping[str, str], str, float, str]]:
    """(song, genre it says, how sure, its label) of validation songs whose strongest genre is another, the surest first."""
    assert run.plan is not None
    genres = run.plan["genres"]
    found = []
    for song, spectrum in zip(run.plan["split"]["validation"], answers.spectra, strict=True):
        label = max(song["label"], key=song["label"].__getitem__)
        said = genres[int(spectrum.argmax())]
        if said != label:
            found.append((song, said, float(spectrum.max()), label))
    return sorted(found, key=lambda one: -one[2])


def keep_in_order(run: Run, *, live: bool) -> None:
    """A note on a run, another name, and the bin."""
    with st.expander("Note, name, delete", icon=":material/edit_note:"):
        note = st.text_area(
            "Note", run.note, max_chars=2000, key=f"note-{run.id}", placeholder="What was tried, and why"
        )
        if st.button("Keep the note"):  # what is typed is known only once the field is left: so it is never disabled
            ui.do(lambda: state.runs().note(run.name, note), "The note is kept.")
        if live:
            st.caption("It can be renamed or deleted when the training is over, or stopped.")
            return
        name = st.text_input("Name of the run", run.name, max_chars=60, key=f"name-{run.id}")
        if (run.result or {}).get("name"):
            st.caption("The model that it made keeps its own name; that is changed on the Predict page.")
        if st.button("Rename") and name != run.name:
            with ui.told_errors():
                _rename(run, name)
        if st.button(f"Delete {ui.plain(run.name)}", icon=":material/delete:"):
            with ui.told_errors():
                run_bin.delete(state.runs(), state.queue(), state.settings(), run.name)
                st.query_params.pop("run", None)
                st.rerun()
        st.caption(
            "Its curves and checkpoint go into the bin, from which they can be brought back. A model it made stays."
        )


def _rename(run: Run, name: str) -> None:
    try:
        check_name(name)
    except ModelError as error:
        raise ModelError(str(error).replace("a model's name", "a run's name")) from error
    run_bin.rename(state.runs(), state.queue(), run.name, name)
    st.query_params["run"] = name
    st.rerun()


def undo_delete() -> None:
    """Bring the run that was deleted last back."""
    binned = run_bin.binned(state.settings())
    if binned and st.button(f"Undo: delete the run {ui.plain(binned[0][1])}", icon=":material/undo:"):
        with ui.told_errors():
            st.query_params["run"] = run_bin.restore(state.runs(), state.settings(), binned[0][0])
            st.rerun()


def compare(names: Sequence[str]) -> None:
    """Several runs in one chart and one table."""
    with st.expander("Compare runs", icon=":material/compare_arrows:"):
        chosen = st.multiselect("Runs", names, names[:COMPARED], format_func=ui.plain, key="compared-runs")
        runs = [state.run(name) for name in chosen]
        histories = {run.name: state.runs().epochs(run) for run in runs}
        drawn = {name: epochs for name, epochs in histories.items() if epochs}
        if drawn:
            left, right = st.columns(2)
            left.altair_chart(charts.run_curves(drawn, "validation_loss"), key="compared-loss")
            right.altair_chart(charts.run_curves(drawn, "song_accuracy"), key="compared-accuracy")
        if runs:
            st.dataframe([_row(run, histories[run.name]) for run in runs], hide_index=True)
        if len({_tested_on(run) for run in runs if run.result}) > 1:
            st.caption(
                "Not all of these were tested on the same songs: their results cannot be held against each other song by "
                "song, and a few percent between them may be luck of the songs. A cross-validation on the Evaluate page "
                "compares fairly."
            )


def _row(run: Run, epochs: Sequence[Epoch]) -> dict[str, object]:
    test = (run.result or {}).get("test") or {}
    low, high = test.get("interval_95", (None, None))
    songs = state.division(run) or {}
    return {
        "run": run.name,
        "test songs right": f"{test['accuracy']:.0%} of {test['songs']}" if test else "",
        "probably between": f"{low:.0%} and {high:.0%}" if test else "",
        "network": run.recipe.network,
        "songs learned from": songs.get("train"),
        "epochs": len(epochs),
        "took": duration_in_words(sum(epoch.seconds for epoch in epochs)),
        "state": run.state,
        "note": run.note,
    }


def _tested_on(run: Run) -> frozenset[str]:
    return frozenset(song["sha256"] for song in run.plan["split"]["test"]) if run.plan else frozenset()
