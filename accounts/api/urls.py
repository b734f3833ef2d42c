"""The routes of accounts: below /api/v1/, and the original's own paths."""

from accounts.api.views.credentials import (
    LogInView,
    LogOutView,
    RefreshView,
    RegisterView,
    TokenRefreshView,
    TokenView,
)
from accounts.api.views.export import ExportView, MyExportView
from accounts.api.views.invitations import InvitationsView, InvitationView
from accounts.api.views.passwords import PasswordChangeView, PasswordResetConfirmView, PasswordResetView
from accounts.api.views.shops import ShopsView, ShopView
from accounts.api.views.users import MeView, RenewLinksView, UsersView, UserView
from accounts.api.views.verifications import (
    EmailConfirmView,
    EmailVerifyView,
    PhoneConfirmView,
    PhoneVerifyView,
)
from config.rest.api import slash_optional

urlpatterns = [
    *slash_optional("auth/register", RegisterView.as_view(), name="register"),
    *slash_optional("auth/login", LogInView.as_view(), name="login"),
    *slash_optional("auth/refresh", RefreshView.as_view(), name="refresh"),
    *slash_optional("auth/logout", LogOutView.as_view(), name="logout"),
    *slash_optional("auth/token", TokenView.as_view(), name="token"),
    *slash_optional("auth/token/refresh", TokenRefreshView.as_view(), name="token-refresh"),
    *slash_optional("auth/password/change", PasswordChangeView.as_view(), name="password-change"),
    *slash_optional("auth/password/reset", PasswordResetView.as_view(), name="password-reset"),
    *slash_optional(
        "auth/password/reset/confirm", PasswordResetConfirmView.as_view(), name="password-reset-confirm"
    ),
    *slash_optional("auth/email/verify", EmailVerifyView.as_view(), name="email-verify"),
    *slash_optional("auth/email/confirm", EmailConfirmView.as_view(), name="email-confirm"),
    *slash_optional("auth/phone/verify", PhoneVerifyView.as_view(), name="phone-verify"),
    *slash_optional("auth/phone/confirm", PhoneConfirmView.as_view(), name="phone-confirm"),
    *slash_optional("invitations", InvitationsView.as_view(), name="invitations"),
    *slash_optional("invitations/<uuid:invitation_id>", InvitationView.as_view(), name="invitation"),
    *slash_optional("shops", ShopsView.as_view(), name="shops"),
    *slash_optional("shops/<uuid:shop_id>", ShopView.as_view(), name="shop"),
    *slash_optional("users/me", MeView.as_view(), name="me"),
    *slash_optional("users/me/export", MyExportView.as_view(), name="me-export"),
    *slash_optional("users/me/renew-links", RenewLinksView.as_view(), name="renew-links"),
    *slash_optional("users", UsersView.as_view(), name="users"),
    *slash_optional("users/<uuid:user_id>", UserView.as_view(), name="user"),
    *slash_optional("users/<uuid:user_id>/export", ExportView.as_view(), name="user-export"),
]

# The original's paths; the schema describes them once, above.
original_urlpatterns = [
    *slash_optional("auth/api/v1/register", RegisterView.as_view(schema=None)),
    *slash_optional("auth/api/v1/login", LogInView.as_view(schema=None)),
]
