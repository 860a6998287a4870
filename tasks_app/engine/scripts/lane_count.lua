#!lua flags=allow-oom
-- Notes how many lanes a queue has, also in a Redis that is full: without it no worker of the queue begins.
-- KEYS lanes   ARGV number, 1 to replace the one that is there   Returns the number in force.
local known = redis.call('GET', KEYS[1])
if known and ARGV[2] ~= '1' then
  return known
end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
