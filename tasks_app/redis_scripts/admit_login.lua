-- Counts a login attempt against each of some budgets, unless one of them says to wait.
-- KEYS hashes of count, since (when counting began), until (when the next attempt may be made)
-- ARGV first wait, most doublings, then of each key: free failures, seconds until one is forgotten, longest wait
-- Returns the seconds to wait, 0 for an attempt that may be made.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local wait = 0
for i, key in ipairs(KEYS) do
    local left = tonumber(redis.call('HGET', key, 'until') or '0') - now
    -- A longer one than there are was set before the clock was put back.
    if left <= tonumber(ARGV[i * 3 + 2]) then wait = math.max(wait, left) end
end
if wait > 0 then return tostring(wait) end
for i, key in ipairs(KEYS) do
    local free, forget, longest = tonumber(ARGV[i * 3]), tonumber(ARGV[i * 3 + 1]), tonumber(ARGV[i * 3 + 2])
    local count = tonumber(redis.call('HGET', key, 'count') or '0')
    local since = tonumber(redis.call('HGET', key, 'since') or now)
    if since > now then since = now end
    local forgotten = math.floor((now - since) / forget)
    count, since = count - forgotten, since + forgotten * forget
    if count <= 0 then count, since = 0, now end
    count = math.min(count + 1, free + tonumber(ARGV[2]))
    local next = 0
    if count >= free then next = now + math.min(longest, tonumber(ARGV[1]) * 2 ^ (count - free)) end
    redis.call('HSET', key, 'count', count, 'since', string.format('%.6f', since), 'until', string.format('%.6f', next))
    redis.call('EXPIRE', key, math.ceil(count * forget + longest))
end
return '0'
