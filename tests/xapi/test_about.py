import pytest

from gateway.xapi.about import about


def test_about_lists_the_newest_patch_of_both_versions() -> None:
    assert about() == {"version": ["1.0.3", "2.0.0"]}


def test_about_carries_extensions_under_iris() -> None:
    extensions = {"https://example.org/limits": {"body": 1}}
    assert about(extensions) == {"version": ["1.0.3", "2.0.0"], "extensions": extensions}


def test_an_extension_of_about_whose_key_is_no_iri_is_refused() -> None:
    with pytest.raises(ValueError, match="'limits' is not an IRI"):
        about({"limits": 1})
