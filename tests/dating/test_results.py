"""What an evening came to."""

from dating.evening.results import DateRow, ReactionRow, RegistrationRow, matches_of, summary


def likes(*pairs: str) -> list[ReactionRow[str]]:
    return [ReactionRow(by, about, "like") for by, about in pairs]


def test_a_match_is_mutual_and_counts_once():
    assert matches_of(likes("ab", "ba", "ac", "bc", "cb")) == [("a", "b"), ("b", "c")]
    assert matches_of([*likes("ab"), ReactionRow("b", "a", "dislike")]) == []


def test_nobody_matches_whom_they_reported_or_who_reported_them():
    for by, about in ("ab", "ba"):
        assert matches_of([*likes("ab", "ba"), ReactionRow(by, about, "report")]) == []
    assert matches_of([*likes("ab", "ba"), ReactionRow("a", "c", "report")]) == [("a", "b")]


def test_the_results_of_an_evening_count_everything_once():
    came = {"confirmed": True, "declined": False, "took_part": True, "showed": True}
    registrations = [
        *(RegistrationRow(key, **came) for key in "abc"),
        RegistrationRow("d", **{**came, "showed": False}, no_shows=2),
        RegistrationRow("e", confirmed=False, declined=True, took_part=False, showed=False),
    ]
    dates = [
        DateRow("a", "b", 1, held=True),
        DateRow("c", "d", 1, held=False),
        DateRow("a", "c", 2, held=True),
        DateRow("b", "d", None, held=False),
    ]
    reactions = [*likes("ab", "ba", "ac"), ReactionRow("c", "a", "dislike"), ReactionRow("c", "a", "report")]
    assert summary(registrations=registrations, dates=dates, reactions=reactions, rounds=2) == {
        "registered": 5,
        "confirmed": 4,
        "declined": 1,
        "took_part": 4,
        "shows": 3,
        "no_shows": 2,
        "rounds": 2,
        "dates_planned": 4,
        "dates_held": 2,
        "reactions": {"like": 3, "dislike": 1, "report": 1},
        "matches": 1,
        "people_matched": 2,
        "by_round": [
            {"round": 1, "planned": 2, "held": 1, "likes": 2, "matches": 1},
            {"round": 2, "planned": 1, "held": 1, "likes": 1, "matches": 0},
        ],
        "by_likes_received": [1, 3],
    }


def test_an_evening_that_was_skipped_has_results_too():
    found = summary(registrations=[], dates=[], reactions=[], rounds=0)
    assert found["registered"] == found["matches"] == 0
    assert found["by_round"] == found["by_likes_received"] == []
