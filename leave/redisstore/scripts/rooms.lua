-- Lists the rooms with a job whose participant is there, or was there just now.
--
-- Answer: the rooms.
for _, room in ipairs(redis.call('HKEYS', PRESENT)) do
  add(room)
end
return answer
