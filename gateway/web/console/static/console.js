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
})();
