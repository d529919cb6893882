// The few things that need a second tap: overrule, close anyway, the token.

import { h, shape } from "./dom.js";
import { say, storedReason } from "./language.js";
import { closing, kindOf, OVERRULES, wordOf } from "./words.js";

const element = document.getElementById("dialog");
let waiting = Promise.resolve(null); // one dialog at a time

/** Show a dialog; make(answer) builds it. Resolves to what was answered, or null. */
export function ask(make) {
  const turn = waiting.then(() => show(make));
  waiting = turn.catch(() => null);
  return turn;
}

function show(make) {
  return new Promise((resolve) => {
    let given = null;
    const answer = (value) => {
      given = value;
      element.close();
    };
    element.replaceChildren(make(answer));
    element.addEventListener("close", () => resolve(given), { once: true });
    element.showModal();
  });
}

export const cancel = (answer) => h("button", { class: "plain", click: () => answer(null) }, say("overrule.cancel"));

/** The dialog's heading, which also names it. */
export const title = (text) => h("h2", { id: "dialog-title" }, text);

/** A place for initials, which may stay empty. Returns the input and a function that reads it. */
export function askInitials(by) {
  const input = h("input", { id: "by", maxlength: "64", autocomplete: "off", placeholder: say("overrule.optional") });
  input.value = by === "bedside" ? "" : by;
  return [input, () => input.value.trim() || "bedside"];
}

/** Ask for a band and a reason in one tap; initials are remembered. Resolves to {band, reason, by}. */
export function askOverrule(image, by, isRejectedWhenLow) {
  return ask((answer) => {
    const [initials, who] = askInitials(by);
    const give = (band, reason) => () => answer({ band, reason, by: who() });
    const columns = OVERRULES.filter(([band]) => band !== kindOf(image.verdict)).map(([band, reasons]) =>
      h("section", { class: `choice kind-${band}` },
        h("h3", {}, shape(band), say("overrule.count_as", { word: wordOf(band) })),
        band === "low" && isRejectedWhenLow && h("p", { class: "warns" }, say("reject.low_rejects")),
        ...reasons.map((key) => h("button", { click: give(band, storedReason(key)) }, say(`because.${key}`)))));
    return h("div", {}, title(say("overrule.title", { n: image.number })),
      h("div", { class: "choices" }, ...columns),
      h("p", { class: "foot" }, h("label", { for: "by" }, say("overrule.initials")), initials, cancel(answer)));
  });
}

/** Ask whether to close a study that is not ready. Resolves to true or null. */
export function askClose(study) {
  return ask((answer) => h("div", {}, title(say("closing.sure")),
    h("p", { class: "reason" }, closing(study)),
    h("p", { class: "foot" }, cancel(answer), h("button", { class: "strong", click: () => answer(true) }, say("closing.as_it_is")))));
}

/** Ask for the gate's token. Resolves to the token or null. */
export function askToken() {
  return ask((answer) => {
    const token = h("input", { id: "token", type: "password", autocomplete: "off", required: true });
    const send = (event) => {
      event.preventDefault();
      if (token.value.trim()) answer(token.value.trim());
    };
    return h("form", { submit: send }, title(say("token.title")),
      h("p", {}, say("token.where")),
      h("p", { class: "foot" }, h("label", { for: "token" }, say("token.label")), token, h("button", { class: "strong" }, say("token.connect"))));
  });
}
