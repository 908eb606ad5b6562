"""Models on the Predict page: what one is, and how they are renamed, deleted, handed on and taken in."""

import streamlit as st

from app import answers, state, ui
from core.errors import ModelError
from core.files import size_in_words
from core.jobs import kinds
from core.learning import model as models
from core.learning import sharing


def about(entry: models.Entry) -> None:
    """The card of a model, to be read."""
    card = entry.card
    assert card is not None
    with st.expander("About this model", icon=":material/info:"):
        if card.title:
            st.markdown(f"**{ui.plain(card.title)}**")
        if card.description:
            st.markdown(ui.plain(card.description))
        for what, told in _told(entry, card):
            st.markdown(f"**{what}.** {ui.plain(told)}")


def manage(entry: models.Entry | None) -> None:
    """Rename, delete or hand on a model; take in another."""
    with st.popover("Manage models", icon=":material/tune:"):
        if entry is None:
            _add_from_file()
            _add_from_address()
            return
        this, other = st.tabs(["This model", "Add a model"])
        with this:
            _rename_and_delete(entry)
            _hand_on(entry)
        with other:
            _add_from_file()
            _add_from_address()


def undo_delete() -> None:
    """Bring the model that was deleted last back."""
    binned = models.binned(state.settings())
    if binned and st.button(f"Undo: delete {ui.plain(binned[0].name)}", icon=":material/undo:"):
        with ui.told_errors():
            models.restore(state.settings(), binned[0])
            st.query_params["model"] = binned[0].name
            st.rerun()


def _told(entry: models.Entry, card: models.Card) -> list[tuple[str, str]]:
    """(what, sentence) of all that a card tells to people; what it does not tell is left out."""
    sides = {side: card.split.get(side) for side in ("train", "validation", "test")}
    songs = {side: len(told) if isinstance(told, list) else 0 for side, told in sides.items()}
    learned = f"{songs['train']:,} songs learned from, {songs['validation']:,} checked with meanwhile, {songs['test']:,} kept aside"
    rows = [
        ("Genres", ", ".join(card.genres)),
        ("Accuracy", in_words(card)),
        ("Songs", learned if any(songs.values()) else ""),
        ("Where its songs come from", card.data_origin),
        ("Meant for", card.intended_use),
        ("Limits", card.limits),
        ("Licence", card.licence),
        ("Made", f"{card.created_at[:10]}, {card.network}, {card.steps:,} steps"),
        ("From", "it came with Genrescope" if not entry.own else "this workspace"),
    ]
    return [(what, told) for what, told in rows if told]


def in_words(card: models.Card) -> str:
    """How well a model did on its test songs, with the interval it would lie in with others."""
    tested = card.tested
    if tested is None:
        return "not tested"
    return (
        f"{tested.accuracy:.0%} of {tested.songs} songs by unheard artists right "
        f"(with other songs probably {tested.low:.0%} to {tested.high:.0%})"
    )


def _rename_and_delete(entry: models.Entry) -> None:
    if not entry.own:
        st.caption("This model came with Genrescope and stays.")
        return
    settings = state.settings()
    new_name = st.text_input("New name", entry.name, key=f"rename-{entry.name}")
    if st.button("Rename", disabled=new_name == entry.name):
        with ui.told_errors():
            models.rename(settings, entry.name, new_name)
            st.query_params["model"] = new_name
            st.rerun()
    if st.button(f"Delete {ui.plain(entry.name)}", icon=":material/delete:"):
        with ui.told_errors():
            models.delete(settings, entry.name)
            st.query_params.pop("model", None)
            st.rerun()


def _hand_on(entry: models.Entry) -> None:
    """One zip file; packed only when it is asked for."""
    if not st.toggle("Share it", key=f"share-{entry.name}"):
        return
    with ui.told_errors():
        data = state.model_zip(entry)
        st.download_button(
            f"Download as one zip ({size_in_words(len(data))})",
            data,
            f"{entry.name}.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption("Its SHA-256, to give along:")
        st.code(answers.upload_key(data), language=None, wrap_lines=True)


def _add_from_file() -> None:
    box = f"{state.DROPPED}-model-{state.get(state.DROPPED, 0)}"
    file = st.file_uploader("From a zip file", ["zip"], key=box)
    if file is None:
        return
    name = st.text_input("Name of the new model", sharing.name_from(file.name) or "", key=f"name-{file.file_id}")
    if st.button("Add", type="primary", icon=":material/add:"):
        with ui.told_errors():
            if file.size > sharing.MAX_ZIP_BYTES:
                raise ModelError(f"{file.name} is larger than {size_in_words(sharing.MAX_ZIP_BYTES)}.")
            folder = sharing.import_zip(file.getvalue(), state.settings(), name=name or None)
            state.put(state.DROPPED, state.get(state.DROPPED, 0) + 1)
            _choose(folder.name)


def _add_from_address() -> None:
    with st.form("fetch-model", border=False):
        url = st.text_input("From the web: its address", placeholder="https://…/model.zip")
        sha256 = st.text_input("Its SHA-256", help="64 digits, told beside the address. Another file is not opened.")
        name = st.text_input("Name (as the file, if empty)")
        if st.form_submit_button("Fetch", icon=":material/cloud_download:"):
            with ui.told_errors():
                if not url.strip():
                    raise ModelError("Give the address of a model's zip file.")
                sharing.check_sha256(sha256.strip())
                if name.strip():
                    models.check_name(name.strip())
                state.begin(kinds.submit_fetch_model(state.queue(), url, sha256, name=name.strip() or None))
                st.rerun()


def _choose(name: str) -> None:
    """Show the page anew with this model."""
    st.query_params["model"] = name
    state.tell(f"{name} can be chosen now.")
    st.rerun()
