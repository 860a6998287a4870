"""Groups, chains and callbacks: jobs that have to do with each other.

A group or chain is a job without a worker: its hash waits until its last member has ended, then it is queued like any other
job, and the worker that runs it combines the results. Each step survives a crash at any point: the row of a job comes first,
then its callbacks, then the note to its group (`following.follow`), then its acknowledgement. A repeat does all of that
again, and makes nothing twice: members and callbacks have ids that follow from their parent's.

`signatures` is for callers, `making` makes the jobs, `following` follows their ends, `ending` combines results, `sweeping`
repairs, `members` lists and cancels, `repeating` makes failed ones again.
"""
