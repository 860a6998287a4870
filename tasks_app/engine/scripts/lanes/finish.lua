#!lua flags=allow-oom
-- Takes finished jobs, whose result is stored, off the lane; an attempt that lost its job changes nothing.
-- ARGV job_prefix, tombstone_ms, then fence, job id, final state of each   Returns the number of attempts that owned their job.
local ids, keys, tombstones = {}, {}, {}
for i = 3, #ARGV, 3 do
  local sid, id = ARGV[i], ARGV[i + 1]
  local key = PREFIX .. id
  local job = fields(key, 'sid', 'st', 'wk', 'uk')
  if owns(job[1], job[2], sid) and redis.call('ZSCORE', RUNNING, id) then
    ids[#ids + 1] = id
    keys[#keys + 1] = key
    tombstones[#tombstones + 1] = ARGV[i + 2]
    if job[3] or job[4] then
      let_go(key, id, job[3], job[4])
    end
  end
end
in_parts('ZREM', RUNNING, ids)
for first = 1, #keys, 1000 do
  redis.call('DEL', unpack(keys, first, math.min(first + 999, #keys)))
end
for i, key in ipairs(keys) do
  redis.call('HSET', key, 'st', tombstones[i])
  redis.call('PEXPIRE', key, ARGV[2])
end
count_done(DONE, time[1], #ids)
return #ids
