#!lua flags=allow-oom
-- Notes that a worker looks for lanes now, and finds the workers among which the lanes are shared.
-- KEYS lane_workers, lanes   ARGV consumer ('' only looks), recent_ms, number of lanes that the worker means
-- Returns {number of lanes or '', names of the workers that looked within recent_ms}
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local lanes = redis.call('GET', KEYS[2])
if ARGV[1] ~= '' and (lanes or ARGV[3]) == ARGV[3] then
  redis.call('ZADD', KEYS[1], now_ms, ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms - tonumber(ARGV[2]))
return {lanes or '', redis.call('ZRANGE', KEYS[1], 0, -1)}
