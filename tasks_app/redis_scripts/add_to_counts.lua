-- Adds to counts that end together.
-- KEYS a hash of counts   ARGV seconds to live, then name and number of each
-- Returns what each was before.
local before = {}
for i = 2, #ARGV, 2 do
  before[i / 2] = redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) - tonumber(ARGV[i + 1])
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return before
