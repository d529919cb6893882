// Speak to the gate: JSON, pictures, and the token that is asked for once.

import { canSay, language, say, wish } from "./language.js";

const TOKEN = "sonogate.token";
const MAX_PICTURES = 240;

let askForToken = async () => null;
const pictures = new Map(); // path -> Promise of {url, region}

/** The gate explains itself in English only; for what a sonographer may meet there are words here. */
function inWords(status, body) {
  if (language === "en" && body?.message) return body.message;
  const key = `refusal.${body?.error}`;
  return canSay(key) ? say(key) : (body?.message ?? say("refusal.answered", { status }));
}

export class Refusal extends Error {
  constructor(status, body) {
    super(inWords(status, body));
    this.status = status;
    this.remedy = language === "en" ? (body?.remedy ?? "") : "";
  }
}

/** Tell how to ask the person for the token. */
export function onTokenNeeded(ask) {
  askForToken = ask;
}

function headers(extra = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const spoken = { ...wish(), ...extra };
  return token ? { ...spoken, Authorization: `Bearer ${token}` } : spoken;
}

/** Fetch, asking for the token as often as it is wrong. */
export async function open(path, options = {}) {
  for (;;) {
    const sent = sessionStorage.getItem(TOKEN);
    const response = await fetch(path, { ...options, headers: headers(options.headers), cache: "no-store" });
    if (response.status !== 401) return response;
    if (sessionStorage.getItem(TOKEN) === sent) {
      const token = await askForToken();
      if (token === null) throw new Refusal(401, { message: say("token.none_given") });
      sessionStorage.setItem(TOKEN, token);
    }
  }
}

async function json(path, options) {
  const response = await open(path, options);
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Refusal(response.status, body);
  return body;
}

const change = (method, path, body) =>
  json(path, { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

const part = encodeURIComponent;

export const listStudies = () => json("/v1/studies?limit=100");
export const listFindings = () => json("/v1/findings");
export const readRejectionRules = () => json("/v1/rejections");
export const listSenders = () => json("/v1/senders");
export const readStudy = (uid) => json(`/v1/studies/${part(uid)}`);
export const closeStudy = (uid, by) => change("POST", `/v1/studies/${part(uid)}/close`, { by });
export const answer = (uid, newer, older, replaces, by) =>
  change("POST", `/v1/studies/${part(uid)}/questions/${newer}`, { older, replaces, by });
export const override = (uid, band, reason, by) =>
  change("POST", `/v1/instances/${part(uid)}/override`, { band, reason, by });
export const revoke = (uid, by) =>
  json(`/v1/instances/${part(uid)}/override?by=${part(by)}`, { method: "DELETE" });

export const reject = (uid, reason, by) => change("POST", `/v1/instances/${part(uid)}/rejection`, { reason, by });
export const unreject = (uid, by) =>
  json(`/v1/instances/${part(uid)}/rejection?by=${part(by)}`, { method: "DELETE" });

async function loadPicture(path) {
  const response = await open(path);
  if (!response.ok) throw new Refusal(response.status, null);
  const blob = await response.blob();
  return { url: URL.createObjectURL(blob), region: regionIn(await blob.arrayBuffer()) };
}

/** A picture of an object; kind is "thumbnail" or "heatmap". Resolves to null where there is none. */
export function picture(objectId, kind) {
  const path = `/v1/objects/${part(objectId)}/${kind}.png`;
  if (!pictures.has(path)) {
    pictures.set(path, loadPicture(path).catch(() => (pictures.delete(path), null)));
    for (const old of pictures.keys()) {
      if (pictures.size <= MAX_PICTURES) break;
      pictures.get(old).then((found) => found && URL.revokeObjectURL(found.url));
      pictures.delete(old);
    }
  }
  return pictures.get(path);
}

/** Read which part of the stored frame a PNG shows, from its text chunk "sonogate-region" (x,y,width,height). */
export function regionIn(buffer) {
  const view = new DataView(buffer);
  for (let at = 8; at + 12 <= view.byteLength; at += 12 + view.getUint32(at)) {
    const length = view.getUint32(at);
    const type = latin1(buffer, at + 4, 4);
    if (type === "IDAT" || length > view.byteLength - at - 12) return null;
    if (type !== "tEXt") continue;
    const [keyword, text] = latin1(buffer, at + 8, length).split("\0");
    const numbers = (text ?? "").split(",").map(Number);
    if (keyword === "sonogate-region" && numbers.length === 4 && numbers.every(Number.isFinite)) {
      const [x, y, width, height] = numbers;
      return { x, y, width, height };
    }
  }
  return null;
}

const latin1 = (buffer, start, length) => String.fromCharCode(...new Uint8Array(buffer, start, length));
