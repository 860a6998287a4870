#!lua flags=allow-oom
-- Leaves a tombstone of a job that ended without a worker, once its row is written.
-- KEYS ended   ARGV job_prefix, tombstone_ms, job ids...   Returns the ids of those that no other process was the first to take off
local taken = {}
for i = 3, #ARGV do
  local key = ARGV[1] .. ARGV[i]
  local state = fields(key, 'st')[1]
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    taken[#taken + 1] = ARGV[i]
  end
  local lives = state == 'queued' or state == 'running' or state == 'scheduled' or state == 'retrying'
  if state and not lives then
    redis.call('DEL', key)
    redis.call('HSET', key, 'st', state)
    redis.call('PEXPIRE', key, ARGV[2])
  end
end
return taken
