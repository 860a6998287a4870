#!lua flags=allow-oom
-- Gives the jobs of a dead consumer back to the queue, each as a new entry, and forgets the consumer.
-- KEYS high, normal, low, delayed, ended, beats, consumers
-- ARGV job_prefix, consumer, reason, max_losses, dead_after_ms (0: certainly dead), ids of the jobs it ran, with commas between
--      ('' none, '*' unknown: all), limit,
--      then the jobs whose rows it was writing
-- Returns {requeued, ended, 1 when all is done}
local consumer, reason = ARGV[2], ARGV[3]
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local beat = redis.call('ZSCORE', KEYS[6], consumer)
if beat and tonumber(ARGV[5]) > 0 and tonumber(beat) > now_ms - tonumber(ARGV[5]) then
  return {0, 0, 1} -- It came back.
end

local function finish(key, id, state)
  free(key, id)
  redis.call('HSET', key, 'st', state)
  redis.call('ZADD', KEYS[5], now[1], id)
end

local function requeue(stream, key, id)
  redis.call('HDEL', key, 'own', 't0')
  redis.call('HSET', key, 'st', 'queued', 'sid', redis.call('XADD', stream, '*', 'i', id))
end

local requeued, ended, full = 0, 0, false
local ran = {}
for id in string.gmatch(ARGV[6], '[^,]+') do
  ran[id] = true
end
local written = {}
for i = 8, #ARGV do
  written[ARGV[i]] = true
end

local function take_back(stream, sid)
  local found = redis.call('XRANGE', stream, sid, sid)
  redis.call('XACK', stream, 'workers', sid)
  redis.call('XDEL', stream, sid)
  local id = found[1] and found[1][2][2]
  local key = id and ARGV[1] .. id
  local job = key and fields(key, 'st', 'sid', 'cx') or {}
  if job[2] ~= sid then
    return
  end
  if job[3] then
    finish(key, id, 'cancelled')
    ended = ended + 1
    return
  end
  if job[1] ~= 'running' or not (ARGV[6] == '*' or ran[id] or written[id]) then
    -- It only waited in the dead worker's hands: that is no attempt. Or it had ended there, and may be stored: 'rec'
    -- makes the next worker look.
    if job[1] == 'running' then
      add(key, 'att', -1)
      redis.call('HSET', key, 'rec', 1)
    end
    requeue(stream, key, id)
    requeued = requeued + 1
    return
  end
  local lost = add(key, 'lost', 1)
  redis.call('HSET', key, 'why', reason)
  if written[id] then
    redis.call('HSET', key, 'wr', 1)
  end
  if lost >= tonumber(ARGV[4]) then
    finish(key, id, 'failed')
    ended = ended + 1
  elseif lost == 1 then
    requeue(stream, key, id)
    requeued = requeued + 1
  else
    -- A job that kills workers is not tried hot again.
    redis.call('HDEL', key, 'own', 't0', 'sid')
    redis.call('HSET', key, 'st', 'retrying', 'due', now_ms + 2000)
    redis.call('ZADD', KEYS[4], now_ms + 2000, id)
    requeued = requeued + 1
  end
end

for i = 1, 3 do
  local pending = redis.pcall('XPENDING', KEYS[i], 'workers', '-', '+', ARGV[7], consumer)
  if not pending.err then
    for _, entry in ipairs(pending) do
      take_back(KEYS[i], entry[1])
    end
    if #pending >= tonumber(ARGV[7]) then
      full = true
    else
      redis.call('XGROUP', 'DELCONSUMER', KEYS[i], 'workers', consumer)
    end
  end
end
if full then
  return {requeued, ended, 0}
end
redis.call('ZREM', KEYS[6], consumer)
redis.call('HDEL', KEYS[7], consumer)
return {requeued, ended, 1}
