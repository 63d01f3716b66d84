"""Who is added, renamed and disabled at a terminal, and who is left to people."""

from hypothesis import given
from hypothesis import strategies as st

from server.people.directory import Difference, Wanted, compare
from shared.wire import DirectoryUser, UserChange


def held(number: str, name: str, card: str = "", *, enabled: bool = True) -> DirectoryUser:
    return DirectoryUser(number=number, name=name, card=card, enabled=enabled)


def kinds(difference: Difference) -> list[tuple[str, str]]:
    return [(step.kind, step.change.user.number) for step in difference.steps]


def test_who_works_here_is_added_who_is_called_otherwise_renamed_who_left_disabled() -> None:
    wanted = [Wanted("1", "Li", True), Wanted("2", "Wu", True), Wanted("3", "He", False), Wanted("4", "Yu", False)]
    difference = compare(wanted, [held("2", "Old", "77"), held("3", "He", "88")])
    assert [step.change for step in difference.steps] == [
        UserChange(user=held("1", "Li"), before=None),
        UserChange(user=held("2", "Wu", "77"), before=held("2", "Old", "77")),
        UserChange(user=held("3", "He", "88", enabled=False), before=held("3", "He", "88")),
    ]
    assert kinds(difference) == [("add", "1"), ("rename", "2"), ("disable", "3")], "4 left and is not there"


def test_strangers_and_people_disabled_at_the_terminal_are_left_as_they_are() -> None:
    difference = compare([Wanted("1", "Li", True)], [held("1", "Li", enabled=False), held("9", "?")])
    assert difference == Difference((), (held("9", "?"),), (held("1", "Li", enabled=False),))


def test_a_name_that_the_terminal_cut_is_the_same_name() -> None:
    name = "Maximiliane Oberhuber-Schmidt"
    assert compare([Wanted("1", name, True)], [held("1", name[:24])]).steps == ()
    assert kinds(compare([Wanted("1", "Anna Li", True)], [held("1", "Anna")])) == [("rename", "1")]
    chinese = "欧阳娜娜司马相如诸葛孔明"
    assert compare([Wanted("1", chinese, True)], [held("1", chinese[:8])]).steps == (), "24 bytes are 8 characters"


NUMBERS = st.sampled_from([str(n) for n in range(8)])
WANTED = st.lists(st.builds(Wanted, NUMBERS, st.sampled_from("ABC"), st.booleans()), unique_by=lambda one: one.number)
HELD = st.lists(
    st.builds(DirectoryUser, number=NUMBERS, name=st.sampled_from("ABC"), card=st.just("7"), enabled=st.booleans()),
    unique_by=lambda one: one.number,
)


@given(WANTED, HELD)
def test_after_writing_nothing_is_left_and_nobody_is_gone(wanted: list[Wanted], enrolled: list[DirectoryUser]) -> None:
    people = {user.number: user for user in enrolled}
    for step in compare(wanted, enrolled).steps:
        assert people.get(step.change.user.number) == step.change.before
        people[step.change.user.number] = step.change.user
    assert compare(wanted, list(people.values())).steps == ()
    assert {user.number for user in enrolled} <= set(people)
    strangers = {user.number for user in enrolled} - {one.number for one in wanted}
    assert all(people[user.number] == user for user in enrolled if user.number in strangers), "left as they were"
    assert all(people[user.number].card == "7" for user in enrolled), "cards stay"
