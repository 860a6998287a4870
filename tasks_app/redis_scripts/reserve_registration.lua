-- Adds one to each of some counts if all of them are below their limits; a refusal changes none.
-- KEYS counts   ARGV seconds to live, then the limit of each
-- Returns 1 if there was room, else 0.
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[i + 1]) then
    return 0
  end
end
for _, key in ipairs(KEYS) do
  redis.call('INCR', key)
  redis.call('EXPIRE', key, ARGV[1])
end
return 1
