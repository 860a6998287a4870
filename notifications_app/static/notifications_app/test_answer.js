// Shows the answer to a test of a destination as it comes: asks for the same page until no test of it is on its way, for a
// minute at most. What else of the page a test changes is named by data-follows: facts, buttons, and the switch if nobody moved it.
// Without this script the page is loaded again by hand.
(() => {
  "use strict";
  const WAIT_MS = 1000;
  const isWaiting = () => document.querySelector("[data-tests] [data-test-pending]");
  let left = 60;

  function follow(selector, page) {
    const parts = page.querySelectorAll(selector);
    document.querySelectorAll(selector).forEach((shown, index) => {
      const fresh = parts[index];
      if (!fresh) return;
      if (shown.type !== "checkbox") shown.replaceChildren(...fresh.childNodes);
      else if (shown.checked === shown.defaultChecked) shown.checked = shown.defaultChecked = fresh.defaultChecked;
    });
  }

  async function refresh() {
    left -= 1;
    try {
      const answer = await fetch(window.location.href);
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const tests of document.querySelectorAll("[data-tests]")) {
          const fresh = page.getElementById(tests.id);
          if (fresh) tests.replaceChildren(...fresh.childNodes);
          JSON.parse(tests.dataset.follows ?? "[]").forEach((selector) => follow(selector, page));
        }
      }
    } catch {
      // The server does not answer: the page keeps what it shows and asks again.
    }
    if (isWaiting() && left > 0) setTimeout(refresh, WAIT_MS);
  }

  if (isWaiting()) setTimeout(refresh, WAIT_MS);
})();
