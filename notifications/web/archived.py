"""What the history finds in the archive, for whoever asks for it: never without being asked."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from notifications.archive import looking
from notifications.archive.faults import ArchiveError
from notifications.explanations import explain
from notifications.ids import moment_of
from notifications.models import Delivery
from notifications.web.forms.history import HistoryForm, in_query

#: As the parameter ``archive`` of an address: begin with what is in the archive alone. Later it is an id.
FIRST: Final = "first"


@dataclass(frozen=True, slots=True)
class Archived:
    """Deliveries of the archive that follow those of the tables, the newest first."""

    rows: list[Delivery] = field(default_factory=list)
    #: The query that goes on, and since when was looked; empty where the archive has no more.
    further: str = ""
    looked_since: datetime | None = None
    #: Why the archive can't be read.
    fault: str = ""

    @property
    def told(self) -> list[tuple[Delivery, str]]:
        """Return each with why it is as it is."""
        return [(each, explain(each)) for each in self.rows]


def offer(form: HistoryForm) -> str:
    """Return the query that looks in the archive too; empty where that would find nothing.

    It is offered of a person, and where the time begins before the tables do.
    """
    said = form.cleaned_data
    if said["error"] or not (said["person"] or said["since"]):
        return ""
    boundary = looking.boundary()
    if boundary is None or (said["since"] and said["since"] >= moment_of(boundary)):
        return ""
    # All there is of a person, and not of the last week alone.
    since = {} if said["since"] else {"since": in_query(looking.begins())}
    return form.address(archive=FIRST, **since)


def found(form: HistoryForm, asked: str, *, most: int, now: datetime) -> Archived:
    """Look in the archive.

    Args:
        asked: ``FIRST``, or the id below which to go on.
    """
    below = looking.boundary() if asked == FIRST else UUID(asked)
    if below is None:
        return Archived()
    try:
        look = looking.look(form.archive_wanted(now), below=below, most=most)
    except ArchiveError as error:
        return Archived(fault=str(error))
    if look.further is None:
        return Archived(look.found)
    return Archived(look.found, form.address(archive=look.further), moment_of(look.further))
