#!lua flags=allow-oom
-- Begins the attempts of the entries a worker has just read. Attempts are counted here, at the start, so that a job
-- which kills its worker is seen to have been tried. Sending this again for one's own running entries is harmless.
-- KEYS stream   ARGV job_prefix, consumer, then stream id and job id of each entry
-- Returns one {job id, stream id, attempt, lost, created_ms, payload, earlier failures} for each job to run.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local to_run = {}
for i = 3, #ARGV, 2 do
  local sid, id = ARGV[i], ARGV[i + 1]
  local key = ARGV[1] .. id
  local job = redis.call('HMGET', key, 'st', 'sid', 'own', 'att', 'lost', 'enq', 'p', 'err')
  local mine_already = job[1] == 'running' and job[2] == sid and job[3] == ARGV[2]
  if job[1] == 'queued' and job[2] == sid then
    job[4] = redis.call('HINCRBY', key, 'att', 1)
    redis.call('HSET', key, 'st', 'running', 'own', ARGV[2], 't0', now_ms)
    mine_already = true
  elseif not mine_already and not (job[1] == 'running' and job[2] == sid) then
    -- Cancelled, or a newer attempt exists: this entry is nobody's any more.
    redis.call('XACK', KEYS[1], 'workers', sid)
    redis.call('XDEL', KEYS[1], sid)
  end
  if mine_already then
    to_run[#to_run + 1] = {id, sid, tonumber(job[4]), tonumber(job[5] or '0'), job[6] or '', job[7] or '', job[8] or ''}
  end
end
return to_run
