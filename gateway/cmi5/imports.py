"""An uploaded file to a course that can be stored: sniffed, unpacked, parsed, checked (cmi5 6.1, 14).

Performs no I/O but on the file object it is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from gateway.cmi5.findings import Finding, error
from gateway.cmi5.packages import Kind, Package, PackageLimits, open_package, sniff
from gateway.cmi5.parsing import parse_structure
from gateway.cmi5.safe_xml import XmlLimits
from gateway.cmi5.structure import Course


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """`course` is None when something is wrong, and `findings` says what; else they are warnings.

    `structure` is the course structure as it was sent, for export. `package` is None for bare XML.
    """

    course: Course | None
    findings: tuple[Finding, ...]
    structure: bytes = b""
    package: Package | None = None


def read_course(file: BinaryIO, limits: PackageLimits | None = None) -> Imported:
    """Read a course from a seekable binary file: a zip package or a bare course structure."""
    limits = limits or PackageLimits()
    file.seek(0)
    kind = sniff(file.read(64))
    xml_limits = XmlLimits(size=limits.structure_size)
    if kind is Kind.ZIP:
        package = open_package(file, limits)
        if not isinstance(package, Package):
            return Imported(course=None, findings=package)
        parsed = parse_structure(package.structure, packaged=True, files=package.names, limits=xml_limits)
        return Imported(
            course=parsed.course, findings=parsed.findings, structure=package.structure, package=package
        )
    if kind is Kind.XML:
        file.seek(0)
        xml = file.read(limits.structure_size + 1)
        parsed = parse_structure(xml, packaged=False, limits=xml_limits)
        return Imported(course=parsed.course, findings=parsed.findings, structure=xml)
    message = "this is neither a zip nor an XML file; send a cmi5 package (.zip) or a course structure (.xml)"
    return Imported(course=None, findings=(error("cmi5 14.0.0.0-1", "", message),))
