// Follow the gate's events. EventSource can't send a token, so this reads the stream itself; it resumes by id.

import { open } from "./api.js";

const SILENCE_MS = 12_000; // the gate sends a sign of life every 5 s
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000];

/** Split text/event-stream into events {event, data, id}; returns a function that takes text. */
export function parser(onEvent) {
  let rest = "";
  let fields = {};
  return (text) => {
    rest += text;
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (fields.data !== undefined) onEvent({ event: "message", ...fields });
        fields = {};
        continue;
      }
      const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (name === "data") fields.data = fields.data === undefined ? value : `${fields.data}\n${value}`;
      else if (name === "event" || name === "id") fields[name] = value;
    }
  };
}

export class Stream {
  /** handlers: onEvent(kind, body), onLive(), onLost(). */
  constructor(handlers) {
    this.handlers = handlers;
    this.lastId = null;
    this.failures = 0;
    this.hurry = () => {};
  }

  /** Follow for ever, reconnecting. */
  async follow() {
    for (;;) {
      try {
        await this.connect();
      } catch (error) {
        if (error.status === 401) return;
      }
      this.handlers.onLost();
      const pause = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)];
      await new Promise((resolve) => {
        this.hurry = resolve;
        setTimeout(resolve, pause);
      });
    }
  }

  async connect() {
    const abort = new AbortController();
    let watchdog = setTimeout(() => abort.abort(), SILENCE_MS);
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), SILENCE_MS);
    };
    try {
      const query = this.lastId === null ? "" : `?last_event_id=${this.lastId}`;
      const response = await open(`/v1/events${query}`, { signal: abort.signal });
      if (!response.ok) throw new Error(`events: ${response.status}`);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const take = parser((event) => this.receive(event));
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        alive();
        take(value);
      }
    } finally {
      clearTimeout(watchdog);
      abort.abort();
    }
  }

  receive({ event, data, id }) {
    const body = JSON.parse(data);
    if (id) this.lastId = id;
    if (event === "hello") {
      this.failures = 0;
      this.handlers.onLive(body);
    } else this.handlers.onEvent(event, body);
  }
}
