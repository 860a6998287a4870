-- Takes a login attempt that succeeded off the budgets it was counted against.
-- KEYS the hashes of admit_login
for _, key in ipairs(KEYS) do
    if redis.call('EXISTS', key) == 1 then
        redis.call('HINCRBY', key, 'count', -1)
        redis.call('HSET', key, 'until', 0)
    end
end
