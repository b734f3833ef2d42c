"""pyarrow (an optional extra) and boto3, which take a while to load: when an archive is first used."""

from functools import cache
from importlib import import_module
from typing import Any

from notifications.archive.faults import ArchiveError


@cache
def parquet() -> Any:
    try:
        return import_module("notifications.archive.parquet")
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise ArchiveError("The archive needs pyarrow. What to do: pip install pyarrow") from error


@cache
def s3() -> Any:
    return import_module("notifications.archive.s3")
