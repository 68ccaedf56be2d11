"""The rules for a course structure that its XSD cannot express (cmi5 3, 8.1, 13.1, 14).

They read the XML tree and not a `Course`, so that a file that the XSD refuses gets all its findings at once.
Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from lxml import etree

from gateway.cmi5.findings import Finding, error, warning
from gateway.cmi5.urls import PackageFiles, shorten, url_problems
from gateway.cmi5.vocabulary import NAMESPACE, MoveOn
from gateway.xapi.datatypes import is_iri, is_language_tag

NS: Final = f"{{{NAMESPACE}}}"
_IRI: Final = "cmi5 3.0.0.0-1"
_UNIQUE: Final = {"au": "cmi5 13.1.4.0-1", "block": "cmi5 13.1.2.0-1", "objective": "cmi5 13.1.3.0-1"}


@dataclass(frozen=True, slots=True)
class Tree:
    """The parts of a structure in document order, and what is known of the package it came in."""

    course: etree._Element | None
    objectives: tuple[etree._Element, ...]
    nodes: tuple[etree._Element, ...]
    packaged: bool
    files: PackageFiles | None

    @classmethod
    def of(cls, root: etree._Element, *, packaged: bool, files: PackageFiles | None) -> Tree:
        return cls(
            root.find(f"{NS}course"),
            tuple(root.iterfind(f"{NS}objectives/{NS}objective")),
            tuple(_nodes(root)),
            packaged,
            files,
        )

    def named(self, name: str) -> Iterator[etree._Element]:
        return (node for node in self.nodes if local_name(node) == name)


def structure_findings(tree: Tree) -> Iterator[Finding]:
    """Everything the rules have to say about this structure."""
    for rule in RULES:
        yield from rule(tree)


def local_name(element: etree._Element) -> str:
    return etree.QName(element).localname


def element_path(element: etree._Element) -> str:
    """Where an element is, for a person: `courseStructure/block[2]/au`."""
    parts = []
    for each in (element, *element.iterancestors()):
        before = sum(1 for _ in each.itersiblings(each.tag, preceding=True))
        alone = before == 0 and next(each.itersiblings(each.tag), None) is None
        parts.append(local_name(each) if alone else f"{local_name(each)}[{before + 1}]")
    return "/".join(reversed(parts))


def line_of(element: etree._Element) -> int | None:
    line: Any = element.sourceline  # The stubs leave its type open.
    return line if isinstance(line, int) else None


def text_of(element: etree._Element) -> str:
    """The whole text in an element, child elements included, without blanks around it (13.1.0.0-1)."""
    return "".join(str(part) for part in element.itertext()).strip()


def _nodes(parent: etree._Element) -> Iterator[etree._Element]:
    for child in parent.iterchildren(f"{NS}au", f"{NS}block"):
        yield child
        if local_name(child) == "block":
            yield from _nodes(child)


def _at(element: etree._Element, attribute: str = "") -> tuple[str, int | None]:
    path = element_path(element)
    return (f"{path}/@{attribute}" if attribute else path), line_of(element)


def ids_are_iris(tree: Tree) -> Iterator[Finding]:
    course = () if tree.course is None else (tree.course,)
    for element in (*course, *tree.objectives, *tree.nodes):
        identifier = element.get("id")
        if identifier is not None and not is_iri(identifier):
            path, line = _at(element, "id")
            message = (
                f"the id {shorten(identifier)} is no full IRI; "
                "it needs a scheme, such as https://, and must hold no blanks"
            )
            yield error(_IRI, path, message, line=line)


def ids_are_unique(tree: Tree) -> Iterator[Finding]:
    first: dict[str, etree._Element] = {}
    for element in tree.nodes:
        yield from _repeated(element, first)
    objectives: dict[str, etree._Element] = {}
    for element in tree.objectives:
        yield from _repeated(element, objectives)


def _repeated(element: etree._Element, first: dict[str, etree._Element]) -> Iterator[Finding]:
    identifier = element.get("id", "")
    if identifier not in first:
        first[identifier] = element
        return
    name, other = local_name(element), first[identifier]
    path, line = _at(element, "id")
    message = (
        f"the id {shorten(identifier)} is already that of the {local_name(other)} in line {line_of(other)}; "
        "every block, AU and objective needs its own"
    )
    yield error(_UNIQUE[name], path, message, line=line)


def course_has_its_own_id(tree: Tree) -> Iterator[Finding]:
    identifier = None if tree.course is None else tree.course.get("id")
    for element in tree.nodes:
        if identifier is not None and element.get("id") == identifier:
            path, line = _at(element, "id")
            name = "AU" if local_name(element) == "au" else "block"
            message = f"the {name} has the id of the course, {shorten(identifier)}; reports will mix them up"
            yield warning("cmi5 13.1.1", path, message, line=line)


def urls_can_be_launched(tree: Tree) -> Iterator[Finding]:
    for au in tree.named("au"):
        element = au.find(f"{NS}url")
        url = "" if element is None else text_of(element)
        if element is not None and url:  # An absent or empty one is the XSD's affair.
            for requirement, message in url_problems(url, packaged=tree.packaged, files=tree.files):
                path, line = _at(element)
                yield error(requirement, path, message, line=line)


def objectives_exist(tree: Tree) -> Iterator[Finding]:
    declared = {element.get("id") for element in tree.objectives}
    for node in tree.nodes:
        for reference in node.iterfind(f"{NS}objectives/{NS}objective"):
            idref = reference.get("idref")
            if idref and idref not in declared:
                path, line = _at(reference, "idref")
                message = f"no objective of this course has the id {shorten(idref)}; the reference is ignored"
                yield warning("cmi5 13.1.4", path, message, line=line)


def activity_types_are_iris(tree: Tree) -> Iterator[Finding]:
    for au in tree.named("au"):
        activity_type = au.get("activityType")
        if activity_type and not is_iri(activity_type):
            path, line = _at(au, "activityType")
            message = (
                f"the activity type {shorten(activity_type)} is no full IRI; it is left out of the statements"
            )
            yield warning(_IRI, path, message, line=line)


def mastery_scores_are_short(tree: Tree) -> Iterator[Finding]:
    for au in tree.named("au"):
        try:
            exponent = Decimal(au.get("masteryScore", "0")).as_tuple().exponent
        except InvalidOperation:
            continue  # The XSD says so.
        if isinstance(exponent, int) and exponent < -4:
            path, line = _at(au, "masteryScore")
            message = f"the mastery score {shorten(au.get('masteryScore', ''))} has more than four decimals"
            yield warning("cmi5 13.1.4", path, message, line=line)


def languages_are_known(tree: Tree) -> Iterator[Finding]:
    course = () if tree.course is None else (tree.course,)
    for owner in (*course, *tree.objectives, *tree.nodes):
        for element in (*owner.iterfind(f"{NS}title"), *owner.iterfind(f"{NS}description")):
            seen: set[str] = set()
            for text in element.iterfind(f"{NS}langstring"):
                language = text.get("lang", "und")
                if language in seen:
                    message = f"there is another text in '{language}' before it; this one is ignored"
                elif not is_language_tag(language):
                    message = f"{shorten(language)} is no language tag of RFC 5646; the text counts as 'und'"
                else:
                    seen.add(language)
                    continue
                path, line = _at(text, "lang")
                yield warning("cmi5 13.1", path, message, line=line)


def something_is_asked_of_the_learner(tree: Tree) -> Iterator[Finding]:
    aus = list(tree.named("au"))
    if aus and all(au.get("moveOn", MoveOn.NOT_APPLICABLE) == MoveOn.NOT_APPLICABLE for au in aus):
        message = (
            "every AU has the moveOn 'NotApplicable': "
            "the course is satisfied as soon as a learner is registered"
        )
        yield warning("cmi5 9.6.1.1-3", "courseStructure", message)


RULES: Final[tuple[Callable[[Tree], Iterator[Finding]], ...]] = (
    ids_are_iris,
    ids_are_unique,
    course_has_its_own_id,
    urls_can_be_launched,
    objectives_exist,
    activity_types_are_iris,
    mastery_scores_are_short,
    languages_are_known,
    something_is_asked_of_the_learner,
)
