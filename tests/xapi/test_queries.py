import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest, Invalid
from gateway.xapi import queries
from gateway.xapi.agents import agent_key
from gateway.xapi.parameters import Parameters
from gateway.xapi.queries import (
    ActivitiesQuery,
    AgentsQuery,
    Format,
    Position,
    StatementsQuery,
    decode_more,
    encode_more,
)
from gateway.xapi.versions import Version

ID = "6690e6c9-3ef0-4ed3-8b37-7f3964730bee"
AGENT = {"objectType": "Agent", "name": "Ana", "mbox": "mailto:ana@Example.org"}
GROUP = {"objectType": "Group", "name": "Blue", "openid": "https://id.example.org/b", "member": [AGENT]}
NAMELESS = {"objectType": "Group", "member": [AGENT]}
IRI = "https://example.org/ä"
KEY = b"k" * 32

VALID = {
    "statementId": ID,
    "voidedStatementId": ID,
    "agent": json.dumps(AGENT),
    "verb": IRI,
    "activity": IRI,
    "registration": ID,
    "related_activities": "true",
    "related_agents": "false",
    "since": "2024-01-31T10:00:00Z",
    "until": "2024-01-31T11:00:00.5+01:00",
    "limit": "10",
    "format": "canonical",
    "attachments": "true",
    "ascending": "true",
}
WRONG = {
    "statementId": [
        "",
        "x",
        ID[:-1],
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        ID.replace("-", ""),
        f"{ID} ",
        "７" + ID[1:],
    ],
    "voidedStatementId": ["", "null", ID + "0", "z" + ID[1:]],
    "agent": [
        "",
        "Ana",
        "null",
        "[]",
        "1",
        '"mailto:a@b.c"',
        "{}",
        "{",
        '{"mbox":"mailto:a@b.c","mbox":"mailto:a@b.c"}',
        '{"mbox":"ana@example.org"}',
        '{"mbox":"mailto:a@b.c","openid":"https://id.example.org"}',
        '{"Mbox":"mailto:a@b.c"}',
        '{"account":{"homePage":"www.example.org","name":"a"}}',
        json.dumps({"name": "Ana"}),
        json.dumps({**AGENT, "extra": 1}),
        json.dumps(NAMELESS),
        "\udc80",
    ],
    "verb": [
        "",
        "www.example.org",
        "/verbs/x",
        "verb",
        "https://example.org/a b",
        "ab=c://x",
        "\udc80:x",
        "x:",
    ],
    "activity": ["", "www.example.org", "/x", "activity", "https://example.org/<a>", "https://a\x00"],
    "registration": ["", "null", ID[1:], f"{ID}\n"],
    "related_activities": ["", "True", "TRUE", "1", "yes", "null", "true "],
    "related_agents": ["", "False", "0", "no"],
    "since": [
        "",
        "yesterday",
        "2024-01-31",
        "2024-02-30T00:00:00Z",
        "1706695200",
        "2024-01-31T10:00:00-00:00",
    ],
    "until": ["", "null", "2024-13-01T00:00:00Z", "2024-01-31T25:00:00Z", "2024-01-31T10:00:00 01:00"],
    "limit": ["", "-1", "+1", "1.0", "1e2", "ten", " 1", "0x10", "١", "²", "null"],
    "format": ["", "id", "IDS", "Exact", "json", "exact "],
    "attachments": ["", "True", "1", "yes"],
    "ascending": ["", "desc", "FALSE", "0"],
}
EACH_WRONG = [(name, value) for name, values in WRONG.items() for value in values]


def parse(**parameters: str) -> StatementsQuery:
    return StatementsQuery.parse(list(parameters.items()), Version.V2)


def problems(pairs: list[tuple[str, str]]) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        StatementsQuery.parse(pairs, Version.V1)
    answer = [caught.value.message, *(problem.path + problem.message for problem in caught.value.problems)]
    assert all(text.encode("utf-8") for text in answer)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_a_query_without_parameters_has_the_defaults_of_the_standard() -> None:
    query = parse()
    assert query == StatementsQuery()
    assert (query.limit, query.format, query.attachments, query.ascending) == (0, Format.EXACT, False, False)
    assert not query.single


def test_every_filter_is_read_into_its_type() -> None:
    filters = {name: value for name, value in VALID.items() if not name.endswith("Id")}
    assert parse(**filters) == StatementsQuery(
        agent={"mbox": "mailto:ana@Example.org"},
        agent_key="mbox:mailto:ana@example.org",
        verb=IRI,
        activity=IRI,
        registration=UUID(ID),
        related_activities=True,
        since=1706695200_000000,
        until=1706695200_500000,
        limit=10,
        format=Format.CANONICAL,
        attachments=True,
        ascending=True,
    )


def test_ids_are_compared_without_letter_case() -> None:
    query = parse(statementId=ID.upper())
    assert query.statement_id == UUID(ID)
    assert query.single


