"""The shipped encoder answers as the authors' network does; a folder that is damaged or does not fit is refused."""

import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from core.encoder.encoder import CARD, FILTERS, GRAPH, INPUT, OUTPUTS, SHIPPED, Encoder, load, read_card, shipped
from core.encoder.front_end import PatchReader
from core.errors import ModelError
from tests.encoder.rebuild import REFERENCE, STARTS, answers, made_up_sound, shipped_variables

ZEROS = np.zeros((1, 187, 96), np.float32)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return shipped()


# -- its answers -------------------------------------------------------------------------------------------------------


def test_a_made_up_sound_has_the_reference_answers(encoder: Encoder) -> None:
    """From sound to answers; the reference is torch in double precision on librosa's patches (`tests.encoder.rebuild`)."""
    reader = PatchReader(encoder.filters)
    for block in np.array_split(made_up_sound(), 5):
        reader.add(block)
    patches = reader.patches()
    assert tuple(patches.starts) == STARTS
    found, reference = encoder.encode(patches.values), json.loads(REFERENCE.read_text())
    np.testing.assert_allclose(found.tags, reference["tags"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(found.embedding, reference["embedding"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(found.pooled, reference["pooled"], atol=2e-4, rtol=0)  # values up to 100


def test_real_patches_have_the_answers_of_the_authors_network(encoder: Encoder, shared_data: Path) -> None:
    reference = np.load(shared_data / "encoder" / "msd_musicnn_reference.npz")
    found = encoder.encode(reference["mel"])
    np.testing.assert_allclose(found.tags, reference["tags"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(found.embedding, reference["penultimate"], atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_random_patches_have_the_answers_of_a_rebuild(encoder: Encoder) -> None:
    patches = np.random.default_rng(0).uniform(0, 5, (6, 187, 96)).astype(np.float32)
    found, expected = encoder.encode(patches), answers(shipped_variables(), patches)
    for name, atol in (("tags", 1e-5), ("embedding", 1e-4), ("pooled", 1e-3)):  # single precision, values up to 100
        np.testing.assert_allclose(getattr(found, name), expected[name], atol=atol, rtol=0)


def test_the_numbers_are_those_of_the_authors(shared_data: Path) -> None:
    theirs = np.load(shared_data / "encoder" / "msd_musicnn_variables.npz")
    ours = shipped_variables()
    assert {name.replace("|", "/") for name in theirs} == set(ours)
    for name in theirs:
        np.testing.assert_array_equal(ours[name.replace("|", "/")], theirs[name])


@given(seed=st.integers(0, 2**32 - 1), top=st.sampled_from([0.0, 1e-3, 5.0, 50.0]))
def test_answers_are_finite_and_tags_are_probabilities(encoder: Encoder, seed: int, top: float) -> None:
    patch = np.random.default_rng(seed).uniform(0, top, (1, 187, 96)).astype(np.float32)
    found = encoder.encode(patch)
    assert all(np.isfinite(values).all() for values in vars(found).values())
    assert (found.tags >= 0).all() and (found.tags <= 1).all()
    maximum, mean = found.pooled[:, ::2], found.pooled[:, 1::2]
    assert (maximum >= mean - 1e-3 * (1 + np.abs(mean))).all(), "interleaved: maximum, mean"


def test_each_patch_is_answered_alone(encoder: Encoder) -> None:
    patches = np.random.default_rng(1).uniform(0, 4, (3, 187, 96)).astype(np.float32)
    together = encoder.encode(patches)
    for row in range(3):
        alone = encoder.encode(patches[row : row + 1])
        for name in OUTPUTS:
            np.testing.assert_array_equal(getattr(together, name)[row : row + 1], getattr(alone, name))


def test_shapes_are_as_documented(encoder: Encoder) -> None:
    for n in (0, 1, 2):
        found = encoder.encode(np.zeros((n, 187, 96), np.float32))
        assert [values.shape for values in vars(found).values()] == [(n, 50), (n, 200), (n, 1506)]
        assert {values.dtype for values in vars(found).values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "patches",
    [ZEROS[0], ZEROS[:, :-1], ZEROS[:, :, :-1], ZEROS.astype(np.float64), ZEROS + np.nan, ZEROS + np.inf, ZEROS[None]],
)
def test_other_patches_are_refused(encoder: Encoder, patches: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite float32"):
        encoder.encode(patches)


# -- what ships --------------------------------------------------------------------------------------------------------


def test_what_ships_is_small_and_has_its_notice() -> None:
    files = {path.name: path.stat().st_size for path in SHIPPED.iterdir()}
    assert set(files) == {CARD, GRAPH, FILTERS, "LICENSE.txt"} and sum(files.values()) <= 4_000_000
    notice = (SHIPPED / "LICENSE.txt").read_text()
    assert "Music Technology Group, Universitat Pompeu Fabra 2019" in notice and "Permission to use, copy" in notice


def test_the_card_names_both_licences_the_leakage_and_the_tags() -> None:
    card = read_card(SHIPPED)
    assert "ISC" in card.licence and "CC BY-NC-SA 4.0" in card.other_licence and "GTZAN" in card.limits
    assert len(card.tags) == 50 and (card.tags[0], card.tags[17], card.tags[-1]) == ("rock", "Mellow", "happy")
    assert (card.sizes.tags, card.sizes.embedding, card.sizes.pooled) == (50, 200, 1506)


def test_the_fingerprint_follows_network_and_front_end(encoder: Encoder) -> None:
    graph = (SHIPPED / GRAPH).read_bytes()
    same = Encoder(encoder.card.model_copy(update={"title": "other"}), encoder.filters, graph)
    other = Encoder(encoder.card.model_copy(update={"filters_sha256": "0" * 64}), encoder.filters, graph)
    assert same.fingerprint == encoder.fingerprint != other.fingerprint
    assert len(encoder.fingerprint) == 16 and shipped() is encoder


# -- folders that are refused ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "encoder"))


def on_card(folder: Path, **changes: Any) -> None:
    said = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(said | changes))


def put(folder: Path, name: str, data: bytes) -> None:
    """Another file, with its hash on the card: only its content is wrong."""
    (folder / name).write_bytes(data)
    on_card(folder, **{"onnx_sha256" if name == GRAPH else "filters_sha256": hashlib.sha256(data).hexdigest()})


def npy(values: np.ndarray, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, **options)
    return stream.getvalue()


def changed(change: Callable[[onnx.ModelProto], object]) -> bytes:
    model = onnx.load(SHIPPED / GRAPH)
    change(model)
    return model.SerializeToString()


def sparse(folder: Path, name: str, size: int) -> None:
    with (folder / name).open("wb") as stream:
        stream.truncate(size)


BANK = np.load(SHIPPED / FILTERS)
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "incomplete.*card.json"),
    "no card": (lambda f: (f / CARD).unlink(), "incomplete.*card.json"),
    "no network": (lambda f: (f / GRAPH).unlink(), "incomplete.*encoder.onnx"),
    "no filters": (lambda f: (f / FILTERS).unlink(), "incomplete.*mel_filters"),
    "card of another kind": (lambda f: on_card(f, kind="model"), "not the card of an encoder: kind"),
    "card is no JSON": (lambda f: (f / CARD).write_bytes(b"\xff{"), "not the card of an encoder"),
    "card is a list": (lambda f: (f / CARD).write_text("[]"), "not the card of an encoder"),
    "card nested deeply": (lambda f: (f / CARD).write_text("[" * 50_000), "not the card of an encoder"),
    "other front end": (lambda f: on_card(f, front_end={"n_mels": 128}), "front_end.n_mels"),
    "tag missing": (lambda f: on_card(f, tags=["rock"]), "names 1 tags, but its network has 50"),
    "tag twice": (lambda f: on_card(f, tags=["rock"] * 50), "named twice"),
    "unknown field": (lambda f: on_card(f, more=1), "more"),
    "hash that is none": (lambda f: on_card(f, onnx_sha256="../../etc/passwd"), "onnx_sha256"),
    "card too large": (lambda f: sparse(f, CARD, 100_001), "too large"),
    "network too large": (lambda f: sparse(f, GRAPH, 100_000_001), "too large"),
    "filters too large": (lambda f: sparse(f, FILTERS, 1_000_001), "too large"),
    "network is a folder": (lambda f: ((f / GRAPH).unlink(), (f / GRAPH).mkdir()), "cannot be read"),
    "a byte of the network differs": (
        lambda f: (f / GRAPH).write_bytes((SHIPPED / GRAPH).read_bytes()[:-1] + b"x"), "damaged: its encoder.onnx",
    ),
    "network cut": (lambda f: (f / GRAPH).write_bytes((SHIPPED / GRAPH).read_bytes()[:9_000]), "damaged"),
    "filters differ": (lambda f: (f / FILTERS).write_bytes(npy(BANK * 2)), "damaged: its mel_filters.npy"),
    "filters of another shape": (lambda f: put(f, FILTERS, npy(BANK.T)), r"not \(96, 257\)"),
    "filters of another type": (lambda f: put(f, FILTERS, npy(BANK.astype(np.float64))), "float32"),
    "filters not finite": (lambda f: put(f, FILTERS, npy(BANK * np.float32(np.nan))), "unusable numbers"),
    "filters negative": (lambda f: put(f, FILTERS, npy(BANK - 1)), "negative"),
    "filters pickled": (lambda f: put(f, FILTERS, npy(np.array([{}], object), allow_pickle=True)), "filter bank"),
    "filters are no array": (lambda f: put(f, FILTERS, b"PK\x03\x04"), "filter bank"),
    "filters cut": (lambda f: put(f, FILTERS, npy(BANK)[:-4]), "not .96, 257."),
    "filters cut within a number": (lambda f: put(f, FILTERS, npy(BANK)[:-1]), "cannot be read"),
    "filters with more behind": (lambda f: put(f, FILTERS, npy(BANK) + bytes(4)), "not .96, 257."),
    "filters by columns": (lambda f: put(f, FILTERS, npy(np.asfortranarray(BANK))), "not .96, 257."),
    "filters said to be huge": (
        lambda f: put(f, FILTERS, npy(BANK).replace(b"(96, 257)", b"(9**9, 9)")), "cannot be read",
    ),
    "filters empty": (lambda f: put(f, FILTERS, b""), "filter bank"),
    "network is no ONNX": (lambda f: put(f, GRAPH, b"\x00" * 100), "no ONNX file"),
    "network is empty": (lambda f: put(f, GRAPH, b""), "cannot be used"),
    "no pooled values": (lambda f: put(f, GRAPH, changed(lambda m: m.graph.output.pop())), "outputs"),
    "another input": (
        lambda f: put(f, GRAPH, changed(lambda m: m.graph.input.append(
            helper.make_tensor_value_info("more", TensorProto.FLOAT, [1])))), "input",
    ),
    "numbers in another file": (
        lambda f: put(f, GRAPH, changed(lambda m: onnx.external_data_helper.set_external_data(
            m.graph.initializer[1], "/etc/passwd"))), "another file",
    ),
    "operator of a vendor": (
        lambda f: put(f, GRAPH, changed(lambda m: setattr(m.graph.node[0], "domain", "com.microsoft"))), "standard",
    ),
    "not a number in it": (
        lambda f: put(f, GRAPH, changed(lambda m: setattr(
            next(t for t in m.graph.initializer if t.name == "dense_1/bias"), "raw_data",
            np.full(50, np.nan, np.float32).tobytes()))), "finite",
    ),
    "sizes that do not fit": (
        lambda f: on_card(f, sizes={"tags": 50, "embedding": 201, "pooled": 1506}), "outputs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_folder_is_refused(name: str, folder: Path) -> None:
    spoil, reason = BAD[name]
    spoil(folder)
    with pytest.raises(ModelError, match=reason):
        load(folder)


def test_the_order_of_outputs_does_not_matter(folder: Path) -> None:
    """They are asked for by name."""
    put(folder, GRAPH, changed(lambda model: model.graph.output.append(model.graph.output.pop(0))))
    found = load(folder).encode(ZEROS)
    np.testing.assert_array_equal(found.pooled, shipped().encode(ZEROS).pooled)


def test_an_input_of_any_number_of_patches_is_declared() -> None:
    [given_input] = onnx.load(SHIPPED / GRAPH).graph.input
    assert given_input.name == INPUT and given_input.type.tensor_type.shape.dim[0].dim_param == "n"
