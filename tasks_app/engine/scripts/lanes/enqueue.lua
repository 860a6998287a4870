#!lua
-- Makes jobs of one lane, each once and in this order: see enqueue.lua of the queues.
-- Without allow-oom: a full Redis refuses it as a whole.
-- ARGV job_prefix, task, created_ms, due_ms (0: now), max_depth, requested_by, unique_ttl_ms, number of lanes,
--      then job id, payload and the key of its unique key ('' none) of each
-- Returns {place among the jobs from 0, 'unique' or 'full', id of the holder or depth} for each that was not made and does not
-- exist already; {{0, 'lanes', number of lanes it was opened with}} if that is another one.
local of = redis.call('GET', OF)
if of ~= ARGV[8] then
  return {{0, 'lanes', of or ''}}
end
local task, created, due, max_depth = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local depth = redis.call('ZCARD', QUEUED) + redis.call('ZCARD', RUNNING) + redis.call('ZCARD', DELAYED)
local others = {}

for i = 9, #ARGV, 3 do
  local id, payload, unique = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local key = PREFIX .. id
  if redis.call('EXISTS', key) == 1 then
    -- Made before.
  elseif depth >= max_depth then
    others[#others + 1] = {(i - 9) / 3, 'full', depth}
  elseif unique ~= '' and not redis.call('SET', unique, id, 'NX', 'PX', ARGV[7]) then
    others[#others + 1] = {(i - 9) / 3, 'unique', redis.call('GET', unique)}
  else
    depth = depth + 1
    if unique ~= '' then
      redis.call('HSET', key, 'uk', unique)
    end
    redis.call('HSET', key, 'st', due == 0 and 'queued' or 'scheduled', 'p', payload, 't', task, 'enq', created,
      'att', 0, 'lost', 0, 'by', ARGV[6], 'pri', 'normal')
    if due == 0 then
      redis.call('ZADD', QUEUED, next_place(), id)
    else
      redis.call('HSET', key, 'due', due)
      redis.call('ZADD', DELAYED, due, id)
    end
  end
end
return others
