"""The stylesheet's colours, and the contrast between two of them."""

import re
from pathlib import Path

import notifications

PATH = Path(notifications.__file__).parent / "static" / "web" / "web.css"
COLOUR = re.compile(r"--([a-z-]+):\s*(#[0-9a-f]{6});")


def tokens() -> dict[str, dict[str, str]]:
    """Return the colours by name, of the light and of the dark set."""
    text = PATH.read_text()
    light = text[: text.index("@media (prefers-color-scheme: dark)")]
    dark = text[len(light) : text.index("@media (prefers-reduced-motion")]
    return {"light": dict(COLOUR.findall(light)), "dark": dict(COLOUR.findall(dark))}


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio by WCAG 2.2: (lighter + 0.05) / (darker + 0.05)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """Return the relative luminance by WCAG 2.2, of a colour such as ``#0b5a68``."""
    red, green, blue = (_linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
