// Build elements. Data only ever becomes text or a safe attribute, so nothing a cart sends is run.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: h("p", {class: "reason"}, "text", child …). Functions in attributes listen. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Show one of the page's own shapes by name. */
export function shape(name, title = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `shape shape-${name}`);
  svg.setAttribute("viewBox", "0 0 48 48");
  if (title) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", title);
  } else svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#shape-${name}`);
  svg.append(use);
  return svg;
}

const drawn = new WeakMap();

/** Whether what an element shows has changed; a view that has not is left alone, under the finger. */
export function hasChanged(element, ...facts) {
  const now = JSON.stringify(facts);
  if (drawn.get(element) === now) return false;
  drawn.set(element, now);
  return true;
}

/** Replace what an element holds, keeping the keyboard's place among elements with a data-key. */
export function fill(element, ...children) {
  const key = element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  element.replaceChildren(...children.filter(Boolean));
  if (key === undefined) return;
  for (const candidate of element.querySelectorAll("[data-key]")) {
    if (candidate.dataset.key === key) candidate.focus({ preventScroll: true });
  }
}
