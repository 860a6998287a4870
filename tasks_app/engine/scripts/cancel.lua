#!lua flags=allow-oom
-- Cancels a job that has not started; asks a running one to stop. Cancelling twice is harmless.
-- KEYS stream, delayed, job, ended   ARGV job id, JSON {by, reason}
-- Returns the state after it: 'cancelled', 'running' (asked to stop), a final state, or '' for an unknown job.
local job = redis.call('HMGET', KEYS[3], 'st', 'sid', 'uk', 'cx')
local state = job[1]
if not state then
  return ''
end
if state == 'running' then
  if not job[4] then
    redis.call('HSET', KEYS[3], 'cx', ARGV[2])
  end
  return state
end
if state == 'queued' then
  redis.call('XACK', KEYS[1], 'workers', job[2])
  redis.call('XDEL', KEYS[1], job[2])
elseif state == 'scheduled' or state == 'retrying' then
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  return state
end
if job[3] and redis.call('GET', job[3]) == ARGV[1] then
  redis.call('DEL', job[3])
end
local now = redis.call('TIME')
redis.call('HSET', KEYS[3], 'st', 'cancelled', 'cx', ARGV[2])
redis.call('ZADD', KEYS[4], now[1], ARGV[1])
return 'cancelled'
