-- Functions of all scripts. A damaged hash (another type of key, fields that are missing or not numbers) must not end a
-- script half way: every other job of the queue would wait behind it.

-- HMGET that finds nothing in a key of another type.
local function fields(key, ...)
  local found = redis.pcall('HMGET', key, ...)
  return found.err and {} or found
end

-- A whole number that may be counted on with, 0 for anything else.
local function number(text)
  local value = tonumber(text or '0') or 0
  return value >= 0 and value < 1e9 and math.floor(value) or 0
end

-- HSET that replaces a key of another type.
local function set(key, ...)
  local answer = redis.pcall('HSET', key, ...)
  if type(answer) == 'table' and answer.err then
    redis.call('DEL', key)
    redis.call('HSET', key, ...)
  end
end

-- Adds to a number of a hash.
local function add(key, field, change)
  local value = math.max(0, number(fields(key, field)[1]) + change)
  set(key, field, value)
  return value
end

-- Ends a job's hold on its unique key (field uk), and wakes those who wait for its end (field wk).
local function let_go(key, id, is_awaited, unique)
  if is_awaited then
    -- Its name is built, not read: a damaged field must not lead to a stream of work.
    local wake = string.sub(key, 1, #key - #id - #'job:') .. 'wake:' .. id
    redis.pcall('XADD', wake, 'MAXLEN', 1, '*', 'e', 1)
    redis.pcall('PEXPIRE', wake, 60000)
  end
  if type(unique) == 'string' and redis.pcall('GET', unique) == id then
    redis.call('DEL', unique)
  end
end

local function free(key, id)
  let_go(key, id, unpack(fields(key, 'wk', 'uk')))
end

-- Counts finished jobs by the minute; minutes that are over an hour old go.
local function count_done(done, seconds, count)
  if count == 0 then
    return
  end
  local minute = math.floor(seconds / 60)
  redis.call('HINCRBY', done, minute, count)
  if redis.call('HLEN', done) > 61 then
    for _, member in ipairs(redis.call('HKEYS', done)) do
      if tonumber(member) < minute - 60 then
        redis.call('HDEL', done, member)
      end
    end
  end
end

-- Makes jobs, each once. The first four arguments are job_prefix, task, max_depth, unique_ttl_ms. Job id, payload and the key
-- of its unique key ('' none) of each stand from ARGV[first] on, and before them requested_by ('' nobody), created_ms and due_ms
-- (0: now). `put` gives a job its place, and returns its state and what else its hash holds.
-- Returns {place among the jobs from 0, 'unique' or 'full', id of the holder or depth} for each that was not made and does not
-- exist already.
local function make_jobs(first, depth, priority, put)
  local max_depth, by, created_ms, others = tonumber(ARGV[3]), ARGV[first - 3], ARGV[first - 2], {}
  for i = first, #ARGV, 3 do
    local id, unique = ARGV[i], ARGV[i + 2]
    local key = ARGV[1] .. id
    if redis.call('EXISTS', key) == 1 then
      -- Made before.
    elseif depth >= max_depth then
      others[#others + 1] = {(i - first) / 3, 'full', depth}
    elseif unique ~= '' and not redis.call('SET', unique, id, 'NX', 'PX', ARGV[4]) then
      others[#others + 1] = {(i - first) / 3, 'unique', redis.call('GET', unique)}
    else
      depth = depth + 1
      if unique ~= '' then
        redis.call('HSET', key, 'uk', unique)
      end
      if by ~= '' then
        redis.call('HSET', key, 'by', by)
      end
      redis.call('HSET', key, 'p', ARGV[i + 1], 't', ARGV[2], 'enq', created_ms, 'pri', priority, 'st', put(id))
    end
  end
  return others
end
