"""What tests of passwords share."""

from rest_framework.test import APIClient

from accounts.models import User

LOGIN, REFRESH = "/api/v1/auth/login/", "/api/v1/auth/refresh/"
NEW = "staple full of hay"
WEAK = ["short", "12345678901", "password123", "owner@example.com"]


def status_of_log_in(user: User, password: str) -> int:
    return APIClient().post(LOGIN, {"email": user.email, "password": password}).status_code


def refreshed(token: str) -> int:
    return APIClient().post(REFRESH, {"refresh_token": token}).status_code
