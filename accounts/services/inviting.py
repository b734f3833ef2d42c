"""Inviting many people at once, by addresses as somebody has pasted them."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models, transaction
from django.utils.translation import gettext, gettext_lazy, ngettext

from accounts import rate_limits
from accounts.models import Invitation, Membership, Role, Shop, User
from accounts.services.invitations import good_until, invitations_send
from accounts.services.memberships import membership_begin
from config import clock

#: So many at once.
MOST: Final = 500
LONGEST: Final = 254
_IN_BRACKETS: Final = re.compile(r"<([^<>]*)>")


class Verdict(models.TextChoices):
    """What becomes of an address."""

    INVITE = "invite", gettext_lazy("gets an invitation")
    AGAIN = "again", gettext_lazy("was invited before, and gets the link again")
    ADD = "add", gettext_lazy("has an account, and is added at once")
    OPEN = "open", gettext_lazy("was invited before")
    MEMBER = "member", gettext_lazy("is a member already")
    KNOWN = "known", gettext_lazy("has an account already")
    LOCKED = "locked", gettext_lazy("has an account, which is locked")
    TWICE = "twice", gettext_lazy("stands there more than once")
    WRONG = "wrong", gettext_lazy("is no email address")


#: These get a mail.
MAILED: Final = (Verdict.INVITE, Verdict.AGAIN)


@dataclass(frozen=True, slots=True)
class Line:
    """An address as it was pasted, and what becomes of it; ``email`` is its normal form."""

    pasted: str
    email: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Wish:
    """Who invites whom to what.

    ``shop`` may be None where there is a ``role``; ``again``: whoever is invited already gets the link again.
    """

    by: User
    shop: Shop | None
    role: str = ""
    manages: bool = False
    again: bool = False

    def check(self) -> None:
        """Raise ValidationError, by field, if that can't be meant, or is not theirs to do."""
        if not self.role and self.shop is None:
            raise ValidationError({"shop": gettext("Choose a role, or a shop.")})
        if self.role == Role.ADMIN or ((self.role or self.manages) and not self.by.is_staff):
            raise ValidationError({"role": gettext("You can't invite people to this.")})


@dataclass(frozen=True, slots=True)
class Invited:
    """What was done: who was mailed, who was added, how many were left out, and how many for now."""

    invitations: list[Invitation]
    memberships: list[Membership]
    left_out: int
    late: int = 0

    def __str__(self) -> str:
        parts = [
            ngettext("%(count)d invited", "%(count)d invited", len(self.invitations)),
            ngettext("%(count)d added", "%(count)d added", len(self.memberships)),
            ngettext("%(count)d left out", "%(count)d left out", self.left_out),
            ngettext(
                "%(count)d left for tomorrow, since you have invited so many today",
                "%(count)d left for tomorrow, since you have invited so many today",
                self.late,
            ),
        ]
        counts = (len(self.invitations), len(self.memberships), self.left_out, self.late)
        said = [part % {"count": count} for part, count in zip(parts, counts, strict=True) if count]
        return f"{', '.join(said)}." if said else gettext("Nobody was invited.")


def addresses_in(text: str) -> list[str]:
    """Return the addresses of a text: one a line, or with commas or semicolons, with names or without.

    Of ``"Moreau, Ana" <ana@example.com>`` it takes what is in brackets; a line that has none is taken whole.
    """
    return list(_addresses(text))


def _addresses(text: str) -> Iterator[str]:
    for line in text.splitlines():
        parts = line.split('"')
        # Names in quotes may have commas; a quote without another is a letter like others.
        bare = " ".join(parts[::2]) if len(parts) % 2 else line
        for piece in re.split("[,;]", bare):
            if found := _IN_BRACKETS.search(piece):
                yield found[1].strip()
            elif with_at := [word for word in piece.split() if "@" in word]:
                yield from (word.removeprefix("mailto:") for word in with_at)
            elif piece.strip():
                yield piece.strip()


