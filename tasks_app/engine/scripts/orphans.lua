#!lua flags=allow-oom
-- Finds job hashes without a place: no entry of a stream, none among the delayed or the ended. No script leaves one, but a
-- key deleted by hand does. With apply=1 a job that lives goes back to its queue, one that ended is put where its row will be
-- written, and a hash without a payload is deleted.
-- KEYS high, normal, low, delayed, ended, groups   ARGV job_prefix, apply, job ids...
-- Returns {jobs that live and lost their place, remains of others}
local streams = {high = KEYS[1], normal = KEYS[2], low = KEYS[3]}
local lost, remains = 0, 0

local function has_place(state, stream, sid, id, is_group)
  if is_group and state == 'running' and not sid then
    return redis.call('ZSCORE', KEYS[6], id)
  end
  if state == 'queued' or state == 'running' then
    local found = redis.pcall('XRANGE', stream, sid or '', sid or '')
    return not found.err and #found > 0
  end
  if state == 'scheduled' or state == 'retrying' then
    return redis.call('ZSCORE', KEYS[4], id)
  end
  return redis.call('ZSCORE', KEYS[5], id)
end

for i = 3, #ARGV do
  local id = ARGV[i]
  local key = ARGV[1] .. id
  local job = fields(key, 'st', 'sid', 'pri', 'p', 'kd')
  local stream = streams[job[3]] or streams.normal
  -- A key with a time to live expires by itself.
  if redis.call('PTTL', key) == -1 and not has_place(job[1], stream, job[2], id, job[5]) then
    local lives = job[1] == 'queued' or job[1] == 'running' or job[1] == 'scheduled' or job[1] == 'retrying'
    if lives and job[4] then
      lost = lost + 1
      if ARGV[2] == '1' and job[5] and job[1] == 'running' and not job[2] then
        redis.call('ZADD', KEYS[6], redis.call('TIME')[1] * 1000000, id)
      elseif ARGV[2] == '1' then
        redis.call('HDEL', key, 'own', 't0')
        redis.call('HSET', key, 'st', 'queued', 'sid', redis.call('XADD', stream, '*', 'i', id))
      end
    else
      remains = remains + 1
      if ARGV[2] == '1' and job[4] then
        redis.call('ZADD', KEYS[5], redis.call('TIME')[1], id)
      elseif ARGV[2] == '1' then
        redis.call('DEL', key)
      end
    end
  end
end
return {lost, remains}
