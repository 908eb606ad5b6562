"""Doubted labels, one at a time: hear the song, see its label beside what a machine says, and decide with a key."""

from collections.abc import Callable, Sequence

import streamlit as st

from app import label_charts, sounds, state, ui
from app.navigation import pages
from core.library.label_reviews import OUT
from core.library.store import TrackRow
from core.music import FloatArray
from core.quality.issues import Judgement
from core.quality.queue import Entry, Order, Stock

KEYED = 9
"""Genres that have a key: the digits."""
VOTES_SHOWN = 8
ROUNDED = 20
"""Weights that are suggested are told in twentieths."""
ORDERS: dict[Order, str] = {"suspicion": "Suspected", "uncertainty": "Least sure first"}


def section(stock: Stock) -> None:
    """One song of the queue: it stays until it is settled or put off."""
    order, genre = _chosen(stock)
    waiting = stock.waiting(order, genre=genre)
    if not waiting:
        _nothing_left(order, genre)
        ui.undo_button(shortcut="z")
        return
    ids = [entry.track.id for entry in waiting]
    if state.get(state.LABELLED) not in ids:
        state.put(state.LABELLED, ids[0])
    place = ids.index(state.get(state.LABELLED))
    entry, after = waiting[place], ids[(place + 1) % len(ids)]
    st.caption(f"{place + 1:,} of {len(ids):,}. Each button names its key.")
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        song(entry.track)
    with right.container(border=True, height="stretch"):
        doubt(entry, stock.genres)
    decide(entry, stock.genres, after=after)
    several(entry, stock.genres, after=after)


def _chosen(stock: Stock) -> tuple[Order, str | None]:
    """The order and the genre that a person wants to see."""
    offered = ["", *sorted({*stock.genres, *stock.labels}, key=str.casefold)]
    if state.get(state.LABEL_GENRE) not in offered:
        state.put(state.LABEL_GENRE, "")
    left, right = st.columns([1, 1], vertical_alignment="bottom")
    order = left.segmented_control(
        "Order", list(ORDERS), format_func=ORDERS.__getitem__, default="suspicion", required=True, key=state.LABEL_ORDER
    )
    genre = right.selectbox(
        "Genre", offered, format_func=lambda one: one or "all genres", key=state.LABEL_GENRE, help="In label or answer."
    )
    return order, genre or None


def _nothing_left(order: Order, genre: str | None) -> None:
    of = f" of {ui.plain(genre)}" if genre else ""
    if order == "suspicion":
        st.info(f"Nothing suspicious{of} is left.", icon=":material/check:")
        with st.container(horizontal=True):
            if st.button("Train a network", type="primary", icon=":material/arrow_forward:"):
                st.switch_page(pages()["train"])
            st.button(
                "Look at those it is least sure of",
                on_click=state.put,
                args=(state.LABEL_ORDER, "uncertainty"),
                icon=":material/help:",
            )
    else:
        st.info(f"Every song{of} was looked at.", icon=":material/check:")


def song(track: TrackRow) -> None:
    """What sounds, and where its votes come from."""
    st.markdown(f"**{ui.plain(track.title)}**")
    st.markdown(ui.plain(track.artist) or "(artist unknown)")
    st.caption(f"{ui.clock(track.duration_s)} · {ui.plain(track.album) or 'no album told'}")
    is_on = not state.get(state.SILENT, False)
    if is_on:
        sounds.player(track, key="labelled", autoplay=True)
    st.button(
        "Stop" if is_on else "Play",
        icon=":material/stop:" if is_on else ":material/play_arrow:",
        shortcut="p",
        on_click=state.put,
        args=(state.SILENT, is_on),
        type="tertiary",
    )
    st.caption("Its votes")
    for vote in track.votes[:VOTES_SHOWN]:
        st.markdown(f"{ui.plain(vote.genre)}: {_voter(track.id, vote.source, vote.reference)}")
    if len(track.votes) > VOTES_SHOWN:
        st.caption(f"and {len(track.votes) - VOTES_SHOWN:,} more (see Explore)")


