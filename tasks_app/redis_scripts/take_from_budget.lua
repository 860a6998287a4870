-- Takes one request from each of some budgets that fill evenly, or from none of them if one has nothing left. Of a budget
-- so many requests fit into the period, all of them at once at most.
-- KEYS of each when it will be full again, seconds   ARGV seconds of the period, then the requests of each in it
-- Returns whether the request is within all of them; and of the scarcest one its number, how many are left, seconds until it is
-- full, seconds until the next request.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local period = tonumber(ARGV[1])
local full, scarcest, longest = {}, 1, 0
for i, key in ipairs(KEYS) do
    local each = period / tonumber(ARGV[i + 1])
    local full_at = tonumber(redis.call('GET', key) or '0')
    -- A later time than there can be was set before the clock was put back.
    if full_at < now or full_at > now + period then full_at = now end
    full[i] = full_at
    local wait = full_at + each - (now + period)
    if wait > longest then scarcest, longest = i, wait end
end
-- Requests that follow each other evenly may differ by what the numbers cannot hold.
if longest > 0.000001 then
    return {0, scarcest, 0, tostring(full[scarcest] - now), tostring(longest)}
end
local left = nil
for i, key in ipairs(KEYS) do
    local each = period / tonumber(ARGV[i + 1])
    local full_at = full[i] + each
    redis.call('SET', key, string.format('%.6f', full_at), 'EX', math.ceil(period))
    local remaining = math.floor((now + period - full_at) / each + 0.000001)
    full[i] = full_at
    if left == nil or remaining < left then scarcest, left = i, remaining end
end
return {1, scarcest, left, tostring(full[scarcest] - now), '0'}
