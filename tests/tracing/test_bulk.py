"""What an import holds back, so that days are stored whole, and that nothing of it is lost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from tracing.intake import Records
from tracing.intake.bulk import Days
from tracing.models import Intake, Interaction
from tracing.partitions import DAY_S


def records(*days: int) -> Records:
    columns = np.arange(1, len(days) + 1)
    return Records(
        columns, columns + 1, np.array(days) * DAY_S + columns, columns, columns, {"rssi": -columns / 1.0}
    )


def days_of(given: Records) -> list[int]:
    return (given.start_s // DAY_S).tolist()


def test_what_comes_by_time_is_given_out_by_whole_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracing.intake.bulk.HELD_MOST", 4)
    held, out = Days(), []
    for part in ([1, 1, 1], [1, 2, 2], [2, 2, 3], [3, 3]):
        held.add(records(*part))
        out += [days_of(each) for each in held.overdue()]
    assert out == [[1] * 4, [2] * 4]
    assert [days_of(each) for each in held.rest()] == [[3] * 3]
    assert list(held.rest()) == []


def test_of_what_comes_in_any_order_the_largest_day_is_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracing.intake.bulk.HELD_MOST", 4)
    held = Days()
    held.add(records(5, 3, 4, 3, 5, 3))
    (given,) = held.overdue()
    assert days_of(given) == [3] * 3
    assert given.my_id.tolist() == [2, 4, 6]
    assert given.extras["rssi"].tolist() == [-2, -4, -6]


@pytest.mark.django_db(transaction=True)
def test_what_was_held_back_is_stored_also_when_a_bad_record_ends_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracing.intake.files.PART_BYTES", 400)
    start = int((datetime.now(UTC) - timedelta(hours=3)).timestamp())
    before = Intake.objects.count(), Interaction.objects.count()
    lines = [f"{number},{number + 1},{start + number},600,1.5" for number in range(1, 60)]
    file = tmp_path / "a.csv"
    file.write_text("\n".join(["my_id,other_id,timestamp_start,interval,distance", *lines, "0,9,1,1,1"]))

    with pytest.raises(CommandError, match=r"The (\d+) before this part are stored") as said:
        call_command("import_interactions", str(file))

    stored = int(str(said.value).split("The ")[1].split()[0])
    assert stored > 30
    assert Interaction.objects.count() - before[1] == stored
    assert Intake.objects.count() - before[0] in (1, 2)  # two where midnight is among them