def people_foreseen(*, text: str, wish: Wish) -> list[Line]:
    """Return what would become of each address of a text; nothing is sent.

    Of accounts only the staff hear: for others, whoever has one is invited as anybody else is, and comes to
    the shop once they have agreed.

    Raises:
        ValidationError: there are none, or more than 500.
    """
    wish.check()
    pasted = addresses_in(text)
    if not pasted:
        raise ValidationError({"addresses": gettext("Paste at least one address.")})
    if len(pasted) > MOST:
        said = gettext("At most %(most)d addresses at once; these are %(count)d.")
        raise ValidationError({"addresses": said % {"most": MOST, "count": len(pasted)}})
    emails = [each.lower() for each in pasted]
    accounts = {user.email: user for user in User.objects.filter(email__in=emails)}
    members, invited = _there_already(emails, wish.shop)
    seen: Counter[str] = Counter()
    lines = []
    for written, email in zip(pasted, emails, strict=True):
        seen[email] += 1
        if not _is_address(email):
            verdict = Verdict.WRONG
        elif seen[email] > 1:
            verdict = Verdict.TWICE
        elif email in members:
            verdict = Verdict.MEMBER
        else:
            verdict = _verdict(wish, accounts.get(email), is_invited=email in invited)
        lines.append(Line(written[:LONGEST], email, verdict))
    return lines


def _there_already(emails: list[str], shop: Shop | None) -> tuple[set[str], set[str]]:
    """Return who of these works at a shop, and who is invited there, or anywhere where no shop is meant."""
    working = Membership.objects.filter(shop=shop, left_at=None, user__email__in=emails)
    open_ = Invitation.objects.filter(shop=shop, email__in=emails, used_at=None, expires_at__gt=clock.now())
    members = set(working.values_list("user__email", flat=True)) if shop else set()
    return members, set(open_.values_list("email", flat=True))


def _verdict(wish: Wish, account: User | None, *, is_invited: bool) -> Verdict:
    if account is not None and wish.by.is_staff:
        if not account.is_active:
            return Verdict.LOCKED
        if wish.shop is None:
            return Verdict.KNOWN
        # Otherwise somebody else may have made it with their address: the link shows whose it is.
        if account.email_verified_at is not None:
            return Verdict.ADD
    if is_invited:
        return Verdict.AGAIN if wish.again else Verdict.OPEN
    return Verdict.INVITE


def _is_address(email: str) -> bool:
    if len(email) > LONGEST or not (email.isascii() and email.isprintable()):
        return False
    try:
        validate_email(email)
    except ValidationError:
        return False
    return True


def people_invite(*, text: str, wish: Wish) -> Invited:
    """Invite whoever is to be invited, and add those whom the staff may add at once: all of it or nothing.

    Raises:
        ValidationError: as of people_foreseen.
        Conflict: no mail can be sent.
    """
    with transaction.atomic():
        if wish.shop is not None:
            # Two who invite the same people at once would send them two links.
            Shop.objects.select_for_update(no_key=True).get(pk=wish.shop.pk)
        lines = people_foreseen(text=text, wish=wish)
        to_mail = [each.email for each in lines if each.verdict in MAILED]
        mailed = _within_limits(to_mail, wish.by)
        added = {each.email for each in lines if each.verdict is Verdict.ADD}
        invitations = _stored(mailed, wish)
        invitations_send(invitations)
        memberships = [
            membership_begin(shop=wish.shop, user=user, manages=wish.manages)
            for user in User.objects.filter(email__in=added)
            if wish.shop is not None
        ]
        left_out = len(lines) - len(to_mail) - len(memberships)
        return Invited(invitations, memberships, left_out, len(to_mail) - len(mailed))


def _within_limits(emails: list[str], by: User) -> list[str]:
    """Return those whom somebody may have mailed by now. The staff are not held to it."""
    if by.is_staff:
        return emails
    now, who = clock.now(), str(by.pk)
    taken = []
    for email in emails:
        if rate_limits.attempt_take(scope="invite", who=who, now=now):
            break
        taken.append(email)
    return taken


def _stored(emails: list[str], wish: Wish) -> list[Invitation]:
    """Store an invitation for each, or make the one that is there good for as long as a new one."""
    open_ = Invitation.objects.filter(shop=wish.shop, email__in=emails, used_at=None)
    there = {each.email: each for each in open_.select_related("shop").order_by("pk")}
    said = {
        "role": wish.role, "manages": wish.manages, "invited_by": wish.by, "expires_at": good_until(),
    }  # fmt: skip
    found: list[Invitation] = []
    new: list[Invitation] = []
    for email in emails:
        if invitation := there.get(email):
            # What the staff have made it stands, whoever sends it again.
            for name in said if wish.by.is_staff else ("expires_at",):
                setattr(invitation, name, said[name])
            found.append(invitation)
        else:
            new.append(Invitation(email=email, shop=wish.shop, **said))
    Invitation.objects.bulk_update(found, [*said])
    return [*found, *Invitation.objects.bulk_create(new)]
