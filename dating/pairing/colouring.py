"""Edge colouring: dates into as few rounds as can be. A colour is a round; a vertex is a person."""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

#: How often the search for as many colours as the busiest person has dates begins anew, outside two pools.
TRIES: Final = 40
SEED: Final = 1916


def colour_classes(edges: Sequence[tuple[K, K]]) -> list[list[tuple[K, K]]]:
    """Colour the edges of a simple graph; return those of each colour, in the order given.

    Let d be the highest degree. Bipartite: d colours, by exchanging the two colours along a path from one
    end of the edge to be coloured (the proof of D. König, 1916; such a path never ends at the edge's other
    end). Else the same is tried in several orders, since there it may fail; if it always does, d + 1
    colours by the method of J. Misra and D. Gries (1992), which always do (V. G. Vizing, 1964).
    """
    most = max(Counter(person for edge in edges for person in edge).values(), default=0)
    classes, left_over = colour_within(edges, most)
    if not left_over:
        return classes
    colouring = _Colouring[K](most + 1)
    for one, other in edges:
        colouring.add_by_fan(one, other)
    return colouring.classes(edges)


def colour_within(
    edges: Sequence[tuple[K, K]], colours: int
) -> tuple[list[list[tuple[K, K]]], list[tuple[K, K]]]:
    """Colour as many edges as a bounded search can with so many colours; return the classes, and the rest.

    Edges in the order of such classes get no more colours than those again: each finds the colour of its
    own class free, if no earlier one.
    """
    shuffled = list(edges)
    chance = random.Random(SEED)  # noqa: S311  the same edges are to give the same rounds
    best, fewest = _Colouring[K](colours), len(edges) + 1
    for _ in range(TRIES):
        colouring = _Colouring[K](colours)
        left_over = sum(not colouring.add_by_exchange(one, other) for one, other in shuffled)
        if left_over < fewest:
            best, fewest = colouring, left_over
        if not fewest:
            break
        chance.shuffle(shuffled)
    classes = best.classes(edges)
    coloured = {edge for colour_class in classes for edge in colour_class}
    return classes, [edge for edge in edges if edge not in coloured]


class _Colouring(Generic[K]):
    """A proper colouring of the edges so far: ``at[person][colour]`` is the partner in that colour."""

    def __init__(self, colours: int) -> None:
        self.colours = range(colours)
        self.at: dict[K, dict[int, K]] = defaultdict(dict)

    def classes(self, edges: Sequence[tuple[K, K]]) -> list[list[tuple[K, K]]]:
        colour_of = {
            frozenset((person, partner)): colour
            for person, partners in self.at.items()
            for colour, partner in partners.items()
        }
        found: list[list[tuple[K, K]]] = [[] for _ in self.colours]
        for edge in edges:
            if (colour := colour_of.get(frozenset(edge))) is not None:
                found[colour].append(edge)
        return [colour_class for colour_class in found if colour_class]

    def add_by_exchange(self, one: K, other: K) -> bool:
        """Colour one more edge; False if no exchange of two colours makes room for it."""
        for colour in self.colours:
            if self._is_free(one, colour) and self._is_free(other, colour):
                self._set(one, other, colour)
                return True
        for of_one in self._free(one):
            for of_other in self._free(other):
                if self._path(other, of_one, of_other)[-1] != one:
                    self._exchange(other, of_one, of_other)
                    self._set(one, other, of_one)
                    return True
        return False

    def add_by_fan(self, hub: K, first: K) -> None:
        """Colour one more edge, with a colour more than the highest degree: always possible."""
        # As many of the hub's partners as can be, each one's edge in a colour free at the one before.
        fan = [first]
        rest = dict(self.at[hub])
        while (
            colour := next((candidate for candidate in rest if self._is_free(fan[-1], candidate)), None)
        ) is not None:
            fan.append(rest.pop(colour))
        of_hub = next(self._free(hub))
        of_last = next(self._free(fan[-1]))
        # From here on nothing is coloured ``of_last`` at the hub.
        self._exchange(hub, of_last, of_hub)
        upto = next(
            place
            for place, leaf in enumerate(fan)
            if self._is_free(leaf, of_last)
            and all(  # it is a fan still
                self._is_free(before, self._colour(hub, following))
                for before, following in pairwise(fan[: place + 1])
            )
        )
        for leaf, following in pairwise(fan[: upto + 1]):
            colour = self._colour(hub, following)
            del self.at[hub][colour], self.at[following][colour]
            self._set(hub, leaf, colour)
        self._set(hub, fan[upto], of_last)

    def _colour(self, one: K, other: K) -> int:
        return next(colour for colour, partner in self.at[one].items() if partner == other)

    def _is_free(self, person: K, colour: int) -> bool:
        return colour not in self.at[person]

    def _free(self, person: K) -> Iterator[int]:
        return (colour for colour in self.colours if colour not in self.at[person])

    def _path(self, start: K, colour: int, other_colour: int) -> list[K]:
        """The people along the edges of two colours in turn, from one at whom at most one of them is used."""
        path = [start]
        if self._is_free(start, colour):
            colour, other_colour = other_colour, colour
        while (following := self.at[path[-1]].get(colour)) is not None:
            path.append(following)
            colour, other_colour = other_colour, colour
        return path

    def _exchange(self, start: K, colour: int, other_colour: int) -> None:
        for person in self._path(start, colour, other_colour):
            at = self.at[person]
            found, other_found = at.pop(colour, None), at.pop(other_colour, None)
            if other_found is not None:
                at[colour] = other_found
            if found is not None:
                at[other_colour] = found

    def _set(self, one: K, other: K, colour: int) -> None:
        self.at[one][colour] = other
        self.at[other][colour] = one
