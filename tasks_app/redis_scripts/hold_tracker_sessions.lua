-- Writes the descriptions of sessions that a node holds, and those themselves where Redis lost them.
-- KEYS owners, sessions of the node   ARGV node, then of each: unique id, fence, transport, description
-- Returns the unique ids of those that a newer connection has.
local lost = {}
for i = 2, #ARGV, 4 do
  local owner = redis.call('HGET', KEYS[1], ARGV[i])
  local owner_fence = owner and string.match(owner, '^(%d+) ')
  if owner_fence and tonumber(owner_fence) > tonumber(ARGV[i + 1]) then
    lost[#lost + 1] = ARGV[i]
  else
    if owner_fence ~= ARGV[i + 1] then
      redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2] .. ' ' .. ARGV[1])
    end
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 3])
  end
end
return lost
