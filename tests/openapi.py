"""The API's schema, worked out once for all tests that go over its operations; it needs no database."""

from typing import Any, Final

from drf_spectacular.generators import SchemaGenerator

SCHEMA: Final[dict[str, Any]] = SchemaGenerator().get_schema(request=None, public=True)
