#!lua flags=allow-oom
-- Reads waiting jobs, high priority first, and begins their attempts, in one step. Attempts are counted here, at the start,
-- so that a job which kills its worker is seen to have been tried. With own=1 it begins the entries that this consumer was
-- delivered already (after a blocking read, or after a lost answer); sending that again is harmless.
-- A job of a paused task keeps its place: its entry stays, pending for the consumer "aside:<task>". After the pause those are
-- begun before all that came later.
-- KEYS high, normal, low, paused, paused_tasks   ARGV job_prefix, consumer, count, own
-- Returns {paused, {{priority, stream id, job id, attempt, losses (1 at least after a dead worker had it), created_ms,
--          task, payload, earlier failures}, ...}, number of entries that were put aside or belonged to no attempt any more}
local MAX_PUT_ASIDE = 500
local own = ARGV[4] == '1'
local paused = redis.call('EXISTS', KEYS[4]) == 1
if paused and not own then
  return {1, {}, 0}
end
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local to_run = {}
local dropped, put_aside = 0, 0
local is_paused, resumed = {}, {}
local marks = redis.pcall('HGETALL', KEYS[5])
for i = 1, marks.err and 0 or #marks, 2 do
  if marks[i + 1] ~= '' then
    is_paused[marks[i]] = true
  else
    resumed[#resumed + 1] = marks[i]
  end
end

local function read(stream, consumer, count, from)
  local command = {'XREADGROUP', 'GROUP', 'workers', consumer, 'COUNT', count, 'STREAMS', stream, from}
  local answer = redis.pcall(unpack(command))
  if answer and answer.err then
    if not string.find(answer.err, 'NOGROUP') then
      return redis.error_reply(answer.err)
    end
    redis.call('XGROUP', 'CREATE', stream, 'workers', '0', 'MKSTREAM')
    answer = redis.call(unpack(command))
  end
  return answer and answer[1] and answer[1][2] or {}
end

local function begin(priority, stream, sid, id)
  local key = ARGV[1] .. id
  local job = redis.pcall('HMGET', key, 'st', 'sid', 'own', 'att', 'lost', 'enq', 't', 'p', 'err', 'rec')
  local mine = job[1] == 'running' and job[2] == sid and job[3] == ARGV[2]
  if job[1] == 'queued' and job[2] == sid then
    if paused then
      redis.call('XACK', stream, 'workers', sid)
      redis.call('XDEL', stream, sid)
      redis.call('HSET', key, 'sid', redis.call('XADD', stream, '*', 'i', id))
      return
    end
    if is_paused[job[7]] then
      redis.call('XCLAIM', stream, 'workers', 'aside:' .. job[7], 0, sid, 'JUSTID')
      put_aside = put_aside + 1
      return
    end
    job[4] = number(job[4]) + 1
    redis.call('HSET', key, 'st', 'running', 'own', ARGV[2], 't0', now_ms, 'att', job[4])
    mine = true
  end
  if mine then
    to_run[#to_run + 1] = {priority, sid, id, number(job[4]), number(job[5]) + (job[10] and 1 or 0),
      job[6] or '0', job[7] or '', job[8] or '', job[9] or ''}
  else
    -- Cancelled, or a newer attempt exists: this entry belongs to no attempt any more.
    dropped = dropped + 1
    redis.call('XACK', stream, 'workers', sid)
    redis.call('XDEL', stream, sid)
  end
end

local function begin_all(priority, entries)
  for _, entry in ipairs(entries) do
    if entry[2] then
      begin(priority, KEYS[priority], entry[1], entry[2][2])
    else
      redis.call('XACK', KEYS[priority], 'workers', entry[1])
    end
  end
end

local function room()
  return tonumber(ARGV[3]) - #to_run
end

-- Begins jobs that were put aside; returns whether some may be left.
local function take_back(priority, task)
  if room() <= 0 then
    return true
  end
  local asked = room()
  local entries = read(KEYS[priority], 'aside:' .. task, asked, '0')
  for _, entry in ipairs(entries) do
    redis.call('XCLAIM', KEYS[priority], 'workers', ARGV[2], 0, entry[1], 'JUSTID')
  end
  begin_all(priority, entries)
  return #entries == asked
end

local are_left = {}
for priority = 1, 3 do
  for _, task in ipairs(own and {} or resumed) do
    are_left[task] = take_back(priority, task) or are_left[task]
  end
  while room() > 0 do
    local before = put_aside
    local entries = read(KEYS[priority], ARGV[2], room(), own and '0' or '>')
    if entries.err then
      return entries
    end
    begin_all(priority, entries)
    -- Behind jobs that are put aside there may be others.
    if own or put_aside == before or put_aside >= MAX_PUT_ASIDE then
      break
    end
  end
end
for _, task in ipairs(own and {} or resumed) do
  if not are_left[task] then
    redis.call('HDEL', KEYS[5], task)
    for priority = 1, 3 do
      redis.call('XGROUP', 'DELCONSUMER', KEYS[priority], 'workers', 'aside:' .. task)
    end
  end
end
return {paused and 1 or 0, to_run, dropped + put_aside}
