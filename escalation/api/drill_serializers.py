"""Drills, as the API takes and shows them."""

from typing import Any

from rest_framework import serializers

from config.rest.fields import StrictBooleanField
from escalation.api.fields import whole
from escalation.drills.reporting import Report, Rung
from escalation.drills.starting import LONGEST_MIN, USUAL_MIN
from escalation.models import Drill
from escalation.policies.words import name_of


class DrillInSerializer(serializers.Serializer[Any]):
    everyone = StrictBooleanField(
        required=False, help_text="Ring everybody who takes turns, and not whoever is on call alone."
    )
    minutes = whole(
        LONGEST_MIN,
        least=1,
        required=False,
        help_text=f"How long they have to answer; {USUAL_MIN} by default.",
    )


class DrillSerializer(serializers.ModelSerializer[Drill]):
    started_by_name = serializers.SerializerMethodField(
        help_text="Empty: the schedule asks for it every so many days."
    )

    class Meta:
        model = Drill
        fields = ("id", "started_at", "due_at", "reported_at", "is_for_everyone", "started_by_name")
        read_only_fields = fields

    def get_started_by_name(self, drill: Drill) -> str:
        return name_of(drill.started_by) if drill.started_by else ""


class RungSerializer(serializers.Serializer[Rung]):
    """One person in a drill."""

    user_id = serializers.UUIDField()
    name = serializers.CharField()
    process_id = serializers.UUIDField(help_text="The escalation by which they are rung.")
    is_rung = serializers.BooleanField(help_text="They haven't answered, and the drill isn't over.")
    answered_after_s = serializers.FloatField(allow_null=True, help_text="null: they haven't answered.")
    via = serializers.CharField(help_text="How they answered, such as phone, link, web or api.")
    by = serializers.CharField(help_text="Who acknowledged it; the staff can, too.")
    sent_by = serializers.ListField(
        child=serializers.CharField(), help_text="Channels by which something was sent, but the inbox."
    )
    not_sent_by = serializers.ListField(
        child=serializers.CharField(), help_text="Channels by which nothing that was to be was sent."
    )


class ReportSerializer(serializers.Serializer[Report]):
    """What came of a drill by now; it is over once ``reported_at`` is there."""

    drill = DrillSerializer()
    answered = serializers.IntegerField()
    people = RungSerializer(many=True, help_text="Those who didn't answer come first.")
