"""People whom the dating bot speaks for, and the chats in which it reaches them."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext, gettext_lazy

from accounts.models import User, Verification
from accounts.names import cleaned
from accounts.services.mirroring import NAME_MAX
from accounts.services.users import user_update
from accounts.services.verifications import code_take
from config import clock
from config.rest.exceptions import Conflict
from dating.models import BotAccount, DatingProfile
from notifications.models import ContactPoint
from notifications.services.confirmations import contact_point_vouch
from notifications.services.contact_points import contact_point_create, contact_point_remove

CHANNEL: Final = "bot"
#: Whoever has come by the bot alone gets an address where no mail can arrive (RFC 2606).
ADDRESS: Final = "bot-{number}@bot.invalid"
OTHER_NUMBER: Final = gettext_lazy("The bot already knows this person by another number.")
NO_CONSENT: Final = gettext_lazy(
    "This person has their own account. Ask them for the code from their dating profile page, and send it "
    "with the request."
)
_PROFILE: Final = ("birthday", "city", "seeks")


def bot_account_link(
    *,
    number: int,
    now: datetime,
    user: User | None = None,
    chat: int | None = None,
    code: str = "",
    by: User | None = None,
    **about: Any,
) -> tuple[BotAccount, bool]:
    """Let the bot speak for somebody by its number of them, and tell them things by it.

    The second value is False where it was so already; what is said about them is stored all the same.

    Args:
        user: who it is; None: somebody who is known by the bot alone, with an account made for them.
        chat: where the bot reaches them; None: where it knows them by that number, or as it is.
        code: the consent of somebody with an account of their own, who was shown it (`bot_code_make`).
        by: who asks, if a person does; nobody needs a code for themselves.
        about: first_name, last_name, language, time_zone, birthday, city, seeks of whom the bot alone knows.

    Raises:
        ValidationError: a value is not acceptable, by field; so is a code that is missing or wrong.
        Conflict: the number is somebody else's, or this person has another, or speaks for themselves.
    """
    account = BotAccount.objects.select_related("user").filter(number=number).first()
    who = account.user if account else user
    if account and user is not None and account.user_id != user.pk:
        raise Conflict(gettext("The bot knows somebody else by this number."))
    if account is None and user is not None and BotAccount.objects.filter(user=user).exists():
        raise Conflict(OTHER_NUMBER)
    has_own = who is not None and who.email != ADDRESS.format(number=number)
    if about and has_own:
        raise Conflict(
            gettext("This person has their own account: only they can change these fields, there.")
        )
    link = partial(_link, number, account, user, chat, about)
    told = ContactPoint.objects.confirmed().filter(user=who, channel=CHANNEL, address=str(chat))
    is_new = account is None or (chat is not None and not told.exists())
    if who is None or not has_own or not is_new or who == by:
        return link()
    if not code:
        raise ValidationError({"code": NO_CONSENT})
    shown = Verification.objects.filter(user=who, purpose=Verification.Purpose.BOT)
    linked: list[tuple[BotAccount, bool]] = []
    code_take(shown, code=code, address=lambda: "", then=lambda _: linked.append(link()), now=now)
    return linked[0]


def bot_code_make(*, user: User, now: datetime) -> Verification:
    """Make a code by which somebody lets the bot speak for them; the codes of before are void."""
    return Verification.objects.create(
        user=user,
        purpose=Verification.Purpose.BOT,
        address="",
        created_at=now,
        expires_at=now + timedelta(seconds=settings.CODE_EXPIRES_S),
    )


@transaction.atomic
def _link(
    number: int, account: BotAccount | None, user: User | None, chat: int | None, about: dict[str, Any]
) -> tuple[BotAccount, bool]:
    created = account is None
    account = account or _make(number, user)
    # Store what the bot knows of somebody; what it doesn't say stays.
    for name in {"first_name", "last_name"} & about.keys():
        about[name] = cleaned(about[name], NAME_MAX)
    if details := {key: value for key, value in about.items() if key not in _PROFILE}:
        user_update(user=account.user, **details)
    if said := {key: value for key, value in about.items() if key in _PROFILE}:
        DatingProfile.objects.update_or_create(user=account.user, defaults=said)
    if chat is not None or created:
        bot_chat_learn(user=account.user, chat=number if chat is None else chat, again=chat is not None)
    return account, created


def bot_account_unlink(*, account: BotAccount) -> None:
    """The bot does not speak for them any more, nor are they told anything by it."""
    with transaction.atomic():
        account.delete()
        for point in ContactPoint.objects.filter(user=account.user_id, channel=CHANNEL, deleted_at=None):
            contact_point_remove(contact_point=point)


def bot_chat_learn(*, user: User, chat: int, again: bool = False) -> None:
    """Have the bot tell somebody things in this chat; if they have ended that before, only ``again``."""
    known = ContactPoint.objects.filter(user=user, channel=CHANNEL)
    if not again and known.exists():
        return
    point = known.filter(address=str(chat), deleted_at=None).first()
    if point is None:
        contact_point_create(user=user, channel=CHANNEL, address=str(chat), vouched=True)
    elif point.confirmed_at is None:
        contact_point_vouch(contact_point=point, now=clock.now())


def _make(number: int, user: User | None) -> BotAccount:
    try:
        with transaction.atomic():
            if user is None:
                user = User(email=ADDRESS.format(number=number))
                user.set_unusable_password()
                user.save(force_insert=True)
            return BotAccount.objects.create(number=number, user=user)
    except IntegrityError:
        raise Conflict(OTHER_NUMBER) from None
