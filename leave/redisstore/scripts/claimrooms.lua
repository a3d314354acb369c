-- Claims the rooms whose last claim was longest ago.
--
-- ARGV from 5: the caller's time, the latest time of a room's last claim (both in
-- milliseconds), how many rooms
-- Answer: the rooms.
for _, room in ipairs(redis.call('ZRANGEBYSCORE', ROOMS, '-inf', ARGV[6], 'LIMIT', 0, ARGV[7])) do
  redis.call('ZADD', ROOMS, ARGV[5], room)
  add(room)
end
return answer
