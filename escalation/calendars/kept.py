"""Who is on call by external calendars, as it was last read of them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from config.sql import rows
from config.statements import named
from escalation.calendars.facts import Spell

# A row for each calendar: thousands of rows take psycopg ten times as long. What was read at another address
# than the layer has now doesn't count.
_SPELLS: Final = """
SELECT layer.id,
       array_agg(spell.user_id ORDER BY spell.id),
       array_agg(extract(epoch FROM spell.starts_at)::float8 ORDER BY spell.id),
       array_agg(extract(epoch FROM spell.ends_at)::float8 ORDER BY spell.id),
       array_agg(spell.priority::int ORDER BY spell.id)
  FROM escalation_layer AS layer
  JOIN escalation_layercalendar AS calendar ON calendar.layer_id = layer.id AND calendar.url = layer.ical_url
  JOIN escalation_calendarspell AS spell ON spell.calendar_id = calendar.id
 WHERE layer.id = ANY (%(layers)s::bigint[])
 GROUP BY layer.id
"""
named("calendars.spells", "Read who is on call by the external calendars of layers.", _SPELLS)


def spells_by_layer(layers: Iterable[int]) -> dict[int, tuple[Spell, ...]]:
    """Return the spells of layers that have any, by the layer's id."""
    return {
        layer: tuple(map(Spell, people, map(_at, begins), map(_at, ends), priorities))
        for layer, people, begins, ends, priorities in rows(_SPELLS, {"layers": list(layers)})
    }


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
