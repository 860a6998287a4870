#!lua flags=allow-oom
-- Takes finished jobs, whose result is stored, off the lane; an attempt that lost its job changes nothing.
-- ARGV job_prefix, tombstone_ms, then fence, job id, final state of each   Returns the number of attempts that owned their job.
local owned = 0
for i = 3, #ARGV, 3 do
  local sid, id = ARGV[i], ARGV[i + 1]
  local key = PREFIX .. id
  local job = fields(key, 'sid', 'st', 'wk', 'uk')
  if owns(job[1], job[2], sid) and redis.call('ZREM', RUNNING, id) == 1 then
    owned = owned + 1
    let_go(key, id, job[3], job[4])
    redis.call('DEL', key)
    redis.call('HSET', key, 'st', ARGV[i + 2])
    redis.call('PEXPIRE', key, ARGV[2])
  end
end
count_done(DONE, time[1], owned)
return owned
