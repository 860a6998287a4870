// Texts of the live map: names, speeds, distances and times as the reader writes them.
window.LiveMap = (() => {
  "use strict";
  const page = document.querySelector("[data-live-map]");
  const texts = JSON.parse(document.getElementById("live-map-texts").textContent);
  const locale = document.documentElement.lang || undefined;
  const { units, time_zone: timeZone } = texts;
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium", hourCycle: "h23", timeZone });
  // As the server writes them: in English the month in letters, since 2/3 is February in one country and March in another.
  const day = locale === "en" ? { day: "numeric", month: "short", year: "numeric" } : { day: "2-digit", month: "2-digit", year: "numeric" };
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  const dateAndTime = new Intl.DateTimeFormat(locale === "en" ? "en-GB" : locale, { ...day, ...time, timeZone });
  const age = new Intl.RelativeTimeFormat(locale, { style: "narrow", numeric: "always" });
  // Up to so much is the way of an answer; more is a wrong clock.
  const LEAST_AHEAD_MS = 10000;
  let aheadMs = 0;
  const sizes = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  function element(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  const say = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  // The server's time: the clock of the device that shows the page may be wrong by an hour.
  const now = () => Date.now() - aheadMs;

  // `date` is what an answer of the server says, which was asked for at `askedAt` by the clock here.
  function setClock(date, askedAt) {
    const ahead = (askedAt + Date.now()) / 2 - Date.parse(date);
    if (Number.isFinite(ahead)) aheadMs = Math.abs(ahead) > LEAST_AHEAD_MS ? ahead : 0;
  }

  function ago(time) {
    if (!time) return texts.never;
    const seconds = Math.max(0, Math.round((now() - Date.parse(time)) / 1000));
    const [unit, size] = sizes.find(([, one]) => seconds >= one) ?? ["second", 1];
    // Minus nothing is "0 s ago", nothing would be "in 0 s".
    return age.format(-Math.trunc(seconds / size), unit);
  }

  function speed({ speed_kph: kph, is_speed_derived: isDerived }) {
    if (typeof kph !== "number") return "–";
    return `${isDerived ? "≈ " : ""}${Math.round(kph * units.speed_factor)} ${units.speed_symbol}`;
  }

  function distance(meters) {
    const value = (meters / 1000) * units.distance_factor;
    return `${value.toLocaleString(locale, { maximumFractionDigits: value < 10 ? 1 : 0 })} ${units.distance_symbol}`;
  }

  return {
    page, texts, locale, element, say, now, setClock, ago, speed, distance,
    part: (name) => page.querySelector(`[data-part="${name}"]`),
    setText: (node, text) => node.textContent !== text && (node.textContent = text),
    nameOf: (device) => device.name || `#${device.id}`,
    clock: (time) => clock.format(new Date(time)),
    dateAndTime: (time) => (time ? dateAndTime.format(new Date(time)) : texts.never),
  };
})();
