#!lua flags=allow-oom
-- Lets a failed attempt's job wait where it stands in line; one that was asked to stop meanwhile ends as cancelled instead.
-- ARGV job_prefix, fence, job id, delay_ms, failures   Returns 1, or 0 when this attempt no longer owned the job.
local sid, id = ARGV[2], ARGV[3]
local key = PREFIX .. id
local job = fields(key, 'sid', 'st', 'cx')
if job[2] ~= 'running' or job[1] ~= sid then
  return 0
end
redis.call('HSET', key, 'err', ARGV[5])
redis.call('HDEL', key, 'sid', 'own', 't0')
if job[3] then
  end_here(id, 'cancelled')
  return 1
end
local due = now_ms + tonumber(ARGV[4])
back_in_line(id)
redis.call('ZADD', DELAYED, due, id)
redis.call('HSET', key, 'st', 'retrying', 'due', due)
return 1
