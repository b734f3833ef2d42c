"""Who is to be told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is to be told: a query for one column of user ids, and the time as of which that is asked.

    ``as_of`` is a parameter of the query too. ``fact_at`` is a time that the fact itself names, if it does:
    it goes into the ids of its deliveries, which are the same when a crash makes the fact come again. It is
    near ``as_of``, since ids are in the order of time.
    """

    sql: str
    parameters: Mapping[str, Any]
    as_of: datetime
    fact_at: datetime | None = None


def people(user_ids: Sequence[UUID], *, as_of: datetime) -> Audience:
    """Return these people, each once; who is inactive, or gone, is left out by the fan-out.

    Args:
        as_of: when the fact happened. Contact points that were confirmed later are not told of it.
    """
    return Audience(
        sql="SELECT DISTINCT unnest(%(people)s::uuid[])", parameters={"people": list(user_ids)}, as_of=as_of
    )
