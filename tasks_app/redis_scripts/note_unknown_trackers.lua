-- Remembers identifiers that no device has, a bounded number: the longest silent ones are forgotten first.
-- KEYS descriptions, times   ARGV most, seconds to live, ms now, then of each: identifier, protocol, address, times seen
for i = 4, #ARGV, 4 do
  local known = redis.call('HGET', KEYS[1], ARGV[i])
  local entry = known and cjson.decode(known) or { first_seen_ms = tonumber(ARGV[3]), count = 0 }
  entry.protocol = ARGV[i + 1]
  entry.address = ARGV[i + 2]
  entry.count = entry.count + tonumber(ARGV[i + 3])
  entry.last_seen_ms = tonumber(ARGV[3])
  redis.call('HSET', KEYS[1], ARGV[i], cjson.encode(entry))
  redis.call('ZADD', KEYS[2], ARGV[3], ARGV[i])
end
local over = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[1])
if over > 0 then
  local popped = redis.call('ZPOPMIN', KEYS[2], over)
  for i = 1, #popped, 2 do
    redis.call('HDEL', KEYS[1], popped[i])
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 0