@pytest.mark.parametrize("version", Version)
def test_an_identified_group_can_be_looked_for(version: Version) -> None:
    query = StatementsQuery.parse([("agent", json.dumps(GROUP))], version)
    assert query.agent == {"objectType": "Group", "openid": "https://id.example.org/b"}
    assert query.agent_key == "openid:https://id.example.org/b"


def test_an_anonymous_group_cannot_be_looked_for() -> None:
    assert "anonymous" in problems([("agent", json.dumps(NAMELESS))])["agent"]


def test_a_time_without_zone_is_utc() -> None:
    assert parse(since="2024-01-31T10:00:00").since == parse(since="2024-01-31T10:00:00Z").since


def test_a_plus_that_became_a_blank_is_refused_with_a_hint() -> None:
    assert "%2B" in problems([("since", "2024-01-31T10:00:00 01:00")])["since"]


@pytest.mark.parametrize("digits", ["0", "007", "10", "9" * 30, "9" * 10_000])
def test_any_limit_in_digits_is_accepted_and_cut_off_where_no_page_goes(digits: str) -> None:
    expected = 2**31 - 1 if len(digits) > 10 else int(digits)
    assert parse(limit=digits).limit == expected


@pytest.mark.parametrize(("name", "value"), EACH_WRONG)
def test_a_value_of_the_wrong_type_is_refused_under_its_name(name: str, value: str) -> None:
    found = problems([(name, value)])
    assert {path.partition(".")[0] for path in found} == {name}


@pytest.mark.parametrize("name", VALID)
def test_a_repeated_parameter_is_refused_even_with_equal_values(name: str) -> None:
    assert problems([(name, VALID[name])] * 2) == {name: "is given more than once"}


@pytest.mark.parametrize("name", VALID)
def test_a_parameter_in_another_letter_case_is_refused(name: str) -> None:
    other = name.swapcase()
    assert f'did you mean "{name}"' in problems([(other, VALID[name])])[other]


@pytest.mark.parametrize(
    "name", ["foo", "", "method", "stateId", "more", "statement_id", "\udc80", "x" * 1000]
)
def test_an_unknown_parameter_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        StatementsQuery.parse([(name, "x")], Version.V2)
    (problem,) = caught.value.problems
    assert "is no parameter of this request" in problem.message
    assert len(problem.path.encode("utf-8")) < 100


def test_all_problems_of_a_query_are_named_at_once() -> None:
    found = problems([("limit", "x"), ("foo", "1"), ("verb", "y"), ("since", "z"), ("agent", "{}")])
    assert set(found) == {"limit", "foo", "verb", "since", "agent"}


@pytest.mark.parametrize("single", ["statementId", "voidedStatementId"])
@pytest.mark.parametrize(
    "other", sorted(VALID.keys() - {"statementId", "voidedStatementId", "format", "attachments"})
)
def test_a_single_statement_cannot_be_filtered(single: str, other: str) -> None:
    found = problems([(single, ID), (other, VALID[other])])
    assert f"cannot be combined with {single}" in found[other]


@pytest.mark.parametrize("single", ["statementId", "voidedStatementId"])
def test_a_single_statement_goes_with_format_and_attachments(single: str) -> None:
    query = parse(**{single: ID, "format": "ids", "attachments": "true"})
    assert (query.format, query.attachments, query.single) == (Format.IDS, True, True)


def test_both_ids_together_are_refused() -> None:
    assert (
        "cannot be combined"
        in problems([("statementId", ID), ("voidedStatementId", ID)])["voidedStatementId"]
    )


def test_a_wrong_combination_is_refused_even_if_the_id_is_unreadable() -> None:
    assert set(problems([("statementId", "x"), ("verb", IRI)])) == {"statementId", "verb"}


def test_related_parameters_without_their_filter_have_no_effect() -> None:
    assert parse(related_agents="true", related_activities="true").agent is None


def test_put_takes_exactly_the_statement_id() -> None:
    assert queries.parse_statement_id([("statementId", ID.upper())]) == UUID(ID)
    for pairs in (
        [],
        [("statementId", "x")],
        [("statementId", ID)] * 2,
        [("statementId", ID), ("format", "ids")],
    ):
        with pytest.raises(Invalid, match=r"statementId|format"):
            queries.parse_statement_id(pairs)


def test_post_takes_no_parameter_at_all() -> None:
    queries.parse_nothing([])
    with pytest.raises(Invalid, match="it takes none at all"):
        queries.parse_nothing([("statementId", ID)])


def test_agents_takes_exactly_one_agent() -> None:
    query = AgentsQuery.parse([("agent", json.dumps(AGENT))])
    assert (query.agent, query.agent_key) == (AGENT, "mbox:mailto:ana@example.org")


@pytest.mark.parametrize("value", [*WRONG["agent"], json.dumps(GROUP)])
def test_agents_refuses_groups_and_everything_that_is_no_agent(value: str) -> None:
    with pytest.raises(Invalid, match="agent"):
        AgentsQuery.parse([("agent", value)])


