-- Hands a command to the node that holds exactly this session.
-- KEYS nodes, owners   ARGV prefix of keys, unique id, fence, primary key of the command, ms until a node counts as gone
-- Returns 1; 0 if the session has ended.
local owner = redis.call('HGET', KEYS[2], ARGV[2])
if not owner then
  return 0
end
local fence, node = string.match(owner, '^(%d+) %a+ (.+)$')
local beat = fence == ARGV[3] and redis.call('ZSCORE', KEYS[1], node)
local now = redis.call('TIME')
if not beat or now[1] * 1000 + now[2] / 1000 - beat >= tonumber(ARGV[5]) then
  return 0
end
local inbox = ARGV[1] .. ':inbox:' .. node
redis.call('RPUSH', inbox, 'command ' .. fence .. ' ' .. ARGV[4] .. ' ' .. ARGV[2])
redis.call('EXPIRE', inbox, 60)
return 1
