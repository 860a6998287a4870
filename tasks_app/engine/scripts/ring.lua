#!lua flags=allow-oom
-- Wakes the workers of a queue with lanes that wait for this lane ('' for jobs in none, '*' for all of them).
-- KEYS bell   ARGV lane, how many entries to keep at least
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'l', ARGV[1])
