"""What the page of an evening's results shows: its stored figures as rows with bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext, ngettext

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
        for name, label in (
            ("like", gettext("Likes")),
            ("dislike", gettext("Dislikes")),
            ("report", gettext("Reports")),
        )
    ]
    most = max(number for _, _, number in said)
    bars = [Bar(label, _bar((name, number), most=most), f"{number}") for label, name, number in said]
    lead = ngettext(
        "%(count)d pair matched: they liked each other.",
        "%(count)d pairs matched: they liked each other.",
        results["matches"],
    ) % {"count": results["matches"]}
    plots = [_people(results), Plot(gettext("What people said"), lead, gettext("Said"), bars)]
    # What was stored by an older version has less in it.
    if results.get("by_round"):
        plots.insert(1, _rounds(results["by_round"]))
    if people := results.get("by_likes_received"):
        most = max(people)
        bars = [
            Bar(
                _likes(likes),
                _bar(("people", number), most=most),
                ngettext("%(count)d person", "%(count)d people", number) % {"count": number},
            )
            for likes, number in enumerate(people)
        ]
        plots.append(Plot(gettext("Likes that people got"), "", gettext("Likes"), bars))
    return plots


def _people(results: Mapping[str, Any]) -> Plot:
    # Where nobody has given a sign, they may have met by other ways: then dates count as held.
    is_unknown = bool(results.get("dates_held")) and not results.get("shows")
    steps = [
        (gettext("Registered"), "registered"),
        (gettext("Confirmed"), "confirmed"),
        (gettext("Took part"), "took_part"),
        (gettext("Came"), "shows"),
        (gettext("Matched somebody"), "people_matched"),
    ]
    most = results["registered"]
    bars = [
        Bar(label, _bar(("people", results[name]), most=most), f"{results[name]}")
        for label, name in steps
        if name in results and not (name == "shows" and is_unknown)
    ]
    declined = results["declined"]
    lead = (
        ngettext("%(count)d person declined when asked.", "%(count)d people declined when asked.", declined)
        % {"count": declined}
        if declined
        else ""
    )
    if is_unknown:
        unknown = gettext("Nobody gave a sign, so who came isn't known, and each date counts as held.")
        lead = f"{lead} {unknown}".strip()
    return Plot(gettext("From registration to a match"), lead, gettext("People"), bars)


def _rounds(rounds: Sequence[Mapping[str, int]]) -> Plot:
    most = max(round_["planned"] for round_ in rounds)
    bars = []
    for round_ in rounds:
        held, planned = round_["held"], round_["planned"]
        said = gettext("%(held)d of %(planned)d held, %(likes)s")
        text = said % {"held": held, "planned": planned, "likes": _likes(round_["likes"])}
        parts = _bar(("held", held), ("not-held", planned - held), most=most)
        bars.append(Bar(gettext("Round %(number)s") % {"number": round_["round"]}, parts, text))
    key = [("held", gettext("held")), ("not-held", gettext("not held"))]
    return Plot(
        gettext("Dates by round"),
        gettext("Each like is for the person met in that round."),
        gettext("Round"),
        bars,
        key,
    )


def _likes(number: int) -> str:
    return ngettext("%(count)d like", "%(count)d likes", number) % {"count": number}


def _bar(*parts: tuple[str, int], most: int) -> list[Part]:
    """Stretches one after the other, in proportion; what there is at all can be seen."""
    found, x = [], 0
    for name, number in parts:
        if number > 0:
            width = max(round(FULL * number / most), 4)
            found.append(Part(name, x, width))
            x += width
    return found
