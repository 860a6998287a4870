#!lua flags=allow-oom
-- Writes the numbers of a process, each with the time.   KEYS the gauge   ARGV field and number of each
local now = redis.call('TIME')[1]
for i = 1, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. now)
end
