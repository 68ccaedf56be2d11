/* The cmi5 side of the lesson, in the order the standard demands: fetch the token, read LMS.LaunchData, read
   the learner's preferences, send initialized; then what happens; at last terminated, and back to returnURL. */
"use strict";

const VERBS = "http://adlnet.gov/expapi/verbs/";
const CATEGORIES = "https://w3id.org/xapi/cmi5/context/categories/";
const MASTERY = "https://w3id.org/xapi/cmi5/context/extensions/masteryscore";
const QUESTIONS = "https://courses.example.org/learning-record/basics/questions/";
const RIGHT = { q1: "b", q2: "a", q3: "c" };
const ENOUGH = 0.6; // where the platform names no mastery score
const VIEWS = ["page-1", "page-2", "page-3", "quiz", "result"];

const byId = (id) => document.getElementById(id);
const started = performance.now();
const memory = { view: "page-1", completed: false, passed: false, score: null };
const pending = new Map();
let launch, token, data, open = false;

/** A refusal or a failure that the learner should read about. */
class Trouble extends Error {
  constructor(text, details = []) {
    super(text);
    this.details = details;
  }
}

// ------------------------------------------------------------------------------------------ talking

function readLaunch() {
  const query = new URLSearchParams(location.search);
  const missing = ["endpoint", "fetch", "actor", "registration", "activityId"].filter((name) => !query.get(name));
  if (missing.length) {
    throw new Trouble(
      "This lesson cannot be opened by its address alone. Please start it from your learning platform.",
      [`Not in the address: ${missing.join(", ")}`],
    );
  }
  const values = Object.fromEntries(query);
  try {
    return { ...values, endpoint: values.endpoint.replace(/\/+$/, ""), agent: JSON.parse(values.actor) };
  } catch {
    throw new Trouble("The learning platform started this lesson with a damaged address.", ["actor is not JSON"]);
  }
}

async function reach(url, options) {
  try {
    return await fetch(url, { credentials: "omit", cache: "no-store", ...options });
  } catch {
    throw new Trouble("Your learning platform cannot be reached. Check your connection, then try again.");
  }
}

async function fetchToken() {
  const response = await reach(launch.fetch, { method: "POST" });
  const answer = await response.json().catch(() => ({}));
  if (answer["auth-token"]) return answer["auth-token"];
  throw new Trouble(
    "Your learning platform did not let this lesson in. Every launch works only once: "
      + "go back to the platform and start the lesson again.",
    [answer["error-text"] || `The platform answered with status ${response.status}.`],
  );
}

