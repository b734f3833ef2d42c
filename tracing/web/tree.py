"""The picture of an exposure tree: a column for each degree, a row for each device that leads no further."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

COLUMN: Final = 210
ROW: Final = 40
HEAD: Final = 34
MARGIN: Final = 14
LABEL: Final = 146
DIGIT: Final = 8
#: Devices that are drawn; the table has them all.
DRAWN_MAX: Final = 120


@dataclass(frozen=True, slots=True)
class Person:
    """What the tree needs of an exposure."""

    device: int
    via: int
    degree: int
    onset: datetime
    seconds: int
    is_told: bool


@dataclass(frozen=True, slots=True)
class Node:
    device: int
    degree: int
    x: int
    y: int
    onset: datetime | None
    minutes: int
    is_told: bool


@dataclass(frozen=True, slots=True)
class Column:
    x: int
    degree: int
    count: int


@dataclass(frozen=True, slots=True)
class Tree:
    """``edges`` are paths of SVG; ``left_out`` says how many devices are not drawn."""

    width: int
    height: int
    nodes: list[Node]
    edges: list[str]
    columns: list[Column]
    left_out: int


def tree_of(case_device: int, people: Sequence[Person]) -> Tree:
    """Lay out a tree: parents in the middle of their children, and these by the onset of their exposure."""
    # The nearest, each of whom is reached by one of the others.
    drawn: list[Person] = []
    known = {case_device}
    for person in sorted(people, key=lambda each: (each.degree, each.onset, each.device)):
        if len(drawn) == DRAWN_MAX:
            break
        if person.via in known and person.device not in known:
            known.add(person.device)
            drawn.append(person)
    children: dict[int, list[Person]] = defaultdict(list)
    for person in sorted(drawn, key=lambda each: (each.onset, each.device)):
        children[person.via].append(person)
    rows = _rows(case_device, children)
    nodes = [Node(case_device, 0, MARGIN, _y(rows[case_device]), None, 0, True)]
    for person in drawn:
        x, y = MARGIN + person.degree * COLUMN, _y(rows[person.device])
        nodes.append(
            Node(person.device, person.degree, x, y, person.onset, person.seconds // 60, person.is_told)
        )
    places = {node.device: node for node in nodes}
    edges = []
    for person in drawn:
        start, end = places[person.via], places[person.device]
        # From behind the label, so that no line goes through what is to be read.
        begin = start.x + (LABEL if start.degree else 24 + DIGIT * len(str(start.device)))
        middle = (begin + end.x) // 2
        edges.append(f"M{begin} {start.y} C{middle} {start.y} {middle} {end.y} {end.x} {end.y}")
    degrees = sorted({node.degree for node in nodes})
    counts = Counter(person.degree for person in people)
    columns = [Column(MARGIN + degree * COLUMN, degree, counts[degree]) for degree in degrees]
    width = MARGIN * 2 + max(degrees) * COLUMN + LABEL
    height = max(node.y for node in nodes) + ROW
    return Tree(width, height, nodes, edges, columns, len(people) - len(drawn))


def _rows(root: int, children: dict[int, list[Person]]) -> dict[int, float]:
    """Give leaves the next free row each, and the others the middle of theirs; without recursion."""
    rows: dict[int, float] = {}
    free = 0
    stack = [(root, False)]
    while stack:
        device, is_left = stack.pop()
        own = [person.device for person in children.get(device, ())]
        if is_left:
            rows[device] = (rows[own[0]] + rows[own[-1]]) / 2
        elif own:
            stack.append((device, True))
            stack.extend((child, False) for child in reversed(own))
        else:
            rows[device] = free
            free += 1
    return rows


def _y(row: float) -> int:
    return HEAD + MARGIN + round(row * ROW)
