"""Who there is: users and their profiles, shops and who works where, and the keys of machines."""

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext

from accounts.changes import TracksChanges
from accounts.ids import UUIDv7Field
from accounts.names import validate_name
from accounts.signals import account_changed
from accounts.validators import normalised_phone, validate_phone, validate_time_zone
from config import clock


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user; with no password, one that can't log in by password."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email=(email or "").lower())


class Role(models.TextChoices):
    """What someone registers as; shop staff have none."""

    STUDENT = "student", "Student"
    ENCADRANT = "encadrant", "Encadrant"
    ADMIN = "admin", "Administrator"


class User(TracksChanges, AbstractBaseUser, PermissionsMixin):
    """A person: ``uuid`` is the public id, the email the log-in. An address that changes is unverified."""

    uuid = UUIDv7Field()
    email = models.EmailField(unique=True)
    first_name = models.CharField(max_length=150, blank=True, validators=[validate_name])
    last_name = models.CharField(max_length=150, blank=True, validators=[validate_name])
    language = models.CharField(max_length=8, choices=settings.LANGUAGES, default="en")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    phone = models.CharField(max_length=20, blank=True, validators=[validate_phone])
    role = models.CharField(max_length=16, choices=Role.choices, blank=True)
    mirrored_from = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="The broker's source whose messages made this account, and may change it.",
    )
    email_verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    phone_verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text="May use the admin and see everything.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    # PostgreSQL raises both when somebody is locked out, by whatever way, never lets them fall, and voids
    # codes and mailed links that are open (migration 0007). Sessions and tokens hang on the first, links to
    # calendars and calls on the second.
    epoch = models.IntegerField(default=0, db_default=0, editable=False)
    links_version = models.IntegerField(default=0, db_default=0, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    TRACKED = ("email", "first_name", "last_name", "role", "language", "time_zone", "phone", "is_active")
    _password: str | None
    _lost_password = False
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        ordering = ("email",)
        permissions = (("export_user", "Can export all that is stored about a user"),)
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_lower"),
            models.CheckConstraint(
                condition=models.Q(is_staff=True) | ~models.Q(role="admin"), name="user_admin_is_staff"
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        if not (self.email.isascii() and self.email.strip().isprintable()):
            # Others can look like the address of somebody else, or become it in lower case. Between quotes
            # an address may hold what steers a terminal.
            raise ValidationError(
                {"email": gettext("Enter an address in ASCII; a domain in other letters, as xn--….")}
            )
        self.email = self.email.strip().lower()
        if self.phone:
            self.phone = normalised_phone(self.phone)
        if self.role == Role.ADMIN:
            self.is_staff = True

    def save(self, *, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        update_fields = None if update_fields is None else set(update_fields)
        # What the owner is to be warned of.
        changes: list[str] = []
        if not self._state.adding:
            changed = self.changes(update_fields)
            changes = [name for name in ("email", "phone") if name in changed]
            # Not so where a hash is made anew at a log-in: Django forgets the password before it saves that.
            has_new = self._password is not None or self._lost_password
            if has_new and (update_fields is None or "password" in update_fields):
                changes.append("password")
        if not changes:
            self._store(update_fields, **options)
            return
        reached = {
            "email": self.stored("email") or self.email,
            "is_confirmed": self.email_verified_at is not None,
            "phone": (self.stored("phone") or "") if self.phone_verified_at else "",
        }
        with transaction.atomic():
            self._store(update_fields, **options)
            for change in changes:
                account_changed.send(User, user=self, change=change, **reached)

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self._lost_password = True

    def _store(self, update_fields: set[str] | None, **options: Any) -> None:
        for name in {"email", "phone"}.intersection(self.changes(update_fields)):
            setattr(self, f"{name}_verified_at", None)
            if update_fields is not None:
                update_fields.add(f"{name}_verified_at")
        super().save(update_fields=update_fields, **options)
        self._lost_password = False
        if not self.is_active and "is_active" in self.changed_fields:
            self.refresh_from_db(fields=["epoch", "links_version"])

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Delete it with all that is theirs; locked, so that whoever is making more of it finds nobody."""
        with transaction.atomic():
            User.objects.select_for_update().only("pk").filter(pk=self.pk).first()
            return super().delete(*args, **options)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Return what a session hangs on: the password, and since when the person has not been locked out."""
        of_password: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        if not self.epoch:
            return of_password
        value = f"{of_password}{self.epoch}"
        return salted_hmac("accounts.epoch", value, secret=secret, algorithm="sha256").hexdigest()


class Profile(TracksChanges):
    """What a user is besides a user; made by the handler of ``auth.user.created``."""

    id = UUIDv7Field()
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="%(class)s")
    external_id = models.UUIDField(
        unique=True, null=True, blank=True, help_text="The id that another service has given this profile."
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        abstract = True
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return str(self.user)


class Student(Profile):
    """Someone who learns."""


class Encadrant(Profile):
    """Someone who supervises students."""

    TRACKED = ("specialization",)

    specialization = models.CharField(max_length=200, blank=True)


class Verification(models.Model):
    """A code or link that shows who reads an address, once. Both are derived from ``id``, never stored."""

    class Purpose(models.TextChoices):
        EMAIL = "email", "Verify the email address"
        PHONE = "phone", "Verify the phone number"
        PASSWORD = "password", "Set a new password"
        CONTACT_POINT = "contact_point", "Confirm a contact point"
        BOT = "bot", "Let a bot speak for them"

    id = UUIDv7Field()
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="verifications")
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    #: The contact point, where it is about one.
    about = models.UUIDField(null=True, blank=True)
    address = models.CharField(max_length=2048, help_text="Where it was sent; void once that has changed.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveSmallIntegerField(default=0, help_text="Wrong codes entered.")

    class Meta:
        ordering = ("-created_at",)
        indexes = [models.Index(fields=["user", "purpose", "-created_at"], name="verification_of_user")]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()}: {self.user}"


class Door(models.TextChoices):
    """Who may register by themselves (REGISTRATION)."""

    OPEN = "open", "Anybody"
    DOMAINS = "domains", "Whoever has an address of REGISTRATION_DOMAINS, or is invited"
    INVITATION = "invitation", "Whoever is invited"
    CLOSED = "closed", "Nobody"


class Invitation(models.Model):
    """A person may register, or come to a shop. The link is derived from the id, and never stored.

    The staff invite anybody, and those who manage a shop to work there. Whoever takes it up works at ``shop``
    from then on.
    """

    id = UUIDv7Field()
    email = models.EmailField(help_text="Where the link goes; the account is made with this address.")
    role = models.CharField(
        max_length=16, choices=Role.choices, blank=True, help_text="None for whoever only works at a shop."
    )
    shop = models.ForeignKey(
        "Shop", null=True, blank=True, on_delete=models.CASCADE, related_name="invitations", editable=False
    )
    manages = models.BooleanField(default=False, db_default=False, editable=False)
    invited_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(editable=False)
    used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=["expires_at", "id"], name="invitation_expiry")]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(role="") | models.Q(shop__isnull=False), name="invitation_to_something"
            ),
            # Inviting somebody again sends the same link.
            models.UniqueConstraint(
                fields=["shop", "email"], condition=models.Q(used_at=None), name="invitation_once"
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        self.email = self.email.strip().lower()
        if not self.role and self.shop_id is None:
            raise ValidationError({"role": gettext("Choose a role, or a shop.")})
        if self.role == Role.ADMIN:
            # A mail may be read by others.
            raise ValidationError({"role": "An administrator is registered by one, and not invited."})


class EndedLogIn(models.Model):
    """A log-in by token that is over before its time: what was issued in it, from first to last, is dead."""

    id = models.CharField(primary_key=True, max_length=255, help_text="The id of its first refresh token.")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    expires_at = models.DateTimeField(help_text="When its last token will have expired.")

    class Meta:
        verbose_name = "ended log-in"
        indexes = [models.Index(fields=["expires_at", "id"], name="endedlogin_by_expiry")]

    def __str__(self) -> str:
        return self.id


#: A week, in seconds: whatever is quiet for longer is something else.
LONGEST_GROUP_S: Final = 604_800


class Shop(models.Model):
    """A place that alerts come from; named in alerts by its slug or its name."""

    id = UUIDv7Field()
    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200, unique=True)
    members = models.ManyToManyField(User, through="Membership", related_name="shops")
    group_alerts_s = models.PositiveIntegerField(
        default=0,
        db_default=0,
        validators=[MaxValueValidator(LONGEST_GROUP_S)],
        help_text="Alerts of one label are told as one until none has come for so many seconds;"
        " 0: each is told.",
    )
    repeat_alerts_s = models.PositiveIntegerField(
        default=0,
        db_default=0,
        validators=[MaxValueValidator(LONGEST_GROUP_S)],
        help_text="If they go on for so many seconds, the next one is told again; 0: never.",
    )

    class Meta:
        ordering = ("name",)
        indexes = [
            models.Index(fields=["id"], condition=models.Q(group_alerts_s__gt=0), name="shop_groups_alerts")
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """Someone's work at a shop, from ``joined_at`` until ``left_at`` (empty: still there).

    Whoever ``manages`` the shop invites and removes its people, and sends them test messages.
    """

    shop = models.ForeignKey(Shop, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    joined_at = models.DateTimeField(default=clock.now)
    left_at = models.DateTimeField(null=True, blank=True)
    manages = models.BooleanField(
        default=False, db_default=False, help_text="Invites and removes the people of the shop."
    )

    class Meta:
        ordering = ("shop", "user")
        # Whoever comes back gets a new row, so that the history of the first time stays.
        constraints = [
            models.UniqueConstraint(
                fields=["shop", "user"], condition=models.Q(left_at=None), name="membership_once"
            )
        ]
        indexes = [models.Index(fields=["shop", "user"], name="membership_of_shop")]

    def __str__(self) -> str:
        return f"{self.user} at {self.shop}"


class Scope(models.TextChoices):
    """What a machine may do."""

    ALERTS_WRITE = "alerts:write", "Post alerts"
    ALERTS_READ = "alerts:read", "Read alerts"
    PREFERENCES_WRITE = "preferences:write", "Read and change preferences"
    DELIVERIES_READ = "deliveries:read", "Read deliveries"
    DELIVERIES_WRITE = "deliveries:write", "Replay and cancel deliveries"
    METRICS_READ = "metrics:read", "Read readiness and metrics"
    ESCALATIONS_WRITE = "escalations:write", "Start and stop escalations"
    ESCALATIONS_READ = "escalations:read", "Read escalations"
    TRACING_WRITE = "tracing:write", "Upload interactions and statuses"
    TRACING_READ = "tracing:read", "Read cases"
    TRACING_FILTERS = "tracing:filters", "Read and set filters"
    DATING_WRITE = "dating:write", "Create dating events, and register people"
    DATING_READ = "dating:read", "Read dating events"
    EVENTS_WRITE = "events:write", "Publish events"
    EVENTS_READ = "events:read", "Read events and dead letters"
    MESSAGES_WRITE = "messages:write", "Replay and discard brokers' dead letters"
    MESSAGES_READ = "messages:read", "Read brokers' dead letters"


class ApiKey(models.Model):
    """A machine's key. Only its SHA-256 digest is kept: the key is random and long, so no salt is needed."""

    PREFIX = "tsn_"

    id = UUIDv7Field()
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False, help_text="First characters of the key.")
    scopes = ArrayField(models.CharField(max_length=40, choices=Scope.choices), default=list)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name",)
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @staticmethod
    def digest_of(key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()

    def set_new_key(self) -> str:
        """Give this record a fresh random key and return it; it can't be read back later."""
        key = self.PREFIX + secrets.token_urlsafe(32)
        self.digest, self.hint = self.digest_of(key), key[:10]
        return key
