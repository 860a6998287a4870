-- Writes cache entries, each unless the key holds a newer version. An entry begins with its version, which is all that is
-- read of the old one.
-- KEYS entries   ARGV seconds to live, then version and value of each
for i, key in ipairs(KEYS) do
  local old = redis.call('GET', key)
  local version = old and tonumber(string.match(old, '^{"version":(%d+)'))
  if not version or version <= tonumber(ARGV[2 * i]) then
    redis.call('SET', key, ARGV[2 * i + 1], 'EX', ARGV[1])
  end
end
