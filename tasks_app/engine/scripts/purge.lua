#!lua flags=allow-oom
-- Cancels waiting jobs, some at a time: those queued, then those delayed. Running ones go on.
-- KEYS high, normal, low, delayed, ended   ARGV job_prefix, JSON {by, reason}, limit, where to go on in each stream (3)
-- Returns {cancelled, where to go on in each stream (3), 1 when nothing is left}
local now = redis.call('TIME')
local limit = tonumber(ARGV[3])
local cancelled, left = 0, false
local places = {ARGV[4], ARGV[5], ARGV[6]}

local function cancel(id)
  local key = ARGV[1] .. id
  free(key, id)
  set(key, 'st', 'cancelled', 'cx', ARGV[2])
  redis.call('ZADD', KEYS[5], now[1], id)
  cancelled = cancelled + 1
end

for i = 1, 3 do
  local entries = redis.call('XRANGE', KEYS[i], '(' .. places[i], '+', 'COUNT', limit)
  for _, entry in ipairs(entries) do
    local sid, id = entry[1], entry[2][2]
    places[i] = sid
    if fields(ARGV[1] .. id, 'st')[1] == 'queued' then
      redis.call('XACK', KEYS[i], 'workers', sid)
      redis.call('XDEL', KEYS[i], sid)
      cancel(id)
    end
  end
  left = left or #entries >= limit
end
local delayed = redis.call('ZRANGE', KEYS[4], 0, limit - 1)
for _, id in ipairs(delayed) do
  redis.call('ZREM', KEYS[4], id)
  local state = fields(ARGV[1] .. id, 'st')[1]
  if state == 'scheduled' or state == 'retrying' then
    cancel(id)
  end
end
return {cancelled, places[1], places[2], places[3], (left or #delayed >= limit) and 0 or 1}