@pytest.mark.parametrize(
    "pairs", [[], [("Agent", json.dumps(AGENT))], [("agent", json.dumps(AGENT)), ("a", "b")]]
)
def test_agents_refuses_missing_and_unknown_parameters(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(Invalid):
        AgentsQuery.parse(pairs)


def test_activities_takes_exactly_one_iri() -> None:
    assert ActivitiesQuery.parse([("activityId", IRI)]).activity_id == IRI


@pytest.mark.parametrize("value", WRONG["activity"])
def test_activities_refuses_what_is_no_iri(value: str) -> None:
    with pytest.raises(Invalid, match="the parameter activityId holds"):
        ActivitiesQuery.parse([("activityId", value)])


def test_a_missing_parameter_is_named_and_a_repeated_one_only_once() -> None:
    with pytest.raises(Invalid, match="activityId is missing"):
        ActivitiesQuery.parse([])
    with pytest.raises(Invalid) as caught:
        ActivitiesQuery.parse([("activityId", IRI)] * 3)
    assert [problem.message for problem in caught.value.problems] == ["is given more than once"]


@given(
    st.lists(
        st.tuples(st.sampled_from(list(VALID)) | st.text(), st.sampled_from(list(VALID.values())) | st.text())
    )
)
def test_arbitrary_queries_raise_nothing_but_bad_request(pairs: list[tuple[str, str]]) -> None:
    try:
        StatementsQuery.parse(pairs, Version.V2)
    except BadRequest:
        assert pairs


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_texts_of_every_script_are_read_as_they_are(text: str) -> None:
    parameters = Parameters([("stateId", text)], known=("stateId",), requirement="")
    assert parameters.text("stateId") == text


IDENTIFIERS = st.sampled_from(
    [
        None,
        {"mbox": "mailto:a@b.c"},
        {"objectType": "Group", "account": {"homePage": "https://a|b", "name": "ä\\"}},
    ]
)
TIMES = st.integers(-(2**55), 2**60)


def full_query(agent: dict[str, Any] | None, **fields: Any) -> StatementsQuery:
    return StatementsQuery(agent=agent, agent_key=None if agent is None else agent_key(agent), **fields)


QUERIES = st.builds(
    full_query,
    IDENTIFIERS,
    verb=st.none() | st.text(st.characters(codec="utf-8")),
    activity=st.none() | st.text(st.characters(codec="utf-8")),
    registration=st.none() | st.uuids(),
    related_activities=st.booleans(),
    related_agents=st.booleans(),
    since=st.none() | TIMES,
    until=st.none() | TIMES,
    limit=st.integers(0, 2**31 - 1),
    format=st.sampled_from(Format),
    attachments=st.booleans(),
    ascending=st.booleans(),
)
POSITIONS = st.builds(Position, TIMES, st.uuids(), TIMES, TIMES)
TOKEN = encode_more(StatementsQuery(verb=IRI), Position(1, UUID(ID), 2, 3), key=KEY)


@given(QUERIES, POSITIONS)
def test_a_more_token_carries_the_whole_query_and_its_position(
    query: StatementsQuery, position: Position
) -> None:
    token = encode_more(query, position, key=KEY)
    assert token.replace("-", "a").replace("_", "a").isalnum()
    assert decode_more(token, key=KEY) == (query, position)


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_a_more_token_with_one_changed_character_is_refused(index: int, character: str) -> None:
    tampered = TOKEN[:index] + character + TOKEN[index + 1 :]
    if tampered != TOKEN:
        with pytest.raises(BadRequest, match="not a token of this server"):
            decode_more(tampered, key=KEY)


@given(st.text() | st.text("abcdefAB0189-_"))
def test_a_made_up_more_token_is_refused(token: str) -> None:
    with pytest.raises(BadRequest, match="not a token of this server"):
        decode_more(token, key=KEY)


@pytest.mark.parametrize(
    "token", [TOKEN[:-1], TOKEN + "A", TOKEN + "=", TOKEN + "\n", " " + TOKEN, TOKEN + TOKEN, ""]
)
def test_a_cut_or_lengthened_more_token_is_refused(token: str) -> None:
    with pytest.raises(BadRequest):
        decode_more(token, key=KEY)


def test_a_more_token_made_with_another_key_is_refused() -> None:
    with pytest.raises(BadRequest):
        decode_more(TOKEN, key=b"other")


def test_a_more_link_is_followed_with_nothing_but_its_token() -> None:
    assert queries.more_token([("more", TOKEN)]) == TOKEN
    assert queries.more_token([("verb", IRI)]) is None
    assert queries.more_token([]) is None
    for pairs in ([("more", TOKEN), ("limit", "1")], [("more", TOKEN)] * 2, [("more", "")]):
        with pytest.raises(Invalid):
            queries.more_token(pairs)
