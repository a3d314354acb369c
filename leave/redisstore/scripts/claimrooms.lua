-- Gives out the rooms that were given out longest ago.
--
-- ARGV from 4: the caller's time, the latest time (milliseconds) at which a
-- room may have been given out before, how many
-- Answer: the rooms.
for _, room in ipairs(redis.call('ZRANGEBYSCORE', ROOMS, '-inf', ARGV[5], 'LIMIT', 0, ARGV[6])) do
  redis.call('ZADD', ROOMS, ARGV[4], room)
  add(room)
end
return answer
