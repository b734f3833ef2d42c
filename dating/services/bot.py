"""People whom the dating bot speaks for, and the chats in which it reaches them."""

from typing import Any, Final

from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.names import cleaned
from accounts.services.mirroring import NAME_MAX
from accounts.services.users import user_update
from config.exceptions import Conflict
from dating.models import BotAccount, DatingProfile
from notifications.models import ContactPoint
from notifications.services.contact_points import contact_point_create, contact_point_remove

CHANNEL: Final = "bot"
#: Whoever has come by the bot alone gets an address where no mail can arrive (RFC 2606).
ADDRESS: Final = "bot-{number}@bot.invalid"
_PROFILE: Final = ("birthday", "city", "seeks")


@transaction.atomic
def bot_account_link(
    *, number: int, user: User | None = None, chat: int | None = None, **about: Any
) -> tuple[BotAccount, bool]:
    """Let the bot speak for somebody by its number of them, and tell them things by it.

    The second value is False where it was so already; what is said about them is stored all the same.

    Args:
        user: who it is; None: somebody who is known by the bot alone, with an account made for them.
        chat: where the bot reaches them; None: where it knows them by that number, or as it is.
        about: first_name, last_name, language, time_zone; birthday, city, seeks. Only of those who are known
            by the bot alone.

    Raises:
        ValidationError: a value is not acceptable, by field.
        Conflict: the number is somebody else's, or this person has another, or speaks for themselves.
    """
    account = BotAccount.objects.select_related("user").filter(number=number).first()
    created = account is None
    if account is None:
        account = _make(number, user)
    elif user is not None and account.user_id != user.pk:
        raise Conflict("The bot knows somebody else by this number.")
    _describe(account, about)
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
    """Have somebody told by the bot in this chat, unless they were before, and have ended that.

    Args:
        again: even so.
    """
    known = ContactPoint.objects.filter(user=user, channel=CHANNEL)
    if not again and known.exists():
        return
    if known.filter(address=str(chat), deleted_at=None).exists():
        return
    contact_point_create(user=user, channel=CHANNEL, address=str(chat))


def _make(number: int, user: User | None) -> BotAccount:
    try:
        with transaction.atomic():
            if user is None:
                user = User(email=ADDRESS.format(number=number))
                user.set_unusable_password()
                user.save(force_insert=True)
            return BotAccount.objects.create(number=number, user=user)
    except IntegrityError:
        raise Conflict("The bot knows this person by another number already.") from None


def _describe(account: BotAccount, about: dict[str, Any]) -> None:
    """Store what the bot knows of somebody; what it doesn't say stays."""
    user = account.user
    if about and user.email != ADDRESS.format(number=account.number):
        raise Conflict("This person has an account of their own, and says such things there.")
    for name in {"first_name", "last_name"} & about.keys():
        about[name] = cleaned(about[name], NAME_MAX)
    if details := {key: value for key, value in about.items() if key not in _PROFILE}:
        user_update(user=user, **details)
    if said := {key: value for key, value in about.items() if key in _PROFILE}:
        DatingProfile.objects.update_or_create(user=user, defaults=said)
