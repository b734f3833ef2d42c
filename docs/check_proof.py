#!/usr/bin/env python3
"""Check the proof of a delivery without Tocsin: python3 check_proof.py proof.json [KNOWN_HASH …]

Needs nothing but Python. The proof is what GET /api/v1/deliveries/<id>/proof/ answers. KNOWN_HASH is the
SHA-256 of a manifest that you got at another time, or from somebody else: the proof must lead to it. Exits
with 1 where the proof does not hold. Copy, read and change this as you like.
"""

import hashlib
import json
import sys


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def root_from(leaf: bytes, index: int, leaves: int, path: list[bytes]) -> bytes:
    """Walk from a leaf to the root of its tree (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < leaves:
        raise ValueError("the record has no place in the tree")
    node, last = leaf, leaves - 1
    for sibling in path:
        if last == 0:
            raise ValueError("the path is too long")
        if index % 2 or index == last:
            node = sha256(b"\x01" + sibling + node)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            node = sha256(b"\x01" + node + sibling)
        index, last = index // 2, last // 2
    if last:
        raise ValueError("the path is too short")
    return node


def check(proof: dict, known: list[str]) -> list[str]:
    """Return what was found to hold; raises ValueError for what does not."""
    leaf = sha256(b"\x00" + proof["record"].encode())
    if leaf.hex() != proof["leaf"]:
        raise ValueError("the record is not the one that the leaf was made of")
    place = proof["archive"]
    if place is None:
        if known:
            raise ValueError("the delivery is not archived yet: no manifest vouches for it")
        return [f"The record has the hash {leaf.hex()}. It is not archived yet."]
    chain = place["chain"]
    manifests = [json.loads(each["manifest"]) for each in chain]
    hashes = [sha256(each["manifest"].encode()).hex() for each in chain]
    tree = manifests[0]["tree"]
    root = root_from(leaf, place["index"], tree["leaves"], [bytes.fromhex(each) for each in place["path"]])
    if root.hex() != tree["root"]:
        raise ValueError("the record is not in the tree of its month")
    for before, manifest in zip(hashes, manifests[1:], strict=False):
        if manifest["previous"] != before:
            raise ValueError(f"the manifest of {manifest['month']} does not follow from the one before it")
    for each in known:
        if each not in hashes:
            raise ValueError(f"the chain does not lead to {each}")
    return [
        f"The record is number {place['index'] + 1} of {tree['leaves']} of {manifests[0]['month']}.",
        f"{len(chain)} manifests follow from each other; the last has the hash {hashes[-1]}.",
        *(f"Known, and in the chain: {each}" for each in known),
    ]


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            proof = json.load(file)
        found = check(proof, sys.argv[2:])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        print(f"The proof does not hold: {error}")
        return 1
    print(*found, sep="\n")
    print(json.dumps(json.loads(proof["record"]), indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
