#!lua flags=allow-oom
-- Takes members that ended off a group or chain. When none is left it is queued: its results are to be combined. A chain
-- goes on to its next step; it ends as cancelled when that was asked for. Sending this again is harmless.
-- KEYS high, normal, low, ended, job, members, groups, making, plan
-- ARGV id, 1 when all members are made, then number, final state and, where it is kept here, result of each member that ended
-- Returns {number of the chain's next step or -1, 1 when cancellation is asked for and members are left}
local streams = {high = KEYS[1], normal = KEYS[2], low = KEYS[3]}
if not redis.call('ZSCORE', KEYS[7], ARGV[1]) then
  return {-1, 0}
end
local job = fields(KEYS[5], 'kd', 'n', 'cx', 'pri', 'p', 'ok', 'bad', 'kp')
if not job[5] then
  -- Its hash is gone: no job is left that could end.
  redis.call('ZREM', KEYS[7], ARGV[1])
  redis.call('ZREM', KEYS[8], ARGV[1])
  redis.call('DEL', KEYS[6], KEYS[9])
  return {-1, 0}
end
local is_chain, total = job[1] == 'chain', number(job[2])
local next_step = -1
if ARGV[2] == '1' then
  redis.call('ZREM', KEYS[8], ARGV[1])
  if job[8] ~= '1' then
    redis.call('DEL', KEYS[9])
  end
end
local numbers = {}
for i = 3, #ARGV, 3 do
  numbers[#numbers + 1] = ARGV[i]
end
local is_left = #numbers > 0 and redis.call('SMISMEMBER', KEYS[6], unpack(numbers)) or {}
local ok, bad, results, gone = 0, 0, {}, {}
for i, number_text in ipairs(numbers) do
  local index, succeeded, result = tonumber(number_text), ARGV[3 * i + 1] == 'succeeded', ARGV[3 * i + 2]
  if is_left[i] == 1 then
    ok, bad = ok + (succeeded and 1 or 0), bad + (succeeded and 0 or 1)
    gone[#gone + 1] = number_text
    if result ~= '' then
      results[#results + 1] = 'r' .. number_text
      results[#results + 1] = result
    end
  end
  if is_chain and succeeded and index + 1 < total and not job[3] then
    if is_left[i] == 1 then
      redis.call('SADD', KEYS[6], index + 1)
    end
    if redis.call('SISMEMBER', KEYS[6], index + 1) == 1 then
      next_step = index + 1
    end
  end
end
if #gone > 0 then
  redis.call('SREM', KEYS[6], unpack(gone))
end
if ok + bad > 0 then
  redis.call('HSET', KEYS[5], 'ok', number(job[6]) + ok, 'bad', number(job[7]) + bad, unpack(results))
end
if redis.call('SCARD', KEYS[6]) > 0 or redis.call('ZSCORE', KEYS[8], ARGV[1]) then
  return {next_step, job[3] and 1 or 0}
end
redis.call('ZREM', KEYS[7], ARGV[1])
redis.call('DEL', KEYS[6], KEYS[9])
if job[3] and number(job[6]) + ok < total then
  free(KEYS[5], ARGV[1])
  redis.call('HSET', KEYS[5], 'st', 'cancelled')
  redis.call('ZADD', KEYS[4], redis.call('TIME')[1], ARGV[1])
else
  redis.call('HSET', KEYS[5], 'st', 'queued', 'sid', redis.call('XADD', streams[job[4]] or streams.normal, '*', 'i', ARGV[1]))
end
return {-1, 0}
