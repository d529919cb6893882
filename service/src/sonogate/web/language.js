// In which language the page speaks: the chosen one, else the browser's, else the site's.

const CHOSEN = "sonogate.language";
const RETRY_MS = 1_000;

/** What a request says about it; nothing: the browser's own wishes. */
export function wish() {
  const chosen = localStorage.getItem(CHOSEN);
  return chosen ? { "Accept-Language": chosen } : {};
}

/** Speak another language from now on. */
export function choose(language) {
  localStorage.setItem(CHOSEN, language);
  location.reload();
}

async function load() {
  for (;;) {
    try {
      const response = await fetch("/web/words.json", { headers: wish(), cache: "no-store" });
      if (response.ok) return await response.json();
    } catch {
      // the gate is not there yet
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

const { language, languages, words, stored } = await load();
const plural = new Intl.PluralRules(language);

export { language, languages };

/** Say a sentence of the page: say("image", {n: 3}). */
export function say(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_gap, name) => String(values[name]));
}

/** Say how many: a sentence with `one` and `other`. */
export const count = (key, n) => say(`${key}.${plural.select(n) === "one" ? "one" : "other"}`, { n });

/** A reason that a person picks, in the language in which the site stores it. */
export const storedReason = (key) => stored[`because.${key}`];

/** Whether there is a sentence for it. */
export const canSay = (key) => key in words;

/** Put words where the page's frame has a name for them. */
export function speak(root) {
  document.documentElement.lang = language;
  document.documentElement.style.setProperty("--old", JSON.stringify(say("connection.old")));
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of root.querySelectorAll("[data-say-label]")) element.setAttribute("aria-label", say(element.dataset.sayLabel));
}
