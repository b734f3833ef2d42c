"""How the time on call was shared, as the API shows it."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from config import clock
from escalation.figures.reading import LONGEST, USUAL
from escalation.figures.shares import PersonalLoad, Shares
from notifications.api.preference_serializers import moment


class SharedPeriodSerializer(serializers.Serializer[Any]):
    begin = moment(required=False, help_text="30 days before `end` by default.")
    end = moment(required=False, help_text="Now by default; at most 366 days later, and in the future too.")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        end: datetime = given.get("end") or clock.now()
        begin: datetime = given.get("begin") or end - USUAL
        if not begin < end <= begin + LONGEST:
            raise serializers.ValidationError(
                {"end": [f"Expected a time after the beginning, and at most {LONGEST.days} days later."]}
            )
        return {"begin": begin, "end": end}


class PersonalLoadSerializer(serializers.Serializer[PersonalLoad]):
    """What somebody had of the time on call; whoever stood in has what they took over."""

    user_id = serializers.UUIDField()
    name = serializers.CharField()
    time_zone = serializers.CharField(help_text="Theirs; nights and weekends are by its clock.")
    on_call_s = serializers.IntegerField()
    night_s = serializers.IntegerField(help_text="Of that, from 22:00 to 7:00.")
    weekend_s = serializers.IntegerField(help_text="Of that, from Saturday 0:00 to Monday 0:00.")
    turns = serializers.IntegerField(help_text="Shifts and overrides, of which each may be in parts.")
    longest_s = serializers.IntegerField(help_text="The longest time on call without a break.")
    since_time_off_s = serializers.IntegerField(
        help_text="How long before `end` their last 24 hours in a row off call had ended; 0 if they are off "
        "then, and the whole period if they had none."
    )
    pages = serializers.IntegerField(
        help_text="Messages of escalations, without those in the inbox, that they got while on call."
    )
    pages_at_night = serializers.IntegerField(help_text="Of those, from 22:00 to 7:00.")


class SharesSerializer(serializers.Serializer[Shares]):
    begin = serializers.DateTimeField()
    end = serializers.DateTimeField()
    on_call_s = serializers.IntegerField(help_text="Of all people together.")
    people = PersonalLoadSerializer(many=True, help_text="Whoever was on call longest comes first.")
