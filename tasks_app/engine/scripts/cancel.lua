#!lua flags=allow-oom
-- Cancels a job that has not started; requests a running one to stop. Cancelling twice is harmless.
-- KEYS high, normal, low, delayed, job, ended   ARGV job id, JSON {by, reason}
-- Returns the state after it: 'cancelled', 'running' (requested to stop), a final state, or '' for an unknown job.
local streams = {high = KEYS[1], normal = KEYS[2], low = KEYS[3]}
local job = fields(KEYS[5], 'st', 'sid', 'cx', 'pri')
local state = job[1]
if not state then
  return ''
end
if state == 'running' then
  if not job[3] then
    redis.call('HSET', KEYS[5], 'cx', ARGV[2])
  end
  return state
end
if state == 'queued' then
  local stream = streams[job[4]] or streams.normal
  redis.pcall('XACK', stream, 'workers', job[2] or '')
  redis.pcall('XDEL', stream, job[2] or '')
elseif state == 'scheduled' or state == 'retrying' then
  redis.call('ZREM', KEYS[4], ARGV[1])
else
  return state
end
free(KEYS[5], ARGV[1])
local now = redis.call('TIME')
redis.call('HSET', KEYS[5], 'st', 'cancelled', 'cx', ARGV[2])
redis.call('ZADD', KEYS[6], now[1], ARGV[1])
return 'cancelled'
