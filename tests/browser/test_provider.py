"""Single sign-on in a real browser, where cookies, redirects and the policy of pages have to get along."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from gateway.store.connection import Client
from tests.browser.site import running_site
from tests.browser.test_accessibility import violations
from tests.identity_server import CLIENT, SECRET, identity_server

pytestmark = pytest.mark.browser


async def test_somebody_signs_in_at_their_institution_and_out_of_both(
    mongo_client: Client, database_name: str, page: Page
) -> None:
    claims = {"sub": "8f2c", "email": "ada@example.edu", "email_verified": True, "name": "Ada Lind"}
    async with identity_server(**claims, groups=["admins"]) as provider:
        # Another site for the browser, as a provider is.
        provider.url = provider.url.replace("127.0.0.1", "localhost")
        flags = {
            "oidc__issuer": provider.url,
            "oidc__client_id": CLIENT,
            "oidc__client_secret": SECRET,
            "oidc__name": "Example University",
            "oidc__roles": {"admins": "administrator"},
        }
        async with running_site(mongo_client, database_name, **flags) as site:
            await page.goto(f"{site.url}/admin/people")
            assert await violations(page, "sign in") == []
            await page.get_by_role("button", name="Sign in with Example University").click()
            await expect(page.get_by_role("heading", name="People", level=1)).to_be_visible()
            await page.get_by_role("link", name="Ada Lind").click()
            await expect(page.get_by_text("8f2c")).to_be_visible()
            await page.get_by_role("link", name="Audit").click()
            await expect(page.get_by_role("cell", name="sign-in")).to_be_visible()
            await page.get_by_role("button", name="Sign out").click()
            await expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
            assert await violations(page, "signed out") == []
            await page.get_by_role("button", name="Sign out of Example University too").click()
            await expect(page.get_by_role("heading", name="Sign in", level=1)).to_be_visible()
            assert "/logout" in provider.asked
            provider.claims["groups"] = []
            await page.get_by_role("button", name="Sign in with Example University").click()
            await expect(page.get_by_role("alert")).to_contain_text(re.compile("nobody gave you a role"))
            assert await violations(page, "refused") == []
