"""Whom the dating bot means by its numbers."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.verification import code_of
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated
from dating.api.bot_serializers import BotAccountInSerializer, BotAccountSerializer, BotCodeSerializer
from dating.models import BotAccount
from dating.services import bot_account_link, bot_account_unlink, bot_code_make

NUMBER_MAX: Final = 2**63 - 1
NUMBER: Final = OpenApiParameter(
    "number",
    {"type": "integer", "minimum": 1, "maximum": NUMBER_MAX},
    OpenApiParameter.PATH,
    description="The person's `user_id` in the bot.",
)
_FRESH: Final = {"first_name": "Ana", "language": "en", "birthday": "1999-05-01", "seeks": "men"}


@extend_schema(tags=["dating"], parameters=[NUMBER])
class BotAccountView(GenericAPIView[BotAccount]):
    """For the bot itself, with the scope, and for the staff."""

    serializer_class = BotAccountSerializer
    filter_backends: list[Any] = []
    queryset = BotAccount.objects.all()
    lookup_url_kwarg = "number"

    def account(self, number: int) -> BotAccount:
        return get_object_or_404(BotAccount.objects.select_related("user"), number=_checked(number))

    @extend_schema(
        operation_id="dating_bot_accounts_read", responses={200: BotAccountSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, number: int) -> Response:
        """Look up whom the bot knows by this number."""
        return Response(BotAccountSerializer(self.account(number)).data)

    @extend_schema(
        operation_id="dating_bot_accounts_set",
        request=BotAccountInSerializer,
        responses={
            201: OpenApiResponse(BotAccountSerializer, description="The bot acts for them from now on."),
            200: OpenApiResponse(BotAccountSerializer, description="It already did."),
            **errors(*BODY, 403, 404, 409),
        },
        examples=[
            OpenApiExample("somebody of the bot's", value=_FRESH, request_only=True),
            OpenApiExample(
                "somebody with an account",
                value={"user_id": "33cbb18c-3e9d-4acc-9667-2fbe7bf29137", "code": "042137"},
                request_only=True,
            ),
        ],
    )
    def put(self, request: Request, number: int) -> Response:
        """Link a number of the bot to a person; messages reach them through the bot too.

        Someone with their own account has to agree: they get a code and give it to the bot. Another chat
        of theirs needs a new code.

        409: the number is somebody else's, they have another one, or only they may change these fields.
        """
        fields = validated(BotAccountInSerializer(data=request.data))
        account, created = bot_account_link(
            number=_checked(number),
            user=fields.pop("user_id", None),
            chat=fields.pop("chat_id", None),
            by=request.user if isinstance(request.user, User) else None,
            now=clock.now(),
            **fields,
        )
        return stored(BotAccountSerializer(account).data, is_new=created)

    @extend_schema(
        operation_id="dating_bot_accounts_delete",
        responses={204: OpenApiResponse(description="The bot no longer acts for them."), **errors(403, 404)},
    )
    def delete(self, request: Request, number: int) -> Response:
        """Stop the bot from acting for somebody and sending them messages. Their account stays."""
        bot_account_unlink(account=self.account(number))
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["dating"])
class BotCodeView(GenericAPIView[BotAccount]):
    serializer_class = BotCodeSerializer
    filter_backends: list[Any] = []
    queryset = BotAccount.objects.none()

    @extend_schema(
        operation_id="dating_bot_code", request=None, responses={200: BotCodeSerializer, **errors(403)}
    )
    def post(self, request: Request) -> Response:
        """Get a code. The bot that you give it to may act for you and send you messages."""
        shown = bot_code_make(user=request.user, now=clock.now())  # type: ignore[arg-type]
        answer = {"code": code_of(shown.pk), "expires_at": shown.expires_at}
        return Response(BotCodeSerializer(answer).data, headers={"Cache-Control": "no-store"})


def _checked(number: int) -> int:
    if not 0 < number <= NUMBER_MAX:
        raise NotFound
    return number
