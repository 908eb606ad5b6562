"""The form of a recipe: what a person chooses is what is trained."""

from streamlit.testing.v1 import AppTest

from core.recipes import TrainingRecipe


def form() -> None:
    import streamlit as st

    from app import recipe_form

    st.session_state["made"] = recipe_form.more_choices()


def balance(n: int) -> None:
    from collections import Counter

    from app import recipe_form

    recipe_form.in_balance(Counter(a=12, b=n, c=1), ("a", "b"))


def test_left_alone_it_is_the_usual_recipe() -> None:
    shown = AppTest.from_function(form, default_timeout=60).run()
    assert not shown.exception
    assert TrainingRecipe(**shown.session_state["made"]) == TrainingRecipe()


def test_every_choice_comes_through() -> None:
    shown = AppTest.from_function(form, default_timeout=60).run()
    shown.selectbox[0].select("musicrecnet_svm")
    shown.run()
    shown.selectbox[1].select("sgd").run()
    assert any("support vector machines, as its authors" in caption.value for caption in shown.caption)
    next(slider for slider in shown.slider if slider.label.startswith("Faster")).set_value(10)
    shown.run()
    recipe = TrainingRecipe(**shown.session_state["made"])
    assert (recipe.network, recipe.optimizer, recipe.learning_rate, recipe.stretch) == (
        "musicrecnet_svm",
        "sgd",
        0.05,
        0.1,
    )


def test_an_imbalance_is_told_with_what_is_done_about_it() -> None:
    assert (
        "count up to 4 times"
        in AppTest.from_function(balance, default_timeout=60, kwargs={"n": 3}).run().caption[0].value
    )
    assert not AppTest.from_function(balance, default_timeout=60, kwargs={"n": 11}).run().caption
