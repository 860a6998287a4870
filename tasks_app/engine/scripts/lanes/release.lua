#!lua flags=allow-oom
-- Hands back attempts that were begun but never ran: they do not count, and their jobs stand where they stood.
-- ARGV job_prefix, then fence and job id of each   Returns how many were handed back.
local released = 0
for i = 2, #ARGV, 2 do
  local id = ARGV[i + 1]
  local job = fields(PREFIX .. id, 'sid', 'st')
  if job[2] == 'running' and job[1] == ARGV[i] then
    hand_back(id)
    released = released + 1
  end
end
return released
