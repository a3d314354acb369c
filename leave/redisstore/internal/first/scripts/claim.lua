-- Lends due jobs.
--
-- ARGV from 5: the caller's time (milliseconds), how many, to whom
-- Answer: for every job its field, and what is stored now.
for _, field in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', ARGV[5], 'LIMIT', 0, ARGV[6])) do
  local stored = redis.call('HGET', JOBS, field)
  local _, lease, job = parts(stored)
  if job then
    local ends = int(tonumber(ARGV[5]) + math.max(tonumber(lease), 1))
    stored = table.concat({version(0), ends, lease, ARGV[7] .. '\n' .. job}, ' ')
    redis.call('HSET', JOBS, field, stored)
    redis.call('ZADD', DUE, ends, field)
    add(field)
    add(stored)
  elseif stored and stored ~= '' then
    -- Nothing like us wrote this; it must not stand before the others. If it
    -- is a later version's, that will find it.
    redis.call('ZADD', DUE, int(tonumber(ARGV[5]) + 60000), field)
    add(field)
    add(stored)
  else
    redis.call('ZREM', DUE, field)
  end
end
return answer
