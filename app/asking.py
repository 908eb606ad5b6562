"""Asking a machine about every song that has not learned from it, and how labels stand by its answers."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import streamlit as st

from app import state, ui
from core.jobs import kinds
from core.learning.splits import MIN_SONGS, artist_groups
from core.music import Song
from core.quality.asked import Asked

FOLDS = 4
MINUTES = 10.0
"""How long the machines learn, all together, unless a person says otherwise."""
WHY = (
    "A machine that has learned your labels only repeats them, also the wrong ones. So every song is asked of one that "
    "learned from other artists' songs: where it is sure of another genre, your label deserves a second look."
)


def ask_form(songs: Sequence[Song], *, again: bool) -> None:
    """Which genres, how long, and a button that has all songs asked about."""
    counts, artists = state.kept(lambda: _songs_and_artists(songs), "songs and artists")
    left, right = st.columns([2, 1])
    genres = left.multiselect(
        "Genres",
        sorted(counts, key=str.casefold),
        [genre for genre in counts if counts[genre] >= MIN_SONGS and len(artists[genre]) > FOLDS],
        format_func=lambda genre: f"{genre} ({counts[genre]})",
        help=f"Each needs at least {MIN_SONGS} songs, by more than {FOLDS} artists. Songs of others are not asked about.",
    )
    minutes = right.number_input(
        "About how many minutes", 0.5, 10_000.0, MINUTES, 5.0, format="%g", help="More: better answers."
    )
    st.caption(
        f"{FOLDS} networks learn, each from the songs of other artists than those it is asked about. You need not wait "
        "here: it goes on if you close the page."
    )
    told = "Ask again" if again else f"Ask about {ui.counted(sum(counts[genre] for genre in genres), 'song')}"
    if st.button(told, type="secondary" if again else "primary", icon=":material/psychology:"):
        with ui.told_errors():
            ask(genres, minutes)
            st.rerun()


def _songs_and_artists(songs: Sequence[Song]) -> tuple[Counter[str], Mapping[str, set[int]]]:
    """Songs of each genre, and the groups of artists that folds keep apart."""
    counts = Counter(song.label.top for song in songs)
    artists: defaultdict[str, set[int]] = defaultdict(set)
    for song, group in zip(songs, artist_groups(songs).tolist(), strict=True):
        artists[song.label.top].add(group)
    return counts, artists


def ask(genres: Sequence[str], minutes: float) -> None:
    """Begin a cross-validation by artists. `TrainingRefused` where the songs do not allow it."""
    from core.learning.crossvalidation import Request, divide  # torch: only when it is asked for
    from core.recipes import TrainingRecipe

    request = Request(folds=FOLDS, genres=tuple(sorted(genres, key=str.casefold)))
    divide(state.library(), request, state.RECIPE, ())
    recipe = TrainingRecipe(max_minutes=minutes / FOLDS)
    state.begin(kinds.submit_crossvalidate(state.queue(), "For the labels", recipe, request.as_json()))


def standing(asked: Asked, songs: Sequence[Song]) -> None:
    """How many suspected songs were looked at, how far machine and labels agree, and whether the answers are old."""
    stock = asked.stock
    if n := len(stock.suspects):
        st.progress(stock.looked_at / n, f"{stock.looked_at:,} of {n:,} suspected looked at")
    (then, of_then), (now, of_now) = stock.agreement
    told = f"The machine agreed with {_share(then, of_then)} of the labels"
    if (then, of_then) != (now, of_now):
        told += f" when it was asked; with the labels of now it agrees with {_share(now, of_now)}"
    st.caption(f"{told}. {n - stock.looked_at:,} suspected are left.")
    elsewhere = stock.changed - stock.by_hand
    news = [f"{ui.counted(stock.by_hand, 'label')} changed here"] * bool(stock.by_hand)
    news += [f"{ui.counted(elsewhere, 'label')} changed elsewhere"] * bool(elsewhere)
    news += [f"{ui.counted(stock.added, 'song')} not asked about, which come last"] * bool(stock.added)
    asked_at = f"Asked on {ui.day(asked.evaluation.finished_at)} about {ui.counted(of_then, 'song')}"
    with st.expander(
        f"{asked_at}. Since then: {', '.join(news)}." if news else f"{asked_at}. Nothing has changed since."
    ):
        st.caption("When you have changed some labels, ask again: machines that learn from better labels doubt better.")
        ask_form(songs, again=True)


def _share(agreed: int, songs: int) -> str:
    return f"{agreed / songs:.0%}" if songs else "none"
