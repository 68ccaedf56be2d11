from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "licences.md"
# What may be used beside Apache-2.0: permissive licences, and the MPL, which asks for its own files only.
USABLE = re.compile(
    r"(MIT(-0)?|BSD(-[23]-Clause)?|ISC|Apache(-2\.0)?|PSF(-2\.0)?|MPL(-2\.0)?|\s|AND|OR|[();])+"
)
_NAMES = {
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "BSD License": "BSD",
    "DFSG approved; MIT License": "MIT",
    "MIT License": "MIT",
    "Apache Software License; MIT License": "Apache-2.0 OR MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
# Its metadata says nothing; its licence file and the head of the axe-core within do.
_SAID_WITHIN = {
    "axe-playwright-python": ("MIT AND MPL-2.0", "MIT License", "Mozilla Public\n * License, v. 2.0")
}


def pinned() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line.partition("==")[0] for line in lines if "==" in line and not line.startswith("#")]


def licence(package: str) -> str:
    """As the package itself says, in the words of SPDX."""
    if package in _SAID_WITHIN:
        return _SAID_WITHIN[package][0]
    metadata = importlib.metadata.metadata(package).json
    classifiers = [
        text.rpartition(" :: ")[2] for text in metadata.get("classifier", []) if text.startswith("License ::")
    ]
    said = metadata.get("license_expression") or "; ".join(classifiers) or metadata.get("license") or ""
    return _NAMES.get(str(said), str(said))


def page() -> str:
    rows = "\n".join(f"| {package} | {licence(package)} |" for package in pinned())
    return f"""# Licences of what is installed

What each pinned package says of itself. All of these may be used by a program under Apache-2.0; nothing of
them is copied into this one, except the style sheet and the script of the console, which name their licence
beside them (`gateway/web/console/static/`). The binary in the package of the embedded MongoDB is MongoDB's
own, under the SSPL; it is a separate program, and is installed with the extra `embedded` only.

| package | licence |
|---|---|
{rows}
"""


def test_what_packages_say_only_within_is_what_they_say() -> None:
    for package, (_, *sentences) in _SAID_WITHIN.items():
        files = [path for path in importlib.metadata.files(package) or [] if path.suffix in ("", ".js")]
        texts = [path.read_text() for path in files if path.name != "RECORD"]
        for sentence in sentences:
            assert any(sentence in text for text in texts), (package, sentence)


def test_the_page_lists_every_pinned_package() -> None:
    command = "python -c 'from tests.test_licences import page; print(page(), end=str())' > docs/licences.md"
    assert PAGE.read_text() == page(), f"make it anew: {command}"


def test_every_licence_may_be_used_beside_apache_2() -> None:
    assert [package for package in pinned() if not USABLE.fullmatch(licence(package))] == []
