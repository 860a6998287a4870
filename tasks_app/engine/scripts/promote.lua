#!lua flags=allow-oom
-- Moves jobs whose time has come from the delayed set to the stream.
-- KEYS delayed, stream   ARGV job_prefix, limit   Returns {moved, ms until the next one or -1}
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  redis.call('ZREM', KEYS[1], id)
  local key = ARGV[1] .. id
  local state = redis.call('HGET', key, 'st')
  if state == 'scheduled' or state == 'retrying' then
    redis.call('HSET', key, 'st', 'queued', 'sid', redis.call('XADD', KEYS[2], '*', 'i', id))
  end
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {#due, first[2] and math.max(0, tonumber(first[2]) - now_ms) or -1}
