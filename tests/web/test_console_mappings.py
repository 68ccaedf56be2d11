from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gateway.services import workbench
from gateway.services.people import Role
from tests.gateway import Gateway
from tests.vendors import ACME, acme_item, all_mapped, mappings_folder, post_acme, vendor_secrets
from tests.waiting import until
from tests.web.console import person, words

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
CASES = """\
- name: a completion
  payload: { items: [ { id: a, type: completed, who: ana, course: c, score: 5, at: "2026-03-02T09:00Z" } ] }
  expect: { rule: completed, statements: [ { verb: { id: http://adlnet.gov/expapi/verbs/completed } } ] }
- name: <b>wrong</b>
  payload: { items: [ { id: a, type: ping } ] }
  expect: { rule: completed }
"""
HOSTILE = ACME.replace("- name: noise", "# <script>alert(1)</script>\n  - name: noise")


@pytest.fixture
def folder(mappings_folder: Callable[..., Path]) -> Path:
    folder = mappings_folder(HOSTILE)
    (folder / "acme.test.yaml").write_text(CASES)
    return folder


async def test_adapters_are_listed_with_what_they_did_within_a_day(serve: Serve, folder: Path) -> None:
    async with serve(hooks__mappings=["shipped", str(folder)]) as gateway:
        visitor = await person(gateway, Role.AUDITOR)
        unmatched = acme_item("3", type="<i>odd</i>")
        assert (await post_acme(gateway.http(), acme_item("1"), acme_item("2", at="?"))).status == 200
        assert (await post_acme(gateway.http(), unmatched)).status == 200
        await all_mapped(gateway.store)
        shown = words(await visitor.get("/mappings"))
        assert re.search(
            r"acme ready version 1 [0-9a-f]{12} .{15,30} UTC 2 done 1 unmatched 1 failed 1 1", shown
        )
        assert "adapters that are not set up" in shown
        page = await visitor.get("/mappings/acme")
        assert re.search(r"<i>odd</i> unmatched 1 .{15,30} UTC", words(page))
        assert b"<i>odd" not in page.body


async def test_the_text_is_shown_with_findings_at_their_lines(serve: Serve, folder: Path) -> None:
    async with serve(hooks__mappings=str(folder)) as gateway:
        visitor = await person(gateway, Role.AUDITOR)
        page = await visitor.get("/mappings/acme")
        shown = words(page)
        assert b"<script>alert" not in page.body
        assert "# <script>alert(1)</script>" in shown
        assert "The linter finds nothing." in shown
        assert "noise item.type: ping ignored" in shown
        (folder / "acme.yaml").write_text(HOSTILE.replace("verb: completed", "verb: compleated"))
        await gateway.services.hooks.workbench.written("acme")
        broken = await visitor.get("/mappings/acme")
        at = HOSTILE.splitlines().index("      verb: completed") + 1
        assert f'href="#acme.yaml-{at}">acme.yaml:{at}:' in broken.body.decode()
        assert re.search(rf"{at} verb: compleated error E201, column \d+: verb 'compleated'", words(broken))


async def test_tests_are_run_when_asked_for(serve: Serve, folder: Path) -> None:
    async with serve(hooks__mappings=str(folder)) as gateway:
        visitor = await person(gateway, Role.INTEGRATION_ENGINEER)
        await visitor.get("/mappings/acme")
        reply = await visitor.post("/mappings/acme/tests")
        assert reply.status == 200
        shown = words(reply)
        assert "1 of 2 cases of acme.test.yaml passed" in shown
        assert "<b>wrong</b>" in shown
        assert b"<b>wrong" not in reply.body
        assert "Rules 2 of 2" in shown
        (folder / "acme.test.yaml").write_text("{}")
        assert "The test file is not understood" in words(await visitor.post("/mappings/acme/tests"))
        (folder / "acme.test.yaml").unlink()
        assert "No test file is beside the mapping" in words(await visitor.post("/mappings/acme/tests"))
        auditor = await person(gateway, Role.AUDITOR, login="bo")
        await auditor.get("/mappings/acme")
        assert (await auditor.post("/mappings/acme/tests")).status == 403


async def test_work_that_takes_too_long_is_not_waited_for(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(hooks__mappings=str(folder)) as gateway:
        visitor = await person(gateway)
        await visitor.get("/mappings/acme")
        monkeypatch.setattr(workbench, "LONGEST", 0.0)
        reply = await visitor.post("/mappings/acme/tests")
        assert (reply.status, reply.headers["Retry-After"]) == (503, "20")


async def test_revisions_are_compared(serve: Serve, folder: Path) -> None:
    async with serve(hooks__mappings=str(folder), hooks__watch="100ms") as gateway:
        visitor = await person(gateway, Role.AUDITOR)
        await post_acme(gateway.http(), acme_item("1"))
        await all_mapped(gateway.store)
        (folder / "acme.yaml").write_text(
            HOSTILE.replace("verb: completed", 'verb: passed # "><script>alert(2)</script>')
        )
        (folder / "acme.test.yaml").unlink()

        async def two() -> list[str] | None:
            page = (await visitor.get("/mappings/acme")).body.decode()
            return (
                re.findall(r"/mappings/acme/revisions/([0-9a-f]{64})", page)[:2] if "diff?" in page else None
            )

        newer, older = await until(two)
        assert re.search(r"[0-9a-f]{12} 1 .* UTC .* UTC 1 ", words(await visitor.get("/mappings/acme")))
        diff = await visitor.get("/mappings/acme/diff", before=older, after=newer)
        shown = words(diff)
        assert "- verb: completed" in shown
        assert '+ verb: passed # "><script>alert(2)</script>' in shown
        assert b"<script>alert" not in diff.body
        same = await visitor.get("/mappings/acme/diff", before=older, after=older)
        assert "Nothing: the texts are the same." in words(same)
        text = await visitor.get(f"/mappings/acme/revisions/{older}")
        assert "verb: completed" in words(text)
        for wrong in ("", "0" * 64, "<x>"):
            assert (await visitor.get("/mappings/acme/diff", before=older, after=wrong)).status == 404
        assert (await visitor.get(f"/mappings/acme/revisions/{'0' * 64}")).status == 404


async def test_mappings_and_revisions_of_others_are_not_there(serve: Serve, folder: Path) -> None:
    (folder / "other.yaml").write_text(ACME.replace("adapter: acme", "adapter: other"))
    flags = {"stores__others": ["sandbox"], "hooks__stores": {"acme": "sandbox"}}
    async with serve(hooks__mappings=str(folder), **flags) as gateway:
        visitor = await person(gateway)
        assert "acme" not in words(await visitor.get("/mappings"))

        async def kept() -> str | None:
            found = await gateway.services.hooks.revisions.of("acme")
            return found[0].revision if found else None

        revision = await until(kept)
        for path in ("acme", "other2", "acme/diff", f"other/revisions/{revision}"):
            assert (await visitor.get(f"/mappings/{path}")).status == 404, path
        reply = await visitor.get("/mappings/other/diff", before=revision, after=revision)
        assert reply.status == 404
        assert (await visitor.post("/mappings/acme/tests")).status == 404
