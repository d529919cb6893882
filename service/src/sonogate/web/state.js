// What the page knows: open studies, the shown study and image, the connection. Views draw it; they keep nothing.

import * as api from "./api.js";
import { kindOf } from "./words.js";

const LOOKING_MS = 8_000; // an image that a person chose stays at least so long
const REFRESH_MS = 400; // a study in a burst is read at most so often
const MAX_SINGLES = 50;

export const SINGLES = "single-pictures";

export class State {
  constructor(onChange) {
    this.onChange = onChange;
    this.connection = "starting"; // starting | live | lost
    this.aliveAt = null;
    this.summaries = new Map(); // uid -> summary
    this.studies = new Map(); // uid -> study, as last read
    this.senders = [];
    this.actions = {}; // finding code -> what to do
    this.rules = { enabled: false, reject_by: null, reasons: [] }; // whether and why images may be rejected
    this.singles = []; // pictures without a study, of this session
    this.cart = localStorage.getItem("sonogate.cart") ?? "";
    this.studyUid = null;
    this.objectId = null;
    this.chosenAt = 0;
    this.heat = false;
    this.reading = new Map(); // uid -> { again, since }: studies being read, and events taken since
  }

  get by() {
    return sessionStorage.getItem("sonogate.by") || "bedside";
  }

  set by(name) {
    sessionStorage.setItem("sonogate.by", name.trim().slice(0, 64));
  }

  /** Studies of this cart, the latest first; closed ones last. */
  get open() {
    const order = (a, b) =>
      (a.status === "closed") - (b.status === "closed") || b.last_received_at.localeCompare(a.last_received_at);
    return [...this.summaries.values()]
      .filter((study) => !this.cart || study.calling_ae === this.cart)
      .sort(order);
  }

  get carts() {
    return [...new Set([...this.summaries.values()].map((study) => study.calling_ae))].sort();
  }

  get study() {
    return this.studies.get(this.studyUid) ?? null;
  }

  get images() {
    return this.studyUid === SINGLES ? this.singles : (this.study?.instances ?? []);
  }

  /** The image on the stage: the chosen one, else the latest that has a verdict. */
  get image() {
    const chosen = this.images.find((image) => image.object_id === this.objectId);
    return chosen ?? this.images.findLast((image) => image.verdict.status !== "pending") ?? this.images.at(-1) ?? null;
  }

  get isBusyLooking() {
    return Date.now() - this.chosenAt < LOOKING_MS || document.querySelector("dialog[open]") !== null;
  }

  /** Read everything anew; after a lost connection this heals whatever was missed. */
  async load() {
    const [studies, senders, findings, rules] = await Promise.all(
      [api.listStudies(), api.listSenders(), api.listFindings(), api.readRejectionRules()]);
    this.summaries = new Map(studies.map((study) => [study.study_instance_uid, study]));
    this.senders = senders;
    this.rules = rules;
    this.actions = Object.fromEntries(findings.map(({ code, action }) => [code, action]));
    if (this.studyUid !== SINGLES && !this.summaries.has(this.studyUid)) this.studyUid = null;
    if (this.studyUid === null) this.studyUid = this.open.find((study) => study.status !== "closed")?.study_instance_uid ?? null;
    await this.refresh(this.studyUid);
  }

  /** Read a study; calls while it is being read end in one more reading. */
  async refresh(uid) {
    if (!uid || uid === SINGLES) return this.onChange();
    const known = this.reading.get(uid);
    if (known) {
      known.again = true;
      return undefined;
    }
    const reading = { again: false, since: [] };
    this.reading.set(uid, reading);
    try {
      this.keep(await api.readStudy(uid), reading.since);
    } finally {
      setTimeout(() => {
        this.reading.delete(uid);
        if (reading.again) this.refresh(uid).catch(() => {}); // asked for while it was read, or since
      }, REFRESH_MS);
    }
    return undefined;
  }

  /** Take a study as read; what was told since the reading began may be missing from it. */
  keep(study, since) {
    this.studies.set(study.study_instance_uid, study);
    this.summaries.set(study.study_instance_uid, study);
    for (const event of since) this.apply(event);
    for (const uid of this.studies.keys()) {
      if (this.studies.size > 20 && uid !== this.studyUid) this.studies.delete(uid);
    }
    this.onChange();
  }

  /** Take one event. Returns the verdict to announce, if it is one for this page. */
  take(kind, event) {
    const uid = event.study_instance_uid;
    if (kind === "study") {
      const summary = this.summaries.get(uid);
      const { id: _id, kind: _kind, at: _at, object_id: _object, ...news } = event;
      this.summaries.set(uid, { ...summary, ...news });
    }
    if (kind === "verdict" && uid === null) this.takeSingle(event);
    if (kind === "advice" && uid === null) this.adviseSingle(event);
    const isHere = uid === null ? !this.cart : this.isThisCart(uid);
    const isFresh = kind === "verdict" && isHere;
    if (isFresh && !this.isBusyLooking) {
      this.studyUid = uid ?? SINGLES;
      this.objectId = event.object_id;
    }
    if (kind === "verdict" || kind === "override") {
      this.apply(event);
      this.reading.get(uid)?.since.push(event);
    }
    this.refresh(uid ?? SINGLES).catch(() => {});
    this.onChange();
    return isFresh ? event : null;
  }

  isThisCart(uid) {
    return !this.cart || this.summaries.get(uid)?.calling_ae === this.cart;
  }

  takeSingle({ object_id, number, verdict }) {
    this.singles = this.singles.filter((image) => image.object_id !== object_id);
    this.singles.push({ object_id, number: number ?? this.singles.length + 1, verdict, current: true });
    this.singles = this.singles.slice(-MAX_SINGLES);
  }

  /** Put an adviser's remark beside a picture without a study; a study's is read anew with it. */
  adviseSingle({ object_id, advice }) {
    this.singles = this.singles.map((image) =>
      image.object_id === object_id ? { ...image, verdict: { ...image.verdict, advice: advice.advice?.remark ?? null } } : image);
  }

  /** Show a verdict at once; the study's full reading follows. */
  apply({ study_instance_uid: uid, object_id, number, verdict }) {
    const study = this.studies.get(uid);
    if (!study || !verdict) return;
    const known = study.instances.find((image) => image.object_id === object_id);
    if (known) known.verdict = verdict;
    else study.instances.push({ object_id, number, verdict, current: true, conflict: false });
  }

  choose(objectId) {
    this.objectId = objectId;
    this.chosenAt = Date.now();
    this.onChange();
  }

  chooseStudy(uid) {
    this.studyUid = uid;
    this.objectId = null;
    this.chosenAt = Date.now();
    this.onChange();
    this.refresh(uid).catch(() => {});
  }

  followNewest() {
    this.chosenAt = 0;
    this.objectId = null;
    this.onChange();
  }

  chooseCart(cart) {
    this.cart = cart;
    localStorage.setItem("sonogate.cart", cart);
    this.studyUid = this.open.find((study) => study.status !== "closed")?.study_instance_uid ?? null;
    this.objectId = null;
    this.onChange();
    this.refresh(this.studyUid).catch(() => {});
  }

  /** The image of the shown study with this number. */
  imageOf(number) {
    return this.images.find((image) => image.number === number) ?? null;
  }

  kind(image) {
    return kindOf(image.verdict);
  }
}
