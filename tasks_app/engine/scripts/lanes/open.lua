#!lua flags=allow-oom
-- The steps of opening a lane as one of so many, and of closing it: see engine.lanes.counts.
-- ARGV job_prefix, step, number of lanes   Returns how many jobs the lane holds ('close' is refused then).
local held = redis.call('ZCARD', QUEUED) + redis.call('ZCARD', RUNNING) + redis.call('ZCARD', DELAYED) + redis.call('ZCARD', ENDED)
local step, of = ARGV[2], redis.call('GET', OF)
if step == 'close' and held == 0 then
  redis.call('SET', OF, 'closed')
elseif step == 'fill' and not of then
  redis.call('SET', OF, ARGV[3])
elseif step == 'open' and (not of or of == 'closed') then
  if ARGV[3] == '0' then
    redis.call('DEL', OF)
  else
    redis.call('SET', OF, ARGV[3])
  end
end
return held
