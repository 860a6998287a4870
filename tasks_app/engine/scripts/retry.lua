#!lua flags=allow-oom
-- Puts a failed attempt's job back for later; a job that was asked to stop meanwhile ends as cancelled instead.
-- KEYS stream, delayed, job, ended   ARGV stream id, job id, delay_ms, failures
-- Returns 1, or 0 when this attempt no longer owned the job.
if redis.call('XACK', KEYS[1], 'workers', ARGV[1]) == 0 then
  return 0
end
redis.call('XDEL', KEYS[1], ARGV[1])
local now = redis.call('TIME')
set(KEYS[3], 'err', ARGV[4])
redis.call('HDEL', KEYS[3], 'sid', 'own', 't0')
if redis.call('HEXISTS', KEYS[3], 'cx') == 1 then
  free(KEYS[3], ARGV[2])
  redis.call('HSET', KEYS[3], 'st', 'cancelled')
  redis.call('ZADD', KEYS[4], now[1], ARGV[2])
  return 1
end
local due = now[1] * 1000 + math.floor(now[2] / 1000) + tonumber(ARGV[3])
redis.call('ZADD', KEYS[2], due, ARGV[2])
redis.call('HSET', KEYS[3], 'st', 'retrying', 'due', due)
return 1
