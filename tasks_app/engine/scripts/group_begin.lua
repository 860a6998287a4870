-- Makes the hash of a group or chain, which waits for its members, and its plan: what is needed to make them, should the
-- caller die before it has. Without allow-oom: a full Redis refuses it as a whole.
-- KEYS high, normal, low, delayed, job, members, groups, making, plan
-- ARGV id, task, created_ms, payload, kind, total, requested_by, priority, max_depth, plan ('' for none), queues of
--      it and its members, sign of the transaction that makes its members too ('' where that comes after it), due_ms of its first
--      members ('' now), 1 when the plan is kept until it ends ('' until they are made), then the numbers of these; all members
--      that are not among them, nor behind them in a chain, have succeeded
-- Returns 'ok'; 'making' or 'duplicate' when it exists, with and without members to be made; or {'full', depth}.
if redis.call('EXISTS', KEYS[5]) == 1 then
  return {redis.call('ZSCORE', KEYS[8], ARGV[1]) and 'making' or 'duplicate', 0}
end
-- Groups that wait count as jobs do: a lane that is held up must not let them fill the memory.
local depth = redis.call('ZCARD', KEYS[4]) + redis.call('ZCARD', KEYS[7])
for i = 1, 3 do
  depth = depth + redis.call('XLEN', KEYS[i])
end
local count = #ARGV - 14
if depth + count > tonumber(ARGV[9]) then
  return {'full', depth}
end
local now = redis.call('TIME')
-- In microseconds and unique, so that a list of groups has an order in which each has one place.
local score = now[1] * 1000000 + now[2]
while redis.call('ZCOUNT', KEYS[7], score, score) > 0 do
  score = score + 1
end
redis.call('ZADD', KEYS[7], score, ARGV[1])
if ARGV[12] == '' then
  redis.call('ZADD', KEYS[8], now[1], ARGV[1])
end
redis.call('DEL', KEYS[6])
for i = 15, #ARGV do
  redis.call('SADD', KEYS[6], ARGV[i])
end
if ARGV[10] ~= '' then
  redis.call('SET', KEYS[9], ARGV[10])
end
local succeeded = ARGV[5] == 'chain' and ARGV[15] or ARGV[6] - count
redis.call('HSET', KEYS[5], 'st', 'running', 'p', ARGV[4], 't', ARGV[2], 'enq', ARGV[3], 't0', ARGV[3], 'att', 0, 'lost', 0,
  'by', ARGV[7], 'pri', ARGV[8], 'kd', ARGV[5], 'n', ARGV[6], 'ok', succeeded, 'bad', 0,
  'qs', ARGV[11], 'mk', ARGV[12], 'kp', ARGV[14])
if ARGV[13] ~= '' then
  redis.call('HSET', KEYS[5], 'due', ARGV[13])
end
return {'ok', depth}
