// Times in the reader's zone, with UTC on hover. Pages are whole without this.
(() => {
  const format = new Intl.DateTimeFormat(undefined, {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const localise = (root) => {
    for (const element of root.querySelectorAll("time[datetime]:not([title])")) {
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      element.title = element.textContent.trim();
      element.textContent = format.format(moment);
    }
  };
  const choose = (root) => {
    for (const box of root.querySelectorAll("input[data-all]")) {
      box.hidden = false;
      box.addEventListener("change", () => {
        for (const other of document.getElementsByName(box.dataset.all)) other.checked = box.checked;
      });
    }
  };
  // Addresses hold UTC, so that they mean the same to everybody; people choose in their own zone.
  const two = (number) => String(number).padStart(2, "0");
  const here = (moment) => `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`
    + `T${two(moment.getHours())}:${two(moment.getMinutes())}`;
  const convert = (root) => {
    for (const field of root.querySelectorAll("input[type=datetime-local]")) {
      const zone = field.closest("label")?.querySelector("[data-zone]");
      if (!zone || !field.form) continue;
      if (field.defaultValue) field.value = here(new Date(`${field.defaultValue}Z`));
      zone.textContent = "(your time)";
      field.form.addEventListener("formdata", (event) => {
        const moment = new Date(field.value);
        if (!Number.isNaN(moment.getTime())) event.formData.set(field.name, moment.toISOString().slice(0, 16));
      });
    }
  };
  const ready = (root) => { localise(root); choose(root); convert(root); };
  document.addEventListener("DOMContentLoaded", () => ready(document));
  document.addEventListener("htmx:afterSettle", (event) => ready(event.target));
  document.addEventListener("gateway:added", (event) => localise(event.target));
})();

// The live tail: entries are added while they happen. All text of others is set as text, never as HTML.
(() => {
  const MOST = 200;
  const start = (root) => {
    const part = (name) => root.querySelector(`[data-live=${name}]`);
    const rows = part("rows"), pause = part("pause"), state = part("state"), note = part("note");
    const seen = new Set([...rows.children].map((row) => row.dataset.id));
    const waiting = [];
    let paused = false, dropped = 0, place = root.dataset.place, source = null, over = false, failures = 0;
    const say = (text, kind) => { state.textContent = text; state.className = `badge ${kind}`; };
    const tell = () => {
      const parts = [];
      if (waiting.length) parts.push(`${waiting.length} waiting`);
      if (dropped) parts.push(`${dropped} left out, because more happens than can be shown`);
      note.textContent = parts.join("; ");
    };
    const add = (entry) => {
      const row = part("template").content.firstElementChild.cloneNode(true);
      const [time, kind, what, from, link] = row.children;
      row.dataset.id = entry.id;
      time.firstElementChild.dateTime = entry.time;
      time.firstElementChild.textContent = entry.time;
      kind.firstElementChild.textContent = entry.what;
      kind.firstElementChild.classList.add(entry.what === "stored" ? "good" : "bad");
      what.querySelector("span").textContent = entry.told;
      what.querySelector("small").textContent = entry.detail;
      if (!entry.detail) what.querySelector("br").remove();
      from.textContent = entry.source;
      if (entry.link) {
        link.firstElementChild.href = root.dataset.base + entry.link;
        link.firstElementChild.setAttribute("aria-label", `Details of: ${entry.told}`);
      } else link.firstElementChild.remove();
      rows.prepend(row);
      while (rows.children.length > MOST) {
        seen.delete(rows.lastElementChild.dataset.id);
        rows.lastElementChild.remove();
      }
      part("table").hidden = false;
      part("empty").hidden = true;
      root.dispatchEvent(new CustomEvent("gateway:added", { bubbles: true }));
    };
    const take = (event) => {
      const entry = JSON.parse(event.data);
      place = event.lastEventId || place;
      if (seen.has(entry.id)) return;
      seen.add(entry.id);
      if (!paused) return add(entry);
      waiting.push(entry);
      if (waiting.length > MOST) { waiting.shift(); dropped += 1; }
      tell();
    };
    const live = () => { failures = 0; show(); };
    const show = () => paused ? say("paused", "wait") : say("live", "good");
    const open = () => {
      const query = new URLSearchParams(location.search);
      query.set("after", place);
      source = new EventSource(`${root.dataset.events}?${query}`);
      source.addEventListener("row", take);
      source.addEventListener("live", live);
      source.addEventListener("dropped", (event) => { dropped += JSON.parse(event.data).number; tell(); });
      source.addEventListener("gap", () => { note.textContent = "Something may be missing; look again."; });
      source.addEventListener("bye", () => { over = true; source.close(); say("signed out", "bad"); });
      source.addEventListener("error", () => {
        if (over) return;
        say("connecting", "wait");
        // A browser comes back by itself after a break, but not after an answer such as 503.
        if (source.readyState !== EventSource.CLOSED) return;
        failures += 1;
        if (failures < 10) setTimeout(open, 5000);
        else say("not live; look again", "bad");
      });
    };
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.textContent = paused ? "Continue" : "Pause";
      if (!paused) { for (const entry of waiting.splice(0)) add(entry); dropped = 0; tell(); }
      if (state.textContent === "live" || state.textContent === "paused") show();
    });
    say("connecting", "wait");
    open();
    addEventListener("pagehide", () => { over = true; source.close(); });
  };
  document.addEventListener("DOMContentLoaded", () => {
    const root = document.getElementById("live");
    if (root) start(root);
  });
})();
