-- Lists the rooms that somebody is, or was just now, in.
--
-- Answer: the rooms.
for _, room in ipairs(redis.call('HKEYS', PRESENT)) do
  add(room)
end
return answer
