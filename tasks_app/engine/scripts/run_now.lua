#!lua flags=allow-oom
-- Moves one job that waits for a later time to its stream at once. Any other job is left as it is.
-- KEYS high, normal, low, delayed, job   ARGV job id
-- Returns {1 when it was moved, the state after it, or '' for an unknown job}
local streams = {high = KEYS[1], normal = KEYS[2], low = KEYS[3]}
local job = fields(KEYS[5], 'st', 'pri')
if job[1] ~= 'scheduled' and job[1] ~= 'retrying' then
  return {0, job[1] or ''}
end
redis.call('ZREM', KEYS[4], ARGV[1])
local now = redis.call('TIME')
redis.call('HSET', KEYS[5], 'st', 'queued', 'due', now[1] * 1000 + math.floor(now[2] / 1000),
  'sid', redis.call('XADD', streams[job[2]] or streams.normal, '*', 'i', ARGV[1]))
return {1, 'queued'}
