#!lua flags=allow-oom
-- Leaves a tombstone of a job that ended without a worker, once its row is written.
-- KEYS ended   ARGV job_prefix, tombstone_ms, job ids...
for i = 3, #ARGV do
  local key = ARGV[1] .. ARGV[i]
  local state = redis.call('HGET', key, 'st')
  redis.call('ZREM', KEYS[1], ARGV[i])
  if state == 'cancelled' or state == 'failed' then
    redis.call('DEL', key)
    redis.call('HSET', key, 'st', state)
    redis.call('PEXPIRE', key, ARGV[2])
  end
end
return #ARGV - 2
