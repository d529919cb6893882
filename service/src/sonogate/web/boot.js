// Load the page anew where a script or a style of it did not come: a cart roams, and a network that changes cuts loads off.

const PAUSE_MS = 1_000; // twice as long after each load that was cut off too
const LONGEST_MS = 60_000;
const CUT_OFF = "sonogate.cut_off"; // how many loads in a row

let isCutOff = false;

function reload() {
  fetch("/health/live", { cache: "no-store" }).then(() => location.reload(), () => setTimeout(reload, PAUSE_MS));
}

addEventListener("error", ({ target }) => {
  if (isCutOff || (target.localName !== "script" && target.rel !== "stylesheet")) return;
  isCutOff = true;
  const before = Number(sessionStorage.getItem(CUT_OFF));
  sessionStorage.setItem(CUT_OFF, before + 1);
  setTimeout(reload, Math.min(PAUSE_MS * 2 ** before, LONGEST_MS));
}, true); // such an error does not bubble
addEventListener("load", () => isCutOff || sessionStorage.removeItem(CUT_OFF));
