"""From the XML of a course structure to a `Course`, or to everything that is wrong with it at once.

cmi5 13 and 14: parsed safely, trimmed, checked against the XSD, then against the rules that an XSD cannot
express. Performs no I/O, apart from reading the XSD that is shipped beside this module.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files as package_data
from itertools import islice
from typing import Any, Final

from lxml import etree

from gateway.cmi5.findings import Finding, Level, error, has_errors
from gateway.cmi5.safe_xml import XmlLimits, read_xml
from gateway.cmi5.schema_messages import sentence
from gateway.cmi5.structure import AU, Block, Course, LanguageMap, Node, Objective
from gateway.cmi5.structure_rules import (
    NS,
    Tree,
    element_path,
    line_of,
    local_name,
    structure_findings,
    text_of,
)
from gateway.cmi5.urls import PackageFiles, shorten
from gateway.cmi5.vocabulary import NAMESPACE, SANDSTONE_NAMESPACE, LaunchMethod, MoveOn
from gateway.xapi.datatypes import is_language_tag

_XSD: Final = "cmi5 13.2.0.0-1"
_ATTRIBUTES: Final = ("id", "idref", "moveOn", "masteryScore", "launchMethod", "activityType", "lang")
_MOST_FINDINGS: Final = 200


@dataclass(frozen=True, slots=True)
class Parsed:
    """`course` is None when a finding is an error; warnings may come with a course."""

    course: Course | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level is Level.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level is Level.WARNING)


def parse_structure(
    xml: bytes, *, packaged: bool, files: Collection[str] | None = None, limits: XmlLimits | None = None
) -> Parsed:
    """Read a course structure in any encoding XML knows.

    `packaged`: it came in a zip, so AU URLs may be relative. `files`: the names in that zip; None leaves
    unchecked whether a relative URL leads to one. At most 200 findings are given, in document order.
    """
    root = read_xml(xml, limits or XmlLimits())
    if isinstance(root, Finding):
        return Parsed(None, (root,))
    if (wrong := _wrong_root(root)) is not None:
        return Parsed(None, (wrong,))
    _trim_attributes(root)
    known = None if files is None else PackageFiles(files)
    tree = Tree.of(root, packaged=packaged, files=known)
    found = list(islice((*_xsd_findings(root), *structure_findings(tree)), _MOST_FINDINGS))
    found.sort(key=lambda finding: (finding.line or 0, finding.level))
    return Parsed(None if has_errors(found) else _course(root), tuple(found))


def _wrong_root(root: etree._Element) -> Finding | None:
    name = etree.QName(root)
    if name.localname == "courseStructure" and name.namespace == NAMESPACE:
        return None
    if name.namespace == SANDSTONE_NAMESPACE:
        message = (
            "this course structure is for the cmi5 draft 'Sandstone'; "
            f"export it again for cmi5 Quartz, whose namespace is {NAMESPACE}"
        )
    elif name.localname == "courseStructure":
        message = f"the namespace is {shorten(name.namespace or '')}; expected {NAMESPACE}"
    else:
        message = f"the root element is {shorten(name.localname)}; expected courseStructure"
    return error(_XSD, name.localname, message, line=line_of(root))


def _trim_attributes(root: etree._Element) -> None:
    # 13.1.0.0-1: blanks around a value are dropped on import, so the XSD must not see them.
    for element in root.iter(f"{NS}*"):
        for name in _ATTRIBUTES:
            value = element.get(name)
            if value is not None and value != (trimmed := value.strip()):
                element.set(name, trimmed)


@cache
def _xsd() -> bytes:
    return package_data(__package__).joinpath("CourseStructure.xsd").read_bytes()


def _xsd_findings(root: etree._Element) -> Iterator[Finding]:
    # Compiled for every call, which takes a millisecond: an XMLSchema keeps the errors of its last run in
    # itself, so two imports in two threads must not share one.
    schema = etree.XMLSchema(etree.fromstring(_xsd()))
    if schema.validate(root):
        return
    log: Any = schema.error_log
    for entry in islice(log, _MOST_FINDINGS):
        yield error(_XSD, _path(root, entry.path), sentence(entry.message.replace(NS, "")), line=entry.line)


def _path(root: etree._Element, xpath: str | None) -> str:
    """The readable path for that of an XSD error; that of the root if its prefixes cannot be resolved."""
    prefixes = {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
    try:
        found = root.getroottree().xpath(xpath, namespaces=prefixes) if xpath else []
    except etree.XPathError:
        found = []
    element = found[0] if isinstance(found, list) and found else root
    return element_path(element if isinstance(element, etree._Element) else root)


def _course(root: etree._Element) -> Course:
    course = root.find(f"{NS}course")
    assert course is not None  # The XSD demands one.
    return Course(
        id=course.get("id", ""),
        title=_texts(course, "title"),
        description=_texts(course, "description"),
        objectives=tuple(
            Objective(each.get("id", ""), _texts(each, "title"), _texts(each, "description"))
            for each in root.iterfind(f"{NS}objectives/{NS}objective")
        ),
        children=_children(root),
    )


def _children(parent: etree._Element) -> tuple[Node, ...]:
    return tuple(
        _au(child) if local_name(child) == "au" else _block(child)
        for child in parent.iterchildren(f"{NS}au", f"{NS}block")
    )


def _block(element: etree._Element) -> Block:
    return Block(
        id=element.get("id", ""),
        title=_texts(element, "title"),
        description=_texts(element, "description"),
        objectives=_references(element),
        children=_children(element),
    )


def _au(element: etree._Element) -> AU:
    mastery = element.get("masteryScore")
    return AU(
        id=element.get("id", ""),
        title=_texts(element, "title"),
        description=_texts(element, "description"),
        objectives=_references(element),
        url=_text(element, "url") or "",
        move_on=MoveOn(element.get("moveOn", MoveOn.NOT_APPLICABLE)),
        mastery_score=None if mastery is None else _score(mastery),
        launch_method=LaunchMethod(element.get("launchMethod", LaunchMethod.ANY_WINDOW)),
        activity_type=element.get("activityType") or None,
        launch_parameters=_text(element, "launchParameters"),
        entitlement_key=_text(element, "entitlementKey"),
    )


def _score(text: str) -> Decimal:
    # AUs get it as a JSON number and send that back, so it counts as far as a double can hold it.
    return Decimal(repr(float(text))).normalize() + 0


def _text(element: etree._Element, name: str) -> str | None:
    child = element.find(f"{NS}{name}")
    return None if child is None else text_of(child)


def _texts(element: etree._Element, name: str) -> LanguageMap:
    texts: dict[str, str] = {}
    for text in element.iterfind(f"{NS}{name}/{NS}langstring"):
        language = text.get("lang", "und")
        texts.setdefault(language if is_language_tag(language) else "und", text_of(text))
    return texts


def _references(element: etree._Element) -> tuple[str, ...]:
    found = (each.get("idref") for each in element.iterfind(f"{NS}objectives/{NS}objective"))
    return tuple(idref for idref in found if idref)
