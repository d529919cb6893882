// Every sentence of the page. What comes from the gate (reasons, actions, advice) is shown as it is.

export const BANDS = ["high", "medium", "low"];
export const KINDS = [...BANDS, "doubtful", "not_applicable", "unscorable", "pending"];

const WORDS = {
  high: ["HIGH", "Keep it"],
  medium: ["MEDIUM", "Usable"],
  low: ["LOW", "Take it again"],
  doubtful: ["LOW?", "Trace or image?"],
  not_applicable: ["NOT JUDGED", "Not an image to grade"],
  unscorable: ["NOT SCORED", "Quality is unknown"],
  pending: ["WAITING", "Not judged yet"],
};

/** What a verdict counts as: its band (a person's word first; a low that may be no image stands apart), else its status. */
export function kindOf(verdict) {
  if (verdict.override) return verdict.override.band;
  const kind = verdict.status === "graded" ? verdict.band : verdict.status;
  if (kind === "low" && verdict.doubt) return "doubtful";
  return KINDS.includes(kind) ? kind : "unscorable";
}

export const wordOf = (kind) => WORDS[kind][0];

/** What to make of it; what was taken again since asks for nothing any more. */
export const meaningOf = (kind, image) => (kind === "low" && image.replaced_by ? "Taken again" : WORDS[kind][1]);

export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

const CLOSED_BY = { mpps: " The cart said that the exam is complete.", quiet: " Nothing came for long." };

const performed = (study) => study.performed ?? {};

/** Whether a study may close, in words. */
export function closing(study) {
  if (study.status === "closed") return `Closed.${CLOSED_BY[study.closed_by] ?? ""}`;
  if (study.ready_to_close) return "Ready to close. Nothing needs re-acquiring.";
  const open = [
    study.reacquire.length && `${count(study.reacquire.length, "image")} to re-acquire`,
    study.doubtful?.length && `${study.doubtful.length} may be a trace: look yourself`,
    study.unscored.length && `${study.unscored.length} not scored`,
    study.pending && `${study.pending} waiting for a verdict`,
    performed(study).missing && `the cart says ${performed(study).named}, ${performed(study).named - performed(study).missing} have come`,
    performed(study).status === "DISCONTINUED" && "the cart gave the exam up",
    study.questions?.length && `${count(study.questions.length, "question")} to answer`,
  ].filter(Boolean);
  return open.length ? `Not ready: ${open.join(", ")}.` : "Not ready yet.";
}

const STANDING = {
  receiving: "Images are arriving",
  settled: "No new image for a while",
  closed: "Closed",
};

const CART_SAYS = {
  "IN PROGRESS": " · exam in progress",
  COMPLETED: " · exam completed",
  DISCONTINUED: " · exam discontinued",
};

/** Where a study stands, what the cart says of the exam, and whether a late image reopened it. */
export function standing(study) {
  const again = study.reopened && study.status !== "closed" ? " · reopened by a late image" : "";
  const cart = CART_SAYS[performed(study).status] ?? "";
  return (STANDING[study.status] ?? study.status) + cart + again;
}

/** A short name of a study for a tab: no patient data, just exam, accession number and cart. */
export function titleOf(study) {
  const name = study.exam_type || "Study";
  const number = study.accession_number || `…${study.study_instance_uid.slice(-6)}`;
  return `${name} ${number}`;
}

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const clock = (date) => TIME.format(new Date(date));

/** Findings that the verdict's reason and action do not tell: all, where the reason is none of them. */
export const notesOf = ({ findings, reason }) => (findings[0]?.label === reason ? findings.slice(1) : findings);

/** What stands above those: a high image needs nothing. */
export const titleOfNotes = (verdict) => (verdict.band === "high" && !verdict.uncertain ? "Good enough as it is. Noticed besides:" : "Also:");

/** What a person says of a low that may be a trace: [what it is, what it counts as]. */
export const DOUBT_ANSWERS = [
  ["It is a trace", "not_applicable"],
  ["It is an image", "low"],
];

/** What a screen reader says when a verdict arrives. */
export function spoken(number, verdict) {
  const name = number ? `Image ${number}` : "Picture";
  const kind = wordOf(kindOf(verdict)).toLowerCase();
  return [`${name}: ${kind}`, verdict.reason, verdict.action].filter(Boolean).join(". ");
}

/** Who rejected an image and why; the reason's plain words where the gate has them. */
export function rejected({ rejection, replaced_by }, reasons) {
  const { through, by, reason, meaning } = rejection;
  if (through === "override") return `${by} overruled it to LOW. To take it back, undo that.`;
  if (through === "policy") return `It was replaced${replaced_by ? ` by image ${replaced_by}` : ""}, and this gate's policy rejects such images. To keep it, overrule it.`;
  return `${by}: ${reasons.find(({ code }) => code === reason)?.words ?? meaning}.`;
}

/** What a rejection does, and when. */
export const hides = (study) =>
  study.status === "closed" ? "Archives hide it." : "Archives hide it once the study closes.";

/** What a person should know before rejecting. */
export const warning = (study) => study.status === "closed"
  ? "Archives hide the image from everyday use. If you take that back later, somebody may have to restore it in the archive by hand."
  : "Once the study closes, archives hide the image from everyday use. Until then you can take it back.";

export const LOW_REJECTS = "This also rejects the image: archives hide it.";

export const OVERRULES = [
  ["high", ["Answers the clinical question", "The shadow is the finding"]],
  ["medium", ["Best this patient allows", "Good enough with the other views"]],
  ["low", ["Wrong plane", "Anatomy cut off", "Measurement not reliable"]],
  ["not_applicable", ["It is a trace", "It is a report or a screen"]],
];
