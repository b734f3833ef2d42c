"""What the views of every app do with a request, and how they answer."""

from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from config.rest.filters import StrictFilterSet

M = TypeVar("M", bound=Model)


def validated(serializer: Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def validated_query(request: Request, kind: type[Serializer[Any]]) -> dict[str, Any]:
    """Return what the query says, where a parameter that there isn't is refused, too."""
    # As a mere dictionary: of a form, what is empty would count as not given.
    serializer = kind(data=request.query_params.dict())
    given = validated(serializer)
    if unknown := sorted(set(request.query_params) - set(serializer.fields)):
        raise ValidationError({name[:50]: ["This parameter is unknown."] for name in unknown})
    return given


def selected(among: QuerySet[M], given: dict[str, Any], filter_set: type[StrictFilterSet]) -> QuerySet[M]:
    """Return the rows that a request names by ``ids`` or by filters."""
    if "ids" in given:
        return among.filter(pk__in=given["ids"])
    filtered = filter_set(data=given, queryset=among)
    if not filtered.is_valid():  # an invalid filter would be left out, and more chosen than was meant
        raise ValidationError(filtered.errors)
    return filtered.qs


def stored(data: Any, *, is_new: bool) -> Response:
    """Answer 201 with what was made, or 200 with what was there before."""
    return Response(data, status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)
