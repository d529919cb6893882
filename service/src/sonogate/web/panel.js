// The study beside the stage: may it close, what to take again, what is not scored, what the gate asks.

import { fill, h, hasChanged, shape } from "./dom.js";
import { say } from "./language.js";
import { showSmall } from "./picture.js";
import { closing, KINDS, rejected, standing, titleOf, wordOf } from "./words.js";

export function small(image) {
  const picture = h("img", { alt: "", class: "small" });
  showSmall(picture, image.object_id);
  return picture;
}

function row(state, image, text, actions) {
  const kind = state.kind(image);
  return h("li", {},
    h("button", { class: "row", click: () => actions.choose(image.object_id), "data-key": `row-${image.object_id}` },
      small(image), shape(kind, wordOf(kind)),
      h("span", {}, h("b", {}, say("image", { n: image.number })), text ? h("span", { class: "why" }, text) : null)));
}

function list(state, title, numbers, textOf, actions) {
  const rows = numbers
    .map((number) => state.imageOf(number))
    .filter(Boolean)
    .map((image) => row(state, image, textOf(image.verdict, image), actions));
  if (!rows.length) return null;
  return h("section", { class: "list" }, h("h2", {}, `${title} (${rows.length})`), h("ul", {}, ...rows));
}

function closeButton(state, study, actions) {
  if (study.status === "closed") return null;
  const kind = study.ready_to_close ? "strong" : "plain";
  return h("button", { class: kind, click: actions.close, disabled: state.connection !== "live", "data-key": "close" },
    say(study.ready_to_close ? "closing.close" : "closing.close_anyway"));
}

function tally(study) {
  const doubtful = study.doubtful?.length ?? 0;
  const counts = { ...study, doubtful, low: study.low - doubtful };
  return h("ul", { class: "tally" }, ...KINDS
    .filter((kind) => counts[kind])
    .map((kind) => h("li", { class: `kind-${kind}` }, shape(kind, wordOf(kind).toLowerCase()), String(counts[kind]))));
}

/** Draw the panel of the shown study. */
export function showPanel(element, state, actions) {
  const { study } = state;
  if (!hasChanged(element, study, state.connection, state.rules)) return undefined;
  if (!study) return fill(element);
  const label = study.status === "closed" ? "closed" : study.ready_to_close ? "ready" : "not-ready";
  return fill(element,
    h("section", { class: `closing ${label}` },
      h("p", { class: "standing" }, `${titleOf(study)} · ${study.calling_ae} · ${standing(study)}`),
      h("p", { class: "may-close" }, closing(study)),
      tally(study),
      closeButton(state, study, actions)),
    list(state, say("lists.reacquire"), study.reacquire, (verdict) => verdict.action ?? verdict.reason, actions),
    list(state, say("lists.doubtful"), study.doubtful ?? [], (verdict) => verdict.reason, actions),
    list(state, say("lists.unscored"), study.unscored, (verdict) => verdict.reason ?? say("lists.waiting"), actions),
    list(state, say("reject.rejected"), study.instances.filter((image) => image.rejection).map((image) => image.number),
      (_verdict, image) => rejected(image, state.rules.reasons), actions));
}

function labelOf(image, kind) {
  const said = [say("spoken", { name: say("image", { n: image.number }), kind: wordOf(kind) })];
  if (image.replaced_by) said.push(say("image_notes.replaced_short", { n: image.replaced_by }));
  if (image.rejection) said.push(say("reject.tile"));
  return said.join(say("list_comma"));
}

/** Draw the strip of all images of the study. */
export function showStrip(element, state, actions) {
  const shown = state.image;
  if (!hasChanged(element, state.images, shown?.object_id)) return;
  const tiles = state.images.map((image) => {
    const kind = state.kind(image);
    const isPast = image.replaced_by || image.twin_of || !image.current;
    return h("button", {
      class: `tile kind-${kind}${isPast ? " past" : ""}`,
      "aria-current": image === shown ? "true" : null,
      "aria-label": labelOf(image, kind),
      "data-key": `tile-${image.object_id}`,
      click: () => actions.choose(image.object_id),
    }, small(image), h("span", { class: "tile-label" }, shape(kind), String(image.number), image.rejection && h("span", { class: "out" }, say("reject.tile"))));
  });
  fill(element, ...tiles);
  element.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}
