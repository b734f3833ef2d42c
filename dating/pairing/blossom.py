"""A largest matching in any graph, by J. Edmonds' blossoms (1965): pairs in one pool."""

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


def largest_matching(
    edges: Sequence[tuple[K, K]], *, begin_with: Iterable[tuple[K, K]], urgent_first: Iterable[K]
) -> list[tuple[K, K]]:
    """Choose as many edges as can be of which no two share a vertex; return them in the order given.

    Everyone who is in ``begin_with``, edges of a matching, stays paired, though not always with the same.
    Of the others, whoever comes earlier in ``urgent_first`` is preferred.
    """
    search = _Search(edges, begin_with)
    for vertex in urgent_first:
        if vertex not in search.partner:
            search.pair_up(vertex)
    return [(one, other) for one, other in edges if search.partner.get(one) == other]


class _Search(Generic[K]):
    """A matching that grows by alternating paths; odd circles on the way are shrunk to their base."""

    def __init__(self, edges: Iterable[tuple[K, K]], begin_with: Iterable[tuple[K, K]]) -> None:
        self.near: dict[K, list[K]] = {}
        for one, other in edges:
            self.near.setdefault(one, []).append(other)
            self.near.setdefault(other, []).append(one)
        self.partner: dict[K, K] = {}
        for one, other in begin_with:
            self._join(one, other)

    def pair_up(self, root: K) -> bool:
        """Find a partner for one vertex, by having others change theirs if need be."""
        self.base = {vertex: vertex for vertex in self.near}
        self.parent: dict[K, K] = {}
        self.reached = {root}
        self.waiting = deque([root])
        while self.waiting:
            here = self.waiting.popleft()
            for there in self.near[here]:
                if self.base[here] == self.base[there] or self.partner.get(here) == there:
                    continue
                if there in self.reached:
                    self._shrink(here, there)
                elif there not in self.parent:
                    self.parent[there] = here
                    if there not in self.partner:
                        self._change_partners(there)
                        return True
                    self._reach(self.partner[there])
        return False

    def _reach(self, vertex: K) -> None:
        if vertex not in self.reached:
            self.reached.add(vertex)
            self.waiting.append(vertex)

    def _shrink(self, one: K, other: K) -> None:
        """Two reached vertices are neighbours: an odd circle, all of which is reached by this."""
        base = self._common_base(one, other)
        circle = self._mark(one, base, other) | self._mark(other, base, one)
        for vertex in self.near:
            if self.base[vertex] in circle:
                self.base[vertex] = base
                self._reach(vertex)

    def _common_base(self, one: K, other: K) -> K:
        passed = set()
        while True:
            one = self.base[one]
            passed.add(one)
            if one not in self.partner or self.partner[one] not in self.parent:
                break
            one = self.parent[self.partner[one]]
        while (other := self.base[other]) not in passed:
            other = self.parent[self.partner[other]]
        return other

    def _mark(self, vertex: K, base: K, child: K) -> set[K]:
        """Walk from a vertex to the base of its circle, noting the way back; return what lies on it."""
        circle = set()
        while self.base[vertex] != base:
            partner = self.partner[vertex]
            circle |= {self.base[vertex], self.base[partner]}
            self.parent[vertex] = child
            child = partner
            vertex = self.parent[partner]
        return circle

    def _change_partners(self, end: K) -> None:
        vertex: K | None = end
        while vertex is not None:
            one = self.parent[vertex]
            following = self.partner.get(one)
            self._join(one, vertex)
            vertex = following

    def _join(self, one: K, other: K) -> None:
        self.partner[one] = other
        self.partner[other] = one
