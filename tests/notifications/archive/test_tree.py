"""The tree is that of RFC 9162, and a path leads from each leaf to its root, and from no other."""

import hashlib

import pytest

from notifications.archive import tree


def of_the_rfc(nodes: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, over leaf hashes."""
    if len(nodes) < 2:
        return nodes[0] if nodes else hashlib.sha256(b"").digest()
    split = 1
    while split * 2 < len(nodes):
        split *= 2
    left, right = of_the_rfc(nodes[:split]), of_the_rfc(nodes[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize("count", [*range(20), 31, 32, 33, 100])
def test_tree_and_paths(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "CHUNK", 8)
    chunks = tree.Chunks()
    leaves = [tree.leaf_hash(bytes([number])) for number in range(count)]
    for leaf in leaves:
        chunks.add(leaf)
    roots = chunks.roots
    root = tree.root_of(leaves)
    assert root == of_the_rfc(leaves) == tree.root_of(roots)
    for index, leaf in enumerate(leaves):
        chunk = leaves[index // 8 * 8 :][:8]
        path = tree.path_of(index % 8, chunk) + tree.path_of(index // 8, roots)
        assert path == tree.path_of(index, leaves)
        assert tree.leads_to(root, leaf, index=index, leaves=count, path=path)
        for other in range(-1, count + 1):
            leads = tree.leads_to(root, leaf, index=other, leaves=count, path=path)
            assert leads == (other == index)
        assert not tree.leads_to(root, leaf, index=index, leaves=count, path=[*path, leaf])
