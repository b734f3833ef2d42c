"""pyarrow and boto3, loaded when an archive is first written or read: no start should wait for them.

pyarrow is an optional extra.
"""

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
