// A day of a device: its track on the map, a replay along it, and the time that the page jumps to.
(() => {
  "use strict";
  const settings = JSON.parse(document.getElementById("device-day-settings").textContent);
  const find = (name) => document.querySelector(`[data-${name}]`);
  const player = find("day-player");
  const [playButton, rate, slider, readout] = ["play", "rate", "slider", "readout"].map(find);
  const answer = find("day-place");
  const cursorLine = find("graph-cursor");
  const clock = new Intl.DateTimeFormat(settings.language, {
    timeZone: settings.time_zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  });
  const SECONDS_PER_TICK = 60;
  let map = null;
  let day = null;
  let seconds = 0;
  let lastFrame = null;

  async function load() {
    const found = await fetch(settings.replay_url, { headers: { Accept: "application/json" } });
    if (!found.ok) throw new Error(String(found.status));
    day = await found.json();
    map = TrackerMap.create(document.getElementById("device-day-map"));
    map.track.setTrack(trackPoints());
    map.fit();
    slider.max = Math.round(day.end - day.start);
    find("tolerance").textContent = settings.texts.tolerance.replace("%(meters)s", day.tolerance_meters);
    move(settings.at_seconds ?? (settings.begins_at_end ? day.times.at(-1) : day.times[0]));
  }

  function trackPoints() {
    const silences = new Set(day.silences);
    return day.times.flatMap((_, at) => {
      const point = [day.latitudes[at], day.longitudes[at]];
      return silences.has(at) ? [point, null] : [point];
    });
  }

  // The last point at or before a time; -1 before the first.
  function pointBefore(at) {
    let low = 0;
    let high = day.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (day.times[middle] <= at) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  function placeOf(at) {
    const before = pointBefore(at);
    if (before < 0) return null;
    const here = [day.latitudes[before], day.longitudes[before]];
    if (before === day.times.length - 1 || day.silences.includes(before)) return here;
    const share = (at - day.times[before]) / (day.times[before + 1] - day.times[before]);
    const turn = ((day.longitudes[before + 1] - here[1] + 540) % 360) - 180;
    return [here[0] + share * (day.latitudes[before + 1] - here[0]), here[1] + share * turn];
  }

  function speedText(at) {
    const speed = day.speeds[Math.min(Math.floor(at / day.speed_seconds), day.speeds.length - 1)];
    return speed === null || speed === undefined ? settings.texts.no_fix : `${speed} ${day.speed_unit}`;
  }

  function move(to) {
    const length = day.end - day.start;
    seconds = Math.min(Math.max(to, 0), length);
    const time = clock.format(new Date((day.start + seconds) * 1000));
    slider.value = seconds;
    slider.setAttribute("aria-valuetext", time);
    readout.textContent = `${time} · ${speedText(seconds)}`;
    map.track.setCursor(placeOf(seconds));
    if (!cursorLine) return;
    const x = (seconds / length) * cursorLine.ownerSVGElement.viewBox.baseVal.width;
    cursorLine.setAttribute("x1", x);
    cursorLine.setAttribute("x2", x);
    cursorLine.setAttribute("visibility", "visible");
  }

  function frame(now) {
    if (lastFrame === null) return;
    move(seconds + ((now - lastFrame) / 1000) * SECONDS_PER_TICK * Number(rate.value));
    lastFrame = now;
    if (seconds >= day.end - day.start) pause();
    else requestAnimationFrame(frame);
  }

  function play() {
    if (seconds >= Math.min(day.end - day.start, day.times.at(-1))) move(day.times[0]);
    lastFrame = performance.now();
    playButton.textContent = settings.texts.pause;
    requestAnimationFrame(frame);
  }

  function pause() {
    lastFrame = null;
    playButton.textContent = settings.texts.play;
  }

  const toggle = () => (lastFrame === null ? play() : pause());

  function changeRate(by) {
    rate.selectedIndex = Math.min(Math.max(rate.selectedIndex + by, 0), rate.options.length - 1);
  }

  // The server says where the device was: only it has every position.
  async function jump(at) {
    pause();
    const address = `${settings.place_url}&at=${encodeURIComponent(at)}`;
    const found = await fetch(address, { headers: { Accept: "application/json" } });
    const { sentences, seconds: to } = await found.json();
    answer.replaceChildren(...sentences.map((text) => Object.assign(document.createElement("p"), { textContent: text })));
    answer.classList.remove("tk-hidden");
    if (to !== undefined) move(to);
  }

  function fail() {
    answer.textContent = settings.texts.failed;
    answer.classList.remove("tk-hidden");
  }

  function listen() {
    playButton.addEventListener("click", toggle);
    slider.addEventListener("input", () => move(Number(slider.value)));
    player.addEventListener("keydown", (event) => {
      if (event.key === " " && event.target === slider) toggle();
      else if (event.key === "+") changeRate(1);
      else if (event.key === "-" || event.key === "−") changeRate(-1);
      else return;
      event.preventDefault();
    });
    const form = find("day-form");
    form.addEventListener("submit", (event) => {
      const { date, at } = Object.fromEntries(new FormData(form));
      if (!at || !settings.place_url.endsWith(`=${date}`)) return;
      event.preventDefault();
      jump(at).catch(fail);
    });
    find("day-lines").addEventListener("click", (event) => {
      const link = event.target.closest("[data-at]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      form.elements.at.value = link.dataset.at;
      jump(link.dataset.at).catch(fail);
    });
  }

  load().then(listen, fail);
})();
