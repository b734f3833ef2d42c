"""The routes of accounts: below /api/v1/, and the original's own paths."""

from accounts.api.views import credentials, export, invitations, passwords, shops, users, verifications
from config.rest.api import slash_optional, slashes_optional

urlpatterns = slashes_optional(
    ("auth/register", credentials.RegisterView, "register"),
    ("auth/login", credentials.LogInView, "login"),
    ("auth/refresh", credentials.RefreshView, "refresh"),
    ("auth/logout", credentials.LogOutView, "logout"),
    ("auth/token", credentials.TokenView, "token"),
    ("auth/token/refresh", credentials.TokenRefreshView, "token-refresh"),
    ("auth/password/change", passwords.PasswordChangeView, "password-change"),
    ("auth/password/reset", passwords.PasswordResetView, "password-reset"),
    ("auth/password/reset/confirm", passwords.PasswordResetConfirmView, "password-reset-confirm"),
    ("auth/email/verify", verifications.EmailVerifyView, "email-verify"),
    ("auth/email/confirm", verifications.EmailConfirmView, "email-confirm"),
    ("auth/phone/verify", verifications.PhoneVerifyView, "phone-verify"),
    ("auth/phone/confirm", verifications.PhoneConfirmView, "phone-confirm"),
    ("invitations", invitations.InvitationsView, "invitations"),
    ("invitations/<uuid:invitation_id>", invitations.InvitationView, "invitation"),
    ("shops", shops.ShopsView, "shops"),
    ("shops/<uuid:shop_id>", shops.ShopView, "shop"),
    ("users/me", users.MeView, "me"),
    ("users/me/export", export.MyExportView, "me-export"),
    ("users/me/renew-links", users.RenewLinksView, "renew-links"),
    ("users", users.UsersView, "users"),
    ("users/<uuid:user_id>", users.UserView, "user"),
    ("users/<uuid:user_id>/export", export.ExportView, "user-export"),
)

# The original's paths; the schema describes them once, above.
original_urlpatterns = [
    *slash_optional("auth/api/v1/register", credentials.RegisterView.as_view(schema=None)),
    *slash_optional("auth/api/v1/login", credentials.LogInView.as_view(schema=None)),
]
