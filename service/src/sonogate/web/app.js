// The bedside page: joins the stream, the state and the views.

import * as api from "./api.js";
import { askClose, askOverrule, askToken } from "./dialogs.js";
import { fill, h, hasChanged, shape } from "./dom.js";
import { choose, language, languages, say, speak } from "./language.js";
import { showPanel, showStrip } from "./panel.js";
import { askReject, isRejectedWhenLow, mayReject } from "./rejection.js";
import { showStage } from "./stage.js";
import { SINGLES, State } from "./state.js";
import { Stream } from "./stream.js";
import { clock, spoken, standing, titleOf } from "./words.js";

const POLL_MS = 5_000; // what is received but not judged makes no event

const at = (id) => document.getElementById(id);
let drawing = false;
let trouble = null;

let isPressed = false; // what is under a finger stays until it is lifted

function schedule() {
  if (drawing || isPressed) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    if (!isPressed) show();
  });
}

const state = new State(schedule);

/** Do what a person asked; a refusal is said, never swallowed. */
async function attempt(work, done = "") {
  trouble = null;
  try {
    await work();
    if (done) at("announcer").textContent = done;
    await state.refresh(state.studyUid);
  } catch (error) {
    trouble = [error.message, error.remedy].filter(Boolean).join(" ");
  }
  schedule();
}

const actions = {
  choose: (objectId) => state.choose(objectId),
  newest: () => state.followNewest(),
  toggleHeat: () => {
    state.heat = !state.heat;
    schedule();
  },
  overrule: async () => {
    const { image } = state;
    const wish = await askOverrule(image, state.by, isRejectedWhenLow(state, image));
    if (!wish) return;
    state.by = wish.by;
    await attempt(() => api.override(image.verdict.sop_instance_uid, wish.band, wish.reason, wish.by));
  },
  settle: (band, words) => attempt(() => api.override(state.image.verdict.sop_instance_uid, band, words, state.by)),
  revoke: () => attempt(() => api.revoke(state.image.verdict.sop_instance_uid, state.by)),
  reject: async () => {
    const { image, study } = state;
    const wish = await askReject(image, study, state.rules.reasons, state.by);
    if (!wish) return;
    state.by = wish.by;
    await attempt(() => api.reject(image.verdict.sop_instance_uid, wish.reason, wish.by), say("reject.done", { n: image.number }));
  },
  unreject: () => {
    const { image } = state;
    return attempt(() => api.unreject(image.verdict.sop_instance_uid, state.by), say("reject.undone", { n: image.number }));
  },
  answer: (newer, older, replaces) => attempt(() => api.answer(state.studyUid, newer, older, replaces, state.by)),
  close: async () => {
    const { study } = state;
    if (study.ready_to_close || (await askClose(study))) {
      await attempt(() => api.closeStudy(study.study_instance_uid, state.by));
    }
  },
};

function tab(uid, title, kind, note) {
  return h("button", {
    class: "tab",
    "aria-current": uid === state.studyUid ? "true" : null,
    "data-key": `study-${uid}`,
    title: note,
    click: () => state.chooseStudy(uid),
  }, shape(kind), title);
}

function kindOfStudy(study) {
  if (study.reacquire.length) return "low";
  if (study.pending) return "pending";
  if (study.doubtful?.length) return "doubtful";
  if (study.unscored.length) return "unscorable";
  return study.ready_to_close ? "high" : "medium";
}

function showTabs() {
  const open = state.open.filter((study) => study.status !== "closed" || study.study_instance_uid === state.studyUid);
  if (!hasChanged(at("studies"), open, state.studyUid, state.carts, state.cart, state.singles)) return;
  const tabs = open.slice(0, 12).map((study) =>
    tab(study.study_instance_uid, titleOf(study), kindOfStudy(study), standing(study)));
  if (state.singles.length) tabs.push(tab(SINGLES, say("single_pictures"), state.kind(state.singles.at(-1)), ""));
  fill(at("studies"), ...tabs);
  const carts = ["", ...state.carts].map((cart) =>
    h("option", { value: cart, selected: cart === state.cart }, cart || say("cart_all")));
  fill(at("cart"), ...carts);
}

function showConnection() {
  const isLost = state.connection === "lost";
  document.body.className = state.connection;
  const since = isLost && state.aliveAt ? clock(state.aliveAt) : "";
  at("connection").textContent = say(`connection.${state.connection}`);
  const study = state.study;
  const advice = study?.sender_advice ?? state.senders.find((sender) => sender.calling_ae === study?.calling_ae)?.advice;
  if (!hasChanged(at("notices"), isLost, since, trouble, advice)) return;
  fill(at("notices"),
    isLost && h("div", { class: "notice lost-notice" }, since ? say("connection.not_shown_since", { time: since }) : say("connection.not_shown"),
      h("button", { click: () => stream.hurry(), "data-key": "retry" }, say("connection.try_now"))),
    trouble && h("div", { class: "notice" }, trouble, h("button", { click: () => ((trouble = null), schedule()), "data-key": "ok" }, say("ok"))),
    advice && h("div", { class: "notice advice" }, advice));
}

function show() {
  showConnection();
  showTabs();
  showPanel(at("panel"), state, actions);
  showStrip(at("strip"), state, actions);
  showStage(at("stage"), state, actions);
}

const stream = new Stream({
  onEvent: (kind, event) => {
    state.aliveAt = Date.now();
    const news = state.take(kind, event);
    if (news) at("announcer").textContent = spoken(news.number, news.verdict);
  },
  onLive: () => {
    const load = () => state.load().then(
      () => {
        state.connection = "live";
        state.aliveAt = Date.now();
        schedule();
      },
      () => setTimeout(() => state.connection !== "live" && load(), 2_000));
    load();
  },
  onLost: () => {
    if (state.connection === "live") state.aliveAt = Date.now();
    state.connection = "lost";
    schedule();
  },
});

const KEYS = {
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  h: actions.toggleHeat,
  o: () => state.image?.verdict.sop_instance_uid && actions.overrule(),
  n: actions.newest,
  r: () => state.image && state.connection === "live" && mayReject(state, state.image) && actions.reject(),
};

function step(by) {
  const index = state.images.indexOf(state.image);
  const next = state.images[index + by];
  if (next) state.choose(next.object_id);
}

addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, select, dialog");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
addEventListener("pointerdown", () => (isPressed = true), true);
for (const end of ["pointerup", "pointercancel", "blur"]) {
  addEventListener(end, () => setTimeout(() => ((isPressed = false), schedule())), true);
}
addEventListener("resize", schedule);
addEventListener("online", () => stream.hurry());
at("cart").addEventListener("change", (event) => state.chooseCart(event.target.value));
setInterval(() => state.connection === "live" && state.refresh(state.studyUid).catch(() => {}), POLL_MS);

function offerLanguages() {
  fill(at("language"), ...Object.entries(languages).map(([code, name]) =>
    h("option", { value: code, lang: code, selected: code === language }, name)));
  at("language").addEventListener("change", (event) => choose(event.target.value));
}

speak(document);
offerLanguages();
api.onTokenNeeded(askToken);
show();
stream.follow();
