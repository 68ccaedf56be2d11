"""What applies to the launches of a course or of a registration, as a form shows and sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.cmi5.overrides import OVERRIDES, Overrides, read_overrides
from gateway.errors import GatewayError, Invalid, Problem
from gateway.services.course_views import overrides_document
from gateway.services.courses import check_tags, stored_overrides
from gateway.web.console.forms import Form
from gateway.web.console.rendering import pretty
from gateway.xapi import strict_json

_CONTEXT = "contextTemplate"


def settings_shown(stored: bytes) -> dict[str, str]:
    """The fields of the form for what is stored; those that nobody changed are empty."""
    document: Mapping[str, Any] = overrides_document(stored_overrides(stored))
    shown = {name: str(document[name]) for name in OVERRIDES if document.get(name) is not None}
    if _CONTEXT in shown:
        shown[_CONTEXT] = pretty(document[_CONTEXT])
    return shown


def settings_given(form: Form) -> dict[str, str]:
    """The fields as somebody sent them."""
    return {name: form.text(name) for name in OVERRIDES if form.text(name)}


def read_settings(form: Form) -> Overrides:
    """What the form says; empty fields change nothing. Raises Invalid with everything that is wrong."""
    document: dict[str, Any] = dict(settings_given(form))
    problems: list[Problem] = []
    if _CONTEXT in document:
        try:
            document[_CONTEXT] = strict_json.parse(document[_CONTEXT].encode()).value
        except GatewayError as error:
            problems.append(Problem(_CONTEXT, "Console", f"is no JSON: {error.message}"))
            del document[_CONTEXT]
    overrides, found = read_overrides(document)
    if problems := [*problems, *found]:
        raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems)
    return overrides


def read_tags(form: Form) -> list[str]:
    """Tags, with commas between; raises Invalid."""
    return check_tags([text.strip() for text in form.text("tags").split(",") if text.strip()])
