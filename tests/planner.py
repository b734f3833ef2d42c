"""PostgreSQL's planner as on a new database, so that its choices don't hang on what ran before."""

from typing import Final

from django.db import connection

#: Other tests, and autovacuum among them, leave statistics by which the planner might choose otherwise.
WITHOUT_STATISTICS: Final = """
SELECT pg_clear_relation_stats('public', relname::text)
  FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'i');
SELECT pg_clear_attribute_stats(schemaname::text, tablename::text, attname::text, inherited)
  FROM pg_stats WHERE schemaname = 'public'
"""


def prefer_indexes() -> None:
    """Until the transaction ends, tables are read whole only where no index is of use."""
    with connection.cursor() as cursor:
        cursor.execute(WITHOUT_STATISTICS)
        cursor.execute("SET LOCAL enable_seqscan = off")
