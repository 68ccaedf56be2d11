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
  const ready = (root) => { localise(root); choose(root); };
  document.addEventListener("DOMContentLoaded", () => ready(document));
  document.addEventListener("htmx:afterSettle", (event) => ready(event.target));
})();
