"""A bucket of Amazon S3, or of whatever speaks it, found by the usual variables (AWS_ENDPOINT_URL, …)."""

import contextlib
import io
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from notifications.archive.faults import ArchiveError

#: Read ahead; what is looked for lies together.
_BUFFER: Final = 1 << 20


class Bucket:
    """The objects of a bucket below a prefix."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    @cached_property
    def _client(self) -> Any:
        return boto3.client("s3")

    def names(self, prefix: str = "") -> list[str]:
        pages = self._client.get_paginator("list_objects_v2")
        with _explained():
            found = pages.paginate(Bucket=self._bucket, Prefix=f"{self._prefix}{prefix}")
            keys = [each["Key"] for page in found for each in page.get("Contents", ())]
        return sorted(key.removeprefix(self._prefix) for key in keys)

    def put(self, name: str, path: Path) -> None:
        with _explained():
            # Without threads: a month is uploaded beside a busy service.
            self._client.upload_file(
                str(path), self._bucket, self._prefix + name, Config=TransferConfig(use_threads=False)
            )

    def delete(self, name: str) -> None:
        with _explained():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        with _explained():
            file = _Object(self._client, self._bucket, self._prefix + name)
            with io.BufferedReader(file, _BUFFER) as buffered:
                yield cast(BinaryIO, buffered)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey"):
            raise FileNotFoundError(str(error)) from error
        raise ArchiveError(f"S3: {error}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise ArchiveError(f"S3: {error}") from error


class _Object(io.RawIOBase):
    """One object, read by ranges. It is pinned by its tag: one that is replaced meanwhile is refused."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self._of = {"Bucket": bucket, "Key": key}
        head = client.head_object(**self._of)
        self._size, self._at = int(head["ContentLength"]), 0
        self._of["IfMatch"] = head["ETag"]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        last = min(self._at + len(buffer), self._size) - 1
        if last < self._at:
            return 0
        answer = self._client.get_object(**self._of, Range=f"bytes={self._at}-{last}")
        with contextlib.closing(answer["Body"]) as body:
            data = body.read()
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
