-- The heartbeat of a node; also removes one node that has been gone for long, with its sessions.
-- KEYS nodes, owners   ARGV prefix of keys, node, ms after which a node is removed, seconds its keys live without a heartbeat
-- Returns 1 if Redis knew the node, 0 if it is new or Redis lost it.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local known = redis.call('ZSCORE', KEYS[1], ARGV[2]) and 1 or 0
redis.call('ZADD', KEYS[1], now_ms, ARGV[2])
redis.call('EXPIRE', ARGV[1] .. ':node:' .. ARGV[2], ARGV[4])
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms - tonumber(ARGV[3]), 'LIMIT', 0, 1)[1]
if gone then
  local sessions = ARGV[1] .. ':node:' .. gone
  for _, unique_id in ipairs(redis.call('HKEYS', sessions)) do
    local owner = redis.call('HGET', KEYS[2], unique_id)
    if owner and string.match(owner, '^%d+ %a+ (.+)$') == gone then
      redis.call('HDEL', KEYS[2], unique_id)
    end
  end
  redis.call('DEL', sessions, ARGV[1] .. ':inbox:' .. gone)
  redis.call('ZREM', KEYS[1], gone)
end
return known
