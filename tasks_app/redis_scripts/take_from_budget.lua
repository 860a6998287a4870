-- Takes one request from a budget that fills evenly: so many requests in a period, all of them at once at most.
-- KEYS when the budget will be full again, seconds   ARGV requests of a period, its seconds
-- Returns whether the request is within it, how many are left, seconds until it is full, seconds until the next request.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local period = tonumber(ARGV[2])
local each = period / tonumber(ARGV[1])
local full_at = tonumber(redis.call('GET', KEYS[1]) or '0')
-- A later time than there can be was set before the clock was put back.
if full_at < now or full_at > now + period then full_at = now end
local wait = full_at + each - (now + period)
-- Requests that follow each other evenly may differ by what the numbers cannot hold.
if wait > 0.000001 then
    return {0, 0, tostring(full_at - now), tostring(wait)}
end
full_at = full_at + each
redis.call('SET', KEYS[1], string.format('%.6f', full_at), 'EX', math.ceil(period))
return {1, math.floor((now + period - full_at) / each + 0.000001), tostring(full_at - now), '0'}
