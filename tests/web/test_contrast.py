"""WCAG AA: 4.5 for text (1.4.3), 3 for what one must see to use a control (1.4.11)."""

import re

import pytest

from tests.web.stylesheet import PATH, contrast, tokens

TEXT = [
    ("ink", "page"),
    ("ink", "surface"),
    ("ink", "raised"),
    ("muted", "page"),
    ("muted", "surface"),
    ("muted", "raised"),
    ("accent", "page"),
    ("accent", "surface"),
    ("accent", "raised"),
    ("accent", "accent-soft"),
    ("accent-hover", "page"),
    ("accent-hover", "surface"),
    ("accent-hover", "raised"),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("on-alarm", "alarm"),
    ("alarm", "surface"),
    ("alarm", "raised"),
    ("alarm", "alarm-soft"),
    ("good", "surface"),
    ("good", "good-soft"),
    ("warn", "warn-soft"),
]
CONTROLS = [
    ("control", "surface"),
    ("control", "page"),
    ("focus", "page"),
    ("focus", "surface"),
    ("focus", "raised"),
    ("alarm", "surface"),
    ("alarm", "page"),
    ("good", "page"),
    ("warn", "surface"),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT)
def test_text_can_be_read(theme: str, front: str, back: str) -> None:
    colours = tokens()[theme]
    assert contrast(colours[front], colours[back]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), CONTROLS)
def test_controls_can_be_seen(theme: str, front: str, back: str) -> None:
    colours = tokens()[theme]
    assert contrast(colours[front], colours[back]) >= 3


@pytest.mark.slow
def test_the_formula_gives_what_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    # The lightest grey on white that passes, by the standard's own examples.
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.slow
def test_both_sets_have_the_same_colours() -> None:
    light, dark = tokens()["light"], tokens()["dark"]
    assert light.keys() == dark.keys()
    assert len(light) > 15


@pytest.mark.slow
def test_every_colour_is_a_token() -> None:
    rules = PATH.read_text()[PATH.read_text().index("/* --- Ground") :]
    # The shadow is none that anything must be told by.
    assert re.findall(r"#[0-9a-f]{3,8}\b|\b(?:hsl|oklch)\(", rules) == []
    assert re.findall(r"\brgb\([^)]*\)", rules) == ["rgb(0 0 0 / 0.18)"]
