#!lua flags=allow-oom
-- Finds job hashes without a place in the lane: see orphans.lua of the queues.
-- ARGV job_prefix, apply, job ids...   Returns {jobs that live and lost their place, remains of others}
local places = {queued = QUEUED, running = RUNNING, scheduled = DELAYED, retrying = DELAYED}
local lost, remains = 0, 0
for i = 3, #ARGV do
  local id, key = ARGV[i], PREFIX .. ARGV[i]
  local job = fields(key, 'st', 'p')
  local place = places[job[1] or '']
  -- A key with a time to live expires by itself.
  if redis.call('PTTL', key) == -1 and not redis.call('ZSCORE', place or ENDED, id) then
    if place and job[2] then
      lost = lost + 1
      if ARGV[2] == '1' then
        redis.call('HDEL', key, 'own', 't0', 'sid')
        redis.call('HSET', key, 'st', 'queued')
        if not redis.call('ZSCORE', QUEUED, id) then
          redis.call('ZADD', QUEUED, next_place(), id)
        end
      end
    else
      remains = remains + 1
      if ARGV[2] == '1' and job[2] then
        redis.call('ZADD', ENDED, time[1], id)
      elseif ARGV[2] == '1' then
        redis.call('DEL', key)
      end
    end
  end
end
return {lost, remains}
