-- Gives out the rooms that were given out longest ago.
--
-- ARGV from 5: the caller's time, the latest time (milliseconds) at which a
-- room may have been given out before, how many
-- Answer: the rooms.
for _, room in ipairs(redis.call('ZRANGEBYSCORE', ROOMS, '-inf', ARGV[6], 'LIMIT', 0, ARGV[7])) do
  redis.call('ZADD', ROOMS, ARGV[5], room)
  add(room)
end
return answer
