"""Content on another origin in a real browser, talking as widespread AU libraries do."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.browser.site import Site
from tests.cmi5.samples import au_xml, structure_xml, zipped
from tests.web.au import LEARNER, ZIP

_COMMON = """
const launch = new URLSearchParams(location.search);
const endpoint = launch.get("endpoint"), actor = JSON.parse(launch.get("actor"));
const where = {activityId: launch.get("activityId"), agent: launch.get("actor")};
const preferences = new URLSearchParams({agent: launch.get("actor"), profileId: "cmi5LearnerPreferences"});
const state = new URLSearchParams({...where, registration: launch.get("registration"),
                                   stateId: "LMS.LaunchData"});
const category = "https://w3id.org/xapi/cmi5/context/categories/";
const results = {
  completed: {completion: true, duration: "PT3S"},
  passed: {success: true, duration: "PT3S", score: {scaled: 0.8}},
  terminated: {duration: "PT4S"},
};
function statement(data, word) {
  const context = structuredClone(data.contextTemplate), result = results[word];
  const names = result && word !== "terminated" ? ["cmi5", "moveon"] : ["cmi5"];
  context.contextActivities.category = names.map(name => ({id: category + name}));
  if (result && result.score)
    context.extensions["https://w3id.org/xapi/cmi5/context/extensions/masteryscore"] = data.masteryScore;
  return {id: crypto.randomUUID(), actor, verb: {id: "http://adlnet.gov/expapi/verbs/" + word},
          object: {objectType: "Activity", id: where.activityId}, context, result,
          timestamp: new Date().toISOString()};
}
const show = text => { document.querySelector("pre").textContent = text; };
"""

# As ADL's wrapper: joins without a slash of its own, an old version, a content type on every GET, POST.
_WRAPPER = """
function send(method, url, body, headers) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url, true);
    for (const [name, value] of Object.entries(headers || {})) request.setRequestHeader(name, value);
    request.onload = () => resolve(request);
    request.onerror = () => reject(new Error(method + " " + url));
    request.send(body === undefined ? null : JSON.stringify(body));
  });
}
async function run() {
  const token = JSON.parse((await send("POST", launch.get("fetch"))).responseText)["auth-token"];
  const headers = {"Content-Type": "application/json", "Authorization": "Basic " + token,
                   "X-Experience-API-Version": "1.0.1"};
  const data = JSON.parse((await send("GET", endpoint + "activities/state?" + state, undefined,
                                      headers)).responseText);
  const found = await send("GET", endpoint + "agents/profile?" + preferences, undefined, headers);
  if (found.status !== 404) throw new Error("preferences " + found.status);
  for (const word of ["initialized", "passed", "completed", "terminated"]) {
    const answer = await send("POST", endpoint + "statements", statement(data, word), headers);
    if (answer.status !== 200) throw new Error(word + " " + answer.status + answer.responseText);
    if (JSON.parse(answer.responseText).length !== 1) throw new Error(answer.responseText);
  }
  location.href = data.returnURL;
}
"""

# As cmi5.js: joins with a slash of its own, so there are two; statements by PUT; conditional writes.
_DOUBLED = """
async function run() {
  const token = (await (await fetch(launch.get("fetch"), {method: "POST"})).json())["auth-token"];
  const headers = {"Authorization": "Basic " + token, "X-Experience-API-Version": "1.0.3"};
  const json = {...headers, "Content-Type": "application/json"};
  const data = await (await fetch(endpoint + "/activities/state?" + state, {headers})).json();
  const profile = endpoint + "/agents/profile?" + preferences;
  let found = await fetch(profile, {headers});
  if (found.status !== 404) throw new Error("preferences " + found.status);
  const wanted = JSON.stringify({languagePreference: "en-US,fr", audioPreference: "on"});
  const saved = await fetch(profile, {method: "PUT", headers: {...json, "If-None-Match": "*"}, body: wanted});
  found = await fetch(profile, {headers});
  const again = await fetch(profile, {method: "PUT", body: wanted,
                                      headers: {...json, "If-Match": found.headers.get("ETag")}});
  if (saved.status !== 204 || again.status !== 204) throw new Error(saved.status + " " + again.status);
  for (const word of ["initialized", "passed", "completed", "terminated"]) {
    const one = statement(data, word);
    const answer = await fetch(endpoint + "/statements?statementId=" + one.id,
                               {method: "PUT", headers: json, body: JSON.stringify(one)});
    if (answer.status !== 204) throw new Error(word + " " + answer.status + await answer.text());
  }
  location.href = data.returnURL;
}
"""

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("style", [_WRAPPER, _DOUBLED], ids=["ADL's wrapper", "cmi5.js"])
async def test_content_in_the_style_of_a_library_runs_through_to_the_return_url(
    site: Site, page: Page, style: str
) -> None:
    # cmi5 8.1, 8.2, 10.2, 11
    script = f"{_COMMON}{style}run().catch(error => show(error));"
    files = {
        "cmi5.xml": structure_xml(
            au_xml(1, url="index.html", attributes='moveOn="CompletedAndPassed" masteryScore="0.6"')
        ),
        "index.html": b"<!doctype html><meta charset=utf-8><pre></pre><script src=au.js></script>",
        "au.js": script.encode(),
    }
    reply = await site.api.post("/courses", data=zipped(files).getvalue(), headers=ZIP)
    assert reply.status == 201, reply.body
    registration = await site.post("/registrations", {"course": reply.json()["id"], "actor": LEARNER})
    link = await site.post(f"/registrations/{registration['id']}/links", {})
    visited: list[str] = []
    page.on("framenavigated", lambda frame: visited.append(frame.url))
    await page.goto(link["url"])
    failure = page.locator("pre", has_text="Error")
    ended = page.get_by_role("heading", name="You can close this page")
    await failure.or_(ended).wait_for()
    assert await failure.all_inner_texts() == []
    assert visited[0].startswith(f"{site.content}/")
    shown = (await site.api.get(f"/registrations/{registration['id']}")).json()
    assert shown["progress"]["satisfied"]
    assert [session["state"] for session in shown["sessions"]] == ["terminated"]
    session = (await site.api.get(f"/sessions/{shown['sessions'][0]['id']}")).json()
    assert session["refusals"] == []
