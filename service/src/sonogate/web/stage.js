// The image on the stage: picture, band, one reason, one action.

import { fill, h, hasChanged, shape } from "./dom.js";
import { say } from "./language.js";
import { draw } from "./picture.js";
import { doubt, question } from "./question.js";
import { mayReject, rejection } from "./rejection.js";
import { BANDS, clock, kindOf, meaningOf, notesOf, titleOfNotes, wordOf } from "./words.js";

function badge(kind, image, isNew) {
  const { verdict } = image;
  const quality = BANDS.includes(kind) && verdict.quality !== null ? Math.round(verdict.quality) : null;
  return h("div", { class: `badge kind-${kind}${isNew ? " arriving" : ""}` },
    shape(kind),
    h("div", {}, h("p", { class: "word" }, wordOf(kind)), h("p", { class: "meaning" }, meaningOf(kind, image))),
    quality !== null && h("p", { class: "quality", title: say("quality_title") }, String(quality), h("small", {}, "/100")));
}

function overruled(verdict, actions) {
  if (!verdict.override) return null;
  const { reason, by } = verdict.override;
  const isSame = verdict.override.band === verdict.band;
  const who = by === "bedside" ? say("person_at_bedside") : by;
  const said = [
    say(isSame ? "overrule.said_by" : "overrule.overruled_by", { by: who, reason }),
    verdict.band && !isSame && say("overrule.gate_said", { word: wordOf(verdict.band) }),
  ];
  return h("p", { class: "overruled" }, said.filter(Boolean).join(" "),
    h("button", { class: "plain", click: actions.revoke, "data-key": "undo" }, say("overrule.undo")));
}

function links(image) {
  const notes = [
    image.replaces && say("image_notes.replaces", { n: image.replaces }),
    image.replaced_by && say("image_notes.replaced_by", { n: image.replaced_by }),
    image.twin_of && say("image_notes.twin", { n: image.twin_of }),
    image.conflict && say("image_notes.conflict"),
    image.verdict.uncertain && !image.verdict.override && say("image_notes.uncertain"),
  ].filter(Boolean);
  return notes.length ? h("p", { class: "links" }, notes.join(" ")) : null;
}

function notes(verdict, actionOf) {
  const found = notesOf(verdict);
  if (!found.length) return null;
  return h("section", { class: "notes" },
    h("h2", {}, titleOfNotes(verdict)),
    h("ul", {}, ...found.map(({ code, label }) =>
      h("li", {}, h("b", {}, label), actionOf[code] && h("span", {}, actionOf[code])))));
}

function words(image, kind, actionOf) {
  const { verdict } = image;
  const isCalm = verdict.status !== "graded" || image.replaced_by || kind === "doubtful";
  return h("div", { class: "words" },
    verdict.reason && h("p", { class: "reason" }, verdict.reason),
    verdict.action && kind !== "high" && kind !== "not_applicable" && h("p", { class: isCalm ? "action calm" : "action" }, h("span", { class: "arrow", "aria-hidden": "true" }, "➜"), verdict.action),
    BANDS.includes(kind) && notes(verdict, actionOf),
    links(image),
    adviceOf(verdict));
}

function adviceOf(verdict) {
  if (!verdict.advice) return null;
  return h("section", { class: "notes advised" }, h("h2", {}, say("advice.title")), h("p", {}, verdict.advice));
}

function buttons(state, image, isNewest, actions) {
  const graded = image.verdict.status === "graded" && state.kind(image) !== "not_applicable";
  return h("div", { class: "buttons" },
    graded && h("button", { "aria-pressed": String(state.heat), click: actions.toggleHeat, "data-key": "heat" }, say("buttons.heat_map")),
    image.verdict.sop_instance_uid && image.verdict.status !== "pending" &&
      h("button", { click: actions.overrule, "data-key": "overrule", disabled: state.connection !== "live" }, say("overrule.button")),
    mayReject(state, image) &&
      h("button", { click: actions.reject, "data-key": "reject", disabled: state.connection !== "live" }, say("reject.button")),
    !isNewest && h("button", { click: actions.newest, "data-key": "newest" }, say("buttons.newest")));
}

function about(image) {
  const { verdict } = image;
  return [
    say("image", { n: image.number }),
    verdict.received_at && clock(verdict.received_at),
    verdict.frames?.total > 1 && say("image_notes.loop", { n: verdict.frames.total, worst: verdict.frames.worst }),
  ].filter(Boolean).join(" · ");
}

function empty(state) {
  const text = say(state.connection === "starting" ? "connection.starting_stage" : "waiting_for_images");
  return h("div", { class: "empty" }, h("p", {}, text));
}

/** What to do is never below an edge: long sentences become smaller. */
function fit(place) {
  place.classList.remove("tight");
  const last = [...place.querySelectorAll(".reason, .action")].at(-1);
  const isCut = last && last.getBoundingClientRect().bottom > place.getBoundingClientRect().bottom + 1;
  place.classList.toggle("tight", Boolean(isCut));
}

/** Draw the stage; returns once the picture is there. */
export async function showStage(element, state, actions) {
  const { image } = state;
  const size = [element.clientWidth, element.clientHeight, devicePixelRatio];
  const isNewest = image === state.images.findLast((one) => one.verdict.status !== "pending");
  const open = state.study?.questions.at(-1);
  if (!hasChanged(element, image, isNewest, open, state.heat, state.connection, state.actions, state.rules, state.study?.status, size)) return undefined;
  if (!image) return fill(element, empty(state));
  const kind = kindOf(image.verdict);
  const canvas = h("canvas", { "data-object": image.object_id, role: "img", "aria-label": say("spoken", { name: about(image), kind: wordOf(kind) }) });
  const view = h("div", { class: "view" }, canvas);
  const old = element.querySelector("canvas");
  const isSame = old?.dataset.object === image.object_id;
  if (isSame) view.replaceChildren(old);
  element.dataset.kind = kind;
  fill(element,
    h("p", { class: "about" }, about(image)),
    view,
    badge(kind, image, !isSame),
    words(image, kind, state.actions),
    doubt(state, image, actions) ?? question(state, actions),
    overruled(image.verdict, actions),
    rejection(state, image, actions),
    buttons(state, image, isNewest, actions));
  fit(element.querySelector(".words"));
  const shown = isSame ? old : canvas;
  const hasFault = image.verdict.band !== "high" && BANDS.includes(kind); // where the grade may mean nothing, so may it
  const outcome = await draw(shown, image.object_id, hasFault ? image.verdict.findings : null, state.heat);
  if (outcome === "none") shown.replaceWith(h("p", { class: "no-picture" }, say("no_picture")));
  return undefined;
}
