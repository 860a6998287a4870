#!lua flags=allow-oom
-- Moves jobs whose time has come from the delayed set to their stream.
-- KEYS high, normal, low, delayed   ARGV job_prefix, limit   Returns {moved, ms until the next one or -1}
local streams = {high = KEYS[1], normal = KEYS[2], low = KEYS[3]}
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now_ms, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  redis.call('ZREM', KEYS[4], id)
  local key = ARGV[1] .. id
  local job = fields(key, 'st', 'pri')
  if job[1] == 'scheduled' or job[1] == 'retrying' then
    redis.call('HSET', key, 'st', 'queued', 'sid', redis.call('XADD', streams[job[2]] or streams.normal, '*', 'i', id))
  end
end
local first = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
return {#due, first[2] and math.max(0, tonumber(first[2]) - now_ms) or -1}
