#!lua flags=allow-oom
-- Adds to metrics. One with a bound on its series counts those beyond it under another name.
-- KEYS metrics   ARGV number of the key, field, field in its place beyond the bound, the bound (0: none), count of each
for i = 1, #ARGV, 5 do
  local key, field, most = KEYS[tonumber(ARGV[i])], ARGV[i + 1], tonumber(ARGV[i + 3])
  if most > 0 and redis.call('HLEN', key) >= most and redis.call('HEXISTS', key, field) == 0 then
    field = ARGV[i + 2]
  end
  redis.call('HINCRBY', key, field, ARGV[i + 4])
end
