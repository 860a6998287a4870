#!lua flags=allow-oom
-- Gives the jobs of a dead consumer back to the queue, each as a new entry, and forgets the consumer.
-- KEYS stream, delayed, ended, beats, consumers
-- ARGV job_prefix, consumer, reason, max_losses, dead_after_ms (0: certainly dead), job it was on ('' unknown: all), limit
-- Returns {requeued, ended, 1 when all is done}
local stream, consumer, reason = KEYS[1], ARGV[2], ARGV[3]
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local beat = redis.call('ZSCORE', KEYS[4], consumer)
if beat and tonumber(ARGV[5]) > 0 and tonumber(beat) > now_ms - tonumber(ARGV[5]) then
  return {0, 0, 1} -- It came back.
end

local function finish(key, id, state)
  local unique = redis.call('HGET', key, 'uk')
  if unique and redis.call('GET', unique) == id then
    redis.call('DEL', unique)
  end
  redis.call('HSET', key, 'st', state)
  redis.call('ZADD', KEYS[3], now[1], id)
end

local function requeue(key, id)
  redis.call('HDEL', key, 'own', 't0')
  redis.call('HSET', key, 'st', 'queued', 'sid', redis.call('XADD', stream, '*', 'i', id))
end

local requeued, ended = 0, 0
local pending = redis.pcall('XPENDING', stream, 'workers', '-', '+', ARGV[7], consumer)
if pending.err then
  pending = {}
end
for _, entry in ipairs(pending) do
  local sid = entry[1]
  local found = redis.call('XRANGE', stream, sid, sid)
  redis.call('XACK', stream, 'workers', sid)
  redis.call('XDEL', stream, sid)
  local id = found[1] and found[1][2][2]
  local key = id and ARGV[1] .. id
  local job = key and redis.call('HMGET', key, 'st', 'sid', 'cx') or {}
  if job[2] == sid then
    local was_on_it = job[1] == 'running' and (ARGV[6] == '' or ARGV[6] == id)
    if job[3] then
      finish(key, id, 'cancelled')
      ended = ended + 1
    elseif not was_on_it then
      if job[1] == 'running' then
        redis.call('HINCRBY', key, 'att', -1)
      end
      requeue(key, id)
      requeued = requeued + 1
    else
      local lost = redis.call('HINCRBY', key, 'lost', 1)
      redis.call('HSET', key, 'why', reason)
      if lost >= tonumber(ARGV[4]) then
        finish(key, id, 'failed')
        ended = ended + 1
      elseif lost == 1 then
        requeue(key, id)
        requeued = requeued + 1
      else
        -- A job that kills workers is not tried hot again.
        redis.call('HDEL', key, 'own', 't0', 'sid')
        redis.call('HSET', key, 'st', 'retrying', 'due', now_ms + 2000)
        redis.call('ZADD', KEYS[2], now_ms + 2000, id)
        requeued = requeued + 1
      end
    end
  end
end
if #pending >= tonumber(ARGV[7]) then
  return {requeued, ended, 0}
end
redis.pcall('XGROUP', 'DELCONSUMER', stream, 'workers', consumer)
redis.call('ZREM', KEYS[4], consumer)
redis.call('HDEL', KEYS[5], consumer)
return {requeued, ended, 1}
