-- Removes sessions that ended, unless a newer connection has them.
-- KEYS owners, sessions of the node   ARGV of each: unique id, fence
for i = 1, #ARGV, 2 do
  for _, key in ipairs(KEYS) do
    local value = redis.call('HGET', key, ARGV[i])
    if value and string.match(value, '^(%d+) ') == ARGV[i + 1] then
      redis.call('HDEL', key, ARGV[i])
    end
  end
end
return 0
