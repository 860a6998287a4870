-- Adds entries to the position buffer, all or none, and leaves the note that a drain will come. A drain deletes the note
-- before it reads, so the next sender asks for another one: nothing added while a drain ends is left behind.
-- KEYS buffer, drain note   ARGV limit, life of the note in ms, then the entries
-- Returns -1: full, nothing was added. 1: added, and the caller must ask for a drain. 0: added, a drain will come.
if redis.call('XLEN', KEYS[1]) + #ARGV - 2 > tonumber(ARGV[1]) then
  return -1
end
for i = 3, #ARGV do
  redis.call('XADD', KEYS[1], '*', 'f', ARGV[i])
end
return redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[2]) and 1 or 0
