"""``manage.py audit_deliveries``: proves that nobody who was to be told was forgotten, or says who was."""

import time
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import clock
from notifications.audit import Report, audit, explanations
from notifications.checks import BEFORE_START


class Command(BaseCommand):
    help = (
        "Check that every alert has exactly one delivery for each person and contact point that it "
        "concerns, in a state that its history explains, and that no alert group is forgotten. "
        "Exits with 1 if there is a gap."
    )
    requires_system_checks = BEFORE_START

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--settled", action="store_true", help="count what is still under way as a gap too"
        )
        parser.add_argument(
            "--limit",
            type=int,
            default=20,
            metavar="N",
            help="gaps to show of each kind (20); all are counted",
        )

        parser.add_argument(
            "--since", type=date.fromisoformat, metavar="2026-09-01", help="from this day on (UTC)"
        )
        parser.add_argument(
            "--until", type=date.fromisoformat, metavar="2026-10-01", help="before this day (UTC)"
        )
        parser.add_argument(
            "--all",
            action="store_true",
            help="also check the days that are known to be clean and have not changed since",
        )

    def handle(
        self,
        *args: Any,
        settled: bool,
        limit: int,
        since: date | None,
        until: date | None,
        all: bool,
        **options: Any,
    ) -> None:
        if limit < 1:
            raise CommandError("--limit must be at least 1.")
        if since and until and since >= until:
            raise CommandError(f"--since {since} must be before --until {until}: no day lies between them.")
        started = time.perf_counter()
        days = {"since": since, "until": until}
        whole = since is None and until is None
        report = audit(now=clock.now(), settled=settled, limit=limit, **days, remember=whole, anew=all)
        self.show(report, time.perf_counter() - started)
        if report.gap_count:
            raise CommandError(f"{report.gap_count:,} gaps: see above.")
        if report.months_cut:
            months = ", ".join(map(str, report.months_cut))
            why = "in the archive alone, which counts by the month. Name whole months."
            raise CommandError(f"Not looked at: {months}, {why}")

    def show(self, report: Report, duration_s: float) -> None:
        for each in report.counts:
            self.stdout.write(f"  {each.status:<12}{each.reason:<24}{each.count:>12,}")
        said = explanations()
        for kind, total in report.totals.items():
            self.stdout.write(f"\n{kind}: {said[kind]} ({total:,})")
            for gap in report.gaps:
                if gap.kind == kind:
                    self.stdout.write(f"  {gap}")
        if report.days_known or report.months_archived:
            self.stdout.write(
                f"\n{report.days_known:,} days were known to be clean, "
                f"{report.months_archived:,} months are in the archive alone."
            )
        waiting = f" ({report.alerts_waiting:,} not fanned out yet)" if report.alerts_waiting else ""
        others = "".join(f"{count:,} {name}, " for name, count in report.others.items())
        self.stdout.write(
            f"\n{report.alerts:,} alerts{waiting}, {report.deliveries:,} deliveries, {others}"
            f"{report.gap_count:,} gaps; {duration_s:.1f} s"
        )
