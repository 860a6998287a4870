#!lua
-- Makes jobs of one lane, each once and in this order: see enqueue.lua of the queues.
-- Without allow-oom: a full Redis refuses it as a whole.
-- KEYS those of the lane and, where they are members of a group that is begun in the same transaction, that group's job
-- ARGV job_prefix, task, max_depth, unique_ttl_ms, number of lanes, sign of that transaction ('' for none), requested_by,
--      created_ms, due_ms, then the jobs
-- Returns what admits says of those that were not made; {{0, 'lanes', number of lanes it was opened with}} if that is another
-- one; {} where the group was not begun there.
local call, due, others = redis.call, tonumber(ARGV[9]), {}
if KEYS[10] and call('HGET', KEYS[10], 'mk') ~= ARGV[6] then
  return {}
end
local of = call('GET', OF)
if of ~= ARGV[5] then
  return {{0, 'lanes', of or ''}}
end
local depth = call('ZCARD', QUEUED) + call('ZCARD', RUNNING) + call('ZCARD', DELAYED)
for i = 10, #ARGV, 3 do
  local id = ARGV[i]
  local key = ARGV[1] .. id
  if admits(i, 10, key, depth, others) then
    depth = depth + 1
    if due == 0 then
      call('ZADD', QUEUED, next_place(), id)
      call('HSET', key, 'p', ARGV[i + 1], 't', ARGV[2], 'enq', ARGV[8], 'st', 'queued')
    else
      call('ZADD', DELAYED, due, id)
      call('HSET', key, 'p', ARGV[i + 1], 't', ARGV[2], 'enq', ARGV[8], 'st', 'scheduled', 'due', due)
    end
  end
end
return others
