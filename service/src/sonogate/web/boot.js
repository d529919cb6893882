// Load the page anew where a script or a style of it did not come: a cart roams, and a network that changes cuts loads off.

const PAUSE_MS = 1_000;

function reload() {
  fetch("/health/live", { cache: "no-store" }).then(() => location.reload(), () => setTimeout(reload, PAUSE_MS));
}

addEventListener("error", ({ target }) => {
  if (target.localName === "script" || target.rel === "stylesheet") setTimeout(reload, PAUSE_MS);
}, true); // such an error does not bubble
