"""What became of a delivery can be shown to somebody else, who checks it with nothing but Python."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from accounts.models import User
from notifications.archive import tree, writing
from notifications.history.month import Month
from notifications.models import ArchivedMonth, Delivery
from tests.notifications.archive.conftest import NOVEMBER, Told, delivered, drop

pytestmark = pytest.mark.django_db

LogIn = Callable[[User], APIClient]
SCRIPT = settings.BASE_DIR / "docs" / "check_proof.py"


def get(client: APIClient, delivery: uuid.UUID) -> Any:
    return client.get(f"/api/v1/deliveries/{delivery}/proof/")


@pytest.fixture
def written(archive: Path, history: list[Delivery]) -> list[uuid.UUID]:
    """Deliveries of which all that are older than those of November have left for the archive."""
    writing.write_through(Month.parse("2025-11"))
    ids = [each.pk for each in history]
    drop(Month.of(NOVEMBER).start)
    return ids


def check(tmp_path: Path, proof: dict[str, Any], *known: str) -> subprocess.CompletedProcess[str]:
    """Run the script as a receiver would: with Python alone, in a directory of its own."""
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(proof))
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(path), *known]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={})


@pytest.mark.slow
def test_archived_delivery_is_proven(
    written: list[uuid.UUID], as_user: LogIn, operator: User, tmp_path: Path
) -> None:
    for delivery_id in written:
        proof = get(as_user(operator), delivery_id).json()
        record = json.loads(proof["record"])
        assert record["delivery"]["id"] == str(delivery_id)
        assert len(record["attempts"]) == record["delivery"]["attempts"]
        assert record["alert"]["alert_uuid"] == record["notification"]["source_id"]
        done = check(tmp_path, proof, ArchivedMonth.objects.last().sha256)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Known, and in the chain" in done.stdout


@pytest.mark.slow
def test_what_is_not_archived_yet_says_so(
    history: list[Delivery], as_user: LogIn, owner: User, tmp_path: Path
) -> None:
    proof = get(as_user(owner), history[0].pk).json()
    assert proof["archive"] is None
    assert "Not archived yet" in proof["explanation"]
    assert proof["leaf"] == tree.leaf_hash(proof["record"].encode()).hex()
    done = check(tmp_path, proof)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not archived yet" in done.stdout
    assert check(tmp_path, proof, "0" * 64).returncode == 1


@pytest.mark.slow
def test_what_changed_since_it_was_archived_is_not_archived_yet(
    archive: Path, history: list[Delivery], as_user: LogIn, owner: User
) -> None:
    writing.write_through(Month.parse("2025-08"))
    assert get(as_user(owner), history[0].pk).json()["archive"]["month"] == "2025-08"
    Delivery.objects.filter(pk=history[0].pk).update(language="fr")
    assert get(as_user(owner), history[0].pk).json()["archive"] is None


@pytest.mark.slow
def test_any_change_to_a_proof_is_noticed(
    written: list[uuid.UUID], as_user: LogIn, operator: User, tmp_path: Path
) -> None:
    proof = get(as_user(operator), written[0]).json()
    text = json.dumps(proof)
    place = proof["archive"]
    changes = [
        text.replace("unavailable", "rejected"),
        json.dumps(proof | {"leaf": "0" * 64}),
        json.dumps(proof | {"archive": place | {"index": place["index"] ^ 1}}),
        json.dumps(proof | {"archive": place | {"path": []}}),
        json.dumps(proof | {"archive": place | {"path": place["path"] * 2}}),
        json.dumps(proof | {"archive": place | {"chain": place["chain"][1:]}}),
        json.dumps(proof | {"archive": place | {"chain": place["chain"][::2]}}),
        text.replace(r"\"leaves\": 2", r"\"leaves\": 3"),
    ]
    for changed in changes:
        assert changed != text
        done = check(tmp_path, json.loads(changed))
        assert done.returncode == 1, changed
        assert "does not hold" in done.stdout
    assert check(tmp_path, proof, "0" * 64).returncode == 1


@pytest.mark.slow
def test_proof_of_a_large_month_leads_through_its_chunks(
    archive: Path, told: Told, owner: User, as_user: LogIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tree", "parquet"):
        monkeypatch.setattr(f"notifications.archive.{module}.CHUNK", 4)
    (first,) = told(NOVEMBER, owner)
    for _ in range(10):
        delivered(first.notification, owner, NOVEMBER)
    writing.write_through(Month.parse("2025-11"))
    for delivery in Delivery.objects.all():
        proof = get(as_user(owner), delivery.pk).json()
        assert len(proof["archive"]["path"]) >= 2
        assert check(tmp_path, proof).returncode == 0


# --- Rights ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_person_proves_their_own_only(
    written: list[uuid.UUID], as_user: LogIn, owner: User, teammate: User, stranger: User
) -> None:
    for delivery_id in (written[0], written[4]):  # in the archive alone, and in the tables too
        assert get(as_user(owner), delivery_id).status_code == 200
        assert get(as_user(teammate), delivery_id).status_code == 404
        assert get(as_user(stranger), delivery_id).status_code == 404


def test_what_is_not_archived_is_for_its_person_only(
    history: list[Delivery], as_user: LogIn, owner: User, stranger: User
) -> None:
    assert get(as_user(owner), history[0].pk).status_code == 200
    assert get(as_user(stranger), history[0].pk).status_code == 404


@pytest.mark.slow
def test_a_machine_needs_its_scope(
    written: list[uuid.UUID], as_machine: Callable[..., APIClient], anonymous: APIClient
) -> None:
    assert get(as_machine("deliveries:read"), written[0]).status_code == 200
    assert get(as_machine("alerts:read"), written[0]).status_code == 403
    assert get(anonymous, written[0]).status_code == 401


def test_what_there_is_not_is_not_found(archive: Path, as_user: LogIn, operator: User) -> None:
    assert get(as_user(operator), uuid.uuid4()).status_code == 404


@pytest.mark.slow
def test_archive_that_was_changed_gives_no_proof(
    written: list[uuid.UUID], archive: Path, as_user: LogIn, operator: User
) -> None:
    path = archive / "2025-08" / "deliveries.parquet"
    path.write_bytes(path.read_bytes()[:200])
    answer = get(as_user(operator), written[0])
    assert answer.status_code == 503
    assert "archive" in answer.json()["detail"]
