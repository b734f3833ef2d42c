"""Somebody who registers, new each time."""

import uuid


def newcomer() -> dict[str, str]:
    return {
        "email": f"{uuid.uuid4().hex}@example.com",
        "password": "correct horse battery staple",
        "first_name": "Ana",
        "last_name": "Costa",
        "role": "student",
    }
