#!lua flags=allow-oom
-- Writes heartbeats of these consumers, and finds those that have been silent for too long.
-- KEYS beats, consumers   ARGV dead_after_ms, then name and JSON description of each
-- Returns {the silent ones, TIME: seconds, microseconds}
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
for i = 2, #ARGV, 2 do
  redis.call('ZADD', KEYS[1], now_ms, ARGV[i])
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
return {redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms - tonumber(ARGV[1]), 'LIMIT', 0, 50), now[1], now[2]}
