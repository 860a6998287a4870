#!lua flags=allow-oom
-- Takes finished jobs, whose result is stored, off the queue. An attempt that lost its job (its entry was taken over)
-- acknowledges nothing: XACK of its stream id answers 0, and nothing else happens.
-- KEYS high, normal, low, done   ARGV job_prefix, tombstone_ms, then priority, stream id, job id, final state of each
-- Returns the number of attempts that still owned their job.
local now = redis.call('TIME')
local owned = 0
for i = 3, #ARGV, 4 do
  local stream, sid, id = KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2]
  if redis.call('XACK', stream, 'workers', sid) == 1 then
    owned = owned + 1
    redis.call('XDEL', stream, sid)
    local key = ARGV[1] .. id
    free(key, id)
    -- For a minute the state remains, so that a client which sends its enqueue again makes no second job.
    redis.call('DEL', key)
    redis.call('HSET', key, 'st', ARGV[i + 3])
    redis.call('PEXPIRE', key, ARGV[2])
  end
end
count_done(KEYS[4], now[1], owned)
return owned