def doubt(entry: Entry, genres: Sequence[str]) -> None:
    """The label beside the answer, as bars and in words."""
    label = dict(entry.track.label.weights) if entry.track.label else {}
    if entry.spectrum is None:
        st.markdown(f"**{ui.plain(ui.label_in_words(entry.track.label))}**")
        st.info("The machine was not asked about this song: it is new since, or of a genre that was left out.")
        return
    if entry.judgement is not None:
        st.markdown(_in_words(entry.judgement, dict(zip(genres, entry.spectrum.tolist(), strict=True)), label))
    st.altair_chart(label_charts.label_and_answer(label, entry.spectrum, genres))
    if entry.judgement is not None:
        sure = f"{'suspected' if entry.is_suspect else 'not suspected'}, suspicion {entry.judgement.suspicion:.0%}"
        st.caption(f"{sure}; uncertainty of the answer {entry.judgement.uncertainty:.0%}.")


def decide(entry: Entry, genres: Sequence[str], *, after: int) -> None:
    """Right, another genre, no music, another song, later, back."""
    track, reviews, who = entry.track, state.label_reviews(), state.who()
    label, judgement = track.label, entry.judgement
    choices = _choices(entry, genres)
    first = judgement is not None and not judgement.agrees
    with st.container(horizontal=True):
        told = f"It is right: {ui.plain(ui.label_in_words(label))}"
        if label and st.button(told, icon=":material/check:", shortcut="a", type="secondary" if first else "primary"):
            settle(entry, lambda: reviews.confirm(track.id, who=who), after=after)
        if choices and first:
            _genre_button(entry, choices[0], 1, after=after, is_primary=True)
        if judgement and len(judgement.suggested) > 1 and entry.spectrum is not None:
            weights = _weights(judgement.suggested, entry.spectrum, genres)
            named = " and ".join(f"{ui.plain(genre)} {weight:.0%}" for genre, weight in weights.items())
            if st.button(named, icon=":material/call_split:", shortcut="b"):
                settle(entry, lambda: reviews.change(track.id, weights, who=who), after=after)
        is_collected = state.collecting_states().get(track.id) == "fetched"
        if st.button(
            "Not music",
            icon=":material/voice_over_off:",
            shortcut="m",
            help="Speech, noise, silence: it is set aside, and not learned from. Its file stays.",
        ):
            settle(
                entry, lambda: reviews.not_music(track.id, who=who), "Set aside: it is not learned from.", after=after
            )
        if st.button("Wrong song", icon=":material/wrong_location:", shortcut="w", help=_wrong(is_collected)):
            told = "It is searched for on: see Collect." if is_collected else "Set aside: it is not learned from."
            settle(entry, lambda: reviews.wrong_song(track.id, who=who), told, after=after)
        if after != track.id:
            st.button(
                "Later", icon=":material/skip_next:", shortcut="right", on_click=state.put, args=(state.LABELLED, after)
            )
        ui.undo_button(shortcut="z")
    st.caption(f"*Wrong song*: {_wrong(is_collected)}")
    rest = list(enumerate(choices, start=1))[1 if first else 0 : KEYED]
    if rest:
        with st.container(horizontal=True):
            for key, genre in rest:
                _genre_button(entry, genre, key, after=after)


def several(entry: Entry, genres: Sequence[str], *, after: int) -> None:
    """Any genres, also new ones, with weights."""
    with st.expander("Another genre, or several with weights"):
        chosen = st.multiselect(
            "Genres",
            sorted({*genres, *state.library().genres()}, key=str.casefold),
            accept_new_options=True,
            placeholder="choose, or type a new one",
            key=f"several-{entry.track.id}",
        )
        weights = {
            genre: st.number_input(
                f"Weight of {ui.plain(genre)}", 0.05, 100.0, 1.0, 0.5, key=f"w-{entry.track.id}-{genre}"
            )
            for genre in (chosen if len(chosen) > 1 else ())
        }
        if st.button("Give these", icon=":material/label:", disabled=not chosen, key=f"give-{entry.track.id}"):
            given = weights or dict.fromkeys(chosen, 1.0)
            settle(entry, lambda: state.label_reviews().change(entry.track.id, given, who=state.who()), after=after)


