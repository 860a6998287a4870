#!lua flags=allow-oom
-- Gives a job that waits another priority; a queued one goes to the end of that priority's stream.
-- KEYS high, normal, low, job   ARGV job id, priority
-- Returns {1 when it waits with that priority, the state after it, or '' for an unknown job}
local streams = {high = KEYS[1], normal = KEYS[2], low = KEYS[3]}
local job = fields(KEYS[4], 'st', 'sid', 'pri')
local state = job[1]
if state ~= 'queued' and state ~= 'scheduled' and state ~= 'retrying' then
  return {0, state or ''}
end
if state == 'queued' and (job[3] or 'normal') ~= ARGV[2] then
  local stream = streams[job[3]] or streams.normal
  redis.pcall('XACK', stream, 'workers', job[2] or '')
  redis.pcall('XDEL', stream, job[2] or '')
  redis.call('HSET', KEYS[4], 'sid', redis.call('XADD', streams[ARGV[2]], '*', 'i', ARGV[1]))
end
redis.call('HSET', KEYS[4], 'pri', ARGV[2])
return {1, state}
