#!lua flags=allow-oom
-- Takes finished jobs, whose result is stored, off the queue. An attempt that lost its job (its entry was taken over)
-- acknowledges nothing: XACK of its stream id answers 0, and nothing else happens.
-- KEYS stream, done   ARGV job_prefix, tombstone_ms, then stream id, job id and final state of each
-- Returns the number of attempts that still owned their job.
local now = redis.call('TIME')
local owned = 0
for i = 3, #ARGV, 3 do
  if redis.call('XACK', KEYS[1], 'workers', ARGV[i]) == 1 then
    owned = owned + 1
    redis.call('XDEL', KEYS[1], ARGV[i])
    local key = ARGV[1] .. ARGV[i + 1]
    local unique = redis.call('HGET', key, 'uk')
    if unique and redis.call('GET', unique) == ARGV[i + 1] then
      redis.call('DEL', unique)
    end
    -- For a minute the state remains, so that a client which sends its enqueue again makes no second job.
    redis.call('DEL', key)
    redis.call('HSET', key, 'st', ARGV[i + 2])
    redis.call('PEXPIRE', key, ARGV[2])
  end
end
if owned > 0 then
  local minute = math.floor(now[1] / 60)
  redis.call('ZINCRBY', KEYS[2], owned, minute)
  if redis.call('ZCARD', KEYS[2]) > 60 then
    for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
      if tonumber(member) <= minute - 60 then
        redis.call('ZREM', KEYS[2], member)
      end
    end
  end
end
return owned
