"""What people write about a source, as JSON: read with every problem, and shown the same way. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from gateway.errors import Problem
from gateway.store.sources import Declared, SourceRecord
from gateway.xapi.contents import KINDS
from gateway.xapi.datatypes import is_iri
from gateway.xapi.findings import shown

# How much about people the data says: what has to be protected how well.
DATA_CLASSES: Final[Mapping[str, str]] = {
    "none": "nothing about people",
    "pseudonymous": "people by codes that others cannot resolve",
    "personal": "people by name, address or account",
    "sensitive": "health, beliefs, conduct, and what else harms people when it is known",
}
# The texts of a record, and what each is, for those who fill them in.
TEXTS: Final[Mapping[str, str]] = {
    "owner": "Who here answers for it: a person or an office.",
    "vendor": "The company behind it; nothing for what is your own.",
    "purpose": "What the data is used for.",
    "ground": "The legal ground, such as consent, contract, public task, school official.",
    "contact": "Whom to write to at the vendor when something is wrong.",
    "retention": "How long the data is kept, and what happens then.",
}
_LONGEST, _MOST_VALUES, _LONGEST_IRI = 500, 1_000, 2_000
_KNOWN = (*TEXTS, "contract", "dataClass", "declared")


def parse(values: Mapping[str, Any]) -> tuple[SourceRecord, list[Problem]]:
    """A record without an id, and everything that is wrong with it. What is not given is empty."""
    found: list[Problem] = []
    texts = {name: _text(values, name, name, found) for name in TEXTS}
    expected = f"is not known; expected some of {', '.join(_KNOWN)}"
    found += [_problem(name, expected) for name in values if name not in _KNOWN]
    contract = values.get("contract")
    if contract is None:
        contract = {}
    elif not isinstance(contract, Mapping) or contract.keys() - {"reference", "ends"}:
        found.append(_problem("contract", f'holds {shown(contract)}; expected {{"reference", "ends"}}'))
        contract = {}
    data_class = values.get("dataClass")
    if data_class not in (None, *DATA_CLASSES):
        expected = f"one of {', '.join(DATA_CLASSES)}"
        found.append(_problem("dataClass", f"holds {shown(data_class)}; expected {expected}"))
        data_class = None
    record = SourceRecord(
        id="",
        owner=texts["owner"],
        vendor=texts["vendor"],
        purpose=texts["purpose"],
        ground=texts["ground"],
        contact=texts["contact"],
        retention=texts["retention"],
        contract=_text(contract, "reference", "contract.reference", found),
        ends=_date(contract.get("ends"), found),
        data_class=data_class,
        declared=_declared(values.get("declared"), found),
    )
    return record, found


def written(record: SourceRecord) -> dict[str, Any]:
    """What `parse` reads."""
    return {
        **{name: getattr(record, name) for name in TEXTS},
        "contract": {
            "reference": record.contract,
            "ends": record.ends.isoformat() if record.ends else None,
        },
        "dataClass": record.data_class,
        "declared": record.declared.document() if record.declared else None,
    }


def changes(before: SourceRecord, after: SourceRecord) -> dict[str, Any]:
    """What a change did to a record: `before` and `after` of each field that is another one now."""
    was, now = written(before), written(after)
    names = [name for name in now if was[name] != now[name]]
    return {"before": {name: was[name] for name in names}, "after": {name: now[name] for name in names}}


def _text(values: Mapping[str, Any], name: str, path: str, found: list[Problem]) -> str | None:
    value = values.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST or not value.replace("\n", " ").isprintable():
        expected = f"a text of at most {_LONGEST} printable characters"
        found.append(_problem(path, f"holds {shown(value)}; expected {expected}"))
        return None
    return value.strip() or None


def _date(value: Any, found: list[Problem]) -> dt.date | None:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str) and len(value) == len("2027-06-30"):
            return dt.date.fromisoformat(value)
    except ValueError:
        pass
    found.append(_problem("contract.ends", f"holds {shown(value)}; expected a day such as 2027-06-30"))
    return None


def _declared(value: Any, found: list[Problem]) -> Declared | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or value.keys() - set(KINDS):
        found.append(
            _problem("declared", f"holds {shown(value)}; expected an object with {', '.join(KINDS)}")
        )
        return None
    return Declared(**{kind: _iris(value.get(kind), f"declared.{kind}", found) for kind in KINDS})


def _iris(value: Any, path: str, found: list[Problem]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MOST_VALUES:
        found.append(_problem(path, f"holds {shown(value)}; expected a list of at most {_MOST_VALUES} IRIs"))
        return ()
    for index, one in enumerate(value):
        if not isinstance(one, str) or len(one) > _LONGEST_IRI or not is_iri(one):
            found.append(_problem(f"{path}[{index}]", f"holds {shown(one)}; expected an IRI"))
    return tuple(dict.fromkeys(one for one in value if isinstance(one, str)))


def _problem(path: str, message: str) -> Problem:
    return Problem(path, "Sources", message)
