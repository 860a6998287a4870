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

-- Returns whether the job whose id, payload and key of its unique key ('' none) stand from ARGV[i] on is to be made; its hash
-- then holds its unique key and who asked for it. A job that exists is not made again, and of one that cannot be made
-- {place among the jobs from 0, 'unique' or 'full', id of the holder or depth} is added to `others`.
-- The jobs stand from ARGV[first] on, and before them requested_by ('' nobody), created_ms and due_ms (0: now). The first four
-- arguments are job_prefix, task, max_depth, unique_ttl_ms.
local function admits(i, first, key, depth, others)
  local call, id, unique, by = redis.call, ARGV[i], ARGV[i + 2], ARGV[first - 3]
  if call('EXISTS', key) == 1 then
    return false
  end
  if depth >= tonumber(ARGV[3]) then
    others[#others + 1] = {(i - first) / 3, 'full', depth}
    return false
  end
  if unique ~= '' then
    local holder = call('GET', unique)
    -- One whose job is lost holds nothing.
    if holder and call('EXISTS', ARGV[1] .. holder) == 1 then
      others[#others + 1] = {(i - first) / 3, 'unique', holder}
      return false
    end
    call('SET', unique, id, 'PX', ARGV[4])
    call('HSET', key, 'uk', unique)
  end
  if by ~= '' then
    call('HSET', key, 'by', by)
  end
  return true
end
