#!lua flags=allow-oom
-- Gives a free lane to a worker. Jobs that nobody runs any more, should there be any, go back in line first.
-- ARGV job_prefix, consumer   Returns 1, or 0 when the lane is not free.
if not redis.call('SET', LEASE, ARGV[2], 'NX') then
  return 0
end
for _, id in ipairs(redis.call('ZRANGE', RUNNING, 0, -1)) do
  if fields(PREFIX .. id, 'st')[1] == 'running' then
    hand_back(id)
    redis.call('HSET', PREFIX .. id, 'rec', 1)
  else
    redis.call('ZREM', RUNNING, id)
  end
end
return 1
