"""A worker process: the loop that fetches and runs jobs, its watchdog thread, and the writing of results."""
