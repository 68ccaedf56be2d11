from __future__ import annotations

from gateway.xapi.contents import contents


def test_everything_is_found_wherever_it_stands() -> None:
    activity = {"id": "a", "definition": {"type": "t1", "extensions": {"e1": {"inside": 1}}}}
    statement = {
        "verb": {"id": "v1"},
        "object": {
            "objectType": "SubStatement",
            "verb": {"id": "v2"},
            "object": {"id": "b", "definition": {"type": "t2"}},
            "result": {"extensions": {"e2": 1}},
        },
        "context": {
            "extensions": {"e3": None},
            "contextActivities": {
                "parent": [activity],
                "grouping": {"id": "c", "definition": {"type": "t3"}},
            },
        },
        "result": {"extensions": {"e4": []}},
    }
    assert contents(statement) == {
        *(("verbs", one) for one in ("v1", "v2")),
        *(("types", one) for one in ("t1", "t2", "t3")),
        *(("extensions", one) for one in ("e1", "e2", "e3", "e4")),
    }


def test_what_has_another_shape_is_passed_over() -> None:
    nearest = {
        "verb": None,
        "object": [1],
        "context": {"contextActivities": [], "extensions": 3},
        "result": 1,
    }
    assert contents(nearest) == set()
    assert contents(None) == set()
    assert contents({"verb": {"id": 1}, "object": {"definition": {"type": {}}}}) == set()
