// Rejecting an image: whether it may be, that it is, and the two steps that a person takes.

import { ask, askInitials, cancel, title } from "./dialogs.js";
import { h } from "./dom.js";
import { say } from "./language.js";
import { hides, rejected, warning } from "./words.js";

const JUDGED = ["graded", "unscorable"];

const isRejectable = (state, image) =>
  state.rules.enabled && image.current && JUDGED.includes(image.verdict.status) && Boolean(image.verdict.sop_instance_uid && state.study);

/** Whether a person may reject an image now. */
export const mayReject = (state, image) => isRejectable(state, image) && !image.rejection;

/** Whether overruling an image to low rejects it; that a doubtful low is an image does not. */
export function isRejectedWhenLow(state, { verdict, ...image }) {
  const settles = verdict.doubt && verdict.band === "low";
  return isRejectable(state, { verdict, ...image }) && state.rules.reject_by !== "call" && !settles;
}

/** Say that an image is rejected, by whom and why; what a person called for can be taken back. */
export function rejection(state, image, actions) {
  if (!image.rejection) return null;
  const isCall = image.rejection.through === "call";
  return h("section", { class: "rejected", "aria-label": say("reject.section") },
    h("p", {}, h("b", {}, say("reject.rejected")), ` ${rejected(image, state.rules.reasons)} `, h("span", { class: "hides" }, hides(state.study))),
    isCall && h("button", { class: "plain", click: actions.unreject, disabled: state.connection !== "live", "data-key": "unreject" }, say("reject.take_back")));
}

/** Reasons for an ultrasound image; those nearest to what the gate found come first. */
export function offered(reasons, findings) {
  const codes = findings.map(({ code }) => code);
  const isNear = (reason) => reason.findings.some((code) => codes.includes(code));
  const all = reasons.filter((reason) => reason.of_ultrasound).map((reason) => ({ ...reason, isNear: isNear(reason) }));
  return [...all.filter((reason) => reason.isNear), ...all.filter((reason) => !reason.isNear)];
}

const besides = ({ words, meaning, isNear }) =>
  [meaning.toLowerCase() === words.toLowerCase() ? "" : meaning, isNear && say("reject.found")].filter(Boolean).join(" · ");

/** Ask why, then whether for sure. Resolves to {reason, by} or null. */
export function askReject(image, study, reasons, by) {
  return ask((answer) => {
    const box = h("div", {});
    const [initials, who] = askInitials(by);
    const choose = (chosen) => {
      const buttons = offered(reasons, image.verdict.findings).map((reason) =>
        h("button", { click: () => confirm(reason), "data-reason": reason.code },
          h("b", {}, reason.words), h("small", {}, besides(reason))));
      box.replaceChildren(title(say("reject.why", { n: image.number })),
        h("div", { class: "reasons" }, ...buttons),
        h("p", { class: "foot" }, cancel(answer)));
      if (chosen) buttons.find((button) => button.dataset.reason === chosen.code)?.focus();
    };
    const confirm = (reason) => {
      const heading = title(say("reject.sure", { n: image.number }));
      box.replaceChildren(heading,
        h("p", { class: "reason" }, reason.words),
        h("p", { class: "hides" }, warning(study)),
        h("p", { class: "foot" }, h("label", { for: "by" }, say("overrule.initials")), initials),
        h("p", { class: "foot sure" },
          h("button", { class: "plain", click: () => choose(reason), "data-key": "back" }, say("reject.another")), cancel(answer),
          h("button", { class: "strong", click: () => answer({ reason: reason.code, by: who() }), "data-key": "confirm" }, say("reject.confirm"))));
      heading.tabIndex = -1;
      heading.focus(); // not the button: a key held down must not confirm
    };
    choose();
    return box;
  });
}
