#!lua flags=allow-oom
-- Writes the progress of attempts that still own their jobs.
-- KEYS jobs   ARGV JSON progress ('' none), then the stream id of each job
-- Returns for each 1 if cancellation was requested, -1 if another attempt owns the job, else 0
local answers = {}
for i, key in ipairs(KEYS) do
  local job = fields(key, 'sid', 'cx', 'st')
  if not job[3] then
    answers[i] = 0 -- Redis lost the job: no other attempt can own it.
  elseif job[1] ~= ARGV[i + 1] then
    answers[i] = -1
  else
    if ARGV[1] ~= '' then
      redis.call('HSET', key, 'pr', ARGV[1])
    end
    answers[i] = job[2] and 1 or 0
  end
end
return answers
