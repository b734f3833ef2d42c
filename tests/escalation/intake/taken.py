"""Recorded bodies of real systems, in fixtures/intake/<format>/: what comes, and what it means."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pytest

from escalation.intake.formats import alertmanager, cloudevents, generic, grafana, opsgenie, pagerduty
from escalation.intake.occurrence import Occurrence

FOLDER: Final = Path(__file__).resolve().parents[3] / "fixtures" / "intake"
#: What a sample may lack, and what it then means.
DEFAULTS: Final = {**asdict(Occurrence(key="")), "act": "trigger"}

Sample = dict[str, Any]


def samples() -> list[Any]:
    """All samples, each as a parameter that is named for its file."""
    files = sorted(FOLDER.rglob("*.json"))
    assert files
    return [pytest.param(_read(file), id=f"{file.parent.name}-{file.stem}") for file in files]


def taken(sample: Sample, body: Any) -> list[Occurrence]:
    """What the sample's format makes of a body that came as the sample's did."""
    return TAKERS[sample["format"]](sample, body)


def as_sampled(occurrence: Occurrence) -> dict[str, Any]:
    at = occurrence.at and occurrence.at.isoformat()
    return {**asdict(occurrence), "act": occurrence.act.value, "at": at}


def _read(file: Path) -> Sample:
    return {"format": file.parent.name, **json.loads(file.read_text())}


def _opsgenie(sample: Sample, body: Any) -> list[Occurrence]:
    if sample["call"] == "create":
        return [opsgenie.created(body)]
    return [opsgenie.acted(sample["call"], sample["key"], body)]


def _generic(sample: Sample, body: Any) -> list[Occurrence]:
    ready = generic.READY.get(sample["format"])
    return generic.occurrences(ready or generic.JsonMapping(**sample["mapping"]), body)


TAKERS: Final[dict[str, Callable[[Sample, Any], list[Occurrence]]]] = {
    "alertmanager": lambda _, body: alertmanager.occurrences(body),
    "grafana": lambda _, body: grafana.occurrences(body),
    "pagerduty": lambda _, body: [pagerduty.event(body).occurrence],
    "opsgenie": _opsgenie,
    "cloudevents": lambda sample, body: cloudevents.occurrences(body, sample["headers"]),
    **dict.fromkeys(("generic", *generic.READY), _generic),
}
