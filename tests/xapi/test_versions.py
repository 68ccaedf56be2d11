from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest
from gateway.xapi.versions import Version, negotiate


@pytest.mark.parametrize("header", ["1.0", "1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.9", "1.0.10", " 1.0.3 "])
def test_every_patch_of_1_0_is_handled_as_1_0_3(header: str) -> None:
    version = negotiate(header)
    assert version is Version.V1
    assert version.answer == "1.0.3"
    assert version.default_statement_version == "1.0.0"


@pytest.mark.parametrize("header", ["2.0", "2.0.0", "2.0.1", "2.0.12"])
def test_every_patch_of_2_0_is_handled_as_2_0_0(header: str) -> None:
    version = negotiate(header)
    assert version is Version.V2
    assert version.answer == "2.0.0"
    assert version.default_statement_version == "2.0.0"


@pytest.mark.parametrize(
    "header",
    [
        None, "", " ", "0.9", "0.95", "1", "1.1", "1.1.0", "1.2.0", "2.1.0", "3.0", "1.0.", "1.0.3.1",
        "1.0.x", "latest", "1.0.٣",
    ],
)  # fmt: skip
def test_other_versions_are_refused(header: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        negotiate(header)
    assert "X-Experience-API-Version" in refused.value.message


@given(st.text())
def test_any_header_is_a_version_or_a_bad_request(header: str) -> None:
    try:
        version = negotiate(header)
    except BadRequest:
        return
    assert header.strip().startswith(version.answer[:3])
