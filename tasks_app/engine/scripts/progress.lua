#!lua flags=allow-oom
-- Notes the progress of an attempt that still owns its job; answers whether it was asked to stop.
-- KEYS job   ARGV stream id, JSON progress ('' none)   
-- Returns 1 when cancellation was asked for, -1 when another attempt owns the job, else 0
local job = fields(KEYS[1], 'sid', 'cx', 'st')
if not job[3] then
  return 0 -- Redis lost it; nobody else has it.
end
if job[1] ~= ARGV[1] then
  return -1
end
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'pr', ARGV[2])
end
return job[2] and 1 or 0
