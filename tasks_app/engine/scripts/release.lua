#!lua flags=allow-oom
-- Hands entries back which were read, perhaps marked as started, but never ran: their attempt does not count.
-- KEYS stream   ARGV job_prefix, then stream id and job id of each. Returns how many were handed back.
local released = 0
for i = 2, #ARGV, 2 do
  local key = ARGV[1] .. ARGV[i + 1]
  if redis.call('XACK', KEYS[1], 'workers', ARGV[i]) == 1 then
    redis.call('XDEL', KEYS[1], ARGV[i])
    local state = redis.call('HGET', key, 'st')
    if state == 'running' then
      redis.call('HINCRBY', key, 'att', -1)
      redis.call('HDEL', key, 'own', 't0')
    end
    if state == 'running' or state == 'queued' then
      redis.call('HSET', key, 'st', 'queued', 'sid', redis.call('XADD', KEYS[1], '*', 'i', ARGV[i + 1]))
      released = released + 1
    end
  end
end
return released
