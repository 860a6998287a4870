#!lua flags=allow-oom
-- Deletes a unique key while it still names this job: another job may have got the key meanwhile.
-- KEYS unique key   ARGV job id   Returns 1 if it was deleted, else 0
if redis.pcall('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
