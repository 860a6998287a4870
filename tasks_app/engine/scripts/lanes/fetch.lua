#!lua flags=allow-oom
-- Begins the attempts of a lane's first jobs, for the worker that holds its lease. A job that waits to be retried holds up those
-- behind it. With own=1 it returns the attempts that this worker has begun already; sending that again is harmless.
-- So does a job of a paused task.
-- ARGV job_prefix, consumer, count, own, number of the lane, paused tasks...
-- Returns {1 if the worker holds the lease, {{fence, job id, attempt, losses (1 at least after a dead worker had it), created_ms,
--          task, payload, earlier failures}, ...}, number of entries that belonged to no job any more}
if redis.call('GET', LEASE) ~= ARGV[2] then
  return {0, {}, 0}
end
local own = ARGV[4] == '1'
local is_paused = {}
for i = 6, #ARGV do
  is_paused[ARGV[i]] = true
end
local to_run, dropped = {}, 0
-- Those that leave the line they stand in, and those that begin, with their places.
local gone, begun = {}, {}
local entries = own and redis.call('ZRANGE', RUNNING, 0, -1)
  or redis.call('ZRANGE', QUEUED, 0, ARGV[3] - 1, 'WITHSCORES')
local step = own and 1 or 2
local fence = own and 0 or redis.call('INCRBY', FENCE, #entries / 2) - #entries / 2

for i = 1, #entries, step do
  local id = entries[i]
  local key = PREFIX .. id
  local job = fields(key, 'st', 'sid', 'own', 'att', 'lost', 'enq', 't', 'p', 'err', 'rec', 'due')
  local state, sid = job[1], job[2]
  local starts = not own and (state == 'queued' or state == 'retrying')
  if state == 'retrying' and not own and (tonumber(job[11] or '0') or 0) > now_ms then
    break
  end
  if starts and is_paused[job[7]] then
    break
  end
  if starts then
    begun[#begun + 1] = entries[i + 1]
    begun[#begun + 1] = id
    gone[#gone + 1] = id
    if job[11] then
      redis.call('ZREM', DELAYED, id)
    end
    fence = fence + 1
    sid = string.format('%.0f-%.0f.%s', now_ms, fence, ARGV[5])
    job[4] = number(job[4]) + 1
    redis.call('HSET', key, 'st', 'running', 'own', ARGV[2], 't0', now_ms, 'att', job[4], 'sid', sid)
  end
  if starts or (own and state == 'running' and job[3] == ARGV[2]) then
    to_run[#to_run + 1] = {sid, id, number(job[4]), number(job[5]) + (job[10] and 1 or 0),
      job[6] or '0', job[7] or '', job[8] or '', job[9] or ''}
  elseif not own or state ~= 'running' then
    -- No such job is to be run: its hash was deleted or damaged.
    dropped = dropped + 1
    gone[#gone + 1] = id
  end
end
in_parts('ZREM', own and RUNNING or QUEUED, gone)
in_parts('ZADD', RUNNING, begun)
return {1, to_run, dropped}
