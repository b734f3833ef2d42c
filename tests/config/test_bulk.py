"""Many changed rows by one statement."""

from datetime import timedelta
from typing import Any

from config import clock
from config.bulk import rows_update
from escalation.models import AlertGroup, Silence


def test_each_row_gets_its_own_values_and_no_others(db: None, django_assert_num_queries: Any) -> None:
    now = clock.now()
    silence = Silence.objects.create(reason="works", ends_at=now + timedelta(hours=1))
    groups = [
        AlertGroup.objects.create(key=f"{number}", title=f"It's {number}", opened_at=now, last_at=now)
        for number in range(3)
    ]
    for number, group in enumerate(groups[:2]):
        group.title, group.occurrences, group.rings_at = f"“{number}”, 'x'", number, now
        group.key = "not stored"
    groups[1].silence = silence
    with django_assert_num_queries(1):
        rows_update(groups[:2], ["title", "occurrences", "rings_at", "silence"])
        rows_update([], ["title"])
    stored = AlertGroup.objects.order_by("key").values_list(
        "key", "title", "occurrences", "rings_at", "silence"
    )
    assert list(stored) == [
        ("0", "“0”, 'x'", 0, now, None),
        ("1", "“1”, 'x'", 1, now, silence.pk),
        ("2", "It's 2", 0, None, None),
    ]
