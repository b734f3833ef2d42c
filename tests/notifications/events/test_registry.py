"""Handlers are declared beside the code that does the work, and found by themselves."""

import sys
from pathlib import Path

import pytest
from django.apps import AppConfig, apps
from django.core.exceptions import ImproperlyConfigured

from notifications.events import registry
from notifications.models import Event


def nothing(event: Event) -> None:
    """Does nothing."""


def test_a_handler_is_named_by_its_app_and_function(handlers: None) -> None:
    assert registry.handles("a.*")(nothing) is nothing
    assert registry.names() == ["tests.nothing"]
    handler = registry.get("tests.nothing")
    assert handler is not None
    assert (handler.function, handler.patterns, handler.attempts) == (nothing, ("a.*",), 5)


def test_it_subscribes_to_what_any_of_its_patterns_matches(handlers: None) -> None:
    registry.handles("a.*", "#.z", attempts=2)(nothing)
    found = {key: bool(registry.subscribers(key)) for key in ("a.b", "a", "z", "q.z", "q")}
    assert found == {"a.b": True, "a": False, "z": True, "q.z": True, "q": False}


def test_an_event_has_each_handler_once_though_several_patterns_match(handlers: None) -> None:
    registry.handles("a.*", "#", "a.b")(nothing)
    assert len(registry.subscribers("a.b")) == 1


def test_two_of_one_name_are_refused(handlers: None) -> None:
    registry.handles("a")(nothing)
    with pytest.raises(
        ImproperlyConfigured, match=r"Two event handlers are named tests\.nothing: .*nothing and "
    ):
        registry.handles("b")(nothing)


@pytest.mark.parametrize("pattern", ["a*", "", "a..b", "a b", None, nothing])
def test_a_bad_pattern_is_refused_and_named(handlers: None, pattern: object) -> None:
    with pytest.raises(ImproperlyConfigured, match="nothing: Expected words with dots between"):
        registry.handles("a.b", pattern)(nothing)  # type: ignore[arg-type]
    assert registry.names() == []


def test_no_pattern_and_no_attempt_are_refused(handlers: None) -> None:
    with pytest.raises(ImproperlyConfigured, match="names no pattern"):
        registry.handles()(nothing)
    with pytest.raises(ImproperlyConfigured, match="at least one"):
        registry.handles("a", attempts=0)(nothing)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed app, as somebody else may write one."""
    package = tmp_path / "elsewhere"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__("elsewhere")
    config = AppConfig("elsewhere", module)
    monkeypatch.setattr(apps, "app_configs", {"elsewhere": config})
    yield package
    for name in [each for each in sys.modules if each.partition(".")[0] == "elsewhere"]:
        del sys.modules[name]


HANDLER = """
from notifications.events.registry import handles

@handles("{key}")
def {name}(event):
    pass
"""


def test_the_handlers_module_of_an_app_is_found(handlers: None, app: Path) -> None:
    (app / "handlers.py").write_text(HANDLER.format(key="a.b", name="one"))
    registry.autodiscover()
    assert registry.names() == ["elsewhere.one"]


def test_every_module_of_a_handlers_package_is_found(handlers: None, app: Path) -> None:
    (app / "handlers").mkdir()
    (app / "handlers" / "__init__.py").write_text("")
    for name in ("one", "two"):
        (app / "handlers" / f"{name}.py").write_text(HANDLER.format(key="a.b", name=name))
    registry.autodiscover()
    assert registry.names() == ["elsewhere.one", "elsewhere.two"]


def test_a_handlers_module_that_can_not_be_imported_is_no_silent_loss(handlers: None, app: Path) -> None:
    (app / "handlers.py").write_text("import nowhere_to_be_found")
    with pytest.raises(ModuleNotFoundError):
        registry.autodiscover()


def test_the_products_own_are_there() -> None:
    assert {
        "notifications.profile_make",
        "notifications.profile_update",
        "notifications.profile_remove",
    } <= set(registry.names())
