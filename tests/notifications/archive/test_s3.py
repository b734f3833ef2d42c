"""The archive in S3, at moto's server: written, verified, read and found changed."""

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from pytest_django import Settings

from notifications.archive import verifying, writing
from notifications.archive.faults import ArchiveError
from notifications.archive.store import store
from notifications.history.month import Month
from notifications.models import Delivery
from tests.servers.sqs import KEYS, REGION, SQS

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(scope="module")
def server() -> Iterator[SQS]:
    with SQS() as running:  # moto serves every service at one address
        yield running


@pytest.fixture
def bucket(server: SQS, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket, found by the usual variables, which is the archive."""
    for variable, value in KEYS.items():
        monkeypatch.setenv(variable.upper(), value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    name = f"archive-{uuid.uuid4().hex[:8]}"
    settings.ARCHIVE_URL = f"s3://{name}/tocsin/history"
    with contextlib.closing(boto3.resource("s3").meta.client) as client:
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield boto3.resource("s3").Bucket(name)


def test_months_are_written_and_verified(bucket: Any, history: list[Delivery]) -> None:
    assert len(writing.write_through(Month.parse("2025-11"))) == 4
    keys = {each.key for each in bucket.objects.all()}
    assert len(keys) == 28
    assert "tocsin/history/2025-08/manifest.json" in keys
    assert list(verifying.faults(store())) == []
    assert writing.write_through(Month.parse("2025-11")) == []


def test_changed_missing_and_extra_objects_are_found(bucket: Any, history: list[Delivery]) -> None:
    writing.write_through(Month.parse("2025-09"))
    changed = bucket.Object("tocsin/history/2025-08/deliveries.parquet")
    body = changed.get()["Body"].read()
    changed.put(Body=body[:100] + bytes([body[100] ^ 1]) + body[101:])
    bucket.Object("tocsin/history/2025-09/attempts.parquet").delete()
    bucket.Object("tocsin/history/2025-09/notes.txt").put(Body=b"x")
    assert {fault.where for fault in verifying.faults(store())} == {
        "2025-08/deliveries.parquet",
        "2025-09/attempts.parquet",
        "2025-09/notes.txt",
    }


def test_objects_of_others_are_left_alone(bucket: Any, history: list[Delivery]) -> None:
    bucket.Object("tocsin/other.txt").put(Body=b"x")
    writing.write_through(Month.parse("2025-08"))
    assert list(verifying.faults(store())) == []


def test_bucket_that_is_not_there_is_an_error_that_says_so(
    bucket: Any, settings: Settings, history: list[Delivery]
) -> None:
    settings.ARCHIVE_URL = "s3://there-is-none"
    with pytest.raises(ArchiveError, match="NoSuchBucket"):
        writing.write_through(Month.parse("2025-08"))
