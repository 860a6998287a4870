#!lua flags=allow-oom
-- Lets delayed jobs whose time has come take their place in line; a retried job has one.
-- ARGV job_prefix, limit   Returns {moved, ms until the next one or -1}
local due = redis.call('ZRANGEBYSCORE', DELAYED, '-inf', now_ms, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  redis.call('ZREM', DELAYED, id)
  local state = fields(PREFIX .. id, 'st')[1]
  if state == 'scheduled' or state == 'retrying' then
    redis.call('HSET', PREFIX .. id, 'st', 'queued')
  end
  if state == 'scheduled' then
    redis.call('ZADD', QUEUED, next_place(), id)
  end
end
local first = redis.call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')
return {#due, first[2] and math.max(0, tonumber(first[2]) - now_ms) or -1}
