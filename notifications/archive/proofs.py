"""What shows to somebody else what became of a delivery, and can be checked without this service."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import orjson

from notifications import withheld
from notifications.archive import reading, rows, store
from notifications.archive.manifest import Manifest
from notifications.archive.reading import Archived
from notifications.archive.tables import FORMAT
from notifications.archive.tree import leaf_hash
from notifications.channels import registry
from notifications.models import Notification

NOT_YET: Final = "Not archived yet: the hash is that of the record as it is now, which may still change."
ARCHIVED: Final = "Archived: the record is in the tree whose root stands in the first manifest of the chain."


@dataclass(frozen=True)
class Proof:
    """A delivery's record as it lies in the tables, or in the archive with its place there."""

    record: bytes
    archived: Archived | None
    chain: list[Manifest]

    @cached_property
    def _values(self) -> dict[str, Any]:
        return dict(orjson.loads(self.record))

    @property
    def user_id(self) -> UUID | None:
        """Whom it was to."""
        user_id = self._values["delivery"]["user_id"]
        return UUID(user_id) if user_id else None

    @property
    def notice(self) -> Notification:
        """What was told; of one that is gone, nothing is known but that."""
        told = self._values["notification"] or {}
        names = ("kind", "source_type", "source_id")
        return Notification(**{name: told[name] for name in names if name in told})

    @property
    def holds_secrets(self) -> bool:
        """Whether there is something in it that others than its person may not see."""
        delivery = self._values["delivery"]
        address = registry.shown(delivery["channel"], delivery["address"])
        return address != delivery["address"] or withheld.shown(self._values) != self._values

    def export(self) -> dict[str, object]:
        """Return it as JSON values. Record and manifests are texts: their bytes are what is hashed."""
        return {
            "format": FORMAT,
            "explanation": ARCHIVED if self.archived else NOT_YET,
            "record": self.record.decode(),
            "leaf": leaf_hash(self.record).hex(),
            "archive": _place(self.archived, self.chain) if self.archived else None,
        }


def _place(of: Archived, chain: list[Manifest]) -> dict[str, object]:
    return {
        "month": str(of.manifest.month),
        "index": of.index,
        "leaves": of.manifest.tree.leaves,
        "path": [each.hex() for each in of.path],
        "root": of.manifest.tree.root,
        "chain": [
            {"month": str(each.month), "sha256": each.sha256, "manifest": each.text.decode()}
            for each in chain[of.manifest.number - 1 :]
        ],
    }


def proof(delivery_id: UUID) -> Proof | None:
    """Return the proof of a delivery, if there is any; raises ArchiveError if the archive can't be read."""
    archived = reading.find(delivery_id) if store.is_set() else None
    live = rows.one(delivery_id)
    if live and (archived is None or archived.delivered.record != live.record):
        return Proof(live.record, None, [])  # what has changed since it was archived will be again
    if archived is None:
        return None
    return Proof(archived.delivered.record, archived, reading.chain())
