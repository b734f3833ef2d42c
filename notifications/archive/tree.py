"""A Merkle tree over the deliveries of a month, as RFC 9162 (2.1) has it, with SHA-256.

Its leaves are taken in chunks of a power of two, whose roots are nodes of the tree: so a path is found with
the leaves of one chunk and the roots of all.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

#: Leaves of a chunk; a row group of the deliveries' file has as many.
CHUNK: Final = 1 << 14


def leaf_hash(record: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + record).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _above(level: Sequence[bytes]) -> list[bytes]:
    """Return the next level; a last one without a partner goes up as it is, as by the RFC's recursion."""
    paired = [_node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return [*paired, *level[len(paired) * 2 :]]


def root_of(nodes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes, or over the roots of whole chunks and a last one."""
    if not nodes:
        return hashlib.sha256(b"").digest()
    while len(nodes) > 1:
        nodes = _above(nodes)
    return nodes[0]


def path_of(index: int, nodes: Sequence[bytes]) -> list[bytes]:
    """Return the siblings of a node from the bottom up (RFC 9162, 2.1.3.1)."""
    path: list[bytes] = []
    while len(nodes) > 1:
        if (sibling := index ^ 1) < len(nodes):
            path.append(nodes[sibling])
        nodes, index = _above(nodes), index // 2
    return path


class Chunks:
    """The roots of chunks, whose leaves come one by one."""

    def __init__(self) -> None:
        self._roots: list[bytes] = []
        self._leaves: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        self._leaves.append(leaf)
        if len(self._leaves) == CHUNK:
            self._roots.append(root_of(self._leaves))
            self._leaves = []

    @property
    def roots(self) -> list[bytes]:
        """Those of the whole chunks, and of the last one as it is."""
        return [*self._roots, root_of(self._leaves)] if self._leaves else self._roots


def leads_to(root: bytes, leaf: bytes, *, index: int, leaves: int, path: Sequence[bytes]) -> bool:
    """Whether a path leads from a leaf to the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < leaves:
        return False
    place, last, node = index, leaves - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = _node_hash(sibling, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = _node_hash(node, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and node == root
