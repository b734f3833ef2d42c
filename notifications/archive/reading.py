"""Finding deliveries in the archive, by the manifests that the database remembers."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from notifications.archive import later, manifest, tree, verifying
from notifications.archive.faults import ArchiveError
from notifications.archive.manifest import NAME, Manifest
from notifications.archive.rows import Delivered, alert_of
from notifications.archive.store import Store, store
from notifications.archive.tables import ALERTS, ATTEMPTS, DELIVERIES, NOTIFICATIONS, Row, Table
from notifications.history.month import Month
from notifications.ids import moment_of
from notifications.models import ArchivedMonth, Notification

# In the order of the columns in the file, which is that of what is read.
_SAYS: Final = ("id", "kind", "title", "severity", "source_type", "source_id")


def chain() -> list[Manifest]:
    """Return the manifests as the database remembers them; raises ArchiveError where one is not as it was."""
    return [manifest_of(row) for row in ArchivedMonth.objects.order_by("number")]


def manifest_of(row: ArchivedMonth) -> Manifest:
    """Return the manifest that is remembered; raises ArchiveError where it is not as it was."""
    return _manifest(settings.ARCHIVE_URL, manifest.folder_of(Month(row.month), row.revision), row.sha256)


@lru_cache(maxsize=256)
def _manifest(url: str, folder: str, sha256: str) -> Manifest:
    """Read a manifest once: it never changes."""
    place = f"{folder}/{NAME}"
    try:
        found = manifest.read(store(), place)
    except (ValueError, OSError) as error:
        raise ArchiveError(f"{place}: {error}") from error
    if found.sha256 != sha256:
        raise ArchiveError(f"{place}: it is not the manifest that was written")
    return found


@contextmanager
def opened(archive: Store, of: Manifest, table: Table) -> Iterator[Any]:
    """A reader of one of a month's files; raises ArchiveError where it can't be read."""
    place = of.place(table.file)
    try:
        with archive.open(place) as source:
            yield later.parquet().Reader(source)
    except (ValueError, OSError) as error:  # pyarrow's errors are these, too
        raise ArchiveError(f"{place}: {error}") from error


@dataclass(frozen=True, slots=True)
class Archived:
    """A delivery in the archive: its record, and the way from there to the root in a month's manifest."""

    delivered: Delivered
    manifest: Manifest
    index: int
    path: list[bytes]


def find(delivery_id: UUID) -> Archived | None:
    """Return a delivery as it was archived last; raises ArchiveError where it is not as it was written."""
    of = manifest.latest(chain()).get(Month.of(moment_of(delivery_id)))
    if of is None:
        return None
    archive, wanted = store(), str(delivery_id)
    with opened(archive, of, DELIVERIES) as file:
        found = _place(file, wanted)
        if found is None:
            return None
        group, index, leaves = found
        row = next(file.where("id", [wanted]))[: len(DELIVERIES.columns)]
    notification_id = row[DELIVERIES.index("notification_id")]
    with opened(archive, of, NOTIFICATIONS) as file:
        told = next(file.where("id", [notification_id]), None)
    with opened(archive, of, ATTEMPTS) as file:
        attempts = list(file.where("delivery_id", [row[0]]))
    alert = None
    if told and (alert_uuid := alert_of(told)):
        with opened(archive, of, ALERTS) as file:
            alert = next(file.where("alert_uuid", [alert_uuid]), None)
    facts = (NOTIFICATIONS.json(told) if told else None, ALERTS.json(alert) if alert else None)
    delivered = Delivered(row, attempts, *facts)
    path = tree.path_of(index, leaves) + tree.path_of(group, verifying.tree_roots(archive, of))
    place = group * tree.CHUNK + index
    root = bytes.fromhex(of.tree.root)
    if not tree.leads_to(root, delivered.leaf, index=place, leaves=of.tree.leaves, path=path):
        raise ArchiveError(f"{of.place(DELIVERIES.file)}: delivery {wanted} is not as it was written")
    return Archived(delivered, of, place, path)


def _place(file: Any, delivery_id: str) -> tuple[int, int, list[bytes]] | None:
    """Return the chunk that a delivery is in, its place there, and the leaves of that chunk."""
    for group in file.groups("id", [delivery_id]):
        ids, leaves = zip(*file.group(group, ["id", "leaf"]), strict=True)
        if delivery_id in ids:
            return group, ids.index(delivery_id), list(leaves)
    return None


def of_person(user_id: UUID, of: Manifest) -> Iterator[tuple[Row, Row | None]]:
    """Yield a person's deliveries of a month, in the order of their ids, each with what it tells of."""
    archive = store()
    with opened(archive, of, DELIVERIES) as file:
        rows = [row[: len(DELIVERIES.columns)] for row in file.where("user_id", [str(user_id)])]
    place = DELIVERIES.index("notification_id")
    with opened(archive, of, NOTIFICATIONS) as file:
        told = {row[0]: row for row in file.where("id", {row[place] for row in rows})} if rows else {}
    for row in rows:
        yield row, told.get(row[place])


def backwards(
    of: Manifest, values: Mapping[str, Collection[str]], *, below: str
) -> Iterator[tuple[str, list[Row]]]:
    """Yield a month's deliveries below an id that have one of these values in each column, the last first.

    They come row group by row group, each with the least id in it; it may have no such delivery.
    """
    archive = store()
    with opened(archive, of, DELIVERIES) as file:
        for group, (least, _) in reversed(list(enumerate(file.spans("id")))):
            if least < below:
                rows = [row[: len(DELIVERIES.columns)] for row in file.matching(group, values)]
                yield least, [row for row in reversed(rows) if row[0] < below]


def notifications(of: Manifest, ids: Collection[str]) -> dict[str, Notification]:
    """Return what these deliveries of a month tell of, by its id, without its texts."""
    if not ids:
        return {}
    with opened(store(), of, NOTIFICATIONS) as file:
        rows = file.where("id", ids, _SAYS)
        return {row[0]: Notification(**dict(zip(_SAYS, row, strict=True))) for row in rows}
