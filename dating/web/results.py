"""What the page of an evening's results shows: its stored figures as rows with bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dating.models import Event

#: A bar that is full is so wide, in units of its drawing.
FULL: Final = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a bar; ``name`` is what it stands for, and its class."""

    name: str
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a plot: its label, the bar, and the figures in words."""

    label: str
    parts: Sequence[Part]
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """``key`` names the stretches of the bars, if there are several kinds, as pairs of class and text."""

    title: str
    lead: str
    label: str
    bars: Sequence[Bar]
    key: Sequence[tuple[str, str]] = ()


def plots_of(event: Event) -> list[Plot]:
    """Return the plots of an evening that has results; none without."""
    results = event.results
    if not results:
        return []
    said = [
        (label, name, results["reactions"].get(name, 0))
        for name, label in (("like", "Likes"), ("dislike", "Dislikes"), ("report", "Reports"))
    ]
    most = max(number for _, _, number in said)
    bars = [Bar(label, _bar((name, number), most=most), f"{number}") for label, name, number in said]
    lead = f"{_counted(results['matches'], 'pair')} matched: they liked each other."
    plots = [_people(results), Plot("What people said", lead, "Said", bars)]
    # What was stored by an older version has less in it.
    if results.get("by_round"):
        plots.insert(1, _rounds(results["by_round"]))
    if people := results.get("by_likes_received"):
        most = max(people)
        bars = [
            Bar(
                _counted(likes, "like"),
                _bar(("people", number), most=most),
                _counted(number, "person", "people"),
            )
            for likes, number in enumerate(people)
        ]
        plots.append(Plot("Likes that people got", "", "Likes", bars))
    return plots


def _people(results: Mapping[str, Any]) -> Plot:
    steps = [
        ("Registered", "registered"),
        ("Confirmed", "confirmed"),
        ("Took part", "took_part"),
        ("Came", "shows"),
        ("Matched somebody", "people_matched"),
    ]
    most = results["registered"]
    bars = [
        Bar(label, _bar(("people", results[name]), most=most), f"{results[name]}")
        for label, name in steps
        if name in results
    ]
    declined = results["declined"]
    lead = f"{declined} declined when asked." if declined else ""
    return Plot("From registration to a match", lead, "People", bars)


def _rounds(rounds: Sequence[Mapping[str, int]]) -> Plot:
    most = max(round_["planned"] for round_ in rounds)
    bars = []
    for round_ in rounds:
        held, planned = round_["held"], round_["planned"]
        text = f"{held} of {planned} held, {_counted(round_['likes'], 'like')}"
        parts = _bar(("held", held), ("not-held", planned - held), most=most)
        bars.append(Bar(f"Round {round_['round']}", parts, text))
    key = [("held", "held"), ("not-held", "not held")]
    return Plot("Dates by round", "Each like is for the person met in that round.", "Round", bars, key)


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _bar(*parts: tuple[str, int], most: int) -> list[Part]:
    """Stretches one after the other, in proportion; what there is at all can be seen."""
    found, x = [], 0
    for name, number in parts:
        if number > 0:
            width = max(round(FULL * number / most), 4)
            found.append(Part(name, x, width))
            x += width
    return found
