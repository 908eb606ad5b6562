"""Evaluations on the screen: begin one, read it, hear its songs, hold it against another."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import streamlit as st

from app import answers, evaluation_charts, sounds, state, terms, ui
from core.errors import LibraryError
from core.files import duration_in_words
from core.jobs import kinds
from core.learning import reporting
from core.learning.comparison import answer, label
from core.learning.metrics import SIGNIFICANT
from core.library.evaluations import EvaluatedSong, Evaluation
from core.recipes import TrainingRecipe

PROTOCOLS: dict[Literal["artist-folds", "random"], str] = {
    "artist-folds": "honest: no artist is both learned from and tested",
    "random": "naive: songs dealt at random, to see by how much that flatters",
}
SHOWN = 1000
"""Songs of a table: more would only make it slow."""
KIND_WORDS = {"test": "test songs", "folder": "folder", "crossvalidation": "cross-validation"}


def begin_section(*, expanded: bool) -> None:
    """The two ways to get numbers."""
    with st.expander("New evaluation", expanded=expanded, icon=":material/add:", key=state.BEGIN_OPEN):
        left, right = st.columns(2)
        with left:
            crossvalidate_form()
        with right:
            test_form()


def crossvalidate_form() -> None:
    """Ask for a cross-validation."""
    st.markdown("**Test on every song of the library** (cross-validation)")
    st.caption(
        "The songs are divided into parts. In turn each is left out, a network learns from the others, and answers."
    )
    protocol = st.radio("How they are divided", list(PROTOCOLS), format_func=PROTOCOLS.__getitem__, key="cv-protocol")
    folds = st.number_input("Parts", 2, 20, 4, key="cv-folds")
    minutes = st.number_input("Minutes for each part, about", 0.1, 10_000.0, 3.0, key="cv-minutes")
    seed = st.number_input(
        "Seed", 0, 2**31, 0, help="Same seed, same songs, same machine: same numbers.", key="cv-seed"
    )
    if st.button("Start", type="primary", icon=":material/play_arrow:", disabled=not state.songs()):
        from core.learning.crossvalidation import Request, divide  # torch and scikit-learn: only where they are needed

        with ui.told_errors():
            request = Request(protocol, int(folds), int(seed))
            divide(state.library(), request, state.RECIPE, ())
            recipe = TrainingRecipe(max_minutes=minutes, seed=int(seed))
            name = f"{protocol}, {recipe.network}"
            state.begin(kinds.submit_crossvalidate(state.queue(), name, recipe, request.as_json()))
            st.rerun()
    if not state.songs():
        st.caption("It needs songs with a genre and a spectrogram.")


def test_form() -> None:
    """Ask for the figures of a model on its own test songs."""
    st.markdown("**Test a model on its own test songs**")
    st.caption("Songs by artists that it never heard, set aside when it was trained.")
    usable = [entry for entry in answers.model_entries() if entry.card and entry.card.split.get("test")]
    if not usable:
        st.caption("There is no model with test songs yet. Train one first.")
        return
    folders = {entry.name: entry.folder for entry in usable}
    chosen = folders[st.selectbox("Model", list(folders), format_func=ui.plain, key="test-model")]
    if st.button("Test it", icon=":material/quiz:"):
        state.begin(kinds.submit_evaluate(state.queue(), str(chosen)))
        st.rerun()


def choose(finished: Sequence[Evaluation], text: str, *, key: str) -> Evaluation:
    """One of the evaluations that have finished."""
    by_id = {one.id: one for one in finished}
    if state.get(key) not in by_id:
        state.put(key, finished[0].id)
    return by_id[st.selectbox(text, list(by_id), format_func=lambda number: named(by_id[number]), key=key)]


def named(evaluation: Evaluation) -> str:
    """An evaluation in a list: what, when, how good."""
    told = evaluation.report or {}
    of = f" of {ui.counted(told['songs'], 'song')}" if "songs" in told else ""
    right = f" · {told['accuracy']:.0%}{of} right" if "accuracy" in told else ""
    return (
        f"{evaluation.id}: {evaluation.name} · {KIND_WORDS[evaluation.kind]} · {ui.day(evaluation.finished_at)}{right}"
    )


def report_section(evaluation: Evaluation) -> None:
    """The figures, from what matters most to what only some want to know."""
    told = state.figures(evaluation)
    low, high = told["interval_95"]
    for column, (name, value, why) in zip(
        st.columns(4),
        (
            ("Right", f"{told['accuracy']:.0%}", f"With other songs probably between {low:.0%} and {high:.0%}."),
            ("Right among the first two", f"{told['top_2_accuracy']:.0%}", "The right genre is first or second."),
            ("Macro F1", f"{told['macro_f1']:.2f}", "From 0 to 1; rare genres count as much as common ones."),
            ("Percentages off by", f"{told['ece']:.0%}", "Expected calibration error: 0 % is perfect."),
        ),
        strict=True,
    ):
        column.metric(name, value, help=why, border=True)
    for warning in told.get("warnings", ()):
        st.warning(ui.plain(str(warning)), icon=":material/warning:")
    st.markdown(ui.plain(" ".join(reporting.sentences(told))))
    _gap(evaluation)
    left, right = st.columns(2)
    with left:
        st.subheader("Genres")
        st.dataframe(
            pd.DataFrame(reporting.genre_rows(told), columns=["genre", "songs", "precision", "recall", "F1"]),
            hide_index=True,
        )
        st.caption("Precision: how many songs given this genre have it. Recall: how many of its songs were given it.")
    with right:
        st.subheader("Can its percentages be believed?")
        st.altair_chart(evaluation_charts.reliability(told["reliability"]))
        st.caption("Each dot: songs answered about as surely. Below the line it boasts, above it is too modest.")
    if told.get("folds"):
        st.subheader("Folds")
        st.dataframe(
            [
                {
                    "fold": fold["fold"] + 1,
                    "songs": fold["songs"],
                    "right": f"{fold['accuracy']:.0%}",
                    "probably between": "{:.0%} and {:.0%}".format(*fold["interval_95"]),
                    "off by": f"{fold['ece']:.0%}",
                    "steps": fold["steps"],
                    "took": duration_in_words(fold["seconds"]),
                }
                for fold in told["folds"]
            ],
            hide_index=True,
        )


def _gap(evaluation: Evaluation) -> None:
    """What leaks are worth, where the same recipe was tested both ways."""
    protocol = evaluation.about.get("protocol")
    wanted = {"artist-folds": "random", "random": "artist-folds"}.get(str(protocol))
    other = next(
        (
            one
            for one in state.evaluations()
            if one.about.get("protocol") == wanted
            and "recipe" in evaluation.about
            and one.about.get("recipe") == evaluation.about["recipe"]
            and one.genres == evaluation.genres
        ),
        None,
    )
    if other is None or not other.report or not evaluation.report:
        return
    honest, naive = (evaluation, other) if protocol == "artist-folds" else (other, evaluation)
    try:
        told = state.comparison(naive, honest)
    except LibraryError:  # they are about other songs: nothing to hold against each other
        return
    naive_share, honest_share = told["accuracy"]
    said = f"Dealt at random, the same recipe is right in {naive_share:.0%} of the songs; by artist, in {honest_share:.0%}."
    if told["verdict"] == "better":
        said += (
            f" The gap of {100 * (naive_share - honest_share):.0f} points is what knowing the artist is worth, and is no "
            "skill with genres."
        )
    else:
        said += f" By an exact test the two {told['verdict'] if told['p_value'] >= SIGNIFICANT else 'differ the other way'}."
    st.info(ui.plain(said), icon=":material/balance:")


def confusion_section(evaluation: Evaluation, songs: Sequence[EvaluatedSong]) -> None:
    """What is taken for what; the songs behind a cell."""
    told = state.figures(evaluation)
    st.caption("Rows are the true genres, columns the answers. Click a cell to hear its songs.")
    terms.term("confusion matrix")
    picked = st.altair_chart(
        evaluation_charts.confusion(told["confusion"], evaluation.genres),
        on_select="rerun",
        key=f"confusion-{evaluation.id}",
    )
    cells = picked["selection"].get("cell", [])
    if cells:
        cell = str(cells[0]["genre"]), str(cells[0]["answer"])
        inside = [song for song in songs if (label(song, evaluation), answer(song, evaluation)) == cell]
        told_cell = f"{ui.plain(cell[0])}, answered {ui.plain(cell[1])}"
        st.markdown(f"**{told_cell}: {ui.counted(len(inside), 'song')}**")
        hear(evaluation, sorted(inside, key=lambda song: -float(song.spectrum.max())), key="-".join(cell))


def hear(evaluation: Evaluation, songs: Sequence[EvaluatedSong], *, key: str) -> None:
    """Songs, one after another, each with its answer beside its label; the surest answer first."""
    if not songs:
        st.caption("No song is here.")
        return
    which, place = state.get(state.HEARD) or ("", 0)
    here = f"{evaluation.id}-{key}"
    place = min(place, len(songs) - 1) if which == here else 0
    song = songs[place]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Previous", icon=":material/skip_previous:", shortcut="k", disabled=place == 0,
                  on_click=state.put, args=(state.HEARD, (here, place - 1)))  # fmt: skip
        st.button("Next", icon=":material/skip_next:", shortcut="j", disabled=place == len(songs) - 1,
                  on_click=state.put, args=(state.HEARD, (here, place + 1)))  # fmt: skip
        st.caption(f"{place + 1:,} of {len(songs):,}")
    st.markdown(f"**{ui.plain(song.title)}** · {ui.plain(song.artist) or '(artist unknown)'}")
    left, right = st.columns(2)
    with left:
        _sound(song)
    with right:
        st.altair_chart(
            evaluation_charts.answer_and_label(song.spectrum, song.truth, evaluation.genres, state.colours())
        )
        st.caption("Bars: the answer. Marks: the label.")
    with st.expander(f"All {ui.counted(len(songs), 'song')}" if len(songs) <= SHOWN else f"The first {SHOWN:,} songs"):
        st.dataframe(
            [
                {
                    "artist": one.artist,
                    "title": one.title,
                    "answer": answer(one, evaluation),
                    "sure": f"{one.spectrum.max():.0%}",
                }
                for one in songs[:SHOWN]
            ],
            hide_index=True,
        )


def _sound(song: EvaluatedSong) -> None:
    track = next((one for one in state.tracks() if song.sha256 in (one.sha256, one.packets_sha256)), None)
    path = Path(song.path)
    if track:
        sounds.player(track, key="evaluated")
    elif song.path and path.is_file():
        with ui.told_errors():
            sounds.file_player(path, key="evaluated", sha256=song.sha256)
    else:
        st.info("Its sound is not on this computer any more.", icon=":material/link_off:")


def compare_section(evaluation: Evaluation, finished: Sequence[Evaluation]) -> None:
    """Two evaluations side by side, and whether one can be called better."""
    others = [one for one in finished if one.id != evaluation.id]
    if not others:
        st.info("There is nothing to compare with yet: begin another evaluation.", icon=":material/compare_arrows:")
        return
    other = choose(others, "Compare with", key=state.COMPARED)
    with ui.told_errors():
        told = state.comparison(evaluation, other)
        _verdict(told)
        _differing(told)


def _verdict(told: dict[str, Any]) -> None:
    names = [ui.plain(f"{number}: {name}") for number, name in zip(told["evaluations"], told["names"], strict=True)]
    for column, name, share in zip(st.columns(2), names, told["accuracy"], strict=True):
        column.metric(name, f"{share:.0%} right", border=True)
    verdict = told["verdict"]
    said = f"The first is **{verdict}**" if verdict in ("better", "worse") else f"The two **{verdict}**"
    st.markdown(
        f"{said}. Of {ui.counted(told['songs'], 'song')} that both answered, {told['only_first_right']} were right "
        f"only in the first and {told['only_second_right']} only in the second. Were both equally good, so uneven a "
        f"division would come by chance in {_chance(told['p_value'])} of cases (exact McNemar test)."
    )
    if told["relabelled"]:
        st.caption(f"{ui.counted(told['relabelled'], 'song')} had another label in one of them, and are left out.")


def _chance(p_value: float) -> str:
    return f"{p_value:.1%}" if p_value >= 0.001 else "less than 0.1%"


def _differing(told: dict[str, Any]) -> None:
    if not told["differ"]:
        st.caption("They were right about the same songs.")
        return
    st.subheader("Where they differ")
    st.dataframe(
        [
            {
                "artist": row["artist"],
                "title": row["title"],
                "label": row["label"],
                "first said": row["answers"][0],
                "second said": row["answers"][1],
            }
            for row in told["differ"][:SHOWN]
        ],
        hide_index=True,
    )
    if len(told["differ"]) > SHOWN:
        st.caption(f"The first {SHOWN:,} of {len(told['differ']):,}.")


def downloads(evaluation: Evaluation, songs: Sequence[EvaluatedSong]) -> None:
    """The report as files."""
    with st.container(horizontal=True):
        for text, ending, kind, make in (
            ("Report as HTML", "html", "text/html", reporting.as_html),
            ("Figures as CSV", "figures.csv", "text/csv", reporting.figures_csv),
            ("Songs as CSV", "songs.csv", "text/csv", reporting.songs_csv),
        ):
            st.download_button(
                text,
                partial(make, evaluation, songs),
                file_name=f"evaluation-{evaluation.id}.{ending}",
                mime=kind,
                icon=":material/download:",
                on_click="ignore",
            )
