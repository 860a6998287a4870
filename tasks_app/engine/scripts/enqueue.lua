-- Makes jobs, each once: a client that sends this again after a time-out creates nothing twice.
-- Without allow-oom: a full Redis refuses it as a whole.
-- KEYS high, normal, low, delayed
-- ARGV job_prefix, task, created_ms, due_ms (0: now), max_depth, requested_by, priority, unique_ttl_ms,
--      then job id, payload and the key of its unique key ('' none) of each
-- Returns one {'ok'|'duplicate'|'unique'|'full', job id, or depth when full} for each.
local streams = {high = KEYS[1], normal = KEYS[2], low = KEYS[3]}
local prefix, task, created, due, priority = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[7]
local depth = redis.call('ZCARD', KEYS[4])
for i = 1, 3 do
  depth = depth + redis.call('XLEN', KEYS[i])
end

local function make(id, payload, unique)
  local key = prefix .. id
  if redis.call('EXISTS', key) == 1 then
    return {'duplicate', id}
  end
  if depth >= tonumber(ARGV[5]) then
    return {'full', depth}
  end
  if unique ~= '' then
    if not redis.call('SET', unique, id, 'NX', 'PX', ARGV[8]) then
      return {'unique', redis.call('GET', unique)}
    end
    redis.call('HSET', key, 'uk', unique)
  end
  depth = depth + 1
  if due == 0 then
    redis.call('HSET', key, 'st', 'queued', 'sid', redis.call('XADD', streams[priority], '*', 'i', id), 'p', payload,
      't', task, 'enq', created, 'att', 0, 'lost', 0, 'by', ARGV[6], 'pri', priority)
  else
    redis.call('ZADD', KEYS[4], due, id)
    redis.call('HSET', key, 'st', 'scheduled', 'due', due, 'p', payload, 't', task, 'enq', created,
      'att', 0, 'lost', 0, 'by', ARGV[6], 'pri', priority)
  end
  return {'ok', id}
end

local made = {}
for i = 9, #ARGV, 3 do
  made[#made + 1] = make(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
return made
