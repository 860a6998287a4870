#!lua flags=allow-oom
-- Writes the progress of an attempt that still owns its job.
-- KEYS job   ARGV stream id, JSON progress ('' none)
-- Returns 1 if cancellation was requested, -1 if another attempt owns the job, else 0
local job = fields(KEYS[1], 'sid', 'cx', 'st')
if not job[3] then
  return 0 -- Redis lost the job: no other attempt can own it.
end
if job[1] ~= ARGV[1] then
  return -1
end
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'pr', ARGV[2])
end
return job[2] and 1 or 0
