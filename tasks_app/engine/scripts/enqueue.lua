-- Makes a job, once: a client that sends this again after a time-out creates nothing twice.
-- KEYS stream, delayed, job, unique ('' keys are never used)
-- ARGV id, payload, task, created_ms, due_ms (0: now), unique_ttl_ms (0: not unique), max_depth, requested_by
-- Returns {'ok'|'duplicate'|'unique'|'full', job id or depth}
local state = redis.call('HGET', KEYS[3], 'st')
if state then
  return {'duplicate', ARGV[1]}
end
local depth = redis.call('XLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2])
if depth >= tonumber(ARGV[7]) then
  return {'full', depth}
end
local unique_ttl = tonumber(ARGV[6])
if unique_ttl > 0 then
  if not redis.call('SET', KEYS[4], ARGV[1], 'NX', 'PX', unique_ttl) then
    return {'unique', redis.call('GET', KEYS[4])}
  end
  redis.call('HSET', KEYS[3], 'uk', KEYS[4])
end
local due = tonumber(ARGV[5])
if due == 0 then
  local sid = redis.call('XADD', KEYS[1], '*', 'i', ARGV[1])
  redis.call('HSET', KEYS[3], 'st', 'queued', 'sid', sid, 'p', ARGV[2], 't', ARGV[3], 'enq', ARGV[4],
    'att', 0, 'lost', 0, 'by', ARGV[8])
else
  redis.call('ZADD', KEYS[2], due, ARGV[1])
  redis.call('HSET', KEYS[3], 'st', 'scheduled', 'due', due, 'p', ARGV[2], 't', ARGV[3], 'enq', ARGV[4],
    'att', 0, 'lost', 0, 'by', ARGV[8])
end
return {'ok', ARGV[1]}
