"""Users and shops: made and changed by files, and removed by hand alone."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from django.db.models import Q

from accounts.models import Membership, Shop, User
from accounts.services.shops import shop_update
from accounts.services.users import user_update
from accounts.validators import normalised_phone
from config import clock
from escalation.as_code.kinds.base import Fields, Kind, email_of, people_ids, values_of, without
from escalation.as_code.kinds.schedules import overrides
from escalation.models import LayerMember
from escalation.policies.selectors import definition_of, newest_version, policies
from escalation.schedules.selectors import of_calendars


class Users(Kind):
    """Accounts. A new one can't log in before its password is set by the link for forgotten ones."""

    name, one, key = "users", "user", "email"
    is_removed = False
    FIELDS: Final = ("first_name", "last_name", "language", "time_zone", "phone", "role", "is_active")

    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        users = User.objects.order_by("email")
        if named is not None:
            users = users.filter(email__in=named)
        else:
            # Whoever is named by something else, and the staff; not everybody who has an account.
            told = {
                person
                for policy in policies()
                for person in definition_of(newest_version(policy)).ids("user")
            }
            users = users.filter(
                Q(is_staff=True)
                | Q(pk__in=told)
                | Q(pk__in=Membership.objects.filter(left_at=None).values("user"))
                | Q(pk__in=LayerMember.objects.filter(layer__schedule__deleted_at=None).values("user"))
                | Q(pk__in=of_calendars().filter(calendar__layer__schedule__deleted_at=None).values("user"))
                | Q(pk__in=overrides().values("user"))
            )
        return {user.email: values_of(user, self.FIELDS) for user in users}

    def normal(self, fields: Fields) -> dict[str, Any]:
        phone = {"phone": normalised_phone(fields["phone"])} if fields.get("phone") else {}
        return {**fields, "email": email_of(fields["email"]), **phone}

    def make(self, name: str, fields: Fields) -> None:
        user = User(email=name, **fields)
        user.set_unusable_password()
        user.full_clean(exclude=["password"])
        user.save()

    def change(self, name: str, fields: Fields) -> None:
        user_update(user=User.objects.get(email=name), **fields)


class Shops(Kind):
    name, one, key = "shops", "shop", "slug"
    is_removed = False
    FIELDS: Final = ("name", "group_alerts_s", "repeat_alerts_s")

    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        shops = Shop.objects.order_by("slug")
        if named is not None:
            shops = shops.filter(slug__in=named)
        members: dict[UUID, list[str]] = {}
        working = Membership.objects.filter(shop__in=shops, left_at=None).order_by("user__email")
        for shop, email in working.values_list("shop", "user__email"):
            members.setdefault(shop, []).append(email)
        return {
            shop.slug: {**values_of(shop, self.FIELDS), "members": members.get(shop.pk, [])} for shop in shops
        }

    def normal(self, fields: Fields) -> dict[str, Any]:
        if "members" not in fields:
            return dict(fields)
        return {**fields, "members": sorted({email_of(each) for each in fields["members"]})}

    def make(self, name: str, fields: Fields) -> None:
        shop = Shop(slug=name, **{"name": name, **without(fields, "members")})
        shop.full_clean()
        shop.save()
        self._set_members(shop, fields)

    def change(self, name: str, fields: Fields) -> None:
        shop = Shop.objects.select_for_update(no_key=True).get(slug=name)
        if others := without(fields, "members"):
            shop_update(shop=shop, **others)
        self._set_members(shop, fields)

    def _set_members(self, shop: Shop, fields: Fields) -> None:
        if "members" not in fields:
            return
        wanted = set(people_ids(fields["members"], "members"))
        working = shop.memberships.filter(left_at=None)
        for membership in working.exclude(user__in=wanted):
            membership.left_at = clock.now()
            membership.save(update_fields=["left_at"])
        for person in wanted - set(working.values_list("user_id", flat=True)):
            Membership.objects.create(shop=shop, user_id=person)
