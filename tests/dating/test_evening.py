"""The whole evening, as the original's scenario has it, by a clock that moves when told."""

import pytest

from dating import services
from dating.models import Reaction, Registration
from notifications.models import Delivery
from tests.dating.cast import DAY, EIGHT, HOUR, MINUTE, Evening, event, links, person, told

pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_an_evening_from_registration_to_matches() -> None:
    ana, zoe, eve = (person(name, seeks="men") for name in ("Ana", "Zoe", "Eve"))
    bob, tom = (person(name, seeks="women") for name in ("Bob", "Tom"))
    late = person("Late", seeks="women")

    # Ten days before, they register.
    evening = Evening(event(two_pools=True)).registered(ana, zoe, eve, bob, tom)
    assert evening.event.state == 0
    assert told(ana) == ["registered"]

    # Nothing happens until a day before; then everybody is asked to confirm.
    assert evening.at(EIGHT - DAY - MINUTE) == []
    assert evening.at(EIGHT - DAY) == ["confirming"]
    assert told(ana) == ["registered", "confirm"]
    # Who registers now is asked at once.
    evening.registered(late)
    assert told(late) == ["registered", "confirm"]
    for each in (ana, zoe, eve, bob, tom):
        services.registration_confirm(event=evening.event, user=each, now=evening.now)

    # An hour before, the groups are made, and everybody hears whether they take part.
    assert evening.at(EIGHT - HOUR) == ["closed"]
    assert told(ana)[-1] == "taking_part"
    assert told(late)[-1] == "left_out"
    assert evening.member(late).left_out == Registration.LeftOut.UNCONFIRMED
    assert evening.rounds() == ["planned"] * 3

    # Five minutes before: the rules, and who is ready.
    assert evening.at(EIGHT - 5 * MINUTE) == ["ready_check"]
    assert told(ana)[-2:] == ["rules", "link"] or told(ana)[-2:] == ["rules", "bye"]
    evening.ready(ana, zoe, eve, bob)

    # At eight the first round begins; five minutes later its calls are ended and everybody rates.
    assert evening.at(EIGHT) == ["round"]
    for number in (1, 2, 3):
        assert evening.step == "round"
        met = [user for user in (ana, zoe, eve, bob, tom) if (number in dict(links(user)))]
        assert len(met) == 4
        evening.join(*met)
        assert evening.at(evening.end_of_round(number)) == ["break"]
        assert told(met[0]).count("rate") == sum(done <= number for done, _ in links(met[0]))
        for liker, liked in ((ana, tom), (tom, ana), (zoe, tom)):
            if services.have_met(evening.member(liker).pk, evening.member(liked).pk):
                services.reaction_record(
                    event=evening.event,
                    user=liker,
                    about_id=evening.member(liked).pk,
                    kind=Reaction.Kind.LIKE,
                    now=evening.now,
                )
        following = evening.at(evening.end_of_round(number) + MINUTE)
        assert following == (["finished"] if number == 3 else ["round"])

    # Everybody has met everybody of the other pool, once, and has had their pauses.
    assert sorted(name for _, name in links(bob)) == ["Ana", "Eve", "Zoe"]
    assert sorted(name for _, name in links(ana)) == ["Bob", "Tom"]
    assert told(ana).count("bye") == 1
    assert told(bob).count("bye") == 0

    # Ana and Tom liked each other; Zoe's like nobody ever hears of.
    finals = {user: final(user) for user in (ana, tom, zoe, bob)}
    assert finals == {ana: ["Tom"], tom: ["Ana"], zoe: [], bob: []}
    assert evening.event.state == 3
    evening.event.refresh_from_db()
    assert evening.event.state == 4
    assert evening.event.results["matches"] == 1
    assert evening.event.results["rounds"] == 3
    assert evening.at(EIGHT + DAY) == []


def final(user: object) -> list[str]:
    delivery = Delivery.objects.get(user=user, channel="inbox", notification__kind="dating.finished")
    return [each["name"] for each in delivery.notification.data["matches"]]
