"""The routes of accounts, below /api/v1/."""

from accounts.api.views import MeView, TokenRefresh, TokenView
from config.api import slash_optional

urlpatterns = [
    *slash_optional("auth/token", TokenView.as_view(), name="token"),
    *slash_optional("auth/token/refresh", TokenRefresh.as_view(), name="token-refresh"),
    *slash_optional("users/me", MeView.as_view(), name="me"),
]
