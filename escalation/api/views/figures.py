"""Figures: how soon incidents are acknowledged and resolved, and what is noisy."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.rest.openapi import errors
from config.rest.views import validated_query
from escalation.api.figures_serializers import FiguresSerializer, PeriodSerializer
from escalation.figures.reading import figures_of


@extend_schema(tags=["escalations"])
class FiguresView(APIView):
    @extend_schema(
        operation_id="escalations_figures",
        parameters=[PeriodSerializer],
        responses={200: FiguresSerializer, **errors(400, 403)},
    )
    def get(self, request: Request) -> Response:
        """Show how soon what began in a period was acknowledged and resolved, and what was noisy."""
        own = getattr(request.user, "time_zone", "UTC")
        figures = figures_of(**{"time_zone": own, **validated_query(request, PeriodSerializer)})
        return Response(FiguresSerializer(figures).data)