def settle(entry: Entry, deed: Callable[[], object], told: str = "", *, after: int) -> None:
    """Do what a person decided, and show the next song; a refusal is told instead."""

    def action() -> None:
        deed()
        state.decided(entry.track.id)
        state.put(state.LABELLED, after)

    ui.do(action, told)


def who_decides() -> None:
    """The name that decisions are kept under."""
    typed = st.text_input("Decisions are kept under the name", state.who(), max_chars=60, help="Beside each: when.")
    if typed.strip() and typed.strip() != state.who():
        state.put(state.WHO, typed.strip())
        st.rerun()


def aside(stock: Stock) -> None:
    """Songs that were set aside here, and the way back."""
    out = [entry for entry in stock.entries if entry.review and entry.review.decision in OUT and entry.track.set_aside]
    if not out:
        return
    with st.expander(f"Set aside here: {ui.counted(len(out), 'song')}"):
        rows = [
            {
                "title": entry.track.title,
                "artist": entry.track.artist,
                "why": entry.review.decision,
                "who": entry.review.who,
                "when": ui.day(entry.review.decided_at),
            }
            for entry in out
            if entry.review
        ]
        ticked = st.dataframe(rows, hide_index=True, on_select="rerun", selection_mode="multi-row", key="aside")
        chosen = [out[row].track.id for row in ticked["selection"]["rows"] if row < len(out)]
        if st.button(f"Use {len(chosen)} again", disabled=not chosen, icon=":material/undo:"):
            ui.do(lambda: state.label_reviews().use_again(chosen))


def _genre_button(entry: Entry, genre: str, key: int, *, after: int, is_primary: bool = False) -> None:
    kind = "primary" if is_primary else "secondary"
    if st.button(f"It is {ui.plain(genre)}", shortcut=str(key), type=kind, key=f"genre-{key}"):  # type: ignore[arg-type]
        settle(entry, lambda: state.label_reviews().change(entry.track.id, {genre: 1.0}, who=state.who()), after=after)


def _choices(entry: Entry, genres: Sequence[str]) -> list[str]:
    """Genres that the song may be of instead, the machine's likeliest first."""
    label = entry.track.label
    given = {label.top} if label and len(label.weights) == 1 else set()
    order = list(genres)
    if entry.spectrum is not None:
        shares = dict(zip(genres, entry.spectrum.tolist(), strict=True))
        order.sort(key=lambda genre: -shares[genre])
    return [genre for genre in order if genre not in given]


def _weights(suggested: Sequence[str], spectrum: FloatArray, genres: Sequence[str]) -> dict[str, float]:
    """The shares of the genres that are suggested, rounded, summing to 1."""
    shares = {genre: float(spectrum[genres.index(genre)]) for genre in suggested}
    total = sum(shares.values())
    rounded = {genre: max(1, round(ROUNDED * share / total)) for genre, share in shares.items()}
    return {genre: twentieths / sum(rounded.values()) for genre, twentieths in rounded.items()}


def _in_words(judgement: Judgement, shares: dict[str, float], label: dict[str, float]) -> str:
    named = " or ".join(f"**{ui.plain(genre)}** ({shares[genre]:.0%})" for genre in judgement.suggested)
    if judgement.agrees:
        return f"The machine says the same: {named}."
    given = sum(shares.get(genre, 0.0) for genre in label)
    return f"The machine says {named}. To your label, {ui.plain(' + '.join(label))}, it gives {given:.0%}."


def _voter(track_id: int, source: str, reference: str) -> str:
    if source == "hand":
        return f"by hand, {ui.plain(reference)}, {ui.day(state.label_reviews().hand_votes_at(track_id))}"
    told = ui.VOTERS.get(source, source)
    return f"{told}, {ui.plain(reference)}" if reference and reference != source else told


def _wrong(is_collected: bool) -> str:
    if is_collected:
        return "it was collected, so it loses this sound and is searched for on; this recording is not taken again."
    return "it came from your own files, so it is set aside and not learned from. Its file stays where it is."
