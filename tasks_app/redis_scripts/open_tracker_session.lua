-- Gives a device's session to a connection, with a fence higher than every one before; the node of the former connection,
-- if it lives, is sent a note. A session that yields leaves a living TCP connection alone.
-- KEYS nodes, owners, highest fence   ARGV prefix of keys, node, unique id, transport, description, ms until a node counts as
-- gone, "1" to yield
-- Returns the fence as text, "" where it yielded.
local now = redis.call('TIME')
local now_us = now[1] * 1000000 + now[2]
local owner = redis.call('HGET', KEYS[2], ARGV[3])
local former_node
if owner then
  local _, transport, node = string.match(owner, '^(%d+) (%a+) (.+)$')
  local beat = node and redis.call('ZSCORE', KEYS[1], node)
  if beat and now_us / 1000 - beat < tonumber(ARGV[6]) then
    if ARGV[7] == '1' and transport == 'tcp' then
      return ''
    end
    former_node = node
  end
end
-- By the clock, so that a Redis that lost everything gives no fence twice.
local fence = string.format('%.0f', math.max(now_us, (redis.call('GET', KEYS[3]) or 0) + 1))
redis.call('SET', KEYS[3], fence)
redis.call('HSET', KEYS[2], ARGV[3], fence .. ' ' .. ARGV[4] .. ' ' .. ARGV[2])
redis.call('HSET', ARGV[1] .. ':node:' .. ARGV[2], ARGV[3], fence .. ' ' .. ARGV[5])
if former_node and former_node ~= ARGV[2] then
  redis.call('HDEL', ARGV[1] .. ':node:' .. former_node, ARGV[3])
  local inbox = ARGV[1] .. ':inbox:' .. former_node
  redis.call('RPUSH', inbox, 'superseded ' .. fence .. ' 0 ' .. ARGV[3])
  redis.call('EXPIRE', inbox, 60)
end
return fence
