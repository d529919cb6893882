// What the page says of verdicts and studies. What comes from the gate (reasons, actions, advice) is shown as it is.

import { count, language, say } from "./language.js";

export const BANDS = ["high", "medium", "low"];
export const KINDS = [...BANDS, "doubtful", "not_applicable", "unscorable", "pending"];

/** What a verdict counts as: its band (a person's word first; a low that may be no image stands apart), else its status. */
export function kindOf(verdict) {
  if (verdict.override) return verdict.override.band;
  const kind = verdict.status === "graded" ? verdict.band : verdict.status;
  if (kind === "low" && verdict.doubt) return "doubtful";
  return KINDS.includes(kind) ? kind : "unscorable";
}

export const wordOf = (kind) => say(`kind.${kind}.word`);

/** What to make of it; what was taken again since asks for nothing any more. */
export const meaningOf = (kind, image) => (kind === "low" && image.replaced_by ? say("taken_again") : say(`kind.${kind}.meaning`));

const performed = (study) => study.performed ?? {};

/** Whether a study may close, in words. */
export function closing(study) {
  if (study.status === "closed") {
    return say(["mpps", "quiet"].includes(study.closed_by) ? `closing.closed_by_${study.closed_by}` : "closing.closed");
  }
  if (study.ready_to_close) return say("closing.ready");
  const { named, missing, status } = performed(study);
  const open = [
    study.reacquire.length && count("closing.reacquire", study.reacquire.length),
    study.doubtful?.length && say("closing.doubtful", { n: study.doubtful.length }),
    study.unscored.length && say("closing.unscored", { n: study.unscored.length }),
    study.pending && say("closing.pending", { n: study.pending }),
    missing && say("closing.missing", { named, come: named - missing }),
    status === "DISCONTINUED" && say("closing.discontinued"),
    study.questions?.length && count("closing.questions", study.questions.length),
  ].filter(Boolean);
  return open.length ? say("closing.not_ready", { list: open.join(say("list_comma")) }) : say("closing.not_ready_yet");
}

const STANDING = ["receiving", "settled", "closed"];
const CART_SAYS = { "IN PROGRESS": "in_progress", COMPLETED: "completed", DISCONTINUED: "discontinued" };

/** Where a study stands, what the cart says of the exam, and whether a late image reopened it. */
export function standing(study) {
  const cart = CART_SAYS[performed(study).status];
  return [
    STANDING.includes(study.status) ? say(`standing.${study.status}`) : study.status,
    cart && say(`standing.${cart}`),
    study.reopened && study.status !== "closed" && say("standing.reopened"),
  ].filter(Boolean).join(" · ");
}

/** A short name of a study for a tab: no patient data, just exam, accession number and cart. */
export function titleOf(study) {
  const name = study.exam_type || say("study");
  const number = study.accession_number || `…${study.study_instance_uid.slice(-6)}`;
  return `${name} ${number}`;
}

const REGION = navigator.languages.find((one) => one.split("-")[0] === language) ?? language; // its hours: 3 pm or 15:00
const TIME = new Intl.DateTimeFormat(REGION, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const clock = (date) => TIME.format(new Date(date));

/** Findings that the verdict's reason and action do not tell: all, where the reason is none of them. */
export const notesOf = ({ findings, reason }) => (findings[0]?.label === reason ? findings.slice(1) : findings);

/** What stands above those: a high image needs nothing. */
export const titleOfNotes = (verdict) => say(verdict.band === "high" && !verdict.uncertain ? "image_notes.noticed" : "image_notes.also");

/** What a person says of a low that may be a trace: [what it is, what it counts as]. */
export const DOUBT_ANSWERS = [
  ["trace", "not_applicable"],
  ["image", "low"],
];

/** What a screen reader says when a verdict arrives. */
export function spoken(number, verdict) {
  const name = number ? say("image", { n: number }) : say("picture");
  const kind = wordOf(kindOf(verdict)).toLowerCase();
  return [say("spoken", { name, kind }), verdict.reason, verdict.action].filter(Boolean).join(say("full_stop"));
}

/** Who rejected an image and why; the reason's plain words where the gate has them. */
export function rejected({ rejection, replaced_by }, reasons) {
  const { through, by, reason, meaning } = rejection;
  if (through === "override") return say("reject.by_override", { by });
  if (through === "policy") return replaced_by ? say("reject.by_policy_replaced", { n: replaced_by }) : say("reject.by_policy");
  return say("reject.by_call", { by, reason: reasons.find(({ code }) => code === reason)?.words ?? meaning });
}

/** What a rejection does, and when. */
export const hides = (study) => say(study.status === "closed" ? "reject.hidden" : "reject.will_be_hidden");

/** What a person should know before rejecting. */
export const warning = (study) => say(study.status === "closed" ? "reject.warning_closed" : "reject.warning_open");

/** Why a person overrules, by what it shall count as. */
export const OVERRULES = [
  ["high", ["answers_question", "shadow_is_finding"]],
  ["medium", ["best_possible", "good_with_others"]],
  ["low", ["wrong_plane", "cut_off", "not_measurable"]],
  ["not_applicable", ["trace", "screen"]],
];
