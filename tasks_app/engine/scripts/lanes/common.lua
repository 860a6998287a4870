-- Of every script of a lane. ARGV[1] is the prefix of its job hashes.
local QUEUED, RUNNING, DELAYED, ENDED, DONE, PLACE, FENCE, LEASE, OF = unpack(KEYS)
local PREFIX = ARGV[1]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

-- The next place in line: it tells when it was given, and none is given twice, even if the clock is set back.
local function next_place()
  local last = tonumber(redis.call('GET', PLACE) or '0') or 0
  local place = string.format('%.0f', math.max(last + 1, now_ms * 1000))
  redis.call('SET', PLACE, place)
  return place
end

-- Whether this attempt still owns its job. A job that Redis lost can be owned by no other attempt.
local function owns(job_sid, state, sid)
  return not state or (state == 'running' and job_sid == sid)
end

-- Calls a command on a key with these arguments, as many at a time as Lua can pass.
local function in_parts(command, key, arguments)
  for first = 1, #arguments, 1000 do
    redis.call(command, key, unpack(arguments, first, math.min(first + 999, #arguments)))
  end
end

-- Puts a job that is running back where it stood in line.
local function back_in_line(id)
  local place = redis.call('ZSCORE', RUNNING, id)
  redis.call('ZREM', RUNNING, id)
  redis.call('ZADD', QUEUED, place or next_place(), id)
end

-- Ends a job without a worker: its row is yet to be written.
local function end_here(id, state)
  local key = PREFIX .. id
  redis.call('ZREM', QUEUED, id)
  redis.call('ZREM', RUNNING, id)
  redis.call('ZREM', DELAYED, id)
  free(key, id)
  set(key, 'st', state)
  redis.call('ZADD', ENDED, time[1], id)
end

-- The same as `back_in_line` for an attempt that did not run: it does not count. A job that was asked to stop meanwhile ends
-- as cancelled instead.
local function hand_back(id)
  local key = PREFIX .. id
  if fields(key, 'cx')[1] then
    end_here(id, 'cancelled')
    return
  end
  back_in_line(id)
  add(key, 'att', -1)
  redis.call('HDEL', key, 'own', 't0', 'sid')
  redis.call('HSET', key, 'st', 'queued')
end
