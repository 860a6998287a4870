#!lua flags=allow-oom
-- Hands entries back which were begun but never ran: their attempt does not count. A job that was asked to stop meanwhile ends as
-- cancelled instead.
-- KEYS high, normal, low, ended   ARGV job_prefix, then priority, stream id and job id of each. Returns how many were handed back.
local released = 0
for i = 2, #ARGV, 3 do
  local stream, sid, id = KEYS[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2]
  local key = ARGV[1] .. id
  if redis.call('XACK', stream, 'workers', sid) == 1 then
    redis.call('XDEL', stream, sid)
    local job = fields(key, 'st', 'cx')
    if job[1] == 'running' and job[2] then
      free(key, id)
      redis.call('HSET', key, 'st', 'cancelled')
      redis.call('ZADD', KEYS[4], redis.call('TIME')[1], id)
    elseif job[1] == 'running' then
      add(key, 'att', -1)
      redis.call('HDEL', key, 'own', 't0')
      redis.call('HSET', key, 'st', 'queued', 'sid', redis.call('XADD', stream, '*', 'i', id))
      released = released + 1
    end
  end
end
return released
