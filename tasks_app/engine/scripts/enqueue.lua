-- Makes jobs, each once: a client that sends this again after a time-out creates nothing twice.
-- Without allow-oom: a full Redis refuses it as a whole.
-- KEYS high, normal, low, delayed, for a queue with lanes also its bell
-- ARGV job_prefix, task, max_depth, unique_ttl_ms, priority, how many entries of the bell to keep at least,
--      requested_by, created_ms, due_ms, then the jobs: see make_jobs, whose answer it returns
local priority, due = ARGV[5], tonumber(ARGV[9])
local stream = KEYS[priority == 'high' and 1 or priority == 'low' and 3 or 2]
local depth = redis.call('ZCARD', KEYS[4]) + redis.call('XLEN', KEYS[1]) + redis.call('XLEN', KEYS[2])
  + redis.call('XLEN', KEYS[3])

local others = make_jobs(10, depth, priority, function(id)
  if due == 0 then
    return 'queued', 'sid', redis.call('XADD', stream, '*', 'i', id)
  end
  redis.call('ZADD', KEYS[4], due, id)
  return 'scheduled', 'due', due
end)
if KEYS[5] then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[6], '*', 'l', '')
end
return others
