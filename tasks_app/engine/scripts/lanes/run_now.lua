#!lua flags=allow-oom
-- Lets one delayed job take its place in line at once; a retried job has one. Any other job is left as it is.
-- ARGV job_prefix, job id   Returns {1 when it was moved, the state after it, or '' for an unknown job}
local id, key = ARGV[2], PREFIX .. ARGV[2]
local state = fields(key, 'st')[1]
if state ~= 'scheduled' and state ~= 'retrying' then
  return {0, state or ''}
end
redis.call('ZREM', DELAYED, id)
redis.call('HSET', key, 'st', 'queued', 'due', now_ms)
if state == 'scheduled' then
  redis.call('ZADD', QUEUED, next_place(), id)
end
return {1, 'queued'}
