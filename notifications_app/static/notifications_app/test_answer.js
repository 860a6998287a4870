// Shows the answer to a test of a destination as it comes: asks for the same page until no test of it is on its way, for a
// minute at most. Without this script the page is loaded again by hand.
(() => {
  "use strict";
  const WAIT_MS = 1000;
  const isWaiting = () => document.querySelector("[data-tests] [data-test-pending]");
  let left = 60;

  async function refresh() {
    left -= 1;
    try {
      const answer = await fetch(window.location.href);
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const tests of document.querySelectorAll("[data-tests]")) {
          const fresh = page.getElementById(tests.id);
          if (fresh) tests.replaceChildren(...fresh.childNodes);
        }
      }
    } catch {
      // The server does not answer: the page keeps what it shows and asks again.
    }
    if (isWaiting() && left > 0) setTimeout(refresh, WAIT_MS);
  }

  if (isWaiting()) setTimeout(refresh, WAIT_MS);
})();
