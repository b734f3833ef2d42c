"""Whoever does a job by page alone, with their clicks and keys counted."""

from dataclasses import dataclass

from playwright.sync_api import Locator, Page


@dataclass
class Hands:
    """Somebody of the staff at a page, whose clicks and keys are counted."""

    page: Page
    email: str
    clicks: int = 0
    keys: int = 0

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks += 1

    def type(self, into: Locator, text: str) -> None:
        """Into a field that has the focus already, or is clicked for it."""
        if not into.evaluate("field => field === document.activeElement"):
            self.click(into)
        self.page.keyboard.type(text)
        self.keys += len(text)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.keys += 1