function xapi(method, resource, { query = {}, body, keepalive = false } = {}) {
  const headers = { Authorization: `Basic ${token}`, "X-Experience-API-Version": "1.0.3" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const search = Object.keys(query).length ? `?${new URLSearchParams(query)}` : "";
  return reach(`${launch.endpoint}/${resource}${search}`, {
    method, headers, keepalive, body: body === undefined ? undefined : JSON.stringify(body),
  });
}

async function accepted(response, doing) {
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  const problems = answer.error?.problems ?? [];
  const details = problems.map((each) => `${each.path} ${each.message} (${each.requirement})`);
  if (!details.length) details.push(answer.error?.message ?? `Status ${response.status}`);
  const reason = response.status === 401 ? "This session is over. Start the lesson again from your platform."
    : `Your learning platform did not accept what this lesson sent (${doing}).`;
  throw new Trouble(reason, details);
}

const stateQuery = (stateId) => ({
  stateId, activityId: launch.activityId, agent: launch.actor, registration: launch.registration,
});

async function readState(stateId) {
  const response = await xapi("GET", "activities/state", { query: stateQuery(stateId) });
  return response.status === 404 ? null : (await accepted(response, `reading ${stateId}`)).json();
}

async function remember(changes) {
  Object.assign(memory, changes);
  if (!counts()) return; // Looking around must not move the bookmark.
  const response = await xapi("PUT", "activities/state", { query: stateQuery("bookmark"), body: memory });
  await accepted(response, "saving your place");
}

async function readPreferences() {
  const query = { profileId: "cmi5LearnerPreferences", agent: launch.actor };
  const response = await xapi("GET", "agents/profile", { query });
  if (response.status !== 404) await accepted(response, "reading your preferences");
}

// --------------------------------------------------------------------------------------- statements

function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID exists on secure origins only
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const elapsed = () => `PT${((performance.now() - started) / 1000).toFixed(2)}S`;

function statement(verb, { object, result, categories = [], extensions = {} } = {}) {
  const context = structuredClone(data.contextTemplate);
  context.registration = launch.registration;
  context.extensions = { ...extensions, ...context.extensions };
  if (categories.length) {
    context.contextActivities = {
      ...context.contextActivities,
      category: categories.map((name) => ({ objectType: "Activity", id: CATEGORIES + name })),
    };
  }
  return {
    id: uuid(),
    actor: launch.agent,
    verb: { id: VERBS + verb, display: { en: verb } },
    object: object ?? { objectType: "Activity", id: launch.activityId },
    ...(result && { result }),
    context,
    timestamp: new Date().toISOString(),
  };
}

/** Sends one statement or a list. Until it was accepted, trying again sends the very same, id included. */
async function send(name, build, options = {}) {
  if (!pending.has(name)) pending.set(name, build());
  const response = await xapi("POST", "statements", { body: pending.get(name), ...options });
  await accepted(response, name);
  pending.delete(name);
}

const counts = () => data.launchMode === "Normal";

async function complete() {
  if (!counts() || memory.completed) return;
  await send("completed", () => statement("completed", {
    result: { completion: true, duration: elapsed() }, categories: ["cmi5", "moveon"],
  }));
  memory.completed = true;
}

function answered(name, chosen) {
  const label = byId(`${name}-${chosen}`).closest("label").textContent.trim();
  return statement("answered", {
    object: {
      objectType: "Activity",
      id: QUESTIONS + name,
      definition: {
        name: { en: byId(name).querySelector("legend").textContent },
        type: "http://adlnet.gov/expapi/activities/question",
      },
    },
    result: { success: chosen === RIGHT[name], response: label },
  });
}

async function judge(answers) {
  const names = Object.keys(RIGHT);
  const right = names.filter((name) => answers[name] === RIGHT[name]).length;
  const scaled = right / names.length;
  const mastery = data.masteryScore;
  const passed = scaled >= (mastery ?? ENOUGH);
  if (counts() && !memory.passed) {
    await send("answered", () => names.map((name) => answered(name, answers[name])));
    const verb = passed ? "passed" : "failed";
    await send(verb, () => statement(verb, {
      result: {
        success: passed, duration: elapsed(), score: { scaled, raw: right, min: 0, max: names.length },
      },
      categories: ["cmi5", "moveon"],
      extensions: mastery === undefined ? {} : { [MASTERY]: mastery },
    }));
  }
  return { right, of: names.length, passed };
}

async function terminate(options) {
  if (!open) return;
  open = false;
  try {
    await send("terminated", () => statement("terminated", {
      result: { duration: elapsed() }, categories: ["cmi5"],
    }), options);
  } catch (trouble) {
    open = true;
    throw trouble;
  }
}

// -------------------------------------------------------------------------------------------- views

function show(view) {
  document.querySelectorAll("main > section").forEach((section) => { section.hidden = section.id !== view; });
  const position = VIEWS.indexOf(view);
  byId("bar").value = Math.max(0, position);
  byId("where").textContent = position < 0 ? "" : position < 3 ? `Page ${position + 1} of 3`
    : view === "quiz" ? "Questions" : "Result";
  byId("back").hidden = !(position > 0 && position < 4);
  byId("next").hidden = !(position >= 0 && position < 3);
  byId("next").textContent = position === 2 ? "To the questions" : "Next";
  byId("check").hidden = view !== "quiz";
  byId("exit").textContent = view === "result" ? "Finish" : "Save and exit";
  byId("exit").hidden = view === "over";
  byId(view).querySelector("h1").focus();
  window.scrollTo(0, 0);
}

function showResult({ right, of, passed }) {
  byId("verdict").textContent = passed ? "Passed" : "Not passed yet";
  byId("score").textContent = `${right} of ${of} answers are right.`;
  if (!counts()) byId("advice").textContent = "You were looking around, so nothing about it was recorded.";
  else if (passed) byId("advice").textContent = "The record of you now says: completed and passed.";
  else byId("advice").textContent = "Finish here and start again whenever you like; you need not read it all again.";
  show("result");
}

function showTrouble(trouble) {
  const known = trouble instanceof Trouble;
  byId("problem-text").textContent = known ? trouble.message : "This lesson has a fault of its own.";
  byId("problem-details").replaceChildren(...(known ? trouble.details : [String(trouble)]).map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
  byId("problem").hidden = false;
  byId("problem").scrollIntoView();
}

/** Runs what a button does, one at a time, and shows what went wrong. */
async function during(action) {
  const main = document.querySelector("main");
  const buttons = document.querySelectorAll("button");
  byId("problem").hidden = true;
  main.setAttribute("aria-busy", "true");
  buttons.forEach((button) => { button.disabled = true; });
  try {
    await action();
  } catch (trouble) {
    showTrouble(trouble);
  }
  main.setAttribute("aria-busy", "false");
  buttons.forEach((button) => { button.disabled = !open; });
}

// ------------------------------------------------------------------------------------------ actions

async function begin() {
  launch = readLaunch();
  token = await fetchToken();
  data = await readState("LMS.LaunchData");
  if (!data) throw new Trouble("Your learning platform did not say how to run this lesson.", ["LMS.LaunchData is missing"]);
  await readPreferences();
  await send("initialized", () => statement("initialized", { categories: ["cmi5"] }));
  open = true;
  Object.assign(memory, await readState("bookmark"));
  if (!counts()) {
    byId("mode").textContent = `You are looking around (${data.launchMode}): nothing you do here is counted.`;
    byId("mode").hidden = false;
  }
  const needed = Math.max(0, Math.ceil((data.masteryScore ?? ENOUGH) * 3 - 1e-9));
  byId("enough").textContent = `To pass, ${needed} of 3 answers must be right.`;
  if (!counts() || !VIEWS.includes(memory.view)) memory.view = "page-1";
  show(memory.view);
}

async function next() {
  const position = VIEWS.indexOf(memory.view);
  if (position === 2) await complete();
  await remember({ view: VIEWS[position + 1] });
  show(memory.view);
}

async function back() {
  await remember({ view: VIEWS[VIEWS.indexOf(memory.view) - 1] });
  show(memory.view);
}

async function check() {
  const answers = Object.fromEntries(new FormData(byId("questions")));
  const unanswered = Object.keys(RIGHT).filter((name) => !(name in answers));
  byId("unanswered").textContent = unanswered.length ? "Please answer every question first." : "";
  if (unanswered.length) {
    byId(`${unanswered[0]}-a`).focus();
    return;
  }
  const outcome = await judge(answers);
  await remember({ view: "quiz", passed: memory.passed || (counts() && outcome.passed) });
  showResult(outcome);
}

async function exit() {
  try {
    await terminate();
  } catch (trouble) {
    byId("leave").hidden = !data.returnURL;
    if (data.returnURL) byId("leave").href = data.returnURL;
    throw trouble;
  }
  show("over");
  if (data.returnURL) location.assign(data.returnURL);
}

byId("next").addEventListener("click", () => during(next));
byId("back").addEventListener("click", () => during(back));
byId("exit").addEventListener("click", () => during(exit));
byId("questions").addEventListener("submit", (event) => {
  event.preventDefault();
  during(check);
});
byId("questions").addEventListener("change", () => { byId("unanswered").textContent = ""; });
// A closed window ends the session too, as far as the browser still lets a request out.
window.addEventListener("pagehide", () => { terminate({ keepalive: true }).catch(() => {}); });

during(begin);
