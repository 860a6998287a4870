#!lua flags=allow-oom
-- Cancels waiting jobs, some at a time. Running ones go on.
-- ARGV job_prefix, JSON {by, reason}, limit   Returns {cancelled, 1 when nothing is left}
local cancelled, left = 0, false
for _, waiting in ipairs({QUEUED, DELAYED}) do
  local ids = redis.call('ZRANGE', waiting, 0, ARGV[3] - 1)
  left = left or #ids >= tonumber(ARGV[3])
  for _, id in ipairs(ids) do
    local state = fields(PREFIX .. id, 'st')[1]
    if state == 'queued' or state == 'scheduled' or state == 'retrying' then
      set(PREFIX .. id, 'cx', ARGV[2])
      end_here(id, 'cancelled')
      cancelled = cancelled + 1
    else
      redis.call('ZREM', waiting, id)
    end
  end
end
return {cancelled, left and 0 or 1}
