-- Makes jobs, each once: a client that sends this again after a time-out creates nothing twice.
-- Without allow-oom: a full Redis refuses it as a whole.
-- KEYS high, normal, low, delayed
-- ARGV job_prefix, task, max_depth, unique_ttl_ms, priority, requested_by, created_ms, due_ms, then the jobs: see admits
-- Returns what admits says of those that were not made.
local call, priority, due, others = redis.call, ARGV[5], tonumber(ARGV[8]), {}
local stream = KEYS[priority == 'high' and 1 or priority == 'low' and 3 or 2]
local depth = call('ZCARD', KEYS[4]) + call('XLEN', KEYS[1]) + call('XLEN', KEYS[2]) + call('XLEN', KEYS[3])
for i = 9, #ARGV, 3 do
  local id = ARGV[i]
  local key = ARGV[1] .. id
  if admits(i, 9, key, depth, others) then
    depth = depth + 1
    local state, field, value = 'queued', 'sid', ''
    if due == 0 then
      value = call('XADD', stream, '*', 'i', id)
    else
      state, field, value = 'scheduled', 'due', due
      call('ZADD', KEYS[4], due, id)
    end
    call('HSET', key, 'p', ARGV[i + 1], 't', ARGV[2], 'enq', ARGV[7], 'st', state, field, value)
    if priority ~= 'normal' then
      call('HSET', key, 'pri', priority)
    end
  end
end
return others
