"""Reads XML that a stranger sent: no DTD, no entities, no network, bounded size and depth.

Two passes: expat looks at every event and stops at the first forbidden thing, before any entity could be
declared; only what it let through becomes a tree. Performs no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

from lxml import etree

from gateway.cmi5.findings import Finding, error

_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_SAFETY: Final = "xml safety"
_WELL_FORMED: Final = "cmi5 13.2.0.0-1"
_NO_DOCTYPE: Final = "a DOCTYPE is not accepted; remove it, a course structure needs none"


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlLimits:
    """`size` in bytes, `depth` in nested elements, `elements` in all."""

    size: int = 16 * 1024 * 1024
    depth: int = 64
    elements: int = 500_000


class _RefusedError(Exception):
    def __init__(self, message: str) -> None:
        self.message = message


def read_xml(data: bytes, limits: XmlLimits) -> etree._Element | Finding:
    """The root of the document, without comments and processing instructions, or why it is refused."""
    if len(data) > limits.size:
        return error(
            _SAFETY, "", f"the course structure has {len(data)} bytes; at most {limits.size} are accepted"
        )
    if (refused := _inspect(data, limits)) is not None:
        return refused
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as reason:
        return error(_WELL_FORMED, "", f"this is not well-formed XML: {reason.msg}", line=reason.lineno)
    _drop_schema_locations(root)
    return root


def _inspect(data: bytes, limits: XmlLimits) -> Finding | None:
    depth = elements = 0

    def start(_name: str, _attributes: list[str]) -> None:
        nonlocal depth, elements
        depth += 1
        elements += 1
        if depth > limits.depth:
            raise _RefusedError(f"elements are nested more than {limits.depth} deep")
        if elements > limits.elements:
            raise _RefusedError(f"there are more than {limits.elements} elements")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(_name: str, _system: str | None, _public: str | None, _internal: bool) -> None:
        raise _RefusedError(_NO_DOCTYPE)

    parser = expat.ParserCreate()
    parser.ordered_attributes = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except _RefusedError as refused:
        return error(_SAFETY, "", refused.message, line=parser.CurrentLineNumber)
    except expat.ExpatError as reason:
        return error(
            _WELL_FORMED,
            "",
            f"this is not well-formed XML: {expat.ErrorString(reason.code)}, column {reason.offset + 1}",
            line=reason.lineno,
        )
    except (LookupError, ValueError) as reason:
        # An encoding that Python does not know, or cannot use byte by byte.
        return error(_WELL_FORMED, "", f"the XML declares an encoding that cannot be read: {reason}", line=1)
    return None


def _drop_schema_locations(root: etree._Element) -> None:
    # libxml2 would load the schemas they name while it validates: files of ours, chosen by the sender.
    for element in root.iter():
        for name in ("schemaLocation", "noNamespaceSchemaLocation"):
            if element.get(_XSI + name) is not None:
                del element.attrib[_XSI + name]
