// One tap: is it an image at all, is the newer image a re-acquisition of the older one?

import { h } from "./dom.js";
import { say, storedReason } from "./language.js";
import { small } from "./panel.js";
import { DOUBT_ANSWERS } from "./words.js";

/** Ask what a low is that may be a trace; only of the image on the stage, which one can see. */
export function doubt(state, image, actions) {
  if (state.kind(image) !== "doubtful" || !image.verdict.sop_instance_uid) return null;
  const isOff = state.connection !== "live";
  return h("section", { class: "question" },
    h("h2", {}, say("questions.what_is", { n: image.number })),
    h("div", { class: "answers" }, ...DOUBT_ANSWERS.map(([key, band]) =>
      h("button", { click: () => actions.settle(band, storedReason(key)), disabled: isOff, "data-key": `is-${band}` }, say(`because.${key}`)))));
}

/** Ask what the gate can't decide itself; one question at a time, the latest first. */
export function question(state, actions) {
  const open = state.study?.questions.at(-1);
  if (!open || state.study.status === "closed") return null;
  const { newer, older } = open;
  const pair = [older, newer].map((number) => [number, state.imageOf(number)]);
  const sides = pair.map(([number, image]) =>
    h("figure", {}, image ? small(image) : null, h("figcaption", {}, String(number))));
  const tell = (replaces) => () => actions.answer(newer, older, replaces);
  const isOff = state.connection !== "live";
  return h("section", { class: "question" },
    h("h2", {}, say("questions.replaces", { newer, older })),
    h("div", { class: "answers" }, ...sides,
      h("button", { class: "strong", click: tell(true), disabled: isOff, "data-key": `yes-${newer}` }, say("questions.yes")),
      h("button", { click: tell(false), disabled: isOff, "data-key": `no-${newer}` }, say("questions.no"))));
}
