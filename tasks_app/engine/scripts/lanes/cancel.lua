#!lua flags=allow-oom
-- Cancels a job that has not started; requests a running one to stop. Cancelling twice is harmless.
-- ARGV job_prefix, job id, JSON {by, reason}
-- Returns the state after it: 'cancelled', 'running' (requested to stop), a final state, or '' for an unknown job.
local id, key = ARGV[2], PREFIX .. ARGV[2]
local job = fields(key, 'st', 'cx')
local state = job[1]
if state == 'running' and not job[2] then
  redis.call('HSET', key, 'cx', ARGV[3])
end
if state ~= 'queued' and state ~= 'scheduled' and state ~= 'retrying' then
  return state or ''
end
redis.call('HSET', key, 'cx', ARGV[3])
end_here(id, 'cancelled')
return 'cancelled'
