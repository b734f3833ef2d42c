"""All that is stored about a person, in one JSON document: each app says what of its tables is theirs.

tests/accounts/test_personal_data.py asks for it, of every model from which a way leads to a person.
"""

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import IO, Any, Final

import orjson
from django.db.models import Model, QuerySet
from django.http import HttpResponse

from accounts.models import User
from config import clock

#: Packages that have an ``export`` module.
APPS: Final = ("accounts", "notifications", "escalation", "tracing", "dating")
#: Bytes of JSON from which on it is packed: a person may have a million deliveries.
PACKED_FROM: Final = 32_000_000
#: Rows that are read at once.
BATCH: Final = 1000

JSON_TYPE: Final = "application/json"
ZIP_TYPE: Final = "application/zip"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """A list in the document: what of these models is a person's."""

    name: str
    models: Sequence[type[Model]]
    rows: Callable[[User], Iterable[Row]]


def sections() -> Iterator[Section]:
    for app in APPS:
        yield from import_module(f"{app}.export").SECTIONS


def left_out() -> dict[type[Model], str]:
    """Return the models that lead to a person and are not in the document, and why."""
    return {model: why for app in APPS for model, why in import_module(f"{app}.export").LEFT_OUT.items()}


def paged(rows: QuerySet[Any], *fields: str, **renamed: Any) -> Iterator[Row]:
    """Yield rows as dictionaries, page by page: no statement takes long, however many there are."""
    key = rows.model._meta.pk.name
    rows = rows.order_by(key)
    after = None
    while True:
        page = list(
            (rows.filter(**{f"{key}__gt": after}) if after else rows).values(key, *fields, **renamed)[:BATCH]
        )
        for row in page:
            after = row[key]
            yield {name: row[name] for name in (*fields, *renamed)}
        if len(page) < BATCH:
            return


def sliced(model: type[Model]) -> Iterator[QuerySet[Any]]:
    """Yield all of a table, slice by slice, for what no index finds."""
    rows, after = model._base_manager.order_by("pk"), None
    while True:
        rest = rows if after is None else rows.filter(pk__gt=after)
        keys = list(rest.values_list("pk", flat=True)[:BATCH])
        yield model._base_manager.filter(pk__in=keys)
        if len(keys) < BATCH:
            return
        after = keys[-1]


def written(user: User, to: IO[bytes]) -> None:
    """Write the document, row by row."""
    to.write(b'{"exported_at":' + orjson.dumps(clock.now(), option=orjson.OPT_UTC_Z))
    for section in sections():
        to.write(b",\n" + orjson.dumps(section.name) + b":[")
        for number, row in enumerate(section.rows(user)):
            to.write((b",\n" if number else b"\n") + orjson.dumps(row, default=str, option=orjson.OPT_UTC_Z))
        to.write(b"]")
    to.write(b"}\n")


def document(user: User) -> tuple[bytes, str]:
    """Return the document and its media type: JSON; what is large comes as a zip with that in it."""
    with tempfile.SpooledTemporaryFile(max_size=PACKED_FROM) as whole:
        written(user, whole)
        size = whole.tell()
        whole.seek(0)
        if size <= PACKED_FROM:
            return whole.read(), JSON_TYPE
        packed = io.BytesIO()
        with (
            zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open(f"{user.pk}.json", "w", force_zip64=True) as file,
        ):
            while block := whole.read(1 << 20):
                file.write(block)
        return packed.getvalue(), ZIP_TYPE


def download(user: User) -> HttpResponse:
    """Return the document as an answer that a browser saves, and no cache."""
    content, media_type = document(user)
    ending = "json" if media_type == JSON_TYPE else "zip"
    response = HttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{user.pk}.{ending}"'
    response["Cache-Control"] = "no-store"
    return response
