-- Makes jobs, each once: a client that sends this again after a time-out creates nothing twice.
-- Without allow-oom: a full Redis refuses it as a whole.
-- KEYS high, normal, low, delayed, for a queue with lanes also its bell
-- ARGV job_prefix, task, created_ms, due_ms (0: now), max_depth, requested_by, priority, unique_ttl_ms,
--      how many entries of the bell to keep at least, then job id, payload and the key of its unique key ('' none) of each
-- Returns {place among the jobs from 0, 'unique' or 'full', id of the holder or depth} for each that was not made and
-- does not exist already.
local prefix, task, created, due, priority = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[7]
local stream = KEYS[priority == 'high' and 1 or priority == 'low' and 3 or 2]
local depth = redis.call('ZCARD', KEYS[4]) + redis.call('XLEN', KEYS[1]) + redis.call('XLEN', KEYS[2])
  + redis.call('XLEN', KEYS[3])
local max_depth = tonumber(ARGV[5])
local others = {}

for i = 10, #ARGV, 3 do
  local id, payload, unique = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local key = prefix .. id
  if redis.call('EXISTS', key) == 1 then
    -- Made before.
  elseif depth >= max_depth then
    others[#others + 1] = {(i - 10) / 3, 'full', depth}
  elseif unique ~= '' and not redis.call('SET', unique, id, 'NX', 'PX', ARGV[8]) then
    others[#others + 1] = {(i - 10) / 3, 'unique', redis.call('GET', unique)}
  else
    depth = depth + 1
    if unique ~= '' then
      redis.call('HSET', key, 'uk', unique)
    end
    if due == 0 then
      redis.call('HSET', key, 'st', 'queued', 'sid', redis.call('XADD', stream, '*', 'i', id), 'p', payload,
        't', task, 'enq', created, 'att', 0, 'lost', 0, 'by', ARGV[6], 'pri', priority)
    else
      redis.call('ZADD', KEYS[4], due, id)
      redis.call('HSET', key, 'st', 'scheduled', 'due', due, 'p', payload, 't', task, 'enq', created,
        'att', 0, 'lost', 0, 'by', ARGV[6], 'pri', priority)
    end
  end
end
if KEYS[5] then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[9], '*', 'l', '')
end
return others
