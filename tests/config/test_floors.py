"""The picture of the floors shows what import-linter holds."""

import runpy

from django.conf import settings


def test_the_picture_in_the_docs_is_drawn_from_the_contracts() -> None:
    floors = runpy.run_path(str(settings.BASE_DIR / "docs" / "floors.py"))
    page = floors["PAGE"].read_text()
    assert floors["picture"]() in page, "draw it anew: .venv/bin/python docs/floors.py"
    assert floors["draw"](page) == page
