#!lua flags=allow-oom
-- Notes that a caller waits for the end of a job, so that its end writes to the wake stream. Of an ended job it notes nothing.
-- KEYS job   Returns the state of the job, '' for an unknown one
local state = fields(KEYS[1], 'st')[1]
if state and state ~= 'succeeded' and state ~= 'failed' and state ~= 'cancelled' then
  redis.call('HSET', KEYS[1], 'wk', 1)
end
return state or ''
