#!lua flags=allow-oom
-- Puts the jobs of a dead consumer back where they stood in line, and ends its lease.
-- ARGV job_prefix, consumer, reason, max_losses, ids of the jobs it ran, with commas between ('' none, '*' unknown: all),
--      then the jobs whose rows it was writing
-- Returns {requeued, ended}
local requeued, ended = 0, 0
local ran = {}
for id in string.gmatch(ARGV[5], '[^,]+') do
  ran[id] = true
end
local written = {}
for i = 6, #ARGV do
  written[ARGV[i]] = true
end

local function lose(id, key)
  local lost = add(key, 'lost', 1)
  redis.call('HSET', key, 'why', ARGV[3])
  if written[id] then
    redis.call('HSET', key, 'wr', 1)
  end
  if lost >= tonumber(ARGV[4]) then
    end_here(id, 'failed')
    ended = ended + 1
    return
  end
  requeued = requeued + 1
  back_in_line(id)
  redis.call('HDEL', key, 'own', 't0', 'sid')
  redis.call('HSET', key, 'st', 'queued')
  if lost > 1 then
    -- A job that kills workers is not tried hot again; those behind it wait, too.
    redis.call('HSET', key, 'st', 'retrying', 'due', now_ms + 2000)
    redis.call('ZADD', DELAYED, now_ms + 2000, id)
  end
end

for _, id in ipairs(redis.call('ZRANGE', RUNNING, 0, -1)) do
  local key = PREFIX .. id
  local job = fields(key, 'st', 'own', 'cx')
  if job[1] ~= 'running' then
    redis.call('ZREM', RUNNING, id)
  elseif job[2] == ARGV[2] then
    if job[3] then
      end_here(id, 'cancelled')
      ended = ended + 1
    elseif ARGV[5] == '*' or ran[id] or written[id] then
      lose(id, key)
    else
      -- It only waited in the dead worker's hands. Or it had ended there, and may be stored: 'rec' makes the next worker look.
      hand_back(id)
      redis.call('HSET', key, 'rec', 1)
      requeued = requeued + 1
    end
  end
end
if redis.call('GET', LEASE) == ARGV[2] then
  redis.call('DEL', LEASE)
end
return {requeued, ended}
