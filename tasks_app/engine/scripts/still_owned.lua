#!lua flags=allow-oom
-- Finds which attempts still own their job. A job that Redis lost altogether counts as owned.
-- KEYS delayed (only names the shard)   ARGV job_prefix, then stream id and job id of each   Returns 1 or 0 for each
local owned = {}
for i = 2, #ARGV, 2 do
  local job = fields(ARGV[1] .. ARGV[i + 1], 'st', 'sid')
  owned[#owned + 1] = (not job[1] or job[2] == ARGV[i]) and 1 or 0
end
return owned
