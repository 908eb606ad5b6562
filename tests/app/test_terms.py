"""Words with pictures: each has one, drawn as an image that a browser can read, and a sentence."""

from base64 import b64decode

import pytest
from defusedxml import ElementTree
from streamlit.testing.v1 import AppTest

from app.terms import HEIGHT, TERMS, WIDTH


@pytest.mark.parametrize("name", TERMS)
def test_a_word_has_a_picture_and_says_what_it_means(name: str) -> None:
    drawn = ElementTree.fromstring(TERMS[name].picture())
    shapes = list(drawn)
    assert len(shapes) > 5
    for shape in shapes:
        if shape.tag.endswith("rect"):
            x, y, width, height = (float(shape.attrib[side]) for side in ("x", "y", "width", "height"))
            assert 0 <= x <= x + width <= WIDTH, name
            assert 0 <= y <= y + height <= HEIGHT, name
    assert TERMS[name].means.endswith(".")


def _shown(name: str) -> None:
    from app.terms import term

    term(name)


@pytest.mark.parametrize(
    ("name", "asked"),
    [("crop", "What is a crop?"), ("epoch", "What is an epoch?"), ("validation", "What is validation?")],
)
def test_it_is_behind_a_small_button(name: str, asked: str) -> None:
    shown = AppTest.from_function(_shown, kwargs={"name": name}).run()
    assert not shown.exception
    (popover,) = shown.get("popover")
    assert popover.proto.popover.label == asked
    assert shown.markdown[0].value == TERMS[name].means
    (image,) = shown.get("image")
    drawn = b64decode(image.proto.imgs[0].url.partition(",")[2]).decode()
    assert drawn == TERMS[name].picture()
