"""A pytest plugin, loaded before all others: the tests of this process use the local servers that were started for it.

pytest-xdist runs the suite in several processes. Each has a PostgreSQL, a Valkey and an SMTP server to itself, so that a
test may stop, freeze or fill one of them while the others run on. `trackerproject.dev.run_tests` starts them and says in
TEST_SERVERS, as JSON, what each process (gw0, gw1, ...) needs in its environment.
"""

import json
import os

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ |= json.loads(os.environ["TEST_SERVERS"])[worker]
