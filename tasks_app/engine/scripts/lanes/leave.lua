#!lua flags=allow-oom
-- Ends a worker's lease; attempts it had begun there and does not run are handed back.
-- ARGV job_prefix, consumer   Returns 1, or 0 when the lease was not its own.
for _, id in ipairs(redis.call('ZRANGE', RUNNING, 0, -1)) do
  local job = fields(PREFIX .. id, 'st', 'own')
  if job[1] == 'running' and job[2] == ARGV[2] then
    hand_back(id)
  end
end
return redis.call('GET', LEASE) == ARGV[2] and redis.call('DEL', LEASE) or 0
