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
    reactions = results["reactions"]
    names = [("like", "Likes"), ("dislike", "Dislikes"), ("report", "Reports")]
    most = max(reactions.get(name, 0) for name, _ in names)
    bars = [
        Bar(label, _bar((name, reactions.get(name, 0)), most=most), f"{reactions.get(name, 0)}")
        for name, label in names
    ]
    matches = results["matches"]
    lead = f"{matches} pair{'' if matches == 1 else 's'} matched: they liked each other."
    plots = [_people(results), Plot("What people said", lead, "Said", bars)]
    # What was stored by an older version has less in it.
    if rounds := results.get("by_round"):
        plots.insert(1, _rounds(rounds))
    if results.get("by_likes_received"):
        people = results["by_likes_received"]
        most = max(people)
        bars = [
            Bar(
                f"{likes} like{'' if likes == 1 else 's'}",
                _bar(("people", number), most=most),
                f"{number} {'person' if number == 1 else 'people'}",
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
        held, not_held = round_["held"], round_["planned"] - round_["held"]
        text = (
            f"{held} of {round_['planned']} held, {round_['likes']} like{'' if round_['likes'] == 1 else 's'}"
        )
        bars.append(
            Bar(f"Round {round_['round']}", _bar(("held", held), ("not-held", not_held), most=most), text)
        )
    key = [("held", "held"), ("not-held", "not held")]
    return Plot("Dates by round", "Each like is for the person met in that round.", "Round", bars, key)


def _bar(*parts: tuple[str, int], most: int) -> list[Part]:
    """Stretches one after the other, in proportion; what there is at all can be seen."""
    found, x = [], 0
    for name, number in parts:
        if number > 0:
            width = max(round(FULL * number / most), 4)
            found.append(Part(name, x, width))
            x += width
    return found
