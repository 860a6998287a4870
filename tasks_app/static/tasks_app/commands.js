// Has a page that shows commands refreshed as soon as one of them changes: listens to /ws/commands/ (docs/live.md) about those
// that data-commands names, and tells live.js. While the socket is away, the page refreshes itself now and then.
(() => {
  "use strict";
  const LOGGED_OUT = 4401;
  const TOO_MANY = 4429;
  const DONE = 1000;
  const LONGEST_PAUSE_MS = 30000;
  let pauseMs = 1000;
  let isFirst = true;

  const live = document.querySelector("[data-commands]");
  if (!live) return;
  const address = new URL(`${live.dataset.socket}${live.dataset.commands}`, window.location.href);
  address.protocol = address.protocol.replace("http", "ws");

  function connect() {
    const socket = new WebSocket(address);
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      if (message.type === "authenticate") return end(socket);
      if (message.type !== "update") return;
      pauseMs = 1000;
      // The page was made a moment before the first message: only what differs from it then came between.
      if (!isFirst || differs(message.commands)) changed();
      isFirst = false;
    };
    socket.onclose = (event) => {
      if (event.code === DONE || event.code === LOGGED_OUT) return changed();
      const waitMs = event.code === TOO_MANY ? LONGEST_PAUSE_MS : pauseMs;
      setTimeout(connect, waitMs * (0.5 + Math.random() / 2));
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    };
  }

  // The session ended while the socket was away; the page that is asked for says so.
  function end(socket) {
    socket.onclose = null;
    socket.close();
    changed();
  }

  function differs(commands) {
    return commands.some(({ id, state }) => {
      const shown = document.querySelector(`[data-command="${id}"]`);
      return !shown || shown.dataset.state !== state;
    });
  }

  const changed = () => document.dispatchEvent(new CustomEvent("tracker:changed"));
  connect();
})();
