#!lua
-- Makes jobs of one lane, each once and in this order: see enqueue.lua of the queues.
-- Without allow-oom: a full Redis refuses it as a whole.
-- KEYS those of the lane and, where they are members of a group that is begun in the same transaction, that group's job
-- ARGV job_prefix, task, max_depth, unique_ttl_ms, number of lanes, sign of that transaction ('' for none), requested_by,
--      created_ms, due_ms, then the jobs
-- Returns the answer of make_jobs; {{0, 'lanes', number of lanes it was opened with}} if that is another one; {} where the group
-- was not begun there.
if KEYS[10] and redis.call('HGET', KEYS[10], 'mk') ~= ARGV[6] then
  return {}
end
local of = redis.call('GET', OF)
if of ~= ARGV[5] then
  return {{0, 'lanes', of or ''}}
end
local due = tonumber(ARGV[9])
local depth = redis.call('ZCARD', QUEUED) + redis.call('ZCARD', RUNNING) + redis.call('ZCARD', DELAYED)

return make_jobs(10, depth, 'normal', function(id)
  if due == 0 then
    redis.call('ZADD', QUEUED, next_place(), id)
    return 'queued'
  end
  redis.call('ZADD', DELAYED, due, id)
  return 'scheduled', 'due', due
end)
